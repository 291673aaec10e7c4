/* The worked example of CONTRIBUTING.md, in the simulator: it does what its text says. */
#include "docs/examples/policy_pair.c"

#include <criterion/criterion.h>

#include "runtime/engine/simulate.h"

#define MB 1000000

/* Five layers of 4 MB, one without weights between them; loads take 4 ms, runs 3 ms each. */
static const struct sl_schedule_layer layers[] = {
    {.shard_count = 4, .run_ns = 3000000}, {.shard_count = 4, .run_ns = 3000000},
    {.shard_count = 0, .run_ns = 3000000}, {.shard_count = 4, .run_ns = 3000000},
    {.shard_count = 4, .run_ns = 3000000}, {.shard_count = 4, .run_ns = 3000000},
};
static const uint64_t shard_bytes[] = {MB, MB, MB, MB, MB, MB, MB, MB, MB, MB,
                                       MB, MB, MB, MB, MB, MB, MB, MB, MB, MB};
static const struct sl_schedule_network networks[] = {
    {.name = "a", .layer_count = 6, .layers = layers, .shard_bytes = shard_bytes},
    {.name = "b", .layer_count = 6, .layers = layers, .shard_bytes = shard_bytes},
};

static struct sl_simulation simulate(const struct sl_policy *policy)
{
    struct sl_schedule_options options = {.budget_bytes = UINT64_MAX};
    struct sl_device_model device = {.bytes_per_s = 1000 * (uint64_t)MB, .depth = 8};
    struct sl_simulation result;
    struct sl_error error = {0};
    cr_assert_eq(sl_simulate(networks, 2, policy, &options, &device, 2, &result, &error), 0, "%s",
                 error.text);
    return result;
}

Test(policy_example, stands_between_linear_and_partial)
{
    struct sl_simulation pair = simulate(&sl_policy_pair);
    struct sl_simulation linear = simulate(sl_policy_find("linear"));
    struct sl_simulation partial = simulate(sl_policy_find("partial"));
    cr_expect_eq(pair.drops, pair.loads);
    cr_expect_leq(pair.peak_bytes, 2 * 4 * MB, "two layers at most");
    cr_expect_lt(pair.makespan_ns, linear.makespan_ns, "loading overlaps running");
    cr_expect_lt(pair.peak_bytes, partial.peak_bytes);
    cr_expect_gt(pair.peak_bytes, linear.peak_bytes);
    sl_simulation_free(&pair);
    sl_simulation_free(&linear);
    sl_simulation_free(&partial);
}
