/* Limits that the kernel really enforces: needs rights on a memory controller, and root for swap
 * files. The helper tests/memory_hog is found beside this program. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups/supervisor.h"
#include "cgroups/swapfile.h"
#include "cgroups/version.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/units.h"
#include "tests/support/run_command.h"

#define FILE_BYTES (100 * SL_MIB)

static char hog_path[PATH_MAX];
static char file_path[PATH_MAX];

/* tests/system/memory_hog under the build directory that this program is in. */
static void find_hog(void)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    cr_assert(length > 0);
    program[length] = '\0';
    snprintf(hog_path, sizeof(hog_path), "%.4000s/tests/memory_hog", dirname(program));
    cr_assert_eq(access(hog_path, X_OK), 0, "%s is not built", hog_path);
}

static void require_groups(void)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    if (!rights.memory || !rights.swap)
        cr_skip_test("skipped: needs a cgroup memory controller with swap (%s)", rights.reason);
    find_hog();
}

static void require_swap_files(void)
{
    if (geteuid())
        cr_skip_test("skipped: only root may enable swap");
}

static void require_throttle(void)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    if (!rights.read_rate)
        cr_skip_test("skipped: needs an io or blkio controller (%s)", rights.reason);
}

static void require_cpu_share(void)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    if (!rights.cpu)
        cr_skip_test("skipped: needs a cpu controller (%s)", rights.reason);
}

static bool matches(const char *pattern)
{
    glob_t found = {0};
    bool any = !glob(pattern, 0, NULL, &found) && found.gl_pathc;
    globfree(&found);
    return any;
}

static void expect_nothing_left_of(pid_t pid)
{
    cr_expect_str_empty(left_behind(pid));
}

static struct sl_limits no_swap(uint64_t memory_bytes)
{
    struct sl_limits limits = SL_LIMITS_NONE;
    limits.memory_bytes = memory_bytes;
    limits.swap_bytes = 0;
    return limits;
}

/* A cell that runs the hog; arguments end with NULL. */
static struct sl_cell hog(char **argv)
{
    argv[0] = hog_path;
    return (struct sl_cell){.argv = argv,
                            .limits = no_swap(SL_NO_LIMIT),
                            .make_swapfile = true,
                            .swap_directory = "/var/tmp",
                            .timeout_ns = UINT64_C(60000000000)};
}

static struct sl_outcome run(const struct sl_cell *cell)
{
    struct sl_outcome outcome = {0};
    struct sl_error error = {0};
    cr_assert_eq(sl_supervise(cell, &outcome, &error), 0, "%s", error.text);
    expect_nothing_left_of(getpid());
    return outcome;
}

Test(system_cgroups, over_the_limit_without_swap_is_oom)
{
    require_groups();
    char mib[] = "128", *argv[] = {NULL, mib, NULL};
    struct sl_cell cell = hog(argv);
    cell.limits.memory_bytes = 64 * SL_MIB;
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_OOM, "%s", sl_ending_name(outcome.ending));
    cr_expect_eq(outcome.signal, SIGKILL);
    cr_expect(outcome.limited);
    cr_expect_geq(outcome.usage.oom_kills, 1);
    cr_expect(outcome.usage.memory_peak_bytes <= 64 * SL_MIB &&
              outcome.usage.memory_peak_bytes > 60 * SL_MIB);
    sl_outcome_free(&outcome);
}

Test(system_cgroups, within_the_limit_all_memory_is_charged_and_none_swapped)
{
    require_groups();
    char mib[] = "48", *argv[] = {NULL, mib, NULL};
    struct sl_cell cell = hog(argv);
    cell.limits.memory_bytes = 64 * SL_MIB;
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_OK);
    cr_expect_str_eq(outcome.output, "done 0\n");
    cr_expect(outcome.usage.memory_peak_bytes >= 48 * SL_MIB &&
                  outcome.usage.memory_peak_bytes <= 52 * SL_MIB,
              "peak %llu", (unsigned long long)outcome.usage.memory_peak_bytes);
    cr_expect_eq(outcome.usage.oom_kills, 0);
    cr_expect_eq(outcome.usage.swap_bytes, 0);
    sl_outcome_free(&outcome);
}

