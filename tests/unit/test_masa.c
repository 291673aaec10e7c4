/* masa: who is admitted and in which order, step by step. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "runtime/engine/schedule.h"
#include "runtime/engine/simulate.h"

#define MB 1000000
#define MS UINT64_C(1000000)

/* 8 MB and 20 ms of runs; 2 MB and 2 ms. Service counts 2 ns for each byte: 36 and 6 ms. */
static const uint64_t bytes[] = {MB, MB, MB, MB, MB, MB, MB, MB};
static const struct sl_schedule_layer large_layers[] = {{.shard_count = 8, .run_ns = 20 * MS}};
static const struct sl_schedule_layer small_layers[] = {{.shard_count = 2, .run_ns = 2 * MS}};
#define LARGE(title)                                                                               \
    {                                                                                              \
        .name = (title), .layer_count = 1, .layers = large_layers, .shard_bytes = bytes,           \
        .activation_bytes = MB                                                                     \
    }
#define SMALL(title)                                                                               \
    {                                                                                              \
        .name = (title), .layer_count = 1, .layers = small_layers, .shard_bytes = bytes,           \
        .activation_bytes = MB                                                                     \
    }
static const struct sl_schedule_network networks[] = {LARGE("large"), SMALL("small"),
                                                      SMALL("late")};

static struct sl_schedule *schedule;

static void open_schedule(uint64_t memory_bytes)
{
    struct sl_schedule_options options = {.budget_bytes = UINT64_MAX, .memory_bytes = memory_bytes};
    struct sl_error error = {0};
    cr_assert_eq(
        sl_schedule_create(networks, 3, sl_policy_find("masa"), &options, &schedule, &error), 0,
        "%s", error.text);
}

static void expect_step(uint64_t now_ns, enum sl_step_kind kind, int network)
{
    struct sl_step step;
    struct sl_error error = {0};
    cr_assert_eq(sl_schedule_next(schedule, now_ns, &step, &error), 0, "%s", error.text);
    cr_assert_eq(step.kind, kind, "step %d, not %d", step.kind, kind);
    if (kind != SL_STEP_WAIT)
        cr_assert_eq(step.network, network, "network %d, not %d", step.network, network);
}

static void load_all(uint64_t now_ns, int network, int shards)
{
    for (int s = 0; s < shards; s++)
        expect_step(now_ns, SL_STEP_LOAD, network);
    for (int s = 0; s < shards; s++)
        cr_assert_eq(sl_schedule_loaded(schedule, network, s, NULL), 0);
}

static void tear_down(void)
{
    sl_schedule_free(schedule);
}

TestSuite(masa, .fini = tear_down);

Test(masa, shortest_first)
{
    open_schedule(UINT64_MAX);
    sl_schedule_arrive(schedule, 0, 0, 0);
    sl_schedule_arrive(schedule, 1, 0, 0);
    expect_step(0, SL_STEP_ADMIT, 1);
    expect_step(0, SL_STEP_ADMIT, 0);
    load_all(5 * MS, 1, 2);
    expect_step(5 * MS, SL_STEP_RUN, 1);  /* a ready run goes before any load */
    expect_step(5 * MS, SL_STEP_LOAD, 0); /* which goes on beside it */
}

/* The large one has waited 2 x its service; the late small one came just now. */
Test(masa, ages)
{
    open_schedule(UINT64_MAX);
    sl_schedule_arrive(schedule, 0, 0, 0);
    sl_schedule_arrive(schedule, 2, 72 * MS, 0);
    expect_step(73 * MS, SL_STEP_ADMIT, 0);
    expect_step(73 * MS, SL_STEP_ADMIT, 2);
    expect_step(73 * MS, SL_STEP_LOAD, 0);
}

/* 10 MB: the small ones (3 MB each) fit together, the large one (9 MB) only alone. */
Test(masa, admits_what_fits)
{
    open_schedule(10 * MB);
    for (int n = 0; n < 3; n++)
        sl_schedule_arrive(schedule, n, 0, 0);
    expect_step(0, SL_STEP_ADMIT, 1);
    expect_step(0, SL_STEP_ADMIT, 2);
    for (int n = 1; n < 3; n++) {
        cr_expect_not(sl_schedule_view(schedule)->networks[0].active);
        load_all(0, n, 2);
        for (int unit = 0; unit < 2; unit++) {
            expect_step(0, SL_STEP_RUN, n);
            cr_assert_geq(sl_schedule_ran(schedule, n, unit, NULL), 0);
        }
        expect_step(0, SL_STEP_DROP, n);
        expect_step(0, SL_STEP_DROP, n);
    }
    expect_step(0, SL_STEP_ADMIT, 0);
}

/* Alone it may be larger than the memory: the rest is left to swap. */
Test(masa, admits_anything_when_nothing_is_active)
{
    open_schedule(5 * MB);
    sl_schedule_arrive(schedule, 0, 0, 0);
    expect_step(0, SL_STEP_ADMIT, 0);
}

/* The large one waits at the gate, first in order; the late small one would fit and waits too. */
Test(masa, nobody_passes_the_first_at_the_gate)
{
    open_schedule(10 * MB);
    sl_schedule_arrive(schedule, 1, 0, 0);
    expect_step(0, SL_STEP_ADMIT, 1);
    sl_schedule_arrive(schedule, 0, 0, 0);
    sl_schedule_arrive(schedule, 2, 72 * MS, 0);
    expect_step(73 * MS, SL_STEP_LOAD, 1);
    expect_step(73 * MS, SL_STEP_LOAD, 1);
    expect_step(73 * MS, SL_STEP_WAIT, 0);
}

/* The gate in the simulator: memory for one at a time, never for two. */
Test(masa, holds_one_network_when_two_do_not_fit)
{
    static const struct sl_schedule_network pair[] = {LARGE("a"), LARGE("b")};
    struct sl_device_model device = {.bytes_per_s = 1000 * (uint64_t)MB, .depth = 8};
    struct sl_error error = {0};
    uint64_t peaks[2];
    for (int i = 0; i < 2; i++) {
        struct sl_schedule_options options = {.budget_bytes = UINT64_MAX,
                                              .memory_bytes = i ? 18 * MB : 17 * MB};
        struct sl_simulation result;
        cr_assert_eq(
            sl_simulate(pair, 2, sl_policy_find("masa"), &options, &device, 2, &result, &error), 0,
            "%s", error.text);
        peaks[i] = result.peak_bytes;
        sl_simulation_free(&result);
    }
    cr_expect_eq(peaks[0], 8 * MB);
    cr_expect_gt(peaks[1], 8 * MB);
}
