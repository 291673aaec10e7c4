/* A limit that is lowered while a session runs: first asked for (memory.high of v2, the soft limit
 * of v1, which the kernel takes whatever is in use), then enforced, which it refuses while more is
 * in use than that. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/units.h"
#include "tests/support/run_command.h"

static char directory[] = "/var/tmp/sluice-test-shrink-XXXXXX";
static char pack[sizeof(directory) + 16], digest[32];

static void set_up(void)
{
    struct command command;
    cr_assert_not_null(mkdtemp(directory));
    snprintf(pack, sizeof(pack), "%s/net.sluice", directory);
    command_run(&command, "synth facenet -o %s", pack);
    cr_assert_eq(command.exit_code, 0, "%s", command.errors);
    command_free(&command);
    command_run(&command, "run %s -o json", pack);
    json_t *records = command_records(&command);
    snprintf(digest, sizeof(digest), "%s", record_text(json_array_get(records, 0), "digest"));
    cr_assert_str_not_empty(digest, "%s", command.errors);
    json_decref(records);
    command_free(&command);
}

static void tear_down(void)
{
    unlink(pack);
    rmdir(directory);
}

TestSuite(system_shrink, .init = set_up, .fini = tear_down);

/* 0 or -errno. */
static int write_number(const char *path, uint64_t value)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    SL_AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, (size_t)length) == length ? 0 : -errno;
}

static uint64_t read_number(const char *path)
{
    char text[64] = "0";
    sl_file_read_text(path, text, sizeof(text));
    return strtoull(text, NULL, 10);
}

struct group_files {
    char usage[256], asked[256], limit[256], peak[256];
};

static void find_files(const struct command *command, struct group_files *files)
{
    bool v1 = command_group(command, "memory.usage_in_bytes", files->usage, sizeof(files->usage));
    const char *const names[2][4] = {{"memory.current", "memory.high", "memory.max", "memory.peak"},
                                     {"memory.usage_in_bytes", "memory.soft_limit_in_bytes",
                                      "memory.limit_in_bytes", "memory.max_usage_in_bytes"}};
    char *const paths[] = {files->usage, files->asked, files->limit, files->peak};
    for (int i = 0; i < 4; i++)
        cr_assert(command_group(command, names[v1][i], paths[i], sizeof(files->usage)) || i == 3,
                  "no %s", names[v1][i]);
}

/* Until the worker holds more than that. */
static void wait_for_usage(const struct group_files *files, uint64_t bytes)
{
    for (int tries = 0; tries < 2000; tries++) {
        if (read_number(files->usage) >= bytes)
            return;
        poll(NULL, 0, 10); /* the kernel tells nobody */
    }
    cr_assert_fail("it never held %llu bytes", (unsigned long long)bytes);
}

/* Lowers the limit of a running command as its manual says. */
static void lower(const struct group_files *files, uint64_t bytes)
{
    cr_assert_eq(write_number(files->asked, bytes), 0);
    for (int tries = 0; tries < 500; tries++) {
        /* Charges of a processor's stock may come between the two. */
        if (read_number(files->usage) <= bytes && write_number(files->limit, bytes) == 0)
            return;
        poll(NULL, 0, 10);
    }
    cr_assert_fail("it did not shrink");
}

static void require_limits(void)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    if (!rights.memory)
        SKIP("skipped: needs a cgroup memory controller (%s)", rights.reason);
}

/* Started, and holding more than that. */
static void start(struct command *command, struct group_files *files, const char *words,
                  uint64_t bytes)
{
    command_start(command, "run %s %s --memory 150M --swap 0 -q -o json", pack, words);
    cr_assert(command_enters_group(command), "no worker entered a group");
    find_files(command, files);
    wait_for_usage(files, bytes);
}

static void shrink(const char *words, uint64_t from, uint64_t bytes)
{
    struct command command;
    struct group_files files;
    start(&command, &files, words, from);
    lower(&files, bytes);
    write_number(files.peak, 0); /* not on every kernel of v2 */
    command_wait(&command);
    cr_assert_eq(command.exit_code, 0, "%s: %d %s", words, command.exit_code, command.errors);
    json_t *records = command_records(&command), *record = json_array_get(records, 0);
    cr_expect_str_eq(record_text(record, "status"), "ok");
    cr_expect_str_eq(record_text(record, "digest"), digest, "%s", words);
    cr_expect_eq(record_number(record, "oom_kills"), 0);
    if (strstr(files.peak, "max_usage"))
        cr_expect_leq(record_number(record, "peak_bytes"), (double)bytes, "%s", words);
    json_decref(records);
    cr_expect_str_empty(command_left_behind(&command));
    command_free(&command);
}