/* A swap file that this process made is enabled. */
static bool swap_of(pid_t pid)
{
    char swaps[4096], name[64];
    cr_assert_gt(sl_file_read_text("/proc/swaps", swaps, sizeof(swaps)), 0);
    snprintf(name, sizeof(name), "/sluice-swap-%d-", pid);
    return strstr(swaps, name) != NULL;
}

Test(system_cgroups, over_the_limit_with_a_swap_file_swaps_and_ends_well)
{
    require_groups();
    require_swap_files();
    char mib[] = "128", rounds[] = "2", *argv[] = {NULL, mib, rounds, NULL};
    struct sl_cell cell = hog(argv);
    cell.limits.memory_bytes = 64 * SL_MIB;
    cell.limits.swap_bytes = 256 * SL_MIB;
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_OK, "%s", sl_ending_name(outcome.ending));
    cr_expect(outcome.swap_out_bytes >= 60 * SL_MIB, "%llu",
              (unsigned long long)outcome.swap_out_bytes);
    cr_expect(outcome.swap_in_bytes >= 60 * SL_MIB, "%llu",
              (unsigned long long)outcome.swap_in_bytes);
    cr_expect(outcome.usage.major_faults > 0);
    cr_expect(outcome.usage.limit_hits > 0);
    cr_expect(outcome.usage.memory_peak_bytes <= 64 * SL_MIB);
    uint64_t most_swap = 0;
    for (size_t i = 0; i < outcome.sample_count; i++)
        if (outcome.samples[i].swap_bytes > most_swap)
            most_swap = outcome.samples[i].swap_bytes;
    cr_expect(most_swap >= 40 * SL_MIB, "samples saw %llu", (unsigned long long)most_swap);
    cr_expect_not(swap_of(getpid()), "the swap file is still there");
    sl_outcome_free(&outcome);
}

Test(system_cgroups, swap_limit_counts_on_top_of_memory)
{
    require_groups();
    require_swap_files();
    char mib[] = "160", *argv[] = {NULL, mib, NULL};
    struct sl_cell cell = hog(argv);
    cell.limits.memory_bytes = 64 * SL_MIB;
    cell.limits.swap_bytes = 64 * SL_MIB;
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_OOM, "160 MiB in 64 + 64: %s",
                 sl_ending_name(outcome.ending));
    sl_outcome_free(&outcome);
}

static void make_file(void)
{
    snprintf(file_path, sizeof(file_path), "/var/tmp/sluice-test-%d", getpid());
    int fd = open(file_path, O_RDWR | O_CREAT | O_EXCL, 0600);
    cr_assert(fd >= 0);
    char *block = malloc(SL_MIB);
    cr_assert_not_null(block);
    memset(block, 'x', SL_MIB);
    for (uint64_t i = 0; i < FILE_BYTES / SL_MIB; i++)
        cr_assert_eq(write(fd, block, SL_MIB), (ssize_t)SL_MIB);
    free(block);
    cr_assert_eq(fsync(fd), 0);
    close(fd);
}

static void remove_file(void)
{
    if (*file_path)
        unlink(file_path);
}

static void expect_two_seconds(const struct sl_outcome *outcome)
{
    cr_expect_eq(outcome->ending, SL_ENDED_OK);
    double seconds = (double)outcome->wall_ns * 1e-9;
    cr_expect(seconds >= 2 * 0.8 && seconds <= 2 * 1.3, "100 MiB at 50 MiB/s took %.2f s", seconds);
}

