/* The profile: how a request's time is divided, by hand and on real runs. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/report/profile.h"
#include "tests/unit/event_run.h"

static const int two_layers[] = {2};

static struct sl_event event(enum sl_event_kind kind, int layer, uint64_t begin_ns, uint64_t end_ns)
{
    return (struct sl_event){.kind = (uint8_t)kind,
                             .layer = layer,
                             .shard = layer, /* one each */
                             .begin_ns = begin_ns,
                             .end_ns = end_ns};
}

static struct sl_profile_layer layer_of(const struct sl_profile *profile, int network, int layer)
{
    struct sl_profile_layer result;
    cr_assert(sl_profile_layer(profile, network, layer, &result));
    return result;
}

#define EXPECT_NEAR(a, b) cr_expect_float_eq(a, b, 1e-6, "%g is not %g", (double)(a), (double)(b))

/* 0    100      300  400        900  1000
 * |serve|  wait  |run 0| ...      |run 1|    result at 1000; the wait for run 1 is in 2 parts. */
Test(profile, every_moment_is_one_thing)
{
    struct sl_profile *profile = sl_profile_create(two_layers, 1);
    struct sl_event events[] = {
        event(SL_EVENT_BEGIN, -1, 1000, 1000),  event(SL_EVENT_LOAD, 0, 1050, 1050),
        event(SL_EVENT_READ, 1, 900, 990), /* found done late */
        event(SL_EVENT_WAIT, -1, 1100, 1300),   event(SL_EVENT_READ, 0, 1050, 1290),
        event(SL_EVENT_RUN, 0, 1300, 1400),     event(SL_EVENT_WAIT, -1, 1400, 1600),
        event(SL_EVENT_READ, 1, 1060, 1500),    event(SL_EVENT_WAIT, -1, 1700, 1900),
        event(SL_EVENT_READ, 1, 1100, 1890),    event(SL_EVENT_RUN, 1, 1900, 2000),
        event(SL_EVENT_READ, 0, 1500, 1950), /* for the next request */
        event(SL_EVENT_RESULT, -1, 1000, 2000), event(SL_EVENT_END, -1, 1000, 2100),
    };
    struct sl_event *last_run = &events[10];
    last_run->major_faults = 3;
    last_run->minor_faults = 5;
    last_run->faulting_ns = 75;
    last_run->bytes = 12288;
    sl_profile_events(profile, events, sizeof(events) / sizeof(events[0]));
    struct sl_profile_total total;
    sl_profile_total(profile, &total);
    struct sl_profile_layer first = layer_of(profile, 0, 0), second = layer_of(profile, 0, 1);
    cr_expect_eq(total.requests, 1);
    EXPECT_NEAR(total.request_ns, 1000);
    EXPECT_NEAR(total.serving_ns, 200);
    EXPECT_NEAR(first.waiting_ns, 200);
    EXPECT_NEAR(first.computing_ns, 100);
    EXPECT_NEAR(first.load_ns, 240);
    EXPECT_NEAR(second.waiting_ns, 400);
    EXPECT_NEAR(second.faulting_ns, 75);
    EXPECT_NEAR(second.computing_ns, 25);
    EXPECT_NEAR(second.run_ns, 100);
    EXPECT_NEAR(second.load_ns, 830);
    EXPECT_NEAR(second.major_faults, 3);
    EXPECT_NEAR(second.minor_faults, 5);
    EXPECT_NEAR(second.swap_in_bytes, 12288);
    cr_expect_eq(total.all_swap_in_bytes, 12288);
    cr_expect_not(sl_profile_layer(profile, 0, 2, &first));
    cr_expect_not(sl_profile_layer(profile, 1, 0, &first));
    sl_profile_free(profile);
}

