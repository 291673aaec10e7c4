/* The texts of control files, the plans of both versions, and the checks of limits. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cgroups/cgroup.h"
#include "cgroups/mounts.h"
#include "cgroups/version.h"
#include "runtime/base/units.h"

static const struct sl_limits unlimited = SL_LIMITS_NONE;

Test(cgroup, control_numbers)
{
    cr_expect_eq(sl_control_number("123\n"), 123);
    cr_expect_eq(sl_control_number("0\n"), 0);
    cr_expect_eq(sl_control_number("max\n"), SL_NO_LIMIT);
    cr_expect_eq(sl_control_number("-1\n"), SL_NO_LIMIT);
    cr_expect_eq(sl_control_number(""), SL_NO_LIMIT);
    cr_expect_eq(sl_control_number(NULL), SL_NO_LIMIT);
    cr_expect_eq(sl_control_number("9223372036854771712\n"), SL_NO_LIMIT);
    cr_expect_eq(sl_control_number("99999999999999999999999\n"), SL_NO_LIMIT);
}

Test(cgroup, control_values_by_whole_key)
{
    const char *text = "oom_kill_disable 7\nunder_oom 0\noom_kill 2\nmax 5";
    cr_expect_eq(sl_control_value(text, "oom_kill"), 2);
    cr_expect_eq(sl_control_value(text, "max"), 5);
    cr_expect_eq(sl_control_value(text, "oom"), SL_NO_LIMIT);
    cr_expect_eq(sl_control_value("", "oom"), SL_NO_LIMIT);
    cr_expect_eq(sl_control_value(NULL, "oom"), SL_NO_LIMIT);
}

Test(cgroup, sums_leave_out_what_is_unknown)
{
    cr_expect_eq(sl_control_sum(1, 2), 3);
    cr_expect_eq(sl_control_sum(1, SL_NO_LIMIT), 1);
    cr_expect_eq(sl_control_sum(SL_NO_LIMIT, 2), 2);
    cr_expect_eq(sl_control_sum(SL_NO_LIMIT, SL_NO_LIMIT), SL_NO_LIMIT);
    cr_expect_eq(sl_control_sum(SL_NO_LIMIT - 1, 2), SL_NO_LIMIT);
}

Test(cgroup, mounts_of_v1_and_v2)
{
    struct sl_mount mount;
    cr_assert(sl_mount_parse("34 30 0:31 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup "
                             "cgroup rw,memory\n",
                             &mount));
    cr_expect_str_eq(mount.point, "/sys/fs/cgroup/memory");
    cr_expect_str_eq(mount.root, "/");
    cr_expect_str_eq(mount.options, "rw,memory");
    cr_expect_not(mount.unified);
    cr_assert(
        sl_mount_parse("40 30 0:37 /box /sys/fs/cgroup rw - cgroup2 none rw,nsdelegate\n", &mount));
    cr_expect_str_eq(mount.root, "/box");
    cr_expect(mount.unified);
    cr_expect_not(sl_mount_parse("30 22 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n", &mount));
    cr_expect_not(sl_mount_parse("30 22 0:27 / /tmp/cgroup rw", &mount));
}

Test(cgroup, own_path_of_v1_and_v2)
{
    const char *hybrid = "9:name=systemd:/\n4:memory:/a/b\n2:cpu,cpuacct:/c\n0::/user.slice/x\n";
    char path[64];
    cr_assert(sl_control_own_path(hybrid, "memory", path, sizeof(path)));
    cr_expect_str_eq(path, "/a/b");
    cr_assert(sl_control_own_path(hybrid, "cpuacct", path, sizeof(path)));
    cr_expect_str_eq(path, "/c");
    cr_assert(sl_control_own_path(hybrid, NULL, path, sizeof(path)));
    cr_expect_str_eq(path, "/user.slice/x");
    cr_expect_not(sl_control_own_path(hybrid, "mem", path, sizeof(path)));
    cr_expect_not(sl_control_own_path(hybrid, NULL, path, 5), "longer than the buffer");
    cr_expect_not(sl_control_own_path("", NULL, path, sizeof(path)));
    cr_expect_not(sl_control_own_path("garbage\n0:\n:::\n", "memory", path, sizeof(path)));
}

Test(cgroup, own_path_below_what_is_mounted)
{
    char relative[64];
    sl_control_below_root("/a/b", "/", relative, sizeof(relative));
    cr_expect_str_eq(relative, "a/b");
    sl_control_below_root("/", "/", relative, sizeof(relative));
    cr_expect_str_eq(relative, "");
    sl_control_below_root("/docker/1/x", "/docker/1", relative, sizeof(relative));
    cr_expect_str_eq(relative, "x");
    sl_control_below_root("/docker/1", "/docker/1", relative, sizeof(relative));
    cr_expect_str_eq(relative, "");
    sl_control_below_root("/docker/12", "/docker/1", relative, sizeof(relative));
    cr_expect_str_eq(relative, "", "another container is not below this one");
    sl_control_below_root("/../other", "/", relative, sizeof(relative));
    cr_expect_str_eq(relative, "", "above the namespace's root");
}

Test(cgroup, owners_by_name)
{
    cr_expect_eq(sl_control_owner("sluice-123-4", "sluice-"), 123);
    cr_expect_eq(sl_control_owner("sluice-swap-77-1", "sluice-swap-"), 77);
    const char *foreign[] = {"sluice-swap-77-1",
                             "sluice-",
                             "sluice-1",
                             "sluice-1-",
                             "sluice-1-2x",
                             "sluice-01-2",
                             "slice-1-2",
                             "sluice--1-2",
                             "sluice-1-2-3",
                             "sluice-99999999999-1",
                             ""};
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        cr_expect_eq(sl_control_owner(foreign[i], "sluice-"), 0, "%s", foreign[i]);
}

Test(cgroup, limits_that_make_no_sense_are_refused)
{
    struct sl_limits none = unlimited;
    struct sl_error error;
    cr_expect_eq(sl_limits_check(&none, &error), 0);
    struct sl_limits limits = none;
    limits.memory_bytes = SL_LEAST_LIMIT_BYTES;
    cr_expect_eq(sl_limits_check(&limits, &error), 0);
    limits.memory_bytes--;
    cr_expect_eq(sl_limits_check(&limits, &error), -EINVAL);
    cr_expect(strstr(error.text, "at least 1M"), "%s", error.text);
    limits = none;
    limits.read_bytes_per_s = 4095;
    cr_expect_eq(sl_limits_check(&limits, &error), -EINVAL);
    limits.read_bytes_per_s = 4096;
    cr_expect_eq(sl_limits_check(&limits, &error), -EINVAL, "no file names the device");
    limits.throttle_path = "/";
    cr_expect_eq(sl_limits_check(&limits, &error), 0);
    const double refused[] = {-1, 0.001, 1e9, NAN, INFINITY};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        limits = none;
        limits.cpus = refused[i];
        cr_expect_eq(sl_limits_check(&limits, &error), -EINVAL, "%g", refused[i]);
    }
    limits = none;
    limits.write_bytes_per_s = 0;
    cr_expect_eq(sl_limits_check(&limits, &error), -EINVAL);
    limits.write_bytes_per_s = SL_MIB;
    cr_expect_eq(sl_limits_check(&limits, &error), -EINVAL, "no file names the device");
    limits = none;
    limits.cores = -1;
    cr_expect_eq(sl_limits_check(&limits, &error), -EINVAL);
    limits = none;
    limits.swap_place = SL_SWAP_ZRAM;
    cr_expect_eq(sl_limits_check(&limits, &error), 0, "without a limit nothing is swapped");
    limits.memory_bytes = SL_MIB;
    cr_expect_eq(sl_limits_check(&limits, &error), -EINVAL, "how much swap?");
    limits.swap_bytes = SL_MIB;
    cr_expect_eq(sl_limits_check(&limits, &error), 0);
    limits.swap_bytes = 0;
    cr_expect_eq(sl_limits_check(&limits, &error), 0, "nothing lies there");
    struct sl_cgroup *group = NULL;
    limits = none;
    limits.memory_bytes = 1;
    cr_expect_eq(sl_cgroup_create(&limits, &group, &error), -EINVAL);
    cr_expect_null(group);
}

Test(cgroup, effective_limits)
{
    struct sl_limits limits = unlimited;
    cr_expect_not(sl_limits_any(&limits));
    limits.swap_bytes = 0;
    cr_expect_not(sl_limits_any(&limits), "swap counts beside a memory limit only");
    cr_expect_eq(sl_limits_effective(&limits).swap_bytes, SL_NO_LIMIT);
    limits.memory_bytes = SL_MIB;
    cr_expect(sl_limits_any(&limits));
    cr_expect_eq(sl_limits_effective(&limits).swap_bytes, 0);
    limits.swap_bytes = SL_NO_LIMIT - 5;
    cr_expect_eq(sl_limits_effective(&limits).swap_bytes, SL_NO_LIMIT, "the sum overflows");
}

Test(cgroup, lists_of_the_first_processors)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    const int processors[] = {0, 1, 2, 5, 7, 8, 1023};
    for (size_t i = 0; i < sizeof(processors) / sizeof(processors[0]); i++)
        CPU_SET(processors[i], &set);
    const char *const lists[] = {"",      "0",       "0-1",       "0-2",
                                 "0-2,5", "0-2,5,7", "0-2,5,7-8", "0-2,5,7-8,1023"};
    char text[SL_CORE_LIST_BYTES];
    for (int count = 0; count < 8; count++) {
        cr_expect_eq(sl_core_list(&set, count, text), 0);
        cr_expect_str_eq(text, lists[count]);
    }
    cr_expect_eq(sl_core_list(&set, 8, text), -EINVAL);
    for (int i = 0; i < 1024; i += 2)
        CPU_SET(i, &set);
    cr_expect_eq(sl_core_list(&set, 500, text), -ENAMETOOLONG);
}

Test(cgroup, cpu_quota)
{
    unsigned quota, period;
    sl_cpu_quota(1.5, &quota, &period);
    cr_expect_eq(quota, 15000);
    cr_expect_eq(period, 10000);
    sl_cpu_quota(0.01, &quota, &period);
    cr_expect_eq(quota, 1000, "not below the kernel's least");
    cr_expect_eq(period, 100000);
}

/* Applies a v1 plan as the kernel would: memory <= memory+swap after every single write. */
static void apply_v1(const struct sl_limits *now, const struct sl_limits *wanted)
{
    uint64_t memory = now->memory_bytes, sum = sl_control_sum(now->memory_bytes, now->swap_bytes);
    if (now->swap_bytes == SL_NO_LIMIT || now->memory_bytes == SL_NO_LIMIT)
        sum = SL_NO_LIMIT;
    struct sl_cgroup_setting settings[SL_SETTINGS_MOST];
    size_t count =
        sl_cgroup_v1.plan(now, wanted, &(struct sl_hardware){.device = {1, 2}}, settings);
    for (size_t i = 0; i < count; i++) {
        bool is_sum = !strcmp(settings[i].file, "memory.memsw.limit_in_bytes");
        *(is_sum ? &sum : &memory) = sl_control_number(settings[i].value);
        cr_expect(memory <= sum, "write %zu: memory %llu > memory+swap %llu", i,
                  (unsigned long long)memory, (unsigned long long)sum);
    }
    cr_expect_eq(memory, wanted->memory_bytes);
    bool open_ended = wanted->swap_bytes == SL_NO_LIMIT || wanted->memory_bytes == SL_NO_LIMIT;
    cr_expect_eq(sum, open_ended ? SL_NO_LIMIT : wanted->memory_bytes + wanted->swap_bytes);
}