Test(system_cgroups, read_rate_of_direct_reads, .fini = remove_file)
{
    require_groups();
    require_throttle();
    make_file();
    char mib[] = "0", rounds[] = "1", *argv[] = {NULL, mib, rounds, file_path, NULL};
    struct sl_cell cell = hog(argv);
    cell.limits.read_bytes_per_s = 50 * SL_MIB;
    cell.limits.throttle_path = file_path;
    struct sl_outcome outcome = run(&cell);
    expect_two_seconds(&outcome);
    cr_expect_str_eq(outcome.output, "done 104857600\n");
    sl_outcome_free(&outcome);
}

Test(system_cgroups, read_rate_of_buffered_reads_of_a_cold_file, .fini = remove_file)
{
    require_groups();
    require_throttle();
    make_file();
    char mib[] = "0", rounds[] = "1", buffered[] = "buffered";
    char *argv[] = {NULL, mib, rounds, file_path, buffered, NULL};
    const char *cold[] = {file_path, NULL};
    struct sl_cell cell = hog(argv);
    cell.cold_files = cold;
    cell.limits.read_bytes_per_s = 50 * SL_MIB;
    cell.limits.throttle_path = file_path;
    struct sl_outcome outcome = run(&cell);
    expect_two_seconds(&outcome);
    cr_expect_str_eq(outcome.output, "done 104857600\n");
    sl_outcome_free(&outcome);
}

Test(system_cgroups, cold_files_leave_the_page_cache, .fini = remove_file)
{
    require_groups();
    make_file();
    int fd = open(file_path, O_RDONLY);
    void *mapping = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    cr_assert_neq(mapping, MAP_FAILED);
    static unsigned char resident[FILE_BYTES / 4096];
    struct sl_error error;
    cr_assert_eq(sl_file_drop_cache(file_path, &error), 0);
    cr_assert_eq(mincore(mapping, FILE_BYTES, resident), 0);
    size_t pages = 0;
    for (size_t i = 0; i < sizeof(resident); i++)
        pages += resident[i] & 1;
    cr_expect(pages < sizeof(resident) / 100, "%zu of %zu pages are cached", pages,
              sizeof(resident));
    munmap(mapping, FILE_BYTES);
    close(fd);
}

Test(system_cgroups, cpu_share)
{
    require_groups();
    require_cpu_share();
    char shell[] = "/bin/sh", option[] = "-c",
         loop[] = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; times";
    char *argv[] = {shell, option, loop, NULL};
    struct sl_cell cell = hog(argv);
    argv[0] = shell;
    cell.limits.cpus = 0.25;
    struct sl_outcome outcome = run(&cell);
    int minutes;
    double user, system;
    cr_assert_eq(sscanf(outcome.output, "%dm%lfs %*dm%lfs", &minutes, &user, &system), 3, "%s",
                 outcome.output);
    /* Against its own CPU time: a busy machine only makes it slower. */
    double ratio = (double)outcome.wall_ns * 1e-9 / (60 * minutes + user + system);
    cr_expect(ratio >= 4 * 0.8, "a quarter of a CPU took %.2f x the CPU time", ratio);
    sl_outcome_free(&outcome);
}

Test(system_cgroups, timeout_and_children_inside_a_group)
{
    require_groups();
    char shell[] = "/bin/sh", option[] = "-c", command[] = "setsid sleep 100 & sleep 100";
    char *argv[] = {shell, option, command, NULL};
    struct sl_cell cell = hog(argv);
    argv[0] = shell;
    cell.limits.memory_bytes = 64 * SL_MIB;
    cell.timeout_ns = 200000000;
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_TIMEOUT);
    sl_outcome_free(&outcome);
}

