/* Traces of real runs keep the rules of the format; the file is valid after every write. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pack_fixture.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/report/trace.h"
#include "runtime/report/trace_file.h"
#include "tests/support/trace_rules.h"
#include "tests/unit/event_run.h"

static char path[] = "/tmp/sluice-test-trace-XXXXXX";

static void set_up(void)
{
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
}

static void tear_down(void)
{
    unlink(path);
}

TestSuite(trace, .init = set_up, .fini = tear_down);

static void expect_rules(struct trace_counts *counts)
{
    char reason[512];
    json_t *trace = trace_load(path, reason, sizeof(reason));
    cr_assert_not_null(trace, "%s", reason);
    cr_expect(trace_keeps_rules(trace, counts, reason, sizeof(reason)), "%s", reason);
    json_decref(trace);
}

Test(trace, runs_keep_the_rules)
{
    static const char *const policies[] = {"bulk",    "linear", "deepeye",
                                           "partial", "window", "auto"};
    struct sl_trace *trace;
    struct trace_counts counts;
    struct sl_error error = {0};
    cr_assert_eq(sl_trace_create(path, &trace, &error), 0, "%s", error.text);
    size_t reads = 0;
    for (int p = 0; p < 6; p++) {
        struct event_run run;
        event_run(&run, &(struct event_run_options){
                            .policy = policies[p], .runs = 2, .warmups = 1, .networks = 2});
        struct sl_model *models[] = {run.model, run.model};
        cr_assert_eq(sl_trace_cell(trace, policies[p], models, 2, &error), 0, "%s", error.text);
        /* In portions, as a watcher takes them. */
        for (size_t i = 0; i < run.count; i += 400) {
            size_t count = run.count - i < 400 ? run.count - i : 400;
            sl_trace_events(trace, run.events + i, count);
            sl_trace_sample(trace, run.events[i + count - 1].end_ns,
                            &(struct sl_memory_sample){.memory_bytes = i});
            sl_trace_flush(trace, 0);
            expect_rules(&counts);
        }
        for (size_t i = 0; i < run.count; i++)
            reads += run.events[i].kind == SL_EVENT_READ;
        event_run_free(&run);
    }
    cr_assert_eq(sl_trace_close(trace, &error), 0, "%s", error.text);
    expect_rules(&counts);
    cr_expect_eq(counts.processes, 6);
    cr_expect_eq(counts.flows, reads, "every shard that was read was run");
    cr_expect_gt(counts.counters, 0);
    cr_expect_gt(counts.instants, 0);
}

/* Events as a damaged ring might bring them. */
Test(trace, events_of_what_is_not_there)
{
    struct event_run run;
    struct sl_trace *trace;
    struct trace_counts counts;
    event_run(&run, &(struct event_run_options){.policy = "linear", .runs = 1});
    struct sl_event events[] = {
        {.kind = SL_EVENT_RUN, .network = 9},
        {.kind = SL_EVENT_RUN, .layer = 999, .shard = 999, .executor = 255, .begin_ns = 5},
        {.kind = SL_EVENT_READ, .layer = -7, .shard = -7, .begin_ns = UINT64_MAX, .end_ns = 1},
        {.kind = 77},
    };
    cr_assert_eq(sl_trace_create(path, &trace, NULL), 0);
    sl_trace_events(trace, events, 4); /* of no cell */
    cr_assert_eq(sl_trace_cell(trace, "a \"name\" \\ with \x01 marks", &run.model, 1, NULL), 0);
    sl_trace_events(trace, events, 4);
    sl_trace_flush(trace, 3);
    cr_assert_eq(sl_trace_close(trace, NULL), 0);
    expect_rules(&counts);
    event_run_free(&run);
}

Test(trace, more_reads_in_flight_than_lanes_overlap_nowhere)
{
    struct event_run run;
    struct sl_trace *trace;
    struct trace_counts counts;
    event_run(&run, &(struct event_run_options){.policy = "linear", .runs = 1});
    cr_assert_eq(sl_trace_create(path, &trace, NULL), 0);
    cr_assert_eq(sl_trace_cell(trace, "many", &run.model, 1, NULL), 0);
    uint64_t base_ns = sl_now_ns();
    for (uint64_t i = 0; i < 1100; i++)
        sl_trace_events(trace,
                        &(struct sl_event){.kind = SL_EVENT_READ,
                                           .begin_ns = base_ns + 1100 - i,
                                           .end_ns = base_ns + 2000 + i},
                        1);
    cr_assert_eq(sl_trace_close(trace, NULL), 0);
    expect_rules(&counts);
    cr_expect_eq(counts.spans, 1024, "the rest is left out");
    event_run_free(&run);
}