Test(cgroup, v1_order_of_writes_for_every_change)
{
    const uint64_t sizes[] = {SL_MIB, 64 * SL_MIB, 128 * SL_MIB, SL_GIB, SL_NO_LIMIT};
    const uint64_t swaps[] = {0, 64 * SL_MIB, SL_GIB, SL_NO_LIMIT};
    for (size_t i = 0; i < 5 * 4 * 5 * 4; i++) {
        struct sl_limits now = unlimited, wanted = unlimited;
        now.memory_bytes = sizes[i % 5];
        now.swap_bytes = swaps[i / 5 % 4];
        wanted.memory_bytes = sizes[i / 20 % 5];
        wanted.swap_bytes = swaps[i / 100];
        now = sl_limits_effective(&now);
        wanted = sl_limits_effective(&wanted);
        apply_v1(&now, &wanted);
    }
}

static void expect_plan(const struct sl_cgroup_version *version, const struct sl_limits *now,
                        const struct sl_limits *wanted, const char *expected)
{
    struct sl_cgroup_setting settings[SL_SETTINGS_MOST];
    const struct sl_hardware hardware = {.device = {254, 16}, .cores = "0,2", .all_cores = "0,2-3"};
    size_t count = version->plan(now, wanted, &hardware, settings);
    char text[1024] = "";
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s/%s=%s;",
                 settings[i].controller, settings[i].file, settings[i].value);
    cr_expect_str_eq(text, expected);
}

