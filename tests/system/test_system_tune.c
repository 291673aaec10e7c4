/* tune inside limits: what it measures stays within them, what cannot fit is not run, and nothing
 * is left behind. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/units.h"
#include "tests/support/run_command.h"

static char directory[] = "/var/tmp/sluice-test-tune-XXXXXX";
static char pack[sizeof(directory) + 16], times[sizeof(directory) + 32];

static void set_up(void)
{
    struct command command;
    cr_assert_not_null(mkdtemp(directory));
    snprintf(pack, sizeof(pack), "%s/net.sluice", directory);
    snprintf(times, sizeof(times), "%s.times", pack);
    command_run(&command, "synth mobilenet -o %s", pack);
    cr_assert_eq(command.exit_code, 0, "%s", command.errors);
    command_free(&command);
}

static void tear_down(void)
{
    unlink(times);
    unlink(pack);
    rmdir(directory);
}

TestSuite(system_tune, .init = set_up, .fini = tear_down);

static void require_limits(void)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    if (!rights.memory || !rights.swap)
        SKIP("skipped: needs a cgroup memory controller with swap (%s)", rights.reason);
    if (!rights.read_rate)
        SKIP("skipped: needs an io or blkio controller (%s)", rights.reason);
}

/* Names in the directory besides the pack and its times. */
static int count_others(void)
{
    DIR *entries = opendir(directory);
    int count = -4; /* ".", "..", pack, times */
    while (entries && readdir(entries))
        count++;
    closedir(entries);
    return count;
}

Test(system_tune, what_is_measured_fits)
{
    require_limits();
    struct command command;
    command_run(&command,
                "tune %s --policy bulk,linear,window,auto --memory %dM,%dM,none --swap 0 "
                "--depth 8 --queue-depth 8 --shard 256K -q -o json",
                pack, 16 + SANITIZER_MIB, 22 + SANITIZER_MIB);
    cr_assert_eq(command.exit_code, 0, "%d: %s", command.exit_code, command.errors);
    cr_expect_str_empty(command_left_behind(&command));
    cr_expect_eq(count_others(), 0, "something is left in %s", directory);
    json_t *all = json_loads(command.out, 0, NULL);
    const json_t *curve = json_object_get(all, "curve"), *point, *candidate;
    size_t p, c;
    cr_assert_eq(json_array_size(curve), 3);
    json_array_foreach(curve, p, point)
    {
        double limit = record_number(point, "memory_limit");
        cr_expect_gt(record_number(point, "latency_ns"), 0);
        json_array_foreach(json_object_get(point, "tried"), c, candidate)
        {
            const json_t *settings = json_object_get(candidate, "settings");
            const char *policy = record_text(settings, "policy");
            cr_expect_gt(record_number(candidate, "predicted_ns"), 0);
            if (limit < 0)
                continue;
            cr_expect_leq(record_number(candidate, "peak_bytes"), limit, "%s", policy);
            cr_expect(strcmp(policy, "bulk"), "bulk cannot fit %.0f bytes", limit);
        }
    }
    json_decref(all);
    command_free(&command);
}

Test(system_tune, interrupts_leave_nothing)
{
    require_limits();
    struct command command;
    command_start(&command, "tune %s --memory 16M --swap 0 --read-rate 20M --shard 256K -o json",
                  pack);
    cr_assert(command_enters_group(&command), "no worker entered a group");
    kill(command.pid, SIGINT);
    poll(NULL, 0, 100);
    kill(command.pid, SIGINT); /* the second one ends the run */
    command_wait(&command);
    cr_expect_eq(command.exit_code, 130, "%d %s", command.exit_code, command.errors);
    cr_expect_str_empty(command_left_behind(&command));
    cr_expect_eq(count_others(), 0, "something is left in %s", directory);
    command_free(&command);
}

/* Nobody can clean up after SIGKILL but the next one. */
Test(system_tune, the_next_one_cleans_up_after_a_killed_one)
{
    require_limits();
    struct command command;
    command_start(&command, "tune %s --memory 16M --swap 0 --read-rate 20M --shard 256K -q", pack);
    cr_assert(command_enters_group(&command), "no worker entered a group");
    kill(command.pid, SIGKILL);
    command_wait(&command);
    cr_expect_eq(count_others(), 1, "packs of the killed one");
    command_free(&command);
    command_run(
        &command,
        "tune %s --memory %dM --policy linear --loader pread --queue-depth 8 --shard 256K -q", pack,
        64 + 4 * SANITIZER_MIB);
    cr_expect_eq(command.exit_code, 0, "%s", command.errors);
    cr_expect_eq(count_others(), 0, "something is left in %s", directory);
    cr_expect_str_empty(command_left_behind(&command));
    command_free(&command);
}
