/* Limits as a user meets them: FaceNet, 217 MiB of weights, through the command line. What the
 * limit kills is a result, exit code 3, and nothing is left behind. */
#include <criterion/criterion.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/supervisor.h"
#include "runtime/base/units.h"
#include "tests/support/run_command.h"

static char directory[] = "/var/tmp/sluice-test-limits-XXXXXX";
static char pack[sizeof(directory) + 16];

static void synth(const char *topology, const char *path)
{
    struct command command;
    command_run(&command, "synth %s -o %s", topology, path);
    cr_assert_eq(command.exit_code, 0, "%s", command.errors);
    command_free(&command);
}

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(pack, sizeof(pack), "%s/net.sluice", directory);
    synth("facenet", pack);
}

static void tear_down(void)
{
    char times[sizeof(pack) + 8];
    snprintf(times, sizeof(times), "%s.times", pack);
    unlink(times);
    unlink(pack);
    rmdir(directory);
}

TestSuite(system_limits, .init = set_up, .fini = tear_down);

static void require_limits(void)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    if (!rights.memory || !rights.swap)
        SKIP("skipped: needs a cgroup memory controller with swap (%s)", rights.reason);
    if (!rights.read_rate)
        SKIP("skipped: needs an io or blkio controller (%s)", rights.reason);
    if (geteuid())
        SKIP("skipped: only root may enable swap");
}

/* Runs one cell, which ends like that, and returns its (first) record. Quietly: what others left on
 * this machine is cleaned up with a note. */
static json_t *run_packs(const char *packs, const char *words, const char *status)
{
    struct command command;
    command_run(&command, "run %s %s -q -o json", packs, words);
    json_t *records = command_records(&command);
    json_t *record = json_incref(json_array_get(records, 0));
    json_decref(records);
    cr_assert_eq(command.exit_code, strcmp(status, "ok") ? 3 : 0, "%s: exit code %d, %s", words,
                 command.exit_code, command.errors);
    cr_assert_str_eq(record_text(record, "status"), status, "%s", words);
    cr_expect_str_empty(command.errors);
    cr_expect_str_empty(command_left_behind(&command));
    command_free(&command);
    return record;
}

static json_t *run(const char *words, const char *status)
{
    return run_packs(pack, words, status);
}

Test(system_limits, bulk_without_swap_is_killed)
{
    require_limits();
    json_t *record = run("--policy bulk --memory 170M --swap 0", "oom");
    cr_expect_geq(record_number(record, "oom_kills"), 1);
    cr_expect_eq(record_number(record, "memory_limit"), 170.0 * SL_MIB);
    cr_expect_leq(record_number(record, "peak_bytes"), 170.0 * SL_MIB);
    json_decref(record);
}

Test(system_limits, bulk_with_swap_ends_at_a_cost)
{
    require_limits();
    json_t *free_run = run("--policy bulk --memory none --timeout 60s", "ok");
    json_t *record = run("--policy bulk --memory 170M --swap 1G", "ok");
    cr_expect_gt(record_number(record, "swap_in_bytes"), 0);
    cr_expect_gt(record_number(record, "swap_out_bytes"), 0);
    cr_expect_gt(record_number(record, "major_faults"), 0);
    cr_expect_leq(record_number(record, "peak_bytes"), 170.0 * SL_MIB);
    cr_expect_str_eq(record_text(record, "digest"), record_text(free_run, "digest"));
    cr_expect_gt(record_number(record, "run_ns"), 2 * record_number(free_run, "run_ns"));
    json_decref(record);
    json_decref(free_run);
}

Test(system_limits, linear_needs_its_largest_layer_only)
{
    require_limits();
    json_t *record = run("--policy linear --memory 192M --swap 0", "ok");
    cr_expect_eq(record_number(record, "swap_in_bytes"), 0);
    cr_expect_leq(record_number(record, "peak_bytes"), 192.0 * SL_MIB);
    json_decref(record);
}