/* Two executors: what runs beside something else gets its part of the time. */
Test(profile, runs_beside_each_other_share_the_time)
{
    struct sl_profile *profile = sl_profile_create(two_layers, 1);
    struct sl_event events[] = {
        event(SL_EVENT_BEGIN, -1, 0, 0),    event(SL_EVENT_RUN, 1, 50, 150),
        event(SL_EVENT_WAIT, -1, 10, 200),  event(SL_EVENT_RUN, 0, 0, 200),
        event(SL_EVENT_RESULT, -1, 0, 200), event(SL_EVENT_END, -1, 0, 210),
    };
    events[1].major_faults = 1;
    events[1].faulting_ns = 50;
    events[1].executor = 1;
    sl_profile_events(profile, events, sizeof(events) / sizeof(events[0]));
    struct sl_profile_layer first = layer_of(profile, 0, 0), second = layer_of(profile, 0, 1);
    EXPECT_NEAR(first.computing_ns, 150);
    EXPECT_NEAR(second.computing_ns, 25);
    EXPECT_NEAR(second.faulting_ns, 25);
    EXPECT_NEAR(first.waiting_ns + second.waiting_ns, 0);
    EXPECT_NEAR(second.run_ns, 100);
    sl_profile_free(profile);
}

/* Warm-ups and what a kill cut short count in the sum of bytes alone. */
Test(profile, only_measured_requests_that_ended_are_told)
{
    struct sl_profile *profile = sl_profile_create(two_layers, 1);
    struct sl_event events[] = {
        event(SL_EVENT_BEGIN, -1, 0, 0),   event(SL_EVENT_RUN, 0, 0, 10),
        event(SL_EVENT_RESULT, -1, 0, 10), event(SL_EVENT_END, -1, 0, 10),
        event(SL_EVENT_BEGIN, -1, 20, 20), event(SL_EVENT_RUN, 0, 20, 22),
        event(SL_EVENT_SERVE, -1, 22, 25), event(SL_EVENT_RESULT, -1, 20, 25),
        event(SL_EVENT_END, -1, 20, 25),   event(SL_EVENT_BEGIN, -1, 30, 30),
        event(SL_EVENT_RUN, 0, 30, 90),
    };
    events[0].bytes = 1; /* the label of warm-ups */
    events[1].bytes = events[5].bytes = events[10].bytes = 4096;
    events[6].bytes = 8192;
    events[6].major_faults = 2;
    sl_profile_events(profile, events, sizeof(events) / sizeof(events[0]));
    struct sl_profile_total total;
    sl_profile_total(profile, &total);
    cr_expect_eq(total.requests, 1);
    EXPECT_NEAR(total.request_ns, 5);
    EXPECT_NEAR(total.serving_ns, 3);
    EXPECT_NEAR(total.serving_major_faults, 2);
    EXPECT_NEAR(total.serving_swap_in_bytes, 8192);
    cr_expect_eq(total.all_swap_in_bytes, 5 * 4096);
    EXPECT_NEAR(layer_of(profile, 0, 0).run_ns, 2);
    sl_profile_free(profile);
}

/* Hostile numbers, as of another process's memory, are no reason to fail. */
Test(profile, events_of_what_is_not_there)
{
    struct sl_profile *profile = sl_profile_create(two_layers, 1);
    struct sl_event events[] = {
        event(SL_EVENT_RUN, 0, 5, 6),
        event(SL_EVENT_END, -1, 0, 0),
        event(SL_EVENT_BEGIN, -1, 10, 10),
        event(SL_EVENT_RUN, 99, 20, 15),
        event(SL_EVENT_RUN, 1, 0, 1000),
        event(SL_EVENT_RESULT, -1, 10, 20),
        event(200, 0, 0, 1),
        event(SL_EVENT_END, -1, 10, 20),
    };
    events[3].network = 77;
    sl_profile_events(profile, events, sizeof(events) / sizeof(events[0]));
    EXPECT_NEAR(layer_of(profile, 0, 1).computing_ns, 10);
    sl_profile_free(profile);
}

