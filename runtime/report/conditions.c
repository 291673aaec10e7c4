#include "runtime/report/conditions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/file.h"

#define TEXT_BYTES 16384

static double seconds_ns(const struct timeval *time)
{
    return (double)time->tv_sec * 1e9 + (double)time->tv_usec * 1e3;
}

static double used_ns(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return seconds_ns(&usage.ru_utime) + seconds_ns(&usage.ru_stime);
}

/* The number behind a word of a file; -1 when there is none. */
static double number_behind(const char *path, const char *word, char text[TEXT_BYTES])
{
    double number;
    if (sl_file_read_text(path, text, TEXT_BYTES) <= 0)
        return -1;
    const char *at = strstr(text, word);
    return at && sscanf(at + strlen(word), "%lf", &number) == 1 ? number : -1;
}

/* The first line of /proc/stat: user nice system idle iowait irq softirq steal, in ticks. */
static void read_processors(struct sl_conditions *conditions, char text[TEXT_BYTES])
{
    double t[8], tick_ns = 1e9 / (double)sysconf(_SC_CLK_TCK);
    if (sl_file_read_text("/proc/stat", text, TEXT_BYTES) <= 0 ||
        sscanf(text, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &t[0], &t[1], &t[2], &t[3], &t[4],
               &t[5], &t[6], &t[7]) != 8)
        return;
    conditions->busy_ns = (t[0] + t[1] + t[2] + t[5] + t[6]) * tick_ns;
    conditions->steal_ns = t[7] * tick_ns;
}

void sl_conditions_read(struct sl_conditions *conditions)
{
    char text[TEXT_BYTES];
    struct timespec now;
    *conditions = (struct sl_conditions){.busy_ns = -1, .steal_ns = -1};
    clock_gettime(CLOCK_MONOTONIC, &now);
    conditions->wall_ns = (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
    conditions->own_ns = used_ns(RUSAGE_SELF) + used_ns(RUSAGE_CHILDREN);
    conditions->cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    conditions->load = number_behind("/proc/loadavg", "", text);
    read_processors(conditions, text);
    double pressure_us = number_behind("/proc/pressure/cpu", "total=", text);
    conditions->pressure_ns = pressure_us < 0 ? -1 : pressure_us * 1e3;
    double pages_kib = number_behind("/proc/vmstat", "\npgpgin ", text);
    conditions->storage_read_bytes = pages_kib < 0 ? -1 : pages_kib * 1024;
    /* In a container these are its own. */
    double throttled_us = number_behind("/sys/fs/cgroup/cpu.stat", "throttled_usec ", text);
    conditions->throttled_ns =
        throttled_us >= 0 ? throttled_us * 1e3
                          : number_behind("/sys/fs/cgroup/cpu/cpu.stat", "throttled_time ", text);
    const char *clock = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq";
    conditions->clock = number_behind(clock, "", text);
    clock = "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq";
    conditions->clock_most = number_behind(clock, "", text);
}

/* Adds the change of a counter as a share of `of`; nothing when either reading is missing. */
static void add_share(json_t *json, const char *field, double before, double after, double of)
{
    if (before >= 0 && after >= before && of > 0)
        json_object_set_new(json, field, json_real(fmin(1, (after - before) / of)));
}

json_t *sl_conditions_between(const struct sl_conditions *before, const struct sl_conditions *after)
{
    json_t *json = json_object();
    double wall_ns = after->wall_ns - before->wall_ns, processors_ns = wall_ns * after->cpus;
    json_object_set_new(json, "wall_ns", json_integer(llround(wall_ns)));
    if (after->load >= 0)
        json_object_set_new(json, "load_average", json_real(after->load));
    if (before->busy_ns >= 0 && after->busy_ns >= before->busy_ns && processors_ns > 0) {
        double others_ns = after->busy_ns - before->busy_ns - (after->own_ns - before->own_ns);
        json_object_set_new(json, "others_cpu_share",
                            json_real(fmax(0, fmin(1, others_ns / processors_ns))));
    }
    add_share(json, "steal_share", before->steal_ns, after->steal_ns, processors_ns);
    add_share(json, "cpu_pressure_share", before->pressure_ns, after->pressure_ns, wall_ns);
    add_share(json, "quota_share", before->throttled_ns, after->throttled_ns, wall_ns);
    if (after->clock > 0 && after->clock_most > 0)
        json_object_set_new(json, "clock_share", json_real(after->clock / after->clock_most));
    if (before->storage_read_bytes >= 0)
        json_object_set_new(
            json, "storage_read_bytes",
            json_integer(llround(after->storage_read_bytes - before->storage_read_bytes)));
    return json;
}

void sl_conditions_add(json_t *records, const struct sl_conditions *before)
{
    struct sl_conditions after;
    size_t i;
    json_t *record;
    sl_conditions_read(&after);
    json_t *between = sl_conditions_between(before, &after);
    json_array_foreach(records, i, record) json_object_set(record, "conditions", between);
    json_decref(between);
}
