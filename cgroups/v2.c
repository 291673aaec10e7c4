/* cgroup v2: one unified hierarchy, "max" for no limit, swap counted apart from memory. */
#include <stdio.h>

#include "cgroups/version.h"

static void set_bytes(struct sl_cgroup_setting *setting, const char *file, uint64_t bytes)
{
    setting->controller = "memory";
    setting->file = file;
    if (bytes == SL_NO_LIMIT)
        snprintf(setting->value, sizeof(setting->value), "max");
    else
        snprintf(setting->value, sizeof(setting->value), "%llu", (unsigned long long)bytes);
}

static void set_rate(struct sl_cgroup_setting *setting, const char *key,
                     const struct sl_device *device, uint64_t rate)
{
    setting->controller = "io";
    setting->file = "io.max";
    if (rate == SL_NO_LIMIT)
        snprintf(setting->value, sizeof(setting->value), "%u:%u %s=max", device->major,
                 device->minor, key);
    else
        snprintf(setting->value, sizeof(setting->value), "%u:%u %s=%llu", device->major,
                 device->minor, key, (unsigned long long)rate);
}

static size_t v2_plan(const struct sl_limits *now, const struct sl_limits *wanted,
                      const struct sl_hardware *hardware,
                      struct sl_cgroup_setting settings[SL_SETTINGS_MOST])
{
    size_t count = 0;
    /* A lower memory limit pushes pages out at once: the swap limit must already hold. */
    if (wanted->swap_bytes != now->swap_bytes)
        set_bytes(&settings[count++], "memory.swap.max", wanted->swap_bytes);
    if (wanted->memory_bytes != now->memory_bytes)
        set_bytes(&settings[count++], "memory.max", wanted->memory_bytes);
    /* One write for each key: it leaves the others as they are. */
    if (wanted->read_bytes_per_s != now->read_bytes_per_s)
        set_rate(&settings[count++], "rbps", &hardware->device, wanted->read_bytes_per_s);
    if (wanted->write_bytes_per_s != now->write_bytes_per_s)
        set_rate(&settings[count++], "wbps", &hardware->device, wanted->write_bytes_per_s);
    if (wanted->cpus != now->cpus) {
        unsigned quota, period;
        sl_cpu_quota(wanted->cpus ? wanted->cpus : 1, &quota, &period);
        struct sl_cgroup_setting *setting = &settings[count++];
        setting->controller = "cpu";
        setting->file = "cpu.max";
        if (wanted->cpus)
            snprintf(setting->value, sizeof(setting->value), "%u %u", quota, period);
        else
            snprintf(setting->value, sizeof(setting->value), "max %u", period);
    }
    if (wanted->cores != now->cores) {
        struct sl_cgroup_setting *setting = &settings[count++];
        setting->controller = "cpuset";
        setting->file = "cpuset.cpus";
        snprintf(setting->value, sizeof(setting->value), "%s",
                 wanted->cores ? hardware->cores : hardware->all_cores);
    }
    return count;
}

static void v2_parse_usage(const char *const texts[SL_USAGE_FILES_MOST],
                           struct sl_cgroup_usage *usage)
{
    const char *stat = texts[2], *events = texts[3];
    *usage = (struct sl_cgroup_usage){
        .memory_bytes = sl_control_number(texts[0]),
        .memory_peak_bytes = sl_control_number(texts[1]),
        .anonymous_bytes = sl_control_value(stat, "anon"),
        .file_bytes = sl_control_value(stat, "file"),
        .swap_bytes = sl_control_number(texts[4]),
        .major_faults = sl_control_value(stat, "pgmajfault"),
        .refaults = sl_control_sum(sl_control_value(stat, "workingset_refault_anon"),
                                   sl_control_value(stat, "workingset_refault_file")),
        .anonymous_refaults = sl_control_value(stat, "workingset_refault_anon"),
        .swapped_in_pages = sl_control_value(stat, "pswpin"),
        .swapped_out_pages = sl_control_value(stat, "pswpout"),
        .scanned_pages = sl_control_value(stat, "pgscan"),
        .reclaimed_pages = sl_control_value(stat, "pgsteal"),
        .pressure_some_ns = sl_control_pressure(texts[5], "some"),
        .pressure_full_ns = sl_control_pressure(texts[5], "full"),
        .oom_kills = sl_control_value(events, "oom_kill"),
        .limit_hits = sl_control_value(events, "max"),
    };
}

/* Every ancestor limits. The root has no such files, unless a namespace made some other group look
 * like the root. */
static uint64_t v2_own_limit(const char *directory, const char *mount_point)
{
    uint64_t most = sl_group_least(directory, mount_point, "memory.max");
    uint64_t high = sl_group_least(directory, mount_point, "memory.high");
    return high < most ? high : most;
}

const struct sl_cgroup_version sl_cgroup_v2 = {
    .number = 2,
    .memory = "memory",
    .io = "io",
    .cpu = "cpu",
    .cpuset = "cpuset",
    .shared_directory = true,
    .memory_file = "memory.max",
    .swap_file = "memory.swap.max",
    .read_file = "io.max",
    .write_file = "io.max",
    .cpu_file = "cpu.max",
    .cores_file = "cpuset.cpus",
    .usage_files = {"memory.current", "memory.peak", "memory.stat", "memory.events",
                    "memory.swap.current", "memory.pressure"},
    .asked_file = "memory.high",
    .stat_file = "memory.stat",
    .inactive_file_key = "inactive_file",
    .plan = v2_plan,
    .parse_usage = v2_parse_usage,
    .own_limit = v2_own_limit,
};
