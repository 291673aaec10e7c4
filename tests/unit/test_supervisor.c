/* The supervisor with real workers, without limits: no rights are needed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroups/observe.h"
#include "cgroups/supervisor.h"
#include "cgroups/swapfile.h"
#include "cgroups/worker.h"
#include "runtime/base/clock.h"
#include "runtime/base/units.h"

static struct sl_cell shell(const char *command)
{
    static char program[] = "/bin/sh", option[] = "-c";
    static char *argv[4] = {program, option};
    argv[2] = (char *)command;
    return (struct sl_cell){.argv = argv, .limits = SL_LIMITS_NONE};
}

static struct sl_outcome run(const struct sl_cell *cell)
{
    struct sl_outcome outcome = {0};
    struct sl_error error = {0};
    cr_assert_eq(sl_supervise(cell, &outcome, &error), 0, "%s", error.text);
    return outcome;
}

Test(supervisor, captures_both_outputs_of_a_good_worker)
{
    struct sl_cell cell = shell("echo record; echo note >&2; cat; test -z \"$(cat)\"");
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_OK);
    cr_expect_eq(outcome.exit_code, 0);
    cr_expect_eq(outcome.signal, 0);
    cr_expect_str_eq(outcome.output, "record\n");
    cr_expect_eq(outcome.output_bytes, 7);
    cr_expect_str_eq(outcome.diagnostics, "note\n");
    cr_expect_not(outcome.limited);
    cr_expect(outcome.wall_ns > 0 && outcome.wall_ns < UINT64_C(10000000000));
    cr_expect(outcome.usage.memory_peak_bytes > 100000 &&
                  outcome.usage.memory_peak_bytes < 100 * SL_MIB,
              "%llu", (unsigned long long)outcome.usage.memory_peak_bytes);
    cr_expect_eq(outcome.usage.oom_kills, SL_NO_LIMIT);
    sl_outcome_free(&outcome);
    sl_outcome_free(&outcome);
}

Test(supervisor, silent_worker_has_empty_texts)
{
    struct sl_cell cell = shell("exit 0");
    struct sl_outcome outcome = run(&cell);
    cr_expect_str_eq(outcome.output, "");
    cr_expect_str_eq(outcome.diagnostics, "");
    cr_expect_eq(outcome.output_bytes, 0);
    sl_outcome_free(&outcome);
}

Test(supervisor, exit_code_and_signal)
{
    struct sl_cell cell = shell("exit 7");
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_ERROR);
    cr_expect_eq(outcome.exit_code, 7);
    sl_outcome_free(&outcome);
    cell = shell("kill -SEGV $$");
    outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_ERROR);
    cr_expect_eq(outcome.signal, SIGSEGV);
    sl_outcome_free(&outcome);
}

Test(supervisor, killed_without_a_limit_is_not_oom)
{
    struct sl_cell cell = shell("kill -KILL $$");
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_ERROR);
    cr_expect_eq(outcome.signal, SIGKILL);
    sl_outcome_free(&outcome);
}

Test(supervisor, large_output_on_both_pipes)
{
    struct sl_cell cell = shell("head -c 5000000 /dev/zero & head -c 3000000 /dev/zero >&2; wait");
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_OK);
    cr_expect_eq(outcome.output_bytes, 5000000);
    cr_expect_eq(outcome.output[4999999], '\0');
    sl_outcome_free(&outcome);
}

Test(supervisor, timeout_kills_the_worker_and_its_children)
{
    struct sl_cell cell = shell("echo started; sleep 100 & echo $!; wait");
    cell.timeout_ns = 150000000;
    uint64_t start = sl_now_ns();
    struct sl_outcome outcome = run(&cell);
    cr_expect(sl_now_ns() - start < UINT64_C(5000000000));
    cr_expect_eq(outcome.ending, SL_ENDED_TIMEOUT);
    cr_expect_eq(outcome.signal, SIGKILL);
    cr_expect(outcome.wall_ns >= cell.timeout_ns);
    cr_assert_eq(strncmp(outcome.output, "started\n", 8), 0, "%s", outcome.output);
    pid_t child = (pid_t)atoi(outcome.output + 8);
    cr_assert(child > 1);
    /* Orphaned and killed: it takes its time to die, but it does. */
    int child_fd = (int)syscall(SYS_pidfd_open, child, 0);
    if (child_fd >= 0) {
        struct pollfd ended = {.fd = child_fd, .events = POLLIN};
        cr_expect_eq(poll(&ended, 1, 5000), 1, "child %d lives on", child);
        close(child_fd);
    }
    sl_outcome_free(&outcome);
}

Test(supervisor, a_done_worker_is_not_timed_out)
{
    struct sl_cell cell = shell("exit 0");
    cell.timeout_ns = UINT64_C(60000000000);
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_OK);
    sl_outcome_free(&outcome);
}

static volatile int interrupted;

static void on_alarm(int number)
{
    (void)number;
    interrupted = 1;
}