Test(system_cgroups, nothing_is_left_after_errors)
{
    require_groups();
    require_swap_files();
    char program[] = "/nowhere/worker", *argv[] = {program, NULL};
    struct sl_cell cell = hog(argv);
    argv[0] = program;
    cell.limits.memory_bytes = 64 * SL_MIB;
    cell.limits.swap_bytes = 1024 * SL_MIB;
    struct sl_outcome outcome;
    struct sl_error error;
    cr_expect_eq(sl_supervise(&cell, &outcome, &error), -ENOENT);
    expect_nothing_left_of(getpid());
    /* A device that cannot be throttled. */
    argv[0] = hog_path;
    cell.limits.read_bytes_per_s = SL_MIB;
    cell.limits.throttle_path = "/proc/self/status";
    cr_expect_eq(sl_supervise(&cell, &outcome, &error), -ENODEV);
    expect_nothing_left_of(getpid());
    cell.limits.read_bytes_per_s = SL_NO_LIMIT;
    cell.swap_directory = "/dev/shm";
    cr_expect_eq(sl_supervise(&cell, &outcome, &error), -EOPNOTSUPP);
    expect_nothing_left_of(getpid());
}

Test(system_cgroups, limits_of_a_living_group_change_in_both_directions)
{
    require_groups();
    struct sl_limits limits = no_swap(64 * SL_MIB);
    struct sl_cgroup *group;
    struct sl_error error;
    cr_assert_eq(sl_cgroup_create(&limits, &group, &error), 0, "%s", error.text);
    const uint64_t steps[][2] = {
        {128 * SL_MIB, 0},          {32 * SL_MIB, 0}, {32 * SL_MIB, SL_GIB}, {SL_GIB, SL_NO_LIMIT},
        {16 * SL_MIB, 16 * SL_MIB}, {SL_NO_LIMIT, 0}, {64 * SL_MIB, 0}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        limits.memory_bytes = steps[i][0];
        limits.swap_bytes = steps[i][1];
        cr_expect_eq(sl_cgroup_set(group, &limits, &error), 0, "step %zu: %s", i, error.text);
        char path[PATH_MAX], text[64];
        snprintf(path, sizeof(path), "%s/%s", group->parts[0].directory,
                 group->version->memory_file);
        cr_assert(sl_file_read_text(path, text, sizeof(text)) > 0);
        cr_expect_eq(sl_control_number(text), steps[i][0], "step %zu: %s", i, text);
    }
    sl_cgroup_destroy(group);
    expect_nothing_left_of(getpid());
}

/* Under v1 a group has only the controllers that its limits needed when it was made. */
Test(system_cgroups, limits_of_another_kind_are_refused_later)
{
    require_groups();
    struct sl_limits limits = no_swap(64 * SL_MIB);
    struct sl_cgroup *group;
    struct sl_error error = {0};
    struct sl_cgroup_rights some, all;
    sl_cgroup_probe_for(&limits, &some);
    sl_cgroup_probe(&all);
    cr_expect_eq(some.memory, all.memory);
    cr_expect_eq(some.swap, all.swap);
    cr_expect_eq(some.version, all.version);
    cr_assert_eq(sl_cgroup_create(&limits, &group, &error), 0, "%s", error.text);
    limits.cpus = 0.5;
    if (all.version == 1)
        cr_expect_eq(sl_cgroup_set(group, &limits, &error), -EPERM);
    else if (all.cpu)
        cr_expect_eq(sl_cgroup_set(group, &limits, &error), 0, "%s", error.text);
    sl_cgroup_destroy(group);
    expect_nothing_left_of(getpid());
}

