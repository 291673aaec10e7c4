#include <errno.h>

#include "runtime/base/clock.h"
#include "runtime/base/units.h"
#include "runtime/engine/engine_state.h"
#include "runtime/engine/planner.h"

/* A batch that read less says little of the device. */
#define ENGINE_OBSERVED_LEAST_BYTES   (4 * SL_MIB)
#define ENGINE_BATCHES_PLANNED        8
#define ENGINE_WARMS_FROM_BYTES_PER_S 200000000
#define ENGINE_LIMIT_READ_EVERY_NS    UINT64_C(20000000)
/* Other pins must be predicted to take less than this share of the time. */
#define ENGINE_WORTH_PLANNING 0.97

/* Until a batch has been measured. */
struct sl_device_model sl_engine_known_device(const struct sl_engine *engine)
{
    return sl_plan_device(engine->options.device_bytes_per_s,
                          sl_pool_clear_ns_per_byte(engine->pool), SL_ENGINE_QUEUE_DEPTH);
}

/* Plans the passes to come; replaces those of a living schedule when a pass is predicted to take
 * less than below_ns. */
static int plan_pins(struct sl_engine *engine, const struct sl_device_model *device, bool again,
                     uint64_t below_ns, struct sl_error *error)
{
    struct sl_plan plan;
    int result = sl_plan_make(engine->workload.networks, engine->network_count,
                              &engine->schedule_options, device, again, &plan, error);
    if (result)
        return result;
    if (plan.pass_ns < below_ns)
        sl_schedule_set_ahead(engine->schedule, plan.ahead_bytes);
    for (int n = 0; n < engine->network_count && plan.pass_ns < below_ns; n++) {
        sl_schedule_pin(engine->schedule, n, plan.pinned[n]);
        int shard;
        while ((shard = sl_schedule_drop_unpinned(engine->schedule, n)) >= 0)
            sl_shard_reader_drop(&engine->reader, n, shard);
        for (int s = 0; s < engine->networks[n]->pack->shard_count; s++)
            if (plan.pinned[n][s])
                sl_shard_reader_keep(&engine->reader, n, s);
    }
    sl_plan_free(&plan);
    return 0;
}

static void release_shard(void *context, int network, int shard)
{
    struct sl_engine *engine = context;
    sl_shard_reader_drop(&engine->reader, network, shard);
}

/* Huge pages stay whole while weights fit beside them: their ends would be unmapped before any
 * shard is given back, and that may wait for a warmer that v2 lets sleep for seconds. */
static int drop_shards(struct sl_engine *engine, struct sl_error *error)
{
    const struct sl_budget *budget = &engine->budget;
    int result =
        sl_schedule_shrink(engine->schedule, budget->shard_bytes, release_shard, engine, error);
    if (result != -ENOBUFS || !engine->whole_pages)
        return result;
    sl_engine_take_single_pages(engine);
    return sl_schedule_shrink(engine->schedule, budget->shard_bytes, release_shard, engine, error);
}

/* Reads that the device is not at yet are given up: those that wait for a throttled disk would hold
 * their slots for seconds. The process itself and what requests compute in stay as they are. */
static int shrink(struct sl_engine *engine, uint64_t total, struct sl_error *error)
{
    struct sl_budget *budget = &engine->budget;
    uint64_t now_ns = sl_now_ns();
    if (engine->reader.in_flight)
        engine->reader.load_ns += now_ns - engine->reader.reading_since_ns;
    engine->postponed_count = 0;
    if (!sl_shard_reader_drain(&engine->reader))
        return sl_error_set(error, -EIO, "the loader broke while its reads were cancelled");
    const uint64_t limit = sl_limit_watch_least(&engine->watch);
    budget->limit_bytes = limit < budget->limit_bytes ? limit : budget->limit_bytes;
    budget->room_bytes = 0;
    sl_budget_lower(budget, total, !engine->reader.maps);
    int result = drop_shards(engine, error);
    if (result == -ENOBUFS)
        return sl_engine_refuse_budget(engine, error);
    /* Shards are moved only within what is left between the ends: pages that no shard lay in yet
     * would be charged beyond the limit, and v2 lets a process over memory.high have one in
     * seconds. */
    if (!result && !engine->reader.maps &&
        !sl_pool_shrink_slots(engine->pool, budget->shard_bytes)) {
        sl_shard_reader_compact(&engine->reader, sl_schedule_view(engine->schedule)->networks);
        sl_pool_shrink_slots(engine->pool, budget->shard_bytes);
    }
    engine->watch.bytes = total;
    engine->shrunk = true;
    return result;
}

