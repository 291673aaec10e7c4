#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "runtime/base/rng.h"
#include "runtime/engine/bound.h"
#include "runtime/engine/simulate.h"

#define MS 1000000

Test(bound, of_cases_one_can_think_through)
{
    const uint64_t bytes[] = {4000, 4000, 4000}, run_ns[] = {1 * MS, 2 * MS, 1 * MS};
    /* 1000 bytes per ms: 12 ms of reading; the last layer's run cannot overlap any read. */
    cr_expect_eq(sl_bound_ns(bytes, run_ns, 3, UINT64_MAX, 1e6, true), 12 * MS);
    /* Nothing but runs when the device is free. */
    cr_expect_eq(sl_bound_ns(bytes, run_ns, 3, 0, 0, true), 4 * MS);
    /* A warm pass with 8000 of 12000 bytes in memory reads the rest: 4 ms, as long as the runs. */
    cr_expect_eq(sl_bound_ns(bytes, run_ns, 3, 8000, 1e6, false), 4 * MS);
    cr_expect_eq(sl_bound_ns(bytes, run_ns, 3, 6000, 1e6, false), 6 * MS);
    cr_expect_eq(sl_bound_ns(bytes, run_ns, 0, 0, 1e6, true), 0);
}

/* A cold read of a heavy first layer, then long runs: the stretches add up. */
Test(bound, adds_disjoint_stretches)
{
    const uint64_t bytes[] = {10000, 0}, run_ns[] = {0, 10 * MS};
    cr_expect_eq(sl_bound_ns(bytes, run_ns, 2, UINT64_MAX, 1e6, true), 20 * MS);
}

/* One random network under every policy, in the simulator, whose device is the bound's: its first
 * pass, or the mean of those that follow the tenth. */
static void expect_no_faster(uint64_t seed, uint64_t run_most_ns, bool throttled, int rounds)
{
    uint64_t rng = seed, bytes[20], run_ns[20];
    struct sl_schedule_layer layers[20];
    int count = 1 + (int)sl_rng_below(&rng, 20);
    for (int l = 0; l < count; l++) {
        bytes[l] = 4096 * (1 + sl_rng_below(&rng, 256));
        run_ns[l] = sl_rng_below(&rng, run_most_ns);
        layers[l] = (struct sl_schedule_layer){.shard_count = 1, .run_ns = run_ns[l]};
    }
    const struct sl_schedule_network network = {
        .name = "random", .layer_count = count, .layers = layers, .shard_bytes = bytes};
    const struct sl_bound_steps steps = {bytes, run_ns, (size_t)count};
    struct sl_device_model device = {.bytes_per_s = 1000000 * (1 + sl_rng_below(&rng, 2000)),
                                     .depth = 8};
    uint64_t budget_bytes = (2 << 20) + sl_rng_below(&rng, 4 << 20);
    if (throttled)
        device.throttle_bytes_per_s = 100000 + sl_rng_below(&rng, device.bytes_per_s);
    for (int p = 0; sl_policy_at(p); p++) {
        const struct sl_policy *policy = sl_policy_at(p);
        const struct sl_schedule_options options = {.budget_bytes = policy->budgeted ? budget_bytes
                                                                                     : UINT64_MAX};
        const struct sl_bound_of of = {.memory_bytes = options.budget_bytes,
                                       .bytes_per_s = (double)device.bytes_per_s,
                                       .throttle_bytes_per_s = (double)device.throttle_bytes_per_s,
                                       .burst_ns = 2 * SL_THROTTLE_SLICE_NS,
                                       .cold = rounds == 1,
                                       .executors = policy->executors};
        const uint64_t bound_ns = sl_bound_of_networks_ns(&steps, 1, &of);
        struct sl_simulation result;
        struct sl_error error = {0};
        cr_assert_eq(sl_simulate(&network, 1, policy, &options, &device, rounds, &result, &error),
                     0, "%s", error.text);
        const int skipped = rounds > 10 ? 10 : 0;
        const uint64_t pass_ns =
            (result.makespan_ns - result.round_begin_ns[skipped]) / (uint64_t)(rounds - skipped);
        const uint64_t rounding_ns = (uint64_t)count + bound_ns / (rounds > 1 ? 20 : UINT64_MAX);
        cr_assert_geq(pass_ns + rounding_ns, bound_ns, "seed %llu: %s beats it",
                      (unsigned long long)seed, policy->name);
        sl_simulation_free(&result);
    }
}

Test(bound, no_simulated_policy_beats_it)
{
    for (uint64_t seed = 0; seed < 300; seed++)
        expect_no_faster(seed, 2 * MS, false, 1);
}

/* Runs long enough for the throttle to let more through after them. */
Test(bound, no_simulated_policy_beats_it_behind_a_throttle)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        expect_no_faster(seed, seed % 2 ? 2 * MS : 200 * MS, true, 1);
        if (seed % 8 == 0)
            expect_no_faster(seed, seed % 16 ? 2 * MS : 200 * MS, true, 60);
    }
}