Test(system_limits, window_and_auto_stay_within_a_quarter_of_the_weights)
{
    require_limits();
    const char *const policies[] = {"window", "auto"};
    for (int p = 0; p < 2; p++) {
        char words[128];
        snprintf(words, sizeof(words), "--policy %s --memory 25%% --swap 1G", policies[p]);
        json_t *record = run(words, "ok");
        cr_expect_eq(record_number(record, "limit_hits"), 0, "%s", words);
        cr_expect_eq(record_number(record, "oom_kills"), 0, "%s", words);
        cr_expect_leq(record_number(record, "peak_bytes"), record_number(record, "memory_limit"));
        json_decref(record);
    }
}

/* Measuring run times for a plan is no reason to be killed: policies that need a whole layer, 151
 * MB, are left out. */
Test(system_limits, a_plan_is_made_within_less_than_a_layer)
{
    require_limits();
    char program[PATH_MAX], words[][8] = {"plan", "-p", "auto"};
    snprintf(program, sizeof(program), "%s", command_path());
    char *const argv[] = {program, words[0], words[1], words[2], pack, NULL};
    struct sl_cell cell = {.argv = argv, .limits = SL_LIMITS_NONE};
    /* A sanitizer's process keeps what it freed: room for all, but not for what is left out. */
    cell.limits.memory_bytes = (SANITIZER_MIB ? 400 : 100) * SL_MIB;
    cell.limits.swap_bytes = 0;
    struct sl_outcome outcome;
    struct sl_error error;
    cr_assert_eq(sl_supervise(&cell, &outcome, &error), 0, "%s", error.text);
    cr_expect_eq(outcome.ending, SL_ENDED_OK, "%s", sl_ending_name(outcome.ending));
    cr_expect(strstr(outcome.output, "FaceNet"), "%s", outcome.output);
    sl_outcome_free(&outcome);
}

/* What one network gives back for the next one is uncharged at once: no huge page reaches into the
 * mapping beside it. Nor is it swapped then: without a hit the kernel takes nothing back, but for
 * what DAMON thinks idle (see sluice doctor), which counters of swap would see. */
Test(system_limits, networks_that_take_turns_do_not_meet_the_limit)
{
    require_limits();
    const char *const names[] = {"squeezenet", "googlenet", "mobilenet"};
    char paths[3][sizeof(directory) + 24], packs[sizeof(paths)];
    for (int n = 0; n < 3; n++) {
        snprintf(paths[n], sizeof(paths[n]), "%s/%s.sluice", directory, names[n]);
        synth(names[n], paths[n]);
    }
    snprintf(packs, sizeof(packs), "%s %s %s", paths[0], paths[1], paths[2]);
    char words[128];
    /* A sanitizer's process keeps what it freed: shards leave room for it. */
    snprintf(words, sizeof(words), "--policy window --memory %dM --swap 1G --runs 3%s",
             32 + 2 * SANITIZER_MIB, SANITIZER_MIB ? " --depth 4" : "");
    for (int times = 0; times < 4; times++) {
        json_t *record = run_packs(packs, words, "ok");
        cr_expect_eq(record_number(record, "limit_hits"), 0);
        json_decref(record);
    }
    for (int n = 0; n < 3; n++)
        unlink(paths[n]);
}