bool sl_engine_limit_sank(const struct sl_engine *engine)
{
    return sl_pool_slots_grow(engine->pool) && sl_limit_watch_lowered(&engine->watch);
}

int sl_engine_follow_limit(struct sl_engine *engine, struct sl_error *error)
{
    uint64_t now_ns = sl_now_ns();
    if (!engine->policy->budgeted || engine->executors_busy)
        return 0;
    const bool due = __atomic_load_n(&engine->limit_asked, __ATOMIC_RELAXED) ||
                     now_ns - engine->limit_read_ns >= ENGINE_LIMIT_READ_EVERY_NS;
    if (!due && !sl_engine_limit_sank(engine))
        return 0;
    __atomic_store_n(&engine->limit_asked, 0, __ATOMIC_RELAXED);
    engine->limit_read_ns = now_ns;
    const uint64_t total = sl_engine_total_bytes(engine);
    return total < engine->budget.total_bytes ? shrink(engine, total, error) : 0;
}

uint64_t sl_engine_slot_bytes(const struct sl_engine *engine)
{
    uint64_t all = engine->workload.weight_bytes, most = engine->budget.shard_bytes;
    if (!engine->policy->budgeted)
        return sl_pool_peak(engine->pool, SL_POOL_SLOTS);
    return most < all ? most : all;
}

/* What the first pass will read ahead. While a slow device reads, the loop has time enough to bring
 * slots in, and memory that nothing was read into yet would only stand in a lower limit's way; a
 * few shards (--depth) bring in theirs. */
static void warm_slots(struct sl_engine *engine)
{
    const struct sl_policy_view *view = sl_schedule_view(engine->schedule);
    if (view->depth || sl_engine_known_device(engine).bytes_per_s < ENGINE_WARMS_FROM_BYTES_PER_S)
        return;
    sl_pool_warm_slots(engine->pool, view->ahead_bytes ? view->ahead_bytes : UINT64_MAX,
                       &engine->watch);
}

/* A last huge page is taken whole where what is left of the budget allows it. */
static void bound_slots(struct sl_engine *engine)
{
    const uint64_t bytes = sl_engine_slot_bytes(engine);
    const uint64_t whole = sl_pool_whole_bytes(bytes);
    sl_pool_bound_slots(engine->pool, whole <= engine->budget.shard_bytes ? whole : bytes);
}

int sl_engine_plan(struct sl_engine *engine, uint64_t more, struct sl_error *error)
{
    engine->shrunk = false;
    engine->limit_read_ns = sl_now_ns();
    engine->schedule_options = (struct sl_schedule_options){
        .budget_bytes = UINT64_MAX,
        .depth = engine->options.depth,
        .ahead_bytes = engine->options.ahead_bytes,
        .reads_most = engine->reader.options.depth,
    };
    int result = sl_engine_divide_budget(engine, more, error);
    if (result)
        return result;
    engine->schedule_options.memory_bytes = sl_budget_networks(&engine->budget);
    if (engine->policy->budgeted)
        engine->schedule_options.budget_bytes = engine->budget.shard_bytes;
    engine->reader.contents = engine->workload.contents;
    result = sl_schedule_create(engine->workload.networks, engine->network_count, engine->policy,
                                &engine->schedule_options, &engine->schedule, error);
    if (result == -ENOBUFS)
        return sl_engine_refuse_budget(engine, error);
    if (!result && engine->policy->budgeted && !engine->reader.maps)
        bound_slots(engine);
    struct sl_device_model device = sl_engine_known_device(engine);
    if (engine->seen_bytes_per_s)
        device.bytes_per_s = engine->seen_bytes_per_s;
    engine->planned_once = engine->policy->planned && !more;
    if (!result && engine->policy->planned)
        result = plan_pins(engine, &device, more > 0, UINT64_MAX, error);
    if (!result && engine->policy->budgeted)
        sl_limit_watch_open(&engine->watch, engine->budget.total_bytes);
    if (!result && engine->policy->budgeted && !engine->reader.maps)
        warm_slots(engine);
    if (result) {
        sl_schedule_free(engine->schedule);
        engine->schedule = NULL;
    }
    return result;
}

