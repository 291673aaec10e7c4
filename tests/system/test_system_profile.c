/* What `run --profile` and `run --trace` say of a run that swaps: FaceNet, 217 MiB of weights, with
 * room for half of them. */
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/units.h"
#include "tests/support/run_command.h"
#include "tests/support/trace_rules.h"

static char directory[] = "/var/tmp/sluice-test-profile-XXXXXX";
static char pack[sizeof(directory) + 16], trace_path[sizeof(directory) + 16];

static void set_up(void)
{
    struct command command;
    cr_assert_not_null(mkdtemp(directory));
    snprintf(pack, sizeof(pack), "%s/net.sluice", directory);
    snprintf(trace_path, sizeof(trace_path), "%s/trace.json", directory);
    command_run(&command, "synth facenet -o %s", pack);
    cr_assert_eq(command.exit_code, 0, "%s", command.errors);
    command_free(&command);
}

static void tear_down(void)
{
    unlink(trace_path);
    unlink(pack);
    rmdir(directory);
}

TestSuite(system_profile, .init = set_up, .fini = tear_down);

static void require_swap(void)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    if (!rights.memory || !rights.swap)
        SKIP("skipped: needs a cgroup memory controller with swap (%s)", rights.reason);
    if (geteuid())
        SKIP("skipped: only root may enable swap");
}

/* The kernel kills now and then although there is swap (docs/published.md): then once more. */
static json_t *profiled(const char *words)
{
    struct command command;
    for (int attempt = 0; attempt < 3; attempt++) {
        command_run(&command, "run %s %s --profile --memory 120M --swap 1G -q -o json", pack,
                    words);
        if (command.exit_code != 3 || attempt == 2)
            break;
        command_free(&command);
    }
    cr_assert_eq(command.exit_code, 0, "%s: %s", words, command.errors);
    cr_expect_str_empty(command_left_behind(&command));
    json_t *records = command_records(&command);
    json_t *record = json_incref(json_array_get(records, 0));
    json_decref(records);
    command_free(&command);
    return record;
}

/* Of all swapping, other programs' included: what /proc/vmstat and the group counted. */
static void expect_agreement(const json_t *record, const char *words)
{
    const json_t *profile = json_object_get(record, "profile");
    double told = record_number(profile, "all_swap_in_bytes");
    double counted = record_number(record, "swap_in_bytes");
    cr_assert_gt(counted, 20.0 * SL_MIB, "%s does not swap", words);
    cr_expect(told >= 0.95 * counted && told <= 1.05 * counted, "%s: %.0f of %.0f bytes", words,
              told, counted);
    cr_expect_eq(record_number(profile, "lost_events"), 0);
}

static void expect_sum(const json_t *record, const char *words)
{
    const json_t *profile = json_object_get(record, "profile");
    double sum_ns = record_number(profile, "serving_ns"), swapped = 0, latency_ns = 0;
    size_t i;
    json_t *layer, *latency;
    json_array_foreach(json_object_get(profile, "layers"), i, layer)
    {
        sum_ns += record_number(layer, "waiting_ns") + record_number(layer, "faulting_ns") +
                  record_number(layer, "computing_ns");
        swapped += record_number(layer, "swap_in_bytes");
        cr_expect_leq(record_number(layer, "faulting_ns") + record_number(layer, "computing_ns"),
                      record_number(layer, "run_ns") + 2);
    }
    json_array_foreach(json_object_get(record, "latency_ns"), i, latency) latency_ns +=
        json_number_value(latency) / record_number(profile, "requests");
    cr_expect_eq(record_number(profile, "requests"), (double)i);
    cr_expect(sum_ns >= 0.98 * latency_ns && sum_ns <= 1.02 * latency_ns,
              "%s: rows of %.0f ns, requests of %.0f ns", words, sum_ns, latency_ns);
    cr_expect_gt(swapped, 0);
}

Test(system_profile, a_swapping_run_is_told_as_the_kernel_counts_it)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("skipped: sanitizer build, in which the shadow memory swaps, too");
#endif
    require_swap();
    static const char *const cases[] = {"--policy bulk", "--policy linear --runs 2 --warmup 1",
                                        "--policy partial --loader pread --threads 1"};
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        json_t *record = profiled(cases[c]);
        expect_agreement(record, cases[c]);
        expect_sum(record, cases[c]);
        json_decref(record);
    }
}