Test(cgroup, plans)
{
    struct sl_limits none = unlimited, all = {.memory_bytes = 64 * SL_MIB,
                                              .swap_bytes = 0,
                                              .read_bytes_per_s = SL_MIB,
                                              .throttle_path = "/",
                                              .cpus = 0.5,
                                              .write_bytes_per_s = 2 * SL_MIB,
                                              .cores = 2};
    expect_plan(&sl_cgroup_v1, &none, &none, "");
    expect_plan(&sl_cgroup_v2, &none, &none, "");
    expect_plan(&sl_cgroup_v1, &none, &all,
                "memory/memory.limit_in_bytes=67108864;memory/memory.memsw.limit_in_bytes=67108864;"
                "blkio/blkio.throttle.read_bps_device=254:16 1048576;"
                "blkio/blkio.throttle.write_bps_device=254:16 2097152;"
                "cpu/cpu.cfs_period_us=10000;cpu/cpu.cfs_quota_us=5000;cpuset/cpuset.cpus=0,2;");
    expect_plan(&sl_cgroup_v1, &all, &none,
                "memory/memory.memsw.limit_in_bytes=-1;memory/memory.limit_in_bytes=-1;"
                "blkio/blkio.throttle.read_bps_device=254:16 0;"
                "blkio/blkio.throttle.write_bps_device=254:16 0;"
                "cpu/cpu.cfs_period_us=10000;cpu/cpu.cfs_quota_us=-1;cpuset/cpuset.cpus=0,2-3;");
    expect_plan(&sl_cgroup_v2, &none, &all,
                "memory/memory.swap.max=0;memory/memory.max=67108864;io/io.max=254:16 rbps=1048576;"
                "io/io.max=254:16 wbps=2097152;cpu/cpu.max=5000 10000;cpuset/cpuset.cpus=0,2;");
    expect_plan(&sl_cgroup_v2, &all, &none,
                "memory/memory.swap.max=max;memory/memory.max=max;io/io.max=254:16 rbps=max;"
                "io/io.max=254:16 wbps=max;cpu/cpu.max=max 10000;cpuset/cpuset.cpus=0,2-3;");
}