/* Pages of a mapping are charged to the group like any others, and given back behind the run. */
Test(system_limits, mapped_packs_stay_within_the_limit)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("skipped: sanitizer build, in which a process keeps what it freed");
#endif
    require_limits();
    json_t *free_run = run("--policy bulk --memory none --timeout 60s", "ok");
    const char *const policies[] = {"window", "auto"};
    for (int p = 0; p < 2; p++) {
        char words[128];
        snprintf(words, sizeof(words), "--loader mmap --policy %s --memory 40M --swap 0 --runs 3",
                 policies[p]);
        json_t *record = run(words, "ok");
        cr_expect_str_eq(record_text(record, "loader"), "mmap");
        cr_expect_eq(record_number(record, "oom_kills"), 0, "%s", words);
        cr_expect_eq(record_number(record, "limit_hits"), 0, "%s: nothing had to be reclaimed",
                     words);
        cr_expect_leq(record_number(record, "peak_bytes"), 40.0 * SL_MIB);
        cr_expect_str_eq(record_text(record, "digest"), record_text(free_run, "digest"));
        json_decref(record);
    }
    json_decref(free_run);
}

/* The first two blobs of VGG-19 are 24.5 MiB: with them the least limit is 38 MiB. */
Test(system_limits, row_bands_run_where_whole_blobs_do_not_fit)
{
    require_limits();
    synth("vgg19", pack);
    json_t *free_run = run("--policy window --memory none --timeout 60s", "ok");
    cr_expect_gt(record_number(free_run, "activation_bytes"), 24.0 * SL_MIB);
    const char *const policies[] = {"window", "auto"};
    for (int p = 0; p < 2; p++) {
        char words[128];
        snprintf(words, sizeof(words), "--policy %s --memory %dM --swap 0 --runs 2", policies[p],
                 26 + SANITIZER_MIB);
        json_t *record = run(words, "ok");
        cr_expect_str_eq(record_text(record, "digest"), record_text(free_run, "digest"));
        cr_expect_lt(record_number(record, "activation_bytes"), 14.0 * SL_MIB);
        cr_expect_leq(record_number(record, "peak_bytes"), (26 + SANITIZER_MIB) * SL_MIB);
        cr_expect_eq(record_number(record, "oom_kills"), 0, "%s", words);
        json_decref(record);
    }
    json_decref(free_run);
}

static json_t *plan(const char *policy, const char *limit)
{
    struct command command;
    command_run(&command, "plan %s --estimate --policy %s --memory %s -q -o json", pack, policy,
                limit);
    json_t *records = command_records(&command), *record = json_incref(json_array_get(records, 0));
    json_decref(records);
    cr_assert_not_null(record, "%s", command.errors);
    command_free(&command);
    return record;
}

/* Where the limit is what the plan says is least, rounded up: never more than the plan's peak,
 * the bits of a run without limit, and a graph of the plan. Returns whether that took row bands. */
static bool run_at_least_limit(const char *topology, const char *policy, const char *loader,
                               const json_t *free_run)
{
    char words[128], limit[32];
    json_t *tight = plan(policy, "4M");
    const double mib = record_number(tight, "least_memory_bytes") / SL_MIB;
    snprintf(limit, sizeof(limit), "%dM", (int)mib + 1);
    json_t *planned = plan(policy, limit);
    cr_expect(json_is_true(json_object_get(planned, "fits")), "%s in %s", topology, limit);
    snprintf(words, sizeof(words), "--policy %s --loader %s --memory %s --swap 0 --runs 2", policy,
             loader, limit);
    json_t *record = run(words, "ok");
    cr_expect_str_eq(record_text(record, "digest"), record_text(free_run, "digest"), "%s: %s",
                     topology, words);
    /* Of mapped pages some stay beyond their use until the kernel wants them back. */
    const json_t *most = strcmp(loader, "mmap") ? planned : record;
    const char *field = strcmp(loader, "mmap") ? "peak_bytes" : "memory_limit";
    cr_expect_leq(record_number(record, "peak_bytes"), record_number(most, field), "%s: %s",
                  topology, words);
    cr_expect_eq(record_number(record, "oom_kills"), 0, "%s: %s", topology, words);
    const bool banded =
        record_number(record, "activation_bytes") < record_number(free_run, "activation_bytes");
    struct command command;
    command_run(&command, "plan %s --estimate --policy %s --memory %s -q --dot -", pack, policy,
                limit);
    cr_expect_eq(command.exit_code, 0, "%s in %s: %s", topology, limit, command.errors);
    command_free(&command);
    json_decref(tight);
    json_decref(planned);
    json_decref(record);
    return banded;
}

