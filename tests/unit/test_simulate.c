/* The simulator's device: rates, latencies and the kernel's throttle. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "policies/policy.h"
#include "runtime/base/units.h"
#include "runtime/engine/kept_slots.h"
#include "runtime/engine/simulate.h"

#define SHARDS 100

static void expect_ms(uint64_t ns, int least, int most)
{
    int ms = (int)(ns / 1000000);
    cr_expect(ms >= least && ms <= most, "%d ms, not %d to %d", ms, least, most);
}

/* `rounds` passes over one layer of 100 shards of 1 MiB; without its arrays. */
static struct sl_simulation simulated(const char *policy, const struct sl_device_model *device,
                                      const struct sl_schedule_layer *timed, double handling,
                                      int rounds)
{
    uint64_t bytes[SHARDS];
    for (int s = 0; s < SHARDS; s++)
        bytes[s] = SL_MIB;
    struct sl_schedule_layer layer = *timed;
    layer.shard_count = SHARDS;
    struct sl_schedule_network network = {.name = "net",
                                          .layer_count = 1,
                                          .layers = &layer,
                                          .shard_bytes = bytes,
                                          .handling = handling};
    struct sl_schedule_options options = {.budget_bytes = UINT64_MAX, .reads_most = 32};
    struct sl_simulation result;
    struct sl_error error = {0};
    cr_assert_eq(
        sl_simulate(&network, 1, sl_policy_find(policy), &options, device, rounds, &result, &error),
        0, "%s", error.text);
    sl_simulation_free(&result);
    return result;
}

static uint64_t handled_under(const char *policy, const struct sl_device_model *device,
                              const struct sl_schedule_layer *timed, double handling, int rounds)
{
    return simulated(policy, device, timed, handling, rounds).makespan_ns;
}

static uint64_t layer_under(const char *policy, const struct sl_device_model *device,
                            const struct sl_schedule_layer *timed, int rounds)
{
    return handled_under(policy, device, timed, 0, rounds);
}

static uint64_t layer_ns(const struct sl_device_model *device,
                         const struct sl_schedule_layer *timed, int rounds)
{
    return layer_under("linear", device, timed, rounds);
}

static uint64_t pass_ns(const struct sl_device_model *device, uint64_t run_ns, int rounds)
{
    return layer_ns(device, &(struct sl_schedule_layer){.run_ns = run_ns}, rounds);
}

Test(simulate, bytes_flow_at_the_rate_of_the_device)
{
    struct sl_device_model device = {.bytes_per_s = 100 * SL_MIB, .latency_ns = 1000, .depth = 32};
    cr_expect_eq(pass_ns(&device, 0, 1) / 1000000, 1000);
}

/* Runs of 20 ms a shard, then none: reading, 10 ms a shard, fills the first half as well. */
Test(simulate, reads_go_on_while_shards_in_memory_run)
{
    uint64_t bytes[SHARDS];
    for (int s = 0; s < SHARDS; s++)
        bytes[s] = SL_MIB;
    const struct sl_schedule_layer layers[] = {
        {.shard_count = SHARDS / 2, .run_ns = SHARDS / 2 * UINT64_C(20000000)},
        {.shard_count = SHARDS / 2}};
    const struct sl_schedule_network network = {
        .name = "net", .layer_count = 2, .layers = layers, .shard_bytes = bytes};
    const struct sl_device_model device = {.bytes_per_s = 100 * SL_MIB, .depth = 4};
    const struct sl_schedule_options options = {.budget_bytes = UINT64_MAX, .reads_most = 4};
    struct sl_simulation result;
    struct sl_error error = {0};
    cr_assert_eq(
        sl_simulate(&network, 1, sl_policy_find("window"), &options, &device, 1, &result, &error),
        0, "%s", error.text);
    expect_ms(result.makespan_ns, 1000, 1050);
    sl_simulation_free(&result);
}

/* A throttle of 100 MiB/s lets the first slice's 10 MiB through at once. */
static const struct sl_device_model throttled = {
    .bytes_per_s = 10000 * SL_MIB, .depth = 32, .throttle_bytes_per_s = 100 * SL_MIB};

Test(simulate, a_throttle_begins_with_a_burst_of_one_slice)
{
    expect_ms(pass_ns(&throttled, 0, 1), 900, 920);
}

Test(simulate, a_slice_that_began_before)
{
    struct sl_device_model device = throttled;
    device.throttle_begun_ns = 30000000;
    expect_ms(pass_ns(&device, 0, 1), 870, 890);
}

Test(simulate, only_an_idle_group_earns_another_burst)
{
    expect_ms(pass_ns(&throttled, 0, 3), 2900, 2920);
    expect_ms(pass_ns(&throttled, 500000000, 3), 3 * (900 + 500), 3 * (920 + 500));
}

/* What the loop's thread spends between runs comes on top where the device is not what binds. */
Test(simulate, handling_shards_costs_time)
{
    struct sl_device_model device = {.depth = 32};
    cr_expect_eq(pass_ns(&device, 0, 1), 0);
    device.host.load_ns = 1000;
    cr_expect_eq(pass_ns(&device, 0, 1), SHARDS * 1000);
    device.host.map_ns_per_byte = 1;
    /* The second pass finds some slots that the first one left. */
    const uint64_t mapped_ns = (2 * SHARDS - SL_KEPT_MOST) * SL_MIB;
    cr_expect_eq(pass_ns(&device, 0, 2), 2 * SHARDS * 1000 + mapped_ns);
    device.host.verify_ns_per_byte = 1;
    cr_expect_eq(pass_ns(&device, 0, 2), 2 * SHARDS * (1000 + SL_MIB) + mapped_ns);
}