/* The checker itself: what it must refuse. */
Test(trace, the_rules_can_be_broken)
{
#define NAMED                                                                                      \
    "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":1,\"args\":{\"name\":\"t\"}},"
#define SPAN(ts, dur)                                                                              \
    "{\"ph\":\"X\",\"name\":\"a\",\"cat\":\"c\",\"ts\":" #ts ",\"dur\":" #dur                      \
    ",\"pid\":1,\"tid\":1}"
#define FLOW(ph, ts)                                                                               \
    "{\"ph\":\"" ph "\",\"name\":\"a\",\"cat\":\"c\",\"id\":1,\"ts\":" #ts ",\"pid\":1,\"tid\":1}"
    static const char *const bad[] = {
        "{}",
        "[1]",
        "[" SPAN(1, 2) "]",
        "[" NAMED SPAN(1, 2) "," SPAN(2, 1) "]",
        "[" NAMED SPAN(5, 2) "," SPAN(1, 1) "]",
        "[" NAMED SPAN(1, -2) "]",
        "[" NAMED SPAN(1, 2) "," FLOW("s", 2) "]",
        "[" NAMED SPAN(1, 2) "," FLOW("f", 1) "]",
        "[" NAMED SPAN(1, 2) "," FLOW("s", 9) "," FLOW("f", 9) "]",
        "[{\"ph\":\"Q\",\"name\":\"a\",\"pid\":1}]",
        "[{\"ph\":\"i\",\"name\":\"a\",\"pid\":1,\"tid\":1,\"ts\":1}]",
        "[{\"ph\":\"C\",\"name\":\"a\",\"pid\":1,\"ts\":1,\"args\":{}}]",
    };
    struct trace_counts counts;
    char reason[512];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *trace = json_loads(bad[i], 0, NULL);
        cr_assert_not_null(trace, "%s", bad[i]);
        cr_expect_not(trace_keeps_rules(trace, &counts, reason, sizeof(reason)), "%s", bad[i]);
        cr_expect_str_not_empty(reason);
        json_decref(trace);
    }
    json_t *good = json_loads(
        "[" NAMED SPAN(1, 2) "," SPAN(3, 1) "," FLOW("s", 2) "," FLOW("f", 3) "]", 0, NULL);
    cr_expect(trace_keeps_rules(good, &counts, reason, sizeof(reason)), "%s", reason);
    json_decref(good);
}

Test(trace, a_file_that_cannot_be_made)
{
    struct sl_error error = {0};
    struct sl_trace *trace;
    cr_expect_eq(sl_trace_create("/nowhere/trace.json", &trace, &error), -ENOENT);
    cr_expect_not_null(strstr(error.text, "/nowhere/trace.json"));
}

/* A full disk: the failure is told, and what was written before stays valid. */
Test(trace, a_device_that_is_full)
{
    struct sl_error error = {0};
    struct sl_trace_file *file;
    cr_expect_eq(sl_trace_file_create("/dev/full", &file, &error), -ENOSPC, "%s", error.text);
}

/* Neither waits for a reader nor begins what cannot be gone on with. */
Test(trace, a_fifo)
{
    struct sl_error error = {0};
    struct sl_trace_file *file;
    struct scratch scratch;
    scratch_begin(&scratch);
    cr_assert_eq(mkfifo(scratch.pack, 0600), 0);
    cr_expect_eq(sl_trace_file_create(scratch.pack, &file, &error), -ENXIO);
    cr_expect_not_null(strstr(error.text, "nobody reads this FIFO"), "%s", error.text);
    SL_AUTO_FD int reader = open(scratch.pack, O_RDONLY | O_NONBLOCK);
    cr_expect_eq(sl_trace_file_create(scratch.pack, &file, &error), -ESPIPE);
    cr_expect_not_null(strstr(error.text, "not a pipe"), "%s", error.text);
    scratch_end(&scratch);
}
