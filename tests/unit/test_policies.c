/* Policies in the simulator, over random networks and devices: whatever they are given, the
 * schedule refuses nothing, everything loaded is dropped once, everything ends, and the same seed
 * gives the same result. Then the order of the published policies on a network small enough to
 * think through.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/rng.h"
#include "runtime/engine/simulate.h"
#include "tests/unit/random_workload.h"

Test(policies, table_is_complete)
{
    struct sl_error error = {0};
    cr_assert_eq(sl_policies_check(&error), 0, "%s", error.text);
    cr_assert_not_null(sl_policy_find("linear"));
    cr_assert_null(sl_policy_find("no-such-policy"));
}

Test(policies, always_end_and_drop_what_they_loaded)
{
    for (uint64_t seed = 0; seed < 400; seed++) {
        uint64_t rng = seed;
        struct random_workload workload;
        random_workload_make(&rng, &workload);
        struct sl_device_model device = {
            .bytes_per_s = 1000000 * (20 + sl_rng_below(&rng, 1000)),
            .latency_ns = sl_rng_below(&rng, 200000),
            .depth = 1 + (int)sl_rng_below(&rng, 32),
            .host = {.load_ns = sl_rng_below(&rng, 50000),
                     .hand_over_ns = sl_rng_below(&rng, 50000),
                     .clear_ns_per_byte = (double)sl_rng_below(&rng, 10) / 10,
                     .unmap_ns = sl_rng_below(&rng, 50000),
                     .map_ns_per_byte = (double)sl_rng_below(&rng, 10) / 10,
                     .touch_ns_per_byte = (double)sl_rng_below(&rng, 10) / 10,
                     .verify_ns_per_byte = (double)sl_rng_below(&rng, 10) / 10},
        };
        int rounds = 1 + (int)sl_rng_below(&rng, 3);
        uint64_t budget_bytes =
            RANDOM_SHARD_MOST +
            sl_rng_below(&rng, workload.weight_bytes + workload.weight_bytes / 4 + 1);
        random_workload_pin(&rng, &workload, budget_bytes - RANDOM_SHARD_MOST);
        for (int p = 0; sl_policy_at(p); p++) {
            const struct sl_policy *policy = sl_policy_at(p);
            struct sl_schedule_options options = {
                .budget_bytes = policy->budgeted ? budget_bytes : UINT64_MAX,
                .memory_bytes = sl_rng_below(&rng, 2 * workload.weight_bytes + 2),
                .depth = (int)sl_rng_below(&rng, 4),
                .ahead_bytes = sl_rng_below(&rng, 2) * sl_rng_below(&rng, workload.weight_bytes),
            };
            struct sl_simulation first, second;
            struct sl_error error = {0};
            cr_assert_eq(sl_simulate(workload.networks, workload.network_count, policy, &options,
                                     &device, rounds, &first, &error),
                         0, "seed %llu, %s: %s", (unsigned long long)seed, policy->name,
                         error.text);
            cr_assert_eq(first.runs, workload.units * (uint64_t)rounds);
            cr_assert_eq(first.requests_done, (size_t)workload.network_count * (size_t)rounds);
            cr_assert_leq(first.bytes_read, workload.weight_bytes * (uint64_t)rounds);
            cr_assert_leq(first.peak_bytes, workload.weight_bytes);
            cr_assert_leq(first.peak_bytes, options.budget_bytes);
            if (!policy->budgeted)
                cr_assert_eq(first.drops, first.loads, "%s leaks shards", policy->name);
            cr_assert_eq(sl_simulate(workload.networks, workload.network_count, policy, &options,
                                     &device, rounds, &second, &error),
                         0);
            cr_assert_eq(first.makespan_ns, second.makespan_ns);
            cr_assert_eq(first.peak_bytes, second.peak_bytes);
            sl_simulation_free(&first);
            sl_simulation_free(&second);
        }
    }
}

/* Beside what lies ahead there is the shard that runs; and one shard may always be read. */
Test(policies, window_reads_no_further_ahead_than_told)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        uint64_t rng = seed;
        struct random_workload workload;
        random_workload_make(&rng, &workload);
        struct sl_device_model device = {.bytes_per_s = 1000000000, .depth = 8};
        struct sl_schedule_options options = {.budget_bytes = UINT64_MAX,
                                              .ahead_bytes =
                                                  1 + sl_rng_below(&rng, workload.weight_bytes)};
        struct sl_simulation result;
        struct sl_error error = {0};
        cr_assert_eq(sl_simulate(workload.networks, workload.network_count,
                                 sl_policy_find("window"), &options, &device, 2, &result, &error),
                     0, "seed %llu: %s", (unsigned long long)seed, error.text);
        uint64_t ahead_bytes =
            options.ahead_bytes < RANDOM_SHARD_MOST ? RANDOM_SHARD_MOST : options.ahead_bytes;
        cr_expect_leq(result.peak_bytes, ahead_bytes + RANDOM_SHARD_MOST);
        sl_simulation_free(&result);
    }
}