/* fc6 is 180 of 217 MiB: most of what comes back is its. */
Test(system_profile, swapping_is_blamed_on_the_layer_that_swaps)
{
    require_swap();
    json_t *record = profiled("--policy linear");
    size_t i;
    json_t *layer;
    double fc6 = 0, others = 0;
    json_array_foreach(json_object_get(json_object_get(record, "profile"), "layers"), i, layer)
    {
        bool is_fc6 = !strcmp(record_text(layer, "name"), "fc6-conv");
        *(is_fc6 ? &fc6 : &others) += record_number(layer, "swap_in_bytes");
    }
    cr_expect_gt(fc6, 9 * others);
    json_decref(record);
}

/* Nothing of what is measured lies inside the limit: a run that fits by a hair still fits. Requests
 * enough for all slots to be in memory at last. */
Test(system_profile, measuring_takes_less_than_a_megabyte_of_the_limit)
{
    require_swap();
    double peak[2];
    for (int p = 0; p < 2; p++) {
        struct command command;
        command_run(&command,
                    "run %s --policy window --memory 100M --swap 0 --budget 64M --runs 5 -q %s "
                    "-o json --top 0",
                    pack, p ? "--profile" : "");
        cr_assert_eq(command.exit_code, 0, "%s", command.errors);
        json_t *records = command_records(&command);
        peak[p] = record_number(json_array_get(records, 0), "peak_bytes");
        json_decref(records);
        command_free(&command);
    }
    cr_expect_lt(peak[1] - peak[0], 1.0 * SL_MIB, "%.0f and %.0f bytes", peak[0], peak[1]);
}

/* Parses the trace that a command left; the rules hold for it. */
static json_t *expect_trace(struct trace_counts *counts)
{
    char reason[512];
    json_t *trace = trace_load(trace_path, reason, sizeof(reason));
    cr_assert_not_null(trace, "%s", reason);
    cr_expect(trace_keeps_rules(trace, counts, reason, sizeof(reason)), "%s", reason);
    return trace;
}

/* The worker dies by its limit: everything until then is in the file. */
Test(system_profile, the_trace_of_a_worker_that_its_limit_kills)
{
    require_swap();
    struct command command;
    struct trace_counts counts;
    command_run(&command, "run %s --policy bulk --memory 100M --swap 0 --trace %s -q", pack,
                trace_path);
    cr_expect_eq(command.exit_code, 3, "%s", command.errors);
    json_t *trace = expect_trace(&counts);
    cr_expect_gt(counts.instants, 50, "loads are told until the end");
    cr_expect_not_null(trace_find(trace, "C", "memory", NULL));
    json_decref(trace);
    command_free(&command);
}

/* Until the trace has grown to that size; false when it has not within 20 s. */
static bool trace_grows_to(long bytes)
{
    struct stat status;
    for (int ms = 0; ms < 20000; ms++) {
        if (stat(trace_path, &status) == 0 && status.st_size >= bytes)
            return true;
        poll(NULL, 0, 1);
    }
    return false;
}

/* The writer itself is killed, at moments spread over the run. */
Test(system_profile, the_trace_is_valid_whenever_its_writer_is_killed)
{
    require_swap();
    size_t most = 0;
    for (int round = 0; round < 12; round++) {
        struct command command;
        struct trace_counts counts;
        unlink(trace_path);
        command_start(&command,
                      "run %s --policy linear --memory 120M --swap 1G --runs 20 --trace %s", pack,
                      trace_path);
        cr_assert(command_enters_group(&command), "no worker entered a group");
        cr_assert(trace_grows_to(24000L * round), "the trace does not grow");
        kill(command.pid, SIGKILL);
        command_wait(&command);
        cr_expect_eq(command.exit_code, 128 + SIGKILL);
        json_decref(expect_trace(&counts));
        most = counts.spans > most ? counts.spans : most;
        command_free(&command);
    }
    cr_expect_gt(most, 200, "they were killed in the middle of something");
    /* Groups and swap of the killed ones go with the next run. */
    struct command command;
    command_run(&command, "run %s --policy linear --memory 192M --swap 0 -q", pack);
    cr_expect_eq(command.exit_code, 0, "%s", command.errors);
    cr_expect_str_empty(command_left_behind(&command));
    command_free(&command);
}