/* Whatever is no run: reads, and what handling the shards takes. */
Test(simulate, stalls_are_all_time_between_runs)
{
    const struct sl_schedule_layer layer = {.run_ns = SHARDS * UINT64_C(1000000)};
    const struct sl_device_model device = {.bytes_per_s = 1000 * SL_MIB,
                                           .depth = 4,
                                           .host = {.load_ns = 1000, .verify_ns_per_byte = 0.25}};
    static const char *const policies[] = {"linear", "window"};
    for (int p = 0; p < 2; p++) {
        struct sl_simulation result = simulated(policies[p], &device, &layer, 0, 3);
        const uint64_t between_ns = result.makespan_ns - 3 * layer.run_ns;
        /* What arrived during a request's last run is handled after its end. */
        cr_expect(result.stall_ns <= between_ns && result.stall_ns > between_ns / 100 * 99, "%s",
                  policies[p]);
        cr_expect(result.later_stall_ns > 0 && result.later_stall_ns < result.stall_ns, "%s",
                  policies[p]);
    }
}

/* What was measured of handling: so many ns more for each byte, or that share less of it all. */
Test(simulate, handling_beyond_what_the_host_costs)
{
    static const char *const policies[] = {"linear", "window"};
    const struct sl_schedule_layer layer = {.run_ns = SHARDS * 1000};
    const struct sl_device_model device = {.depth = 32,
                                           .host = {.load_ns = 1000,
                                                    .map_ns_per_byte = 0.5,
                                                    .touch_ns_per_byte = 0.5,
                                                    .verify_ns_per_byte = 0.25,
                                                    .unmap_ns = 3000}};
    for (int p = 0; p < 2; p++) {
        const uint64_t none_ns = handled_under(policies[p], &device, &layer, -1, 1),
                       half_ns = handled_under(policies[p], &device, &layer, -0.5, 1),
                       all_ns = handled_under(policies[p], &device, &layer, 0, 1),
                       more_ns = handled_under(policies[p], &device, &layer, 2, 1);
        cr_expect_eq(none_ns, SHARDS * 1000, "%s", policies[p]);
        cr_expect_eq(half_ns, (none_ns + all_ns) / 2, "%s", policies[p]);
        cr_expect_eq(more_ns, all_ns + 2 * SHARDS * SL_MIB, "%s", policies[p]);
    }
}

Test(simulate, slots_of_their_own_are_unmapped_after_the_request)
{
    struct sl_device_model device = {.depth = 32, .host.unmap_ns = 1000};
    cr_expect_eq(pass_ns(&device, 5000, 2), 2 * (5000 + (SHARDS - SL_KEPT_MOST) * 1000));
}

/* Shards that arrive together are checked together, but pages are touched one after the other. */
Test(simulate, a_team_shares_checksums)
{
    struct sl_device_model device = {
        .depth = 32, .host = {.threads = 2, .verify_ns_per_byte = 2, .touch_ns_per_byte = 1}};
    cr_expect_eq(pass_ns(&device, 0, 1), SHARDS * 3 * SL_MIB, "each is collected when it was read");
    device.latency_ns = 1000;
    const uint64_t together_ns = pass_ns(&device, 0, 1);
    cr_expect_geq(together_ns, SHARDS * 2 * SL_MIB);
    cr_expect_leq(together_ns, (SHARDS * 2 + 2) * SL_MIB);
}

Test(simulate, the_first_run_and_one_after_a_wait_take_longer)
{
    struct sl_device_model device = {.depth = 32};
    const struct sl_schedule_layer layer = {.run_ns = 8000, .first_ns = 56000, .waited_ns = 24000};
    cr_expect_eq(layer_ns(&device, &layer, 3), 56000 + 2 * 8000);
    /* All shards of the layer together: however many there are. */
    device.latency_ns = SL_MIB;
    const uint64_t waits_ns = pass_ns(&device, 0, 3);
    cr_expect_eq(layer_ns(&device, &layer, 3) - waits_ns, 56000 + 2 * 24000);
}

/* The memory's bandwidth is shared with what the device reads: 1 s of reading, in which a third of
 * the units run. */
Test(simulate, runs_take_longer_while_the_device_reads)
{
    const struct sl_schedule_layer layer = {.run_ns = 1000000000, .reading_ns = 3000000000};
    struct sl_device_model device = {.depth = 32, .bytes_per_s = UINT64_C(100) << 20};
    expect_ms(layer_under("linear", &device, &layer, 1), 2000, 2001);
    expect_ms(layer_under("window", &device, &layer, 1), 1600, 1750);
    device.throttle_bytes_per_s = device.bytes_per_s / 2;
    expect_ms(layer_under("window", &device, &layer, 1), 2000, 2050);
}

/* A team that fell asleep while its shards were read is woken: half a hand-over. Without a budget
 * its slots are slow as well, which was measured with it. */
Test(simulate, a_team_that_waited_is_woken)
{
    struct sl_device_model device = {.depth = 1, .bytes_per_s = UINT64_C(100) << 20};
    const struct sl_schedule_layer layer = {.run_ns = 100000, .waited_ns = 200000};
    const uint64_t awake_ns = layer_under("window", &device, &layer, 1);
    cr_expect_gt(layer_under("linear", &device, &layer, 1), awake_ns);
    device.host.hand_over_ns = 1000;
    cr_expect_eq(layer_under("window", &device, &layer, 1), awake_ns + 500, "the last unit's");
}
