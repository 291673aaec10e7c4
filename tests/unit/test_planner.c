#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "runtime/base/clock.h"
#include "runtime/engine/bound.h"
#include "runtime/engine/planner.h"

#define MB     1000000
#define SHARDS 100
#define LAYERS 20

static struct sl_schedule_layer layers[LAYERS];
static uint64_t shard_bytes[SHARDS];
static struct sl_schedule_network network = {
    .name = "net", .layer_count = LAYERS, .layers = layers, .shard_bytes = shard_bytes};
static const struct sl_device_model device = {.bytes_per_s = 100 * MB, .depth = 8};

/* 100 MB in 20 layers of 5 shards; 10 ms of computing per layer. */
static void make_network(void)
{
    for (int l = 0; l < LAYERS; l++)
        layers[l] = (struct sl_schedule_layer){.shard_count = SHARDS / LAYERS, .run_ns = 10 * MB};
    for (int s = 0; s < SHARDS; s++)
        shard_bytes[s] = MB;
}

TestSuite(planner, .init = make_network);

static struct sl_plan plan_with(uint64_t budget_bytes, bool again)
{
    struct sl_plan plan;
    struct sl_error error = {0};
    struct sl_schedule_options options = {.budget_bytes = budget_bytes};
    cr_assert_eq(sl_plan_make(&network, 1, &options, &device, again, &plan, &error), 0, "%s",
                 error.text);
    return plan;
}

Test(planner, pins_everything_that_fits)
{
    struct sl_plan plan = plan_with(SHARDS * MB, true);
    cr_expect_eq(plan.pinned_bytes, SHARDS * MB);
    cr_expect_eq(plan.read_bytes, 0);
    cr_expect_eq(plan.pass_ns, 200 * MB);
    sl_plan_free(&plan);
}

Test(planner, pins_nothing_for_one_pass)
{
    for (uint64_t percent = 50; percent <= 100; percent += 50) {
        struct sl_plan plan = plan_with(percent * MB, false);
        cr_expect_eq(plan.pinned_bytes, 0);
        sl_plan_free(&plan);
    }
}

/* Reads bind: nothing is gained by reading further ahead than the device needs. */
Test(planner, reads_no_further_ahead_than_gains_time)
{
    struct sl_plan plan = plan_with(SHARDS * MB, false);
    cr_expect_eq(plan.ahead_bytes, 32 * MB);
    sl_plan_free(&plan);
}

/* With a distance given there is nothing to find, in however little memory. */
Test(planner, keeps_to_the_distance_it_is_told)
{
    struct sl_schedule_options options = {.budget_bytes = 50 * MB, .depth = 4};
    struct sl_plan plan;
    cr_assert_eq(sl_plan_make(&network, 1, &options, &device, false, &plan, NULL), 0);
    cr_expect_eq(plan.pinned_bytes, 0);
    cr_expect_eq(plan.ahead_bytes, 0);
    sl_plan_free(&plan);
    options = (struct sl_schedule_options){.budget_bytes = 50 * MB, .ahead_bytes = 3 * MB};
    cr_assert_eq(sl_plan_make(&network, 1, &options, &device, false, &plan, NULL), 0);
    cr_expect_eq(plan.pinned_bytes, 0);
    cr_expect_eq(plan.ahead_bytes, 3 * MB);
    sl_plan_free(&plan);
}

/* A long computing before many bytes is hidden only by all that the memory holds. */
Test(planner, reads_far_ahead_of_a_long_run)
{
    layers[0].run_ns = 2000 * MB;
    struct sl_plan plan = plan_with(SHARDS * MB, false);
    cr_expect_eq(plan.ahead_bytes, 0);
    sl_plan_free(&plan);
}

/* At half the memory a pass reads half the weights plus the window and comes near the bound. */
Test(planner, steady_pass_is_near_the_bound)
{
    uint64_t bytes[LAYERS], run_ns[LAYERS];
    for (int l = 0; l < LAYERS; l++) {
        bytes[l] = SHARDS / LAYERS * MB;
        run_ns[l] = 10 * MB;
    }
    for (int percent = 25; percent <= 75; percent += 25) {
        uint64_t budget_bytes = (uint64_t)percent * MB;
        struct sl_plan plan = plan_with(budget_bytes, true);
        uint64_t bound_ns = sl_bound_ns(bytes, run_ns, LAYERS, budget_bytes, 100 * MB, false);
        cr_expect_leq(plan.read_bytes, (SHARDS - (uint64_t)percent) * MB + 4 * MB);
        cr_expect_leq((double)plan.pass_ns, 1.1 * (double)bound_ns, "%d%%: %llu against %llu",
                      percent, (unsigned long long)plan.pass_ns, (unsigned long long)bound_ns);
        sl_plan_free(&plan);
    }
}

Test(planner, refuses_a_budget_below_one_shard)
{
    struct sl_plan plan;
    struct sl_error error = {0};
    struct sl_schedule_options options = {.budget_bytes = MB - 1};
    cr_expect_lt(sl_plan_make(&network, 1, &options, &device, true, &plan, &error), 0);
}