Test(system_limits, least_limits_hold_for_every_network, .timeout = 300)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("skipped: sanitizer build, in which a process keeps what it freed");
#endif
    require_limits();
    static const char *const topologies[] = {"lenet",     "agenet",   "googlenet", "squeezenet",
                                             "mobilenet", "resnet50", "vgg16"};
    int banded = 0;
    for (size_t t = 0; t < sizeof(topologies) / sizeof(*topologies); t++) {
        synth(topologies[t], pack);
        json_t *free_run = run("--policy window --memory none --timeout 60s", "ok");
        /* Where io_uring is denied, the first is pread, too. */
        const char *const loaders[] = {json_string_value(json_object_get(free_run, "loader")),
                                       "pread", "mmap"};
        for (int l = !strcmp(loaders[0], "pread"); l < 3; l++) {
            banded += run_at_least_limit(topologies[t], "window", loaders[l], free_run);
            banded += run_at_least_limit(topologies[t], "auto", loaders[l], free_run);
        }
        json_decref(free_run);
    }
    cr_expect_geq(banded, 6, "only %d runs took row bands", banded);
}

#define READING_AHEAD 128 /* sets of hints that lack random */

/* One of them: bit k for word k. */
static void hints_text(unsigned set, char text[64])
{
    static const char *const words[] = {"sequential", "willneed", "populate", "lock",
                                        "cold",       "pageout",  "dontneed"};
    size_t used = 0;
    snprintf(text, 64, "none");
    for (size_t k = 0; k < sizeof(words) / sizeof(*words); k++)
        if (set & 1u << k)
            used += (size_t)snprintf(text + used, 64 - used, "%s%s", used ? "," : "", words[k]);
}

/* What `plan` says is least for the mapped pack, which a refusal says, too, but for what processes
 * differ by. */
static double least_mapped(const char *hints)
{
    char words[96];
    struct command command;
    snprintf(words, sizeof(words), "4M --loader mmap --hints %s", hints);
    json_t *tight = plan("auto", words);
    const double least = record_number(tight, "least_memory_bytes");
    json_decref(tight);
    command_run(&command, "run %s --loader mmap --hints %s --memory %.0f --swap 0 -q", pack, hints,
                least - SL_MIB);
    const char *named = strstr(command.errors, "needs at least ");
    cr_assert(named, "hints %s: exit code %d, %s", hints, command.exit_code, command.errors);
    cr_expect_float_eq(strtod(named + strlen("needs at least "), NULL), least, 0.75 * SL_MIB,
                       "hints %s: planned %.0f, %s", hints, least, command.errors);
    command_free(&command);
    return least;
}

/* What the kernel reads ahead of a fault is charged to the group, and cannot be taken back while it
 * is on its way: where nothing else is left to take, it kills. Every set that leaves read-ahead on
 * is run, by one of the networks. */
Test(system_limits, read_ahead_does_not_kill, .timeout = 300)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("skipped: sanitizer build, in which a process keeps what it freed");
#endif
    require_limits();
    static const char *const topologies[] = {"gendernet", "squeezenet", "googlenet", "mobilenet"};
    const unsigned count = sizeof(topologies) / sizeof(*topologies);
    for (unsigned t = 0; t < count; t++) {
        synth(topologies[t], pack);
        json_t *free_run = run("--memory none --timeout 60s", "ok");
        const double used = least_mapped("none"), populated = least_mapped("populate");
        for (unsigned set = 0; set < READING_AHEAD; set++) {
            char hints[64], words[128];
            if (set % 5 % count != t) /* 5: each network meets every word */
                continue;
            hints_text(set, hints);
            const double least = strstr(hints, "populate") ? populated : used;
            snprintf(words, sizeof(words),
                     "--loader mmap --hints %s --memory %dM --swap 0 --runs 2", hints,
                     (int)(least / SL_MIB) + 1);
            json_t *record = run(words, "ok");
            cr_expect_eq(record_number(record, "oom_kills"), 0, "%s: %s", topologies[t], words);
            cr_expect_str_eq(record_text(record, "digest"), record_text(free_run, "digest"),
                             "%s: %s", topologies[t], words);
            json_decref(record);
        }
        json_decref(free_run);
    }
}