Test(cgroup, v1_usage)
{
    const char *texts[SL_USAGE_FILES_MOST] = {
        "1000\n",
        "2000\n",
        "cache 1\nrss 2\npgmajfault 3\ntotal_cache 10\ntotal_rss 20\ntotal_swap 30\n"
        "total_pgmajfault 40\ntotal_workingset_refault_anon 50\n"
        "total_workingset_refault_file 60\n",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
        "70\n",
        "7\n"};
    struct sl_cgroup_usage usage;
    sl_cgroup_v1.parse_usage(texts, &usage);
    cr_expect_eq(usage.memory_bytes, 1000);
    cr_expect_eq(usage.memory_peak_bytes, 2000);
    cr_expect_eq(usage.file_bytes, 10);
    cr_expect_eq(usage.anonymous_bytes, 20);
    cr_expect_eq(usage.swap_bytes, 30);
    cr_expect_eq(usage.major_faults, 40);
    cr_expect_eq(usage.refaults, 110);
    cr_expect_eq(usage.anonymous_refaults, 50);
    cr_expect_eq(usage.swapped_in_pages, SL_NO_LIMIT);
    cr_expect_eq(usage.swapped_out_pages, SL_NO_LIMIT);
    cr_expect_eq(usage.oom_kills, 3);
    cr_expect_eq(usage.limit_hits, 77);
}

