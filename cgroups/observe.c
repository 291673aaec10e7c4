#include "cgroups/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cgroups/version.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"

#define VMSTAT_BYTES 32768

void sl_vmstat_parse(const char *text, uint64_t page_bytes, uint64_t *in, uint64_t *out)
{
    uint64_t pages_in = sl_control_value(text, "pswpin");
    uint64_t pages_out = sl_control_value(text, "pswpout");
    /* A kernel without swap has no such lines. */
    *in = pages_in == SL_NO_LIMIT ? 0 : pages_in * page_bytes;
    *out = pages_out == SL_NO_LIMIT ? 0 : pages_out * page_bytes;
}

static void read_vmstat(int fd, uint64_t *in, uint64_t *out)
{
    char text[VMSTAT_BYTES];
    if (fd < 0 || sl_fd_read_text(fd, text, sizeof(text)) <= 0)
        text[0] = '\0';
    sl_vmstat_parse(text, (uint64_t)sysconf(_SC_PAGESIZE), in, out);
}

int sl_observer_add(struct sl_observer *observer, const struct sl_memory_sample *sample)
{
    if (observer->skipped + 1 < observer->stride) {
        observer->skipped++;
        return 0;
    }
    if (observer->count == SL_SAMPLES_MOST) {
        for (size_t i = 0; i < observer->count / 2; i++)
            observer->samples[i] = observer->samples[2 * i];
        observer->count /= 2;
        observer->stride = observer->stride ? observer->stride * 2 : 2;
    }
    if (observer->count == observer->capacity) {
        size_t capacity = observer->capacity ? observer->capacity * 2 : 256;
        struct sl_memory_sample *samples =
            reallocarray(observer->samples, capacity, sizeof(*samples));
        if (!samples)
            return -ENOMEM;
        observer->samples = samples;
        observer->capacity = capacity;
    }
    observer->samples[observer->count++] = *sample;
    observer->skipped = 0;
    return 0;
}

uint64_t sl_process_resident(pid_t pid)
{
    char path[64], text[256];
    unsigned long long pages;
    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    if (sl_file_read_text(path, text, sizeof(text)) <= 0 || sscanf(text, "%*u %llu", &pages) != 1)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* "Key:   123 kB" of /proc/<pid>/status in bytes, 0 when it is not there. */
static uint64_t status_bytes(const char *text, const char *key)
{
    const char *found = strstr(text, key);
    unsigned long long kib;
    return found && sscanf(found + strlen(key), " %llu", &kib) == 1 ? kib * 1024 : 0;
}

static void sample_process(struct sl_observer *observer, struct sl_memory_sample *sample)
{
    char path[64], text[4096];
    snprintf(path, sizeof(path), "/proc/%d/status", observer->pid);
    if (sl_file_read_text(path, text, sizeof(text)) > 0) {
        sample->memory_bytes = status_bytes(text, "\nVmRSS:");
        sample->swap_bytes = status_bytes(text, "\nVmSwap:");
        uint64_t peak = status_bytes(text, "\nVmHWM:");
        if (peak > observer->resident_peak_bytes)
            observer->resident_peak_bytes = peak;
    }
    snprintf(path, sizeof(path), "/proc/%d/stat", observer->pid);
    const char *rest = sl_file_read_text(path, text, sizeof(text)) > 0 ? strrchr(text, ')') : NULL;
    unsigned long long major_faults;
    if (rest && sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %llu", &major_faults) == 1)
        observer->major_faults = major_faults;
    sample->major_faults = observer->major_faults;
}

static uint64_t known(uint64_t value)
{
    return value == SL_NO_LIMIT ? 0 : value;
}

static void sample_group(struct sl_observer *observer, struct sl_memory_sample *sample)
{
    struct sl_cgroup_usage usage;
    if (sl_cgroup_usage(observer->group, &usage, NULL))
        return;
    sample->memory_bytes = known(usage.memory_bytes);
    sample->swap_bytes = known(usage.swap_bytes);
    sample->major_faults = known(usage.major_faults);
}

void sl_observer_start(struct sl_observer *observer, struct sl_cgroup *group, pid_t pid)
{
    *observer = (struct sl_observer){.group = group, .pid = pid};
    observer->vmstat = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
    read_vmstat(observer->vmstat, &observer->swap_in_start, &observer->swap_out_start);
    observer->start_ns = sl_now_ns();
}

void sl_observer_sample(struct sl_observer *observer)
{
    struct sl_memory_sample sample = {.time_ns = sl_now_ns() - observer->start_ns};
    sl_observer_swap(observer, &sample.swap_in_bytes, &sample.swap_out_bytes);
    if (observer->group)
        sample_group(observer, &sample);
    else
        sample_process(observer, &sample);
    /* Out of memory here costs a point of a curve, not the run. */
    (void)sl_observer_add(observer, &sample);
}

void sl_observer_swap(const struct sl_observer *observer, uint64_t *in, uint64_t *out)
{
    read_vmstat(observer->vmstat, in, out);
    *in -= observer->swap_in_start < *in ? observer->swap_in_start : *in;
    *out -= observer->swap_out_start < *out ? observer->swap_out_start : *out;
}

void sl_observer_cleanup(struct sl_observer *observer)
{
    sl_cleanup_fd(&observer->vmstat);
    free(observer->samples);
    *observer = (struct sl_observer){.vmstat = -1};
}