/* On real runs the rows add up to the requests' own time. */
Test(profile, rows_add_up_on_real_runs)
{
    static const struct event_run_options runs[] = {
        {.policy = "bulk", .runs = 3},
        {.policy = "linear", .runs = 3, .warmups = 2},
        {.policy = "deepeye", .runs = 2, .networks = 3},
        {.policy = "partial", .runs = 2},
        {.policy = "auto", .runs = 4, .networks = 2},
    };
    for (size_t r = 0; r < sizeof(runs) / sizeof(runs[0]); r++) {
        struct event_run run;
        event_run(&run, &runs[r]);
        int layers[4];
        for (int n = 0; n < run.networks; n++)
            layers[n] = run.layer_count;
        struct sl_profile *profile = sl_profile_create(layers, run.networks);
        sl_profile_events(profile, run.events, run.count);
        struct sl_profile_total total;
        sl_profile_total(profile, &total);
        double sum_ns = total.serving_ns;
        for (int n = 0; n < run.networks; n++)
            for (int l = 0; l < run.layer_count; l++) {
                struct sl_profile_layer layer = layer_of(profile, n, l);
                cr_expect(layer.waiting_ns >= 0 && layer.faulting_ns >= 0 &&
                          layer.computing_ns >= 0);
                sum_ns += layer.waiting_ns + layer.faulting_ns + layer.computing_ns;
            }
        cr_expect_eq(total.requests, (uint64_t)runs[r].runs);
        cr_expect_float_eq(sum_ns, total.request_ns, 1, "%s: %g of %g ns", runs[r].policy, sum_ns,
                           total.request_ns);
        double requests = runs[r].runs;
        if (run.networks == 1)
            cr_expect_float_eq(total.request_ns, (double)run.latency_ns / requests, 1);
        else
            cr_expect_leq(total.request_ns, (double)run.makespan_ns / requests);
        json_t *record = sl_profile_record(profile, 0, run.model, 0, &(struct sl_memory_sample){0});
        cr_expect_eq(json_array_size(json_object_get(record, "layers")), (size_t)run.layer_count);
        json_decref(record);
        sl_profile_free(profile);
        event_run_free(&run);
    }
}

static json_t *records_of(const char *profile)
{
    json_t *records = json_loads(profile, 0, NULL);
    cr_assert_not_null(records);
    return records;
}

#define LAYER(name, waiting, faulting, computing, bytes)                                           \
    "{\"name\":\"" name "\",\"waiting_ns\":" #waiting ",\"faulting_ns\":" #faulting                \
    ",\"computing_ns\":" #computing ",\"swap_in_bytes\":" #bytes "}"
#define PROFILE(serving, layers)                                                                   \
    "[{\"pack\":\"a\",\"swap_out_bytes\":5,\"profile\":{\"request_ns\":1000,\"serving_"            \
    "ns\":" #serving ",\"layers\":[" layers "]}}]"

Test(profile, the_line_names_what_took_most)
{
    static const struct {
        const char *records, *line;
    } cases[] = {
        {PROFILE(80, LAYER("fc6", 100, 620, 100, 9) "," LAYER("fc7", 0, 50, 50, 1)),
         "67 % of the time went into swapping fc6 back in"},
        {PROFILE(0, LAYER("fc6", 0, 400, 100, 9) "," LAYER("fc7", 0, 300, 200, 1)),
         "70 % of the time went into swapping layers back in, most for fc6 (40 %)"},
        {PROFILE(0, LAYER("fc6", 0, 900, 100, 0)), "90 % of the time went into page faults of fc6"},
        {PROFILE(100, LAYER("fc6", 600, 0, 200, 0) "," LAYER("fc7", 80, 0, 20, 0)),
         "68 % of the time went into waiting for weights, most before fc6 (60 %)"},
        {PROFILE(10, LAYER("fc6", 20, 0, 970, 0)),
         "97 % of the time went into computing; little was waited for"},
        {PROFILE(600, LAYER("fc6", 100, 100, 200, 0)),
         "60 % of the time went into finding memory for reads, by swapping out what was read "
         "before"},
        {"[{\"pack\":\"a\"}]", ""},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        char line[512];
        json_t *records = records_of(cases[c].records);
        cr_expect_str_eq(sl_profile_summary(records, line, sizeof(line)), cases[c].line);
        json_decref(records);
    }
}