/* Nor with several networks, which policies run in orders of their own. */
Test(bound, no_simulated_order_of_networks_beats_it)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        uint64_t rng = seed, bytes[3][8], run_ns[3][8];
        struct sl_schedule_layer layers[3][8];
        struct sl_schedule_network networks[3];
        struct sl_bound_steps steps[3];
        const int count = 2 + (int)sl_rng_below(&rng, 2);
        for (int n = 0; n < count; n++) {
            const int length = 1 + (int)sl_rng_below(&rng, 8);
            for (int l = 0; l < length; l++) {
                bytes[n][l] = 4096 * (1 + sl_rng_below(&rng, 256));
                run_ns[n][l] = sl_rng_below(&rng, 2 * MS);
                layers[n][l] =
                    (struct sl_schedule_layer){.shard_count = 1,
                                               .run_ns = run_ns[n][l],
                                               .fully_connected = sl_rng_below(&rng, 2) == 0};
            }
            networks[n] = (struct sl_schedule_network){.name = "random",
                                                       .layer_count = length,
                                                       .layers = layers[n],
                                                       .shard_bytes = bytes[n]};
            steps[n] = (struct sl_bound_steps){bytes[n], run_ns[n], (size_t)length};
        }
        struct sl_device_model device = {.bytes_per_s = 1000000 * (1 + sl_rng_below(&rng, 2000)),
                                         .depth = 8};
        for (int p = 0; sl_policy_at(p); p++) {
            const struct sl_policy *policy = sl_policy_at(p);
            struct sl_schedule_options options = {.budget_bytes =
                                                      policy->budgeted ? 4 << 20 : UINT64_MAX};
            const struct sl_bound_of of = {.memory_bytes = options.budget_bytes,
                                           .bytes_per_s = (double)device.bytes_per_s,
                                           .cold = true,
                                           .executors = policy->executors};
            const uint64_t bound_ns = sl_bound_of_networks_ns(steps, count, &of);
            struct sl_simulation result;
            struct sl_error error = {0};
            cr_assert_eq(
                sl_simulate(networks, count, policy, &options, &device, 1, &result, &error), 0,
                "%s", error.text);
            cr_assert_geq(result.makespan_ns + 24, bound_ns, "seed %llu: %s beats it",
                          (unsigned long long)seed, policy->name);
            sl_simulation_free(&result);
        }
    }
}

/* 120 ms of reading and then 75 ms of runs only when the long one must be first. */
Test(bound, of_networks_that_may_change_places)
{
    const uint64_t long_bytes = 240000, short_bytes = 27000, long_ns = 20 * MS, short_ns = 75 * MS;
    const struct sl_bound_steps networks[] = {{&long_bytes, &long_ns, 1},
                                              {&short_bytes, &short_ns, 1}};
    struct sl_bound_of of = {
        .memory_bytes = UINT64_MAX, .bytes_per_s = 2e6, .cold = true, .executors = 1};
    cr_expect_eq(sl_bound_of_networks_ns(networks, 2, &of), 133500000);
    of.bytes_per_s = 2e9;
    cr_expect_eq(sl_bound_of_networks_ns(networks, 2, &of), 95 * MS);
    of.executors = 2;
    cr_expect_eq(sl_bound_of_networks_ns(networks, 2, &of), 75 * MS);
}

Test(bound, merges_many_steps)
{
    static uint64_t bytes[10000], run_ns[10000];
    for (int k = 0; k < 10000; k++) {
        bytes[k] = 1 << 20;
        run_ns[k] = 1000;
    }
    uint64_t bound_ns = sl_bound_ns(bytes, run_ns, 10000, 0, 1e9, true);
    cr_expect_eq(bound_ns, UINT64_C(10000) << 20);
}

/* 100 kB at 1 MB/s, of which what belongs to 30 ms comes at once, beside 5 ms of running. */
Test(bound, behind_a_throttle)
{
    const uint64_t bytes = 100000, run_ns = 5 * MS;
    const struct sl_bound_steps network = {&bytes, &run_ns, 1};
    struct sl_bound_of of = {.memory_bytes = UINT64_MAX,
                             .bytes_per_s = 1e9,
                             .throttle_bytes_per_s = 1e6,
                             .burst_ns = 30 * MS,
                             .cold = true,
                             .executors = 1};
    cr_expect_eq(sl_bound_of_networks_ns(&network, 1, &of), 70 * MS);
    /* All comes at once, as fast as the device is. */
    of.burst_ns = 1000 * MS;
    cr_expect_eq(sl_bound_of_networks_ns(&network, 1, &of), 5 * MS);
    /* Many passes cannot all have it. */
    of.memory_bytes = 20000;
    of.cold = false;
    cr_expect_eq(sl_bound_of_networks_ns(&network, 1, &of), 80 * MS);
}
