/* cgroup v1: one hierarchy per controller, memory and memory+swap limits. */
#include <stdio.h>

#include "cgroups/version.h"
#include "runtime/base/file.h"

static void set_bytes(struct sl_cgroup_setting *setting, const char *file, uint64_t bytes)
{
    setting->controller = "memory";
    setting->file = file;
    if (bytes == SL_NO_LIMIT)
        snprintf(setting->value, sizeof(setting->value), "-1");
    else
        snprintf(setting->value, sizeof(setting->value), "%llu", (unsigned long long)bytes);
}

static void set_rate(struct sl_cgroup_setting *setting, const char *file,
                     const struct sl_device *device, uint64_t rate)
{
    setting->controller = "blkio";
    setting->file = file;
    snprintf(setting->value, sizeof(setting->value), "%u:%u %llu", device->major, device->minor,
             rate == SL_NO_LIMIT ? 0ull : (unsigned long long)rate);
}

/* memsw: memory and swap together, "none" as soon as one of them is. */
static uint64_t memory_and_swap(const struct sl_limits *limits)
{
    return limits->memory_bytes == SL_NO_LIMIT || limits->swap_bytes == SL_NO_LIMIT
               ? SL_NO_LIMIT
               : limits->memory_bytes + limits->swap_bytes;
}

static size_t v1_plan(const struct sl_limits *now, const struct sl_limits *wanted,
                      const struct sl_hardware *hardware,
                      struct sl_cgroup_setting settings[SL_SETTINGS_MOST])
{
    size_t count = 0;
    uint64_t sum_now = memory_and_swap(now), sum = memory_and_swap(wanted);
    bool memory_changes = wanted->memory_bytes != now->memory_bytes, sum_changes = sum != sum_now;
    /* The kernel holds memory <= memory+swap at every moment (EINVAL), so the sum goes first when
     * the new memory limit would pass the old sum, and last otherwise. */
    bool sum_first = wanted->memory_bytes > sum_now;
    if (sum_changes && sum_first)
        set_bytes(&settings[count++], "memory.memsw.limit_in_bytes", sum);
    if (memory_changes)
        set_bytes(&settings[count++], "memory.limit_in_bytes", wanted->memory_bytes);
    if (sum_changes && !sum_first)
        set_bytes(&settings[count++], "memory.memsw.limit_in_bytes", sum);
    if (wanted->read_bytes_per_s != now->read_bytes_per_s)
        set_rate(&settings[count++], "blkio.throttle.read_bps_device", &hardware->device,
                 wanted->read_bytes_per_s);
    if (wanted->write_bytes_per_s != now->write_bytes_per_s)
        set_rate(&settings[count++], "blkio.throttle.write_bps_device", &hardware->device,
                 wanted->write_bytes_per_s);
    if (wanted->cpus != now->cpus) {
        unsigned quota, period;
        sl_cpu_quota(wanted->cpus ? wanted->cpus : 1, &quota, &period);
        struct sl_cgroup_setting *setting = &settings[count++];
        setting->controller = "cpu";
        setting->file = "cpu.cfs_period_us";
        snprintf(setting->value, sizeof(setting->value), "%u", period);
        setting = &settings[count++];
        setting->controller = "cpu";
        setting->file = "cpu.cfs_quota_us";
        snprintf(setting->value, sizeof(setting->value), "%d", wanted->cpus ? (int)quota : -1);
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

/* The hierarchical counter where there is one, so that children of the group count. */
static uint64_t total(const char *stat, const char *total_key)
{
    uint64_t value = sl_control_value(stat, total_key);
    return value != SL_NO_LIMIT ? value : sl_control_value(stat, total_key + sizeof("total_") - 1);
}

static void v1_parse_usage(const char *const texts[SL_USAGE_FILES_MOST],
                           struct sl_cgroup_usage *usage)
{
    const char *stat = texts[2];
    *usage = (struct sl_cgroup_usage){
        .memory_bytes = sl_control_number(texts[0]),
        .memory_peak_bytes = sl_control_number(texts[1]),
        .anonymous_bytes = total(stat, "total_rss"),
        .file_bytes = total(stat, "total_cache"),
        .swap_bytes = total(stat, "total_swap"),
        .major_faults = total(stat, "total_pgmajfault"),
        .refaults = sl_control_sum(total(stat, "total_workingset_refault_anon"),
                                   total(stat, "total_workingset_refault_file")),
        .anonymous_refaults = total(stat, "total_workingset_refault_anon"),
        .swapped_in_pages = SL_NO_LIMIT,
        .swapped_out_pages = SL_NO_LIMIT,
        .scanned_pages = SL_NO_LIMIT,
        .reclaimed_pages = SL_NO_LIMIT,
        .pressure_some_ns = SL_NO_LIMIT,
        .pressure_full_ns = SL_NO_LIMIT,
        .oom_kills = sl_control_value(texts[3], "oom_kill"),
        /* A charge is refused by one limit or the other. */
        .limit_hits = sl_control_sum(sl_control_number(texts[4]), sl_control_number(texts[5])),
    };
}

static uint64_t v1_own_limit(const char *directory, const char *mount_point)
{
    char path[PATH_MAX], text[SL_GROUP_STAT_BYTES];
    snprintf(path, sizeof(path), "%s/memory.stat", directory);
    if (sl_file_read_text(path, text, sizeof(text)) < 0)
        return SL_NO_LIMIT;
    /* The kernel has taken the least of all ancestors already. */
    uint64_t hard = sl_control_value(text, "hierarchical_memory_limit");
    uint64_t soft = sl_group_least(directory, mount_point, "memory.soft_limit_in_bytes");
    return soft < hard ? soft : hard;
}

const struct sl_cgroup_version sl_cgroup_v1 = {
    .number = 1,
    .memory = "memory",
    .io = "blkio",
    .cpu = "cpu",
    .cpuset = "cpuset",
    .shared_directory = false,
    .memory_file = "memory.limit_in_bytes",
    .swap_file = "memory.memsw.limit_in_bytes",
    .read_file = "blkio.throttle.read_bps_device",
    .write_file = "blkio.throttle.write_bps_device",
    .cpu_file = "cpu.cfs_quota_us",
    .cores_file = "cpuset.cpus",
    .cpuset_copied = {"cpuset.mems", "cpuset.cpus"},
    .usage_files = {"memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.stat",
                    "memory.oom_control", "memory.failcnt", "memory.memsw.failcnt"},
    .asked_file = "memory.soft_limit_in_bytes",
    .stat_file = "memory.stat",
    .inactive_file_key = "total_inactive_file",
    .plan = v1_plan,
    .parse_usage = v1_parse_usage,
    .own_limit = v1_own_limit,
};