/* A large folio that is locked in part is not taken back: pins that are locked would keep what was
 * read ahead beyond them. */
Test(system_limits, pins_do_not_lock_what_was_read_ahead)
{
    require_limits();
    static const char *const sets[] = {"populate,lock", "lock,dontneed"};
    for (int times = 0; times < 2; times++) {
        for (size_t s = 0; s < sizeof(sets) / sizeof(*sets); s++) {
            char words[128];
            snprintf(words, sizeof(words),
                     "--loader mmap --hints %s --memory 150M --swap 0 --runs 4 --timeout 60s",
                     sets[s]);
            json_t *record = run(words, "ok");
            cr_expect_eq(record_number(record, "oom_kills"), 0, "%s", words);
            json_decref(record);
        }
    }
}

/* In a group of 100 MiB, 50 of which another process holds: 0 when a run with that budget ended so.
 */
static int run_beside_another(struct sl_cgroup *group, const char *budget, int exit_code)
{
    const size_t bytes = 50 * SL_MIB;
    struct command command;
    char *held = malloc(bytes);
    if (!held || sl_cgroup_attach(group, getpid(), NULL))
        return 2;
    for (size_t at = 0; at < bytes; at += 4096)
        ((volatile char *)held)[at] = 1;
    command_run(&command, "run %s --policy window --runs 2 --budget %s -q", pack, budget);
    if (command.exit_code != exit_code)
        fprintf(stderr, "%s: %d, %s", budget, command.exit_code, command.errors);
    return command.exit_code != exit_code ||
           (exit_code && !strstr(command.errors, "beside what others of its group hold"));
}

/* Whatever budget is given, the group is not driven over its limit. */
Test(system_limits, what_others_of_the_group_hold_is_not_taken)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("skipped: sanitizer build, in which a process keeps what it freed");
#endif
    require_limits();
    static const struct {
        const char *budget;
        uint64_t limit_bytes;
        int exit_code;
    } cases[] = {{"40M", 100 * SL_MIB, 0}, {"95M", 100 * SL_MIB, 0}, {"55M", 56 * SL_MIB, 1}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
        struct sl_limits limits = SL_LIMITS_NONE;
        struct sl_cgroup *group;
        struct sl_error error;
        limits.memory_bytes = cases[c].limit_bytes;
        limits.swap_bytes = 0;
        cr_assert_eq(sl_cgroup_create(&limits, &group, &error), 0, "%s", error.text);
        const pid_t pid = fork();
        if (!pid)
            _exit(run_beside_another(group, cases[c].budget, cases[c].exit_code));
        int status = 0;
        waitpid(pid, &status, 0);
        cr_expect_eq(status, 0, "%s", cases[c].budget);
        sl_cgroup_destroy(group);
    }
}

static int plan_within(struct sl_cgroup *group)
{
    struct command command;
    if (sl_cgroup_attach(group, getpid(), NULL))
        return 2;
    command_run(&command, "plan %s --policy auto -o json", pack);
    return command.exit_code || !strstr(command.out, "\"memory_limit\":67108864");
}