Test(supervisor, interruption)
{
    struct sl_cell cell = shell("sleep 100");
    cell.interrupted = &interrupted;
    signal(SIGALRM, on_alarm);
    ualarm(100000, 0);
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_INTERRUPTED);
    cr_expect(outcome.wall_ns < UINT64_C(5000000000));
    sl_outcome_free(&outcome);
}

Test(supervisor, interrupted_before_the_start)
{
    struct sl_cell cell = shell("sleep 100");
    interrupted = 1;
    cell.interrupted = &interrupted;
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_INTERRUPTED);
    sl_outcome_free(&outcome);
}

Test(supervisor, a_worker_is_asked_before_it_is_killed)
{
    struct sl_cell cell = shell("trap 'echo asked; exit 3' TERM; echo ready; sleep 100 & wait");
    cell.timeout_ns = 300000000;
    cell.grace_ns = UINT64_C(60000000000);
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_TIMEOUT);
    cr_expect_eq(outcome.exit_code, 3);
    cr_expect_eq(outcome.signal, 0);
    cr_expect_str_eq(outcome.output, "ready\nasked\n");
    cr_expect(outcome.wall_ns < UINT64_C(30000000000));
    sl_outcome_free(&outcome);
}

static int *handled; /* shared with children */

static void on_term(int number)
{
    (void)number;
    *handled = 1;
}

/* Between its fork and its program the child must not take the word for one to this process. */
Test(supervisor, a_worker_is_asked_as_soon_as_it_is_there)
{
    handled =
        mmap(NULL, sizeof(*handled), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(handled, MAP_FAILED);
    signal(SIGTERM, on_term);
    for (int i = 0; i < 30; i++) {
        struct sl_cell cell = shell("sleep 100");
        cell.timeout_ns = 1;
        cell.grace_ns = UINT64_C(60000000000);
        struct sl_outcome outcome = run(&cell);
        cr_assert_eq(outcome.ending, SL_ENDED_TIMEOUT);
        cr_assert_eq(outcome.signal, SIGTERM);
        sl_outcome_free(&outcome);
    }
    cr_expect_eq(*handled, 0);
}

Test(supervisor, a_worker_that_is_deaf_is_killed)
{
    struct sl_cell cell = shell("trap '' TERM; sleep 100; sleep 100");
    cell.timeout_ns = 300000000;
    cell.grace_ns = 200000000;
    struct sl_outcome outcome = run(&cell);
    cr_expect_eq(outcome.ending, SL_ENDED_TIMEOUT);
    cr_expect_eq(outcome.signal, SIGKILL);
    cr_expect(outcome.wall_ns >= cell.timeout_ns + cell.grace_ns);
    cr_expect(outcome.wall_ns < UINT64_C(30000000000));
    sl_outcome_free(&outcome);
}

Test(supervisor, worker_that_leaves_its_pipes_to_a_daemon_ends)
{
    struct sl_cell cell = shell("setsid sleep 20 & echo out");
    uint64_t start = sl_now_ns();
    struct sl_outcome outcome = run(&cell);
    cr_expect(sl_now_ns() - start < UINT64_C(5000000000), "waited for the daemon");
    cr_expect_str_eq(outcome.output, "out\n");
    sl_outcome_free(&outcome);
}

Test(supervisor, worker_gets_no_signals_or_masks_of_ours)
{
    sigset_t set;
    sigfillset(&set);
    sigdelset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGRTMAX, SIG_IGN);
    struct sl_cell cell = shell("grep -E 'SigBlk|SigIgn' /proc/self/status");
    struct sl_outcome outcome = run(&cell);
    cr_expect(strstr(outcome.output, "SigBlk:\t0000000000000000"), "%s", outcome.output);
    const char *ignored = strstr(outcome.output, "SigIgn:\t");
    cr_assert_not_null(ignored);
    /* What make starts ignores 32 and 33, which glibc keeps to itself and lets nobody restore. */
    uint64_t own = UINT64_C(3) << 31;
    cr_expect_eq(strtoull(ignored + strlen("SigIgn:\t"), NULL, 16) & ~own, 0, "%s", outcome.output);
    sl_outcome_free(&outcome);
}

Test(supervisor, programs_that_cannot_be_started)
{
    char nowhere[] = "/nowhere/worker", not_executable[] = "/etc/passwd";
    char *missing[] = {nowhere, NULL}, *plain[] = {not_executable, NULL}, *none[] = {NULL};
    struct sl_cell cell = shell("");
    struct sl_outcome outcome = {.exit_code = 42};
    struct sl_error error;
    cell.argv = missing;
    cr_expect_eq(sl_supervise(&cell, &outcome, &error), -ENOENT);
    cr_expect(strstr(error.text, "/nowhere/worker"), "%s", error.text);
    cell.argv = plain;
    cr_expect_eq(sl_supervise(&cell, &outcome, &error), -EACCES);
    cell.argv = none;
    cr_expect_eq(sl_supervise(&cell, &outcome, &error), -EINVAL);
    cr_expect_eq(outcome.exit_code, 42, "untouched on failure");
}