/* At which the last batch's reads came in; 0: there were none. */
static uint64_t observed_rate(const struct sl_engine *engine, uint64_t *read_bytes)
{
    *read_bytes = 0;
    for (int n = 0; n < engine->network_count; n++)
        *read_bytes += engine->networks[n]->result.read_bytes;
    return engine->batch.load_ns
               ? (uint64_t)((double)*read_bytes * 1e9 / (double)engine->batch.load_ns)
               : 0;
}

bool sl_engine_observed_device(const struct sl_engine *engine, struct sl_device_model *device)
{
    uint64_t read_bytes, bytes_per_s = observed_rate(engine, &read_bytes);
    if (read_bytes < ENGINE_OBSERVED_LEAST_BYTES || !bytes_per_s)
        return false;
    *device = sl_engine_known_device(engine);
    device->bytes_per_s = bytes_per_s;
    return true;
}

/* What the pins in force are predicted to take with the times as now known. */
static int current_pass_ns(struct sl_engine *engine, const struct sl_device_model *device,
                           uint64_t *pass_ns, struct sl_error *error)
{
    const struct sl_policy_view *view = sl_schedule_view(engine->schedule);
    for (int n = 0; n < engine->network_count; n++)
        engine->workload.networks[n].pinned = view->networks[n].pinned;
    int result = sl_plan_pass_ns(engine->workload.networks, engine->network_count,
                                 &engine->schedule_options, device, pass_ns, error);
    for (int n = 0; n < engine->network_count; n++)
        engine->workload.networks[n].pinned = NULL;
    return result;
}

/* After 1, 2, 4 and 8 batches: each teaches least run times, and a disturbed first one must not
 * decide for ever. Other pins cost reads, so they must promise something. */
static int plan_again(struct sl_engine *engine, uint64_t more, struct sl_error *error)
{
    struct sl_device_model device;
    uint64_t batches = engine->batches, now_ns;
    bool due = batches <= ENGINE_BATCHES_PLANNED && (batches & (batches - 1)) == 0;
    if (!engine->policy->planned || !due || !more || engine->shrunk ||
        !sl_engine_observed_device(engine, &device))
        return 0;
    int result = current_pass_ns(engine, &device, &now_ns, error);
    if (result)
        return result;
    return plan_pins(engine, &device, true, (uint64_t)((double)now_ns * ENGINE_WORTH_PLANNING),
                     error);
}

/* Bound of the batch that just ended. Storage that gave more than it was measured to give (disks of
 * virtual machines have bursts, throttles let a little through at once) can do so: the faster rate
 * is the one that bounds. */
static int find_bound(struct sl_engine *engine, struct sl_error *error)
{
    uint64_t read_bytes, bytes_per_s = engine->options.device_bytes_per_s, compute_ns;
    if (!bytes_per_s)
        return 0;
    const uint64_t seen_bytes_per_s = observed_rate(engine, &read_bytes);
    if (seen_bytes_per_s > bytes_per_s)
        bytes_per_s = seen_bytes_per_s;
    const struct sl_bound_of of = {.memory_bytes = engine->batch_shard_bytes,
                                   .bytes_per_s = (double)bytes_per_s,
                                   .cold = engine->batches == 1,
                                   .executors = engine->policy->executors};
    return sl_workload_bound(&engine->workload, &of, &engine->batch.bound_ns, &compute_ns, error);
}

int sl_engine_learn(struct sl_engine *engine, uint64_t more, struct sl_error *error)
{
    engine->batches++;
    for (int n = 0; n < engine->network_count; n++)
        sl_network_state_learn(engine->networks[n]);
    sl_workload_learn(&engine->workload, engine->networks);
    struct sl_device_model seen;
    if (sl_engine_observed_device(engine, &seen))
        engine->seen_bytes_per_s = seen.bytes_per_s;
    int result = find_bound(engine, error);
    return result ? result : plan_again(engine, more, error);
}