/* As run would have it there. */
Test(system_limits, plan_is_for_the_limit_of_its_own_group)
{
    require_limits();
    struct sl_limits limits = SL_LIMITS_NONE;
    struct sl_cgroup *group;
    struct sl_error error;
    limits.memory_bytes = 64 * SL_MIB;
    limits.swap_bytes = 0;
    cr_assert_eq(sl_cgroup_create(&limits, &group, &error), 0, "%s", error.text);
    const pid_t pid = fork();
    if (!pid)
        _exit(plan_within(group));
    int status = 0;
    waitpid(pid, &status, 0);
    cr_expect_eq(status, 0);
    sl_cgroup_destroy(group);
}

/* Given exactly, whatever the kernel charges from run to run. */
Test(system_limits, the_number_of_a_refusal_does)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("skipped: sanitizer build, in which a process keeps what it freed");
#endif
    require_limits();
    static const char *const topologies[] = {"squeezenet", "mobilenet", "gendernet"};
    static const char *const policies[] = {"window", "auto"};
    for (int t = 0; t < 3; t++) {
        synth(topologies[t], pack);
        for (int p = 0; p < 2; p++) {
            struct command command;
            char words[128];
            command_run(&command, "run %s --policy %s --memory 4M --swap 0", pack, policies[p]);
            const char *number = strstr(command.errors, "at least ");
            cr_assert_not_null(number, "%s: %s", topologies[t], command.errors);
            snprintf(words, sizeof(words), "--policy %s --memory %llu --swap 0 --runs 2",
                     policies[p], strtoull(number + strlen("at least "), NULL, 10));
            command_free(&command);
            for (int again = 0; again < 3; again++)
                json_decref(run(words, "ok"));
        }
    }
}

Test(system_limits, timeout_is_a_result)
{
    require_limits();
    json_t *record = run("--read-rate 10M --timeout 300ms", "timeout");
    cr_expect_lt(record_number(record, "wall_ns"), 5e9);
    json_decref(record);
    record =
        run("--policy bulk --memory 170M --swap 1G --read-rate 10M --timeout 300ms", "timeout");
    json_decref(record);
}

/* Ctrl-C reaches every process of a terminal's foreground group, kill only the one that is named.
 */
static void interrupt(pid_t target_sign, int signal_number)
{
    struct command command;
    command_start(&command,
                  "run %s --policy bulk --memory 170M --swap 1G --read-rate 20M --runs 100 -o json",
                  pack);
    cr_assert(command_enters_group(&command), "no worker entered a group");
    poll(NULL, 0, 200); /* well into its reads, which take 11 s */
    kill(target_sign * command.pid, signal_number);
    command_wait(&command);
    cr_expect_eq(command.exit_code, 130, "%d %s", command.exit_code, command.errors);
    cr_expect_str_empty(command_left_behind(&command));
    command_free(&command);
}

Test(system_limits, interrupts_leave_nothing)
{
    require_limits();
    interrupt(-1, SIGINT);
    interrupt(1, SIGINT);
    interrupt(1, SIGTERM);
}

/* Nobody can clean up after SIGKILL but the next run. */
Test(system_limits, the_next_run_cleans_up_after_a_killed_one)
{
    require_limits();
    struct command command;
    command_start(&command, "run %s --policy bulk --memory 170M --swap 1G --read-rate 20M", pack);
    cr_assert(command_enters_group(&command), "no worker entered a group");
    kill(command.pid, SIGKILL);
    command_wait(&command);
    cr_expect_eq(command.exit_code, 128 + SIGKILL);
    json_decref(run("--policy linear --memory 192M --swap 0", "ok"));
    cr_expect_str_empty(command_left_behind(&command));
    command_free(&command);
}

Test(system_limits, a_swap_file_that_does_not_fit)
{
    require_limits();
    struct command command;
    command_run(&command, "run %s --memory 64M --swap 10T", pack);
    cr_expect_eq(command.exit_code, 5);
    cr_expect_not_null(strstr(command.errors, "free some"), "%s", command.errors);
    cr_expect_str_empty(command.out);
    cr_expect_str_empty(command_left_behind(&command));
    command_free(&command);
}