Test(cgroup, v2_usage)
{
    const char *texts[SL_USAGE_FILES_MOST] = {
        "1000\n", NULL /* memory.peak came with 5.19 */,
        "anon 4096\nfile 8192\nkernel 1\nfile_mapped 5\nworkingset_refault_anon 11\n"
        "workingset_refault_file 12\npswpin 14\npswpout 15\npgfault 99\npgmajfault 13\n",
        "low 0\nhigh 0\nmax 21\noom 2\noom_kill 1\noom_group_kill 0\n", "12288\n"};
    struct sl_cgroup_usage usage;
    sl_cgroup_v2.parse_usage(texts, &usage);
    cr_expect_eq(usage.memory_bytes, 1000);
    cr_expect_eq(usage.memory_peak_bytes, SL_NO_LIMIT);
    cr_expect_eq(usage.anonymous_bytes, 4096);
    cr_expect_eq(usage.file_bytes, 8192);
    cr_expect_eq(usage.swap_bytes, 12288);
    cr_expect_eq(usage.major_faults, 13);
    cr_expect_eq(usage.refaults, 23);
    cr_expect_eq(usage.anonymous_refaults, 11);
    cr_expect_eq(usage.swapped_in_pages, 14);
    cr_expect_eq(usage.swapped_out_pages, 15);
    cr_expect_eq(usage.oom_kills, 1);
    cr_expect_eq(usage.limit_hits, 21);
}

Test(cgroup, every_version_fills_its_hooks)
{
    const struct sl_cgroup_version *versions[] = {&sl_cgroup_v1, &sl_cgroup_v2,
                                                  &sl_cgroup_disabled};
    for (size_t i = 0; i < 3; i++) {
        cr_expect_not_null(versions[i]->plan);
        cr_expect_not_null(versions[i]->parse_usage);
        cr_expect_not_null(versions[i]->own_limit);
        cr_expect(versions[i]->refuse || (versions[i]->memory && versions[i]->memory_file));
    }
    struct sl_error error;
    cr_expect_eq(sl_cgroup_disabled.refuse(&error), -ENOSYS);
    cr_expect(strstr(error.text, "--memory none"), "the cure is missing: %s", error.text);
}

