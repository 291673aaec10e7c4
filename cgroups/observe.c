#include "cgroups/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cgroups/version.h"
#include "cgroups/vmstat.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"

#define PRESSURE_PATH  "/proc/pressure/memory"
#define PRESSURE_BYTES 512

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

static uint64_t known(uint64_t value, uint64_t otherwise)
{
    return value == SL_NO_LIMIT ? otherwise : value;
}

/* The machine's counters see other programs, too; where the group has its own, those are taken. */
static void sample_group(struct sl_observer *observer, struct sl_memory_sample *sample)
{
    struct sl_cgroup_usage usage;
    if (sl_cgroup_usage(observer->group, &usage, NULL))
        return;
    sample->memory_bytes = known(usage.memory_bytes, 0);
    sample->swap_bytes = known(usage.swap_bytes, 0);
    sample->major_faults = known(usage.major_faults, 0);
    sample->refaults = known(usage.refaults, 0);
    sample->scanned_pages = known(usage.scanned_pages, sample->scanned_pages);
    sample->reclaimed_pages = known(usage.reclaimed_pages, sample->reclaimed_pages);
    sample->pressure_some_ns = known(usage.pressure_some_ns, sample->pressure_some_ns);
    sample->pressure_full_ns = known(usage.pressure_full_ns, sample->pressure_full_ns);
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    if (usage.swapped_in_pages != SL_NO_LIMIT)
        sample->swap_in_bytes = usage.swapped_in_pages * page_bytes;
    else if (usage.anonymous_refaults < sample->swap_in_bytes / page_bytes)
        sample->swap_in_bytes = usage.anonymous_refaults * page_bytes;
    if (usage.swapped_out_pages != SL_NO_LIMIT)
        sample->swap_out_bytes = usage.swapped_out_pages * page_bytes;
}

/* The machine's counters since its boot. */
static void sample_machine(const struct sl_observer *observer, struct sl_memory_sample *sample)
{
    struct sl_vmstat vmstat;
    sl_vmstat_read(observer->vmstat, &vmstat);
    char pressure[PRESSURE_BYTES];
    if (observer->pressure < 0 ||
        sl_fd_read_text(observer->pressure, pressure, sizeof(pressure)) <= 0)
        pressure[0] = '\0';
    sample->swap_in_bytes = vmstat.swap_in_bytes;
    sample->swap_out_bytes = vmstat.swap_out_bytes;
    sample->scanned_pages = vmstat.scanned_pages;
    sample->reclaimed_pages = vmstat.reclaimed_pages;
    sample->pressure_some_ns = known(sl_control_pressure(pressure, "some"), 0);
    sample->pressure_full_ns = known(sl_control_pressure(pressure, "full"), 0);
}

static void subtract(uint64_t *value, uint64_t start)
{
    *value -= start < *value ? start : *value;
}

static void subtract_start(const struct sl_memory_sample *start, struct sl_memory_sample *sample)
{
    subtract(&sample->swap_in_bytes, start->swap_in_bytes);
    subtract(&sample->swap_out_bytes, start->swap_out_bytes);
    subtract(&sample->scanned_pages, start->scanned_pages);
    subtract(&sample->reclaimed_pages, start->reclaimed_pages);
    subtract(&sample->pressure_some_ns, start->pressure_some_ns);
    subtract(&sample->pressure_full_ns, start->pressure_full_ns);
}

void sl_observer_start(struct sl_observer *observer, struct sl_cgroup *group, pid_t pid)
{
    *observer = (struct sl_observer){.group = group, .pid = pid};
    observer->vmstat = open(SL_VMSTAT_PATH, O_RDONLY | O_CLOEXEC);
    observer->pressure = open(PRESSURE_PATH, O_RDONLY | O_CLOEXEC);
    sample_machine(observer, &observer->start);
    observer->start_ns = sl_now_ns();
}

void sl_observer_sample(struct sl_observer *observer, struct sl_memory_sample *sample)
{
    *sample = (struct sl_memory_sample){.time_ns = sl_now_ns() - observer->start_ns};
    sample_machine(observer, sample);
    subtract_start(&observer->start, sample);
    if (observer->group)
        sample_group(observer, sample);
    else
        sample_process(observer, sample);
    /* Out of memory here costs a point of a curve, not the run. */
    (void)sl_observer_add(observer, sample);
}

void sl_observer_cleanup(struct sl_observer *observer)
{
    sl_cleanup_fd(&observer->vmstat);
    sl_cleanup_fd(&observer->pressure);
    free(observer->samples);
    *observer = (struct sl_observer)SL_OBSERVER_NONE;
}