/* Two networks: convolution 2 MB, then fully connected 6 MB; 1 ms per MB of reading; runs of 4 ms
 * and 1.2 ms. */
static const struct sl_schedule_layer two_layers[] = {
    {.shard_count = 2, .run_ns = 4000000},
    {.shard_count = 6, .run_ns = 1200000, .fully_connected = true},
};
#define MB 1000000
static const uint64_t eight_shards[] = {MB, MB, MB, MB, MB, MB, MB, MB};
static const struct sl_schedule_network two_networks[] = {
    {.name = "a", .layer_count = 2, .layers = two_layers, .shard_bytes = eight_shards},
    {.name = "b", .layer_count = 2, .layers = two_layers, .shard_bytes = eight_shards},
};

static struct sl_simulation simulate_two(const char *policy)
{
    struct sl_device_model device = {.bytes_per_s = 1000 * MB, .depth = 64};
    struct sl_schedule_options options = {.budget_bytes = UINT64_MAX};
    struct sl_simulation result;
    struct sl_error error = {0};
    cr_assert_eq(
        sl_simulate(two_networks, 2, sl_policy_find(policy), &options, &device, 1, &result, &error),
        0, "%s", error.text);
    sl_simulation_free(&result);
    return result;
}

Test(policies, bulk_loads_then_runs_each_network)
{
    struct sl_simulation result = simulate_two("bulk");
    cr_expect_eq(result.makespan_ns, 2 * (8000000 + 5200000));
    cr_expect_eq(result.peak_bytes, 8 * MB);
}

Test(policies, linear_holds_one_layer)
{
    struct sl_simulation result = simulate_two("linear");
    cr_expect_eq(result.makespan_ns, 2 * (8000000 + 5200000));
    cr_expect_eq(result.peak_bytes, 6 * MB);
}

/* Reads flow without a pause for 16 ms; the last layer is in at 16 and runs 1.2 ms. */
Test(policies, partial_overlaps_and_is_unbounded)
{
    struct sl_simulation result = simulate_two("partial");
    cr_expect_eq(result.makespan_ns, 17200000);
    cr_expect_eq(result.peak_bytes, 16 * MB);
}

/* With three quarters pinned of 8 MB, a pass after the first reads the other quarter. */
Test(policies, pins_stay_across_requests)
{
    static const uint8_t pinned[8] = {1, 1, 1, 0, 1, 1, 1, 0};
    struct sl_schedule_network network = two_networks[0];
    network.pinned = pinned;
    struct sl_device_model device = {.bytes_per_s = 1000 * MB, .depth = 64};
    struct sl_schedule_options options = {.budget_bytes = 7 * MB};
    struct sl_simulation result;
    struct sl_error error = {0};
    cr_assert_eq(
        sl_simulate(&network, 1, sl_policy_find("window"), &options, &device, 5, &result, &error),
        0, "%s", error.text);
    cr_expect_eq(result.bytes_read, (6 + 5 * 2) * MB);
    cr_expect_eq(result.peak_bytes, 7 * MB);
    sl_simulation_free(&result);
}

/* Convolutions (4 ms of reading, shared with the fully connected pipeline) come first for both. */
Test(policies, deepeye_holds_convolutions_of_all_networks)
{
    struct sl_simulation deepeye = simulate_two("deepeye");
    struct sl_simulation frugal = simulate_two("deepeye-frugal");
    cr_expect_leq(deepeye.makespan_ns, 22400000);
    cr_expect_leq(frugal.peak_bytes, 2 * 2 * MB + 6 * MB);
    cr_expect_gt(deepeye.peak_bytes, frugal.peak_bytes);
}

struct first_run {
    int loads_before;
    bool ran;
};

static void look_for_first_run(void *context, const struct sl_simulated_step *step)
{
    struct first_run *first = context;
    first->ran |= step->step.kind == SL_STEP_RUN;
    first->loads_before += step->step.kind == SL_STEP_LOAD && !first->ran;
}

/* Submitting takes as long as reading: the first shard is there long before 32 are on their way. */
Test(policies, window_begins_before_it_is_filled)
{
    uint64_t shard_bytes[40];
    for (int s = 0; s < 40; s++)
        shard_bytes[s] = MB;
    const struct sl_schedule_layer layers[] = {{.shard_count = 1, .run_ns = MB},
                                               {.shard_count = 39, .run_ns = MB}};
    const struct sl_schedule_network network = {
        .name = "net", .layer_count = 2, .layers = layers, .shard_bytes = shard_bytes};
    struct sl_device_model device = {
        .bytes_per_s = 1000 * MB, .latency_ns = 10 * MB, .depth = 32, .host.load_ns = MB};
    struct sl_schedule_options options = {.budget_bytes = UINT64_MAX, .reads_most = 32};
    struct first_run first = {0};
    cr_assert_eq(sl_simulate_steps(&network, 1, sl_policy_find("window"), &options, &device,
                                   look_for_first_run, &first, NULL),
                 0);
    cr_expect(first.ran);
    cr_expect_lt(first.loads_before, 16, "%d loads", first.loads_before);
    cr_expect_geq(first.loads_before, 8);
}