static void write_text(const char *directory, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

Test(cgroup, own_limit_is_the_least_of_all_ancestors_on_v2)
{
    char root[] = "/tmp/sluice-test-XXXXXX", middle[64], leaf[96], command[160];
    cr_assert_not_null(mkdtemp(root));
    snprintf(middle, sizeof(middle), "%s/a", root);
    snprintf(leaf, sizeof(leaf), "%s/b", middle);
    cr_assert(!mkdir(middle, 0700) && !mkdir(leaf, 0700));
    cr_expect_eq(sl_cgroup_v2.own_limit(leaf, root), SL_NO_LIMIT);
    write_text(leaf, "memory.max", "max\n");
    cr_expect_eq(sl_cgroup_v2.own_limit(leaf, root), SL_NO_LIMIT);
    write_text(middle, "memory.max", "1000000\n");
    cr_expect_eq(sl_cgroup_v2.own_limit(leaf, root), 1000000);
    write_text(leaf, "memory.max", "2000000\n");
    cr_expect_eq(sl_cgroup_v2.own_limit(leaf, root), 1000000);
    write_text(root, "memory.max", "500000\n");
    cr_expect_eq(sl_cgroup_v2.own_limit(leaf, root), 500000, "a namespace's root has a limit too");
    write_text(middle, "memory.high", "400000\n");
    cr_expect_eq(sl_cgroup_v2.own_limit(leaf, root), 400000, "what a group should stay below");
    write_text(leaf, "memory.stat", "cache 0\nhierarchical_memory_limit 300000\n");
    cr_expect_eq(sl_cgroup_v1.own_limit(leaf, root), 300000);
    write_text(leaf, "memory.soft_limit_in_bytes", "9223372036854771712\n");
    cr_expect_eq(sl_cgroup_v1.own_limit(leaf, root), 300000);
    write_text(leaf, "memory.soft_limit_in_bytes", "200000\n");
    cr_expect_eq(sl_cgroup_v1.own_limit(leaf, root), 200000);
    snprintf(command, sizeof(command), "rm -r %s", root);
    cr_expect_eq(system(command), 0);
}

static pid_t dead_pid(void)
{
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    waitpid(pid, NULL, 0);
    return pid;
}

Test(cgroup, owners_gone_and_here)
{
    char path[] = "/tmp/sluice-test-XXXXXX";
    int held = mkstemp(path), other = open(path, O_RDONLY);
    cr_assert(held >= 0 && other >= 0);
    pid_t dead = dead_pid();
    cr_expect_not(sl_owner_gone(getpid(), other), "ourselves");
    cr_expect_not(sl_owner_gone(getppid(), other), "a living process, older than the file");
    cr_assert_eq(flock(other, LOCK_UN), 0);
    cr_assert_eq(flock(held, LOCK_EX | LOCK_NB), 0);
    cr_expect_not(sl_owner_gone(dead, other), "locked: its pid is of another namespace");
    cr_assert_eq(flock(held, LOCK_UN), 0);
    cr_expect(sl_owner_gone(dead, other));
    close(held);
    close(other);
    unlink(path);
}

/* A control file of a directory that stands for a group. */
static void write_control(const char *directory, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

Test(cgroup, the_least_of_a_group_and_its_ancestors)
{
    char root[] = "/tmp/sluice-test-XXXXXX", parent[64], own[96], remove[128];
    cr_assert_not_null(mkdtemp(root));
    snprintf(parent, sizeof(parent), "%s/parent", root);
    snprintf(own, sizeof(own), "%s/own", parent);
    cr_assert_eq(mkdir(parent, 0700) | mkdir(own, 0700), 0);
    write_control(own, "memory.max", "300\n");
    write_control(parent, "memory.max", "100\n");
    write_control(root, "memory.max", "200\n");
    write_control(own, "memory.high", "max\n");
    cr_expect_eq(sl_group_least(own, root, "memory.max"), 100);
    cr_expect_eq(sl_group_least(own, own, "memory.max"), 300);
    cr_expect_eq(sl_group_least(root, root, "memory.max"), 200);
    cr_expect_eq(sl_group_least(own, root, "memory.high"), SL_NO_LIMIT);
    snprintf(remove, sizeof(remove), "rm -r %s", root);
    cr_expect_eq(system(remove), 0);
}

Test(cgroup, half_a_number_is_nobodys)
{
    char directory[] = "/tmp/sluice-test-XXXXXX", path[64], number[16];
    char text[SL_GROUP_STAT_BYTES + 16];
    cr_assert_not_null(mkdtemp(directory));
    pid_t child = fork();
    if (!child) {
        pause();
        _exit(0);
    }
    /* As much as is read ends behind the child's number, of which the file has one digit more. */
    const int digits = snprintf(number, sizeof(number), "%d", child);
    memset(text, '0', sizeof(text));
    for (size_t i = (size_t)digits + 1; i < SL_GROUP_STAT_BYTES; i += 2)
        text[SL_GROUP_STAT_BYTES - 1 - i] = '\n';
    memcpy(text + SL_GROUP_STAT_BYTES - 1 - digits, number, (size_t)digits);
    memcpy(text + SL_GROUP_STAT_BYTES - 1, "1\n", 3);
    write_control(directory, "cgroup.procs", text);
    sl_group_kill(directory);
    cr_expect_eq(waitpid(child, NULL, WNOHANG), 0, "a process that is not there was killed");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
    unlink(path);
    rmdir(directory);
}

Test(cgroup, device_of_a_file)
{
    struct sl_device device = {0, 0};
    struct sl_error error;
    cr_expect_eq(sl_device_of("/proc/self/status", &device, &error), -ENODEV);
    cr_expect(strstr(error.text, "/proc/self/status") && strstr(error.text, "ext4"), "%s",
              error.text);
    cr_expect_eq(sl_device_of("/nowhere/at/all", &device, &error), -ENOENT);
    cr_expect_eq(device.major, 0, "untouched on failure");
}

Test(cgroup, probe_names_a_cure_when_something_is_missing)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    bool all = rights.memory && rights.swap && rights.read_rate && rights.cpu;
    cr_expect_eq(all, rights.reason[0] == '\0', "%s", rights.reason);
    cr_expect(rights.version > 0 || !rights.memory);
}