Test(system_shrink, between_and_within_requests)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("skipped: sanitizer build, in which a process keeps what it freed");
#endif
    require_limits();
    shrink("--policy auto --runs 30", 100 * SL_MIB, 60 * SL_MIB);
    /* However fast the runs are, 32 reads of 1 MiB are under way. */
    shrink("--policy window --runs 30", 26 * SL_MIB, 18 * SL_MIB);
    shrink("--policy auto --runs 30 --loader mmap", 100 * SL_MIB, 60 * SL_MIB);
    shrink("--policy auto --runs 30", 100 * SL_MIB, 24 * SL_MIB);
}

/* A request takes four seconds; what is ahead of the run is under way, not in memory. */
Test(system_shrink, within_one_slow_request)
{
    struct sl_cgroup_rights rights;
    require_limits();
    sl_cgroup_probe(&rights);
    if (!rights.read_rate)
        SKIP("skipped: needs an io or blkio controller (%s)", rights.reason);
    shrink("--policy window --read-rate 60M --runs 2", (26 + SANITIZER_MIB) * SL_MIB,
           (18 + SANITIZER_MIB) * SL_MIB);
}

/* Waits without a pause until the group of a command holds that much. */
static void watch_usage(const struct command *command, struct group_files *files, uint64_t bytes)
{
    const uint64_t end_ns = sl_now_ns() + UINT64_C(20000000000);
    uint64_t used = 0;
    while (used < bytes) {
        cr_assert_lt(sl_now_ns(), end_ns, "it held %llu bytes", (unsigned long long)used);
        /* The first groups of a command only try what it may do, and go away again. */
        if (used || command_group(command, "memory.current", files->usage, sizeof(files->usage)) ||
            command_group(command, "memory.usage_in_bytes", files->usage, sizeof(files->usage)))
            used = read_number(files->usage);
    }
    find_files(command, files);
}

/* Without asking first, while the slots of the first request are still coming in, by some MB in a
 * millisecond. A limit that came so close to what was in use by then says nothing. */
Test(system_shrink, enforced_while_slots_come_in)
{
    require_limits();
    int enforced = 0;
    for (int round = 0; round < 40 && enforced < 5; round++) {
        struct command command;
        struct group_files files;
        command_start(&command, "run %s --runs 3 --memory 200M --swap 0 -q -o json", pack);
        watch_usage(&command, &files, ((uint64_t)round % 8 * 3 + 12 + SANITIZER_MIB) * SL_MIB);
        const uint64_t begin_ns = sl_now_ns(), used = read_number(files.usage);
        const bool lowered = used <= 36 * SL_MIB && !write_number(files.limit, 60 * SL_MIB);
        const bool at_once = sl_now_ns() - begin_ns < 500000;
        command_wait(&command);
        json_t *records = command_records(&command), *record = json_array_get(records, 0);
        if (lowered && at_once) {
            enforced++;
            cr_expect_eq(command.exit_code, 0, "with %llu bytes in use: %d %s",
                         (unsigned long long)used, command.exit_code, command.errors);
            cr_expect_str_eq(record_text(record, "digest"), digest);
        }
        json_decref(records);
        command_free(&command);
    }
    cr_expect_gt(enforced, 0, "it was never there in time");
}

/* What cannot be kept ends with the least that would do. */
Test(system_shrink, below_the_least_budget)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("skipped: sanitizer build, in which a process keeps what it freed");
#endif
    require_limits();
    struct command command;
    struct group_files files;
    start(&command, &files, "--policy auto --runs 100000", 100 * SL_MIB);
    cr_assert_eq(write_number(files.asked, 6 * SL_MIB), 0);
    command_wait(&command);
    cr_expect_eq(command.exit_code, 1, "%d %s", command.exit_code, command.errors);
    cr_expect_not_null(strstr(command.errors, "it needs at least"), "%s", command.errors);
    json_t *records = command_records(&command);
    cr_expect_str_eq(record_text(json_array_get(records, 0), "status"), "error");
    json_decref(records);
    cr_expect_str_empty(command_left_behind(&command));
    command_free(&command);
}

/* A higher limit is used from the next request on: all weights stay, and reads end. */
Test(system_shrink, a_raised_limit_is_used)
{
    require_limits();
    struct command command;
    struct group_files files;
    char both[256];
    start(&command, &files, "--policy auto --runs 30", 100 * SL_MIB);
    /* v1 holds memory and swap together to a limit that is never below that of memory. */
    if (command_group(&command, "memory.memsw.limit_in_bytes", both, sizeof(both)))
        cr_assert_eq(write_number(both, 300 * SL_MIB), 0);
    cr_assert_eq(write_number(files.limit, 300 * SL_MIB), 0);
    cr_assert_eq(write_number(files.asked, 300 * SL_MIB), 0);
    wait_for_usage(&files, 200 * SL_MIB);
    command_wait(&command);
    cr_expect_eq(command.exit_code, 0, "%s", command.errors);
    command_free(&command);
}