Test(system_cgroups, own_limit_is_seen_from_inside)
{
    require_groups();
    struct sl_limits limits = SL_LIMITS_NONE;
    limits.memory_bytes = 32 * SL_MIB;
    struct sl_cgroup *group;
    struct sl_error error;
    cr_assert_eq(sl_cgroup_create(&limits, &group, &error), 0, "%s", error.text);
    pid_t pid = fork();
    if (!pid) {
        bool right =
            !sl_cgroup_attach(group, getpid(), NULL) && sl_cgroup_own_limit() == 32 * SL_MIB;
        _exit(right ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    cr_expect_eq(status, 0);
    sl_cgroup_destroy(group);
}

/* Waits for a line from a pipe. */
static void read_line(int fd, char *line, size_t size)
{
    size_t length = 0;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    while (length < size - 1 && poll(&readable, 1, 20000) == 1 && read(fd, line + length, 1) == 1)
        if (line[length++] == '\n')
            break;
    line[length] = '\0';
}

Test(system_cgroups, killed_supervisor_leaves_what_clean_removes)
{
    require_groups();
    require_swap_files();
    int news[2];
    cr_assert_eq(pipe(news), 0);
    pid_t supervisor = fork();
    if (!supervisor) {
        dup2(news[1], 9); /* the shell knows one-digit descriptors only */
        char shell[] = "/bin/sh", option[] = "-c", command[PATH_MAX + 64];
        snprintf(command, sizeof(command), "echo $$ >&9; exec %s 96 0", hog_path);
        char *argv[] = {shell, option, command, NULL};
        struct sl_cell cell = hog(argv);
        argv[0] = shell;
        cell.limits.memory_bytes = 64 * SL_MIB;
        cell.limits.swap_bytes = 1024 * SL_MIB;
        struct sl_outcome outcome;
        _exit(sl_supervise(&cell, &outcome, NULL) ? 1 : 0);
    }
    close(news[1]);
    char line[32];
    read_line(news[0], line, sizeof(line));
    pid_t worker = (pid_t)atoi(line);
    cr_assert(worker > 1, "no worker started");
    /* The worker's end of the pipe closes with its death only. */
    char group[128], swap[128];
    snprintf(group, sizeof(group), "/sys/fs/cgroup/*/sluice-%d-*", supervisor);
    snprintf(swap, sizeof(swap), "/var/tmp/sluice-swap-%d-*", supervisor);
    bool unified = sl_cgroup_version_here()->shared_directory;
    if (unified)
        snprintf(group, sizeof(group), "/sys/fs/cgroup/sluice-%d-*", supervisor);
    cr_expect(matches(group));
    cr_expect(matches(swap));
    sl_supervisor_clean();
    cr_expect(matches(group), "the group of a living supervisor was removed");
    cr_expect(matches(swap), "the swap file of a living supervisor was removed");

    kill(supervisor, SIGKILL);
    waitpid(supervisor, NULL, 0);
    char rest;
    struct pollfd closed = {.fd = news[0], .events = POLLIN};
    cr_assert_eq(poll(&closed, 1, 10000), 1, "the worker outlives its supervisor");
    cr_expect_eq(read(news[0], &rest, 1), 0);
    cr_expect(matches(group) && matches(swap), "nothing was left: the test proves nothing");
    sl_supervisor_clean();
    expect_nothing_left_of(supervisor);
    close(news[0]);
}

Test(system_cgroups, next_run_removes_what_a_killed_one_left)
{
    require_groups();
    require_swap_files();
    pid_t supervisor = fork();
    if (!supervisor) {
        struct sl_limits limits = no_swap(64 * SL_MIB);
        struct sl_cgroup *group;
        struct sl_swapfile *swapfile;
        bool made = !sl_cgroup_create(&limits, &group, NULL) &&
                    !sl_swapfile_create("/var/tmp", SL_MIB, false, &swapfile, NULL);
        _exit(made ? 0 : 1); /* with neither removed */
    }
    int status;
    waitpid(supervisor, &status, 0);
    cr_assert_eq(status, 0);
    char swap[128];
    snprintf(swap, sizeof(swap), "/var/tmp/sluice-swap-%d-*", supervisor);
    cr_expect(matches(swap), "nothing was left: the test proves nothing");
    char mib[] = "1", *argv[] = {NULL, mib, NULL};
    struct sl_cell cell = hog(argv);
    cell.limits.memory_bytes = 64 * SL_MIB;
    struct sl_outcome outcome = run(&cell);
    expect_nothing_left_of(supervisor);
    sl_outcome_free(&outcome);
}

/* What could not be disabled is not locked any more, though its process goes on. */
Test(system_cgroups, swap_that_the_living_gave_up_is_removed)
{
    require_swap_files();
    struct sl_swapfile *held, *given_up;
    struct sl_error error;
    char own[128], other[128];
    int report[2], end[2];
    cr_assert_eq(pipe(report) | pipe(end), 0);
    cr_assert_eq(sl_swapfile_create("/var/tmp", SL_MIB, false, &held, &error), 0, "%s", error.text);
    pid_t owner = fork();
    if (!owner) {
        close(end[1]);
        char made = !sl_swapfile_create("/var/tmp", SL_MIB, false, &given_up, NULL), byte;
        close_range((unsigned)end[1], ~0u, 0); /* the lock, among others */
        _exit(write(report[1], &made, 1) != 1 || read(end[0], &byte, 1) != 0);
    }
    close(report[1]);
    close(end[0]);
    char made = 0;
    cr_assert_eq(read(report[0], &made, 1), 1);
    snprintf(own, sizeof(own), "/var/tmp/sluice-swap-%d-*", getpid());
    snprintf(other, sizeof(other), "/var/tmp/sluice-swap-%d-*", owner);
    cr_expect(made && matches(other), "nothing was left: the test proves nothing");
    sl_swapfiles_clean(NULL);
    cr_expect_not(matches(other));
    cr_expect(matches(own), "swap in use was removed");
    close(end[1]);
    cr_assert_eq(waitpid(owner, NULL, 0), owner);
    sl_swapfile_remove(held);
    cr_expect_not(matches(own));
}

Test(system_cgroups, swap_file_is_enabled_and_removed)
{
    require_groups();
    require_swap_files();
    struct sl_swapfile *swapfile = NULL;
    struct sl_error error = {0};
    char swaps[8192], name[64];
    uint64_t before = sl_swap_free_bytes(), lasting = sl_swap_lasting_free_bytes();
    cr_assert_eq(sl_swapfile_create("/var/tmp", 64 * SL_MIB, false, &swapfile, &error), 0, "%s",
                 error.text);
    snprintf(name, sizeof(name), "/var/tmp/sluice-swap-%d-", getpid());
    cr_assert(sl_file_read_text("/proc/swaps", swaps, sizeof(swaps)) > 0);
    cr_expect(strstr(swaps, name), "%s", swaps);
    cr_expect(sl_swap_free_bytes() + 32 * SL_MIB >= before + 64 * SL_MIB);
    cr_expect(sl_swap_lasting_free_bytes() <= lasting, "temporary swap counts as lasting");
    sl_swapfile_remove(swapfile);
    expect_nothing_left_of(getpid());
}

Test(system_cgroups, users_without_rights_are_told_the_cure)
{
    if (geteuid())
        cr_skip_test("skipped: only root can become somebody without rights");
    cr_assert_eq(setgid(65534), 0);
    cr_assert_eq(setuid(65534), 0);
    struct sl_limits limits = no_swap(64 * SL_MIB);
    struct sl_cgroup *group = NULL;
    struct sl_swapfile *swapfile = NULL;
    struct sl_error error = {0};
    cr_expect(sl_cgroup_create(&limits, &group, &error) < 0);
    cr_expect(strstr(error.text, "root") || strstr(error.text, "mount"), "%s", error.text);
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    cr_expect_eq(rights.version, 0);
    cr_expect(rights.reason[0]);
    cr_expect_eq(sl_swapfile_create("/var/tmp", SL_MIB, false, &swapfile, &error), -EPERM);
    cr_expect(strstr(error.text, "--swap 0"), "%s", error.text);
    cr_expect_null(swapfile);
    expect_nothing_left_of(getpid());
}