Test(supervisor, cold_file_that_is_missing)
{
    const char *files[] = {"/nowhere/pack", NULL};
    struct sl_cell cell = shell("exit 0");
    cell.cold_files = files;
    struct sl_outcome outcome;
    struct sl_error error;
    cr_expect_eq(sl_supervise(&cell, &outcome, &error), -ENOENT);
    cr_expect(strstr(error.text, "/nowhere/pack"), "%s", error.text);
}

Test(supervisor, samples_follow_the_worker)
{
    struct sl_cell cell = shell("sleep 0.3");
    struct sl_outcome outcome = run(&cell);
    cr_expect(outcome.sample_count >= 10 && outcome.sample_count <= 60, "%zu samples",
              outcome.sample_count);
    for (size_t i = 1; i < outcome.sample_count; i++)
        cr_expect(outcome.samples[i].time_ns > outcome.samples[i - 1].time_ns);
    cr_expect(outcome.sample_count && outcome.samples[outcome.sample_count / 2].memory_bytes > 0);
    sl_outcome_free(&outcome);
}

Test(supervisor, long_runs_are_thinned_out)
{
    struct sl_observer observer = SL_OBSERVER_NONE;
    size_t total = 5 * SL_SAMPLES_MOST;
    for (size_t i = 0; i < total; i++)
        cr_assert_eq(sl_observer_add(&observer, &(struct sl_memory_sample){.time_ns = i + 1}), 0);
    cr_expect(observer.count <= SL_SAMPLES_MOST && observer.count >= SL_SAMPLES_MOST / 2);
    for (size_t i = 1; i < observer.count; i++)
        cr_assert(observer.samples[i].time_ns > observer.samples[i - 1].time_ns);
    cr_expect_eq(observer.samples[0].time_ns, 1);
    cr_expect(observer.samples[observer.count - 1].time_ns + 2 * observer.stride >= total);
    sl_observer_cleanup(&observer);
}

Test(supervisor, names_of_endings)
{
    cr_expect_str_eq(sl_ending_name(SL_ENDED_OK), "ok");
    cr_expect_str_eq(sl_ending_name(SL_ENDED_OOM), "oom");
    cr_expect_str_eq(sl_ending_name(SL_ENDED_TIMEOUT), "timeout");
    cr_expect_str_eq(sl_ending_name(SL_ENDED_ERROR), "error");
    cr_expect_str_eq(sl_ending_name(SL_ENDED_INTERRUPTED), "interrupted");
}

Test(swapfile, places_and_sizes_that_cannot_work)
{
    struct sl_swapfile *swapfile = NULL;
    struct sl_error error;
    cr_expect_eq(sl_swapfile_create("/nowhere", SL_MIB, false, &swapfile, &error), -EOPNOTSUPP);
    cr_expect(strstr(error.text, "/nowhere: No such"), "%s", error.text);
    cr_expect_eq(sl_swapfile_create("/dev/shm", SL_MIB, false, &swapfile, &error), -EOPNOTSUPP);
    cr_expect(strstr(error.text, "/dev/shm") && strstr(error.text, "ext4"), "%s", error.text);
    cr_expect_eq(sl_swapfile_create("/var/tmp", 0, false, &swapfile, &error), -EINVAL);
    cr_expect_eq(sl_swapfile_create("/var/tmp", UINT64_MAX, false, &swapfile, &error), -EINVAL);
    cr_expect_eq(sl_swapfile_create("/var/tmp", UINT64_C(1) << 43, false, &swapfile, &error),
                 -EOPNOTSUPP);
    cr_expect(strstr(error.text, "free"), "%s", error.text);
    cr_expect_null(swapfile);
    sl_swapfile_remove(NULL);
}

/* What shows only when the blocks are asked for. */
Test(swapfile, storage_that_gives_no_blocks)
{
    struct sl_swapfile *swapfile = NULL;
    struct sl_error error;
    struct rlimit limit = {SL_MIB, SL_MIB};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_expect_eq(sl_swapfile_create("/var/tmp", 2 * SL_MIB, false, &swapfile, &error), -EOPNOTSUPP,
                 "%s", error.text);
    cr_expect(strstr(error.text, "write the swap file"), "%s", error.text);
    cr_expect_null(swapfile);
}

/* The worker itself reports that it could not enter its group, and runs nothing. */
Test(supervisor, a_worker_that_cannot_enter_its_group_says_so)
{
    static char program[] = "/bin/true";
    char *const argv[] = {program, NULL};
    struct sl_entries entries = {.count = 1, .files = {open("/dev/null", O_RDONLY | O_CLOEXEC)}};
    struct sl_worker worker = SL_WORKER_NONE;
    int code = 0;
    cr_assert_eq(sl_worker_fork(argv, &entries, &worker, NULL), 0);
    cr_assert_eq(sl_worker_release(&worker, NULL), 0);
    cr_assert_eq(read(worker.start_error, &code, sizeof(code)), (ssize_t)sizeof(code));
    cr_expect_eq(code, -EBADF);
    sl_worker_cleanup(&worker);
    sl_entries_close(&entries);
}
