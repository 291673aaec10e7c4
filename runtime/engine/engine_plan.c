#include <errno.h>
#include <inttypes.h>

#include "cgroups/cgroup.h"
#include "runtime/base/clock.h"
#include "runtime/base/units.h"
#include "runtime/engine/engine_state.h"
#include "runtime/engine/planner.h"

/* A batch that read less says little of the device. */
#define ENGINE_OBSERVED_LEAST_BYTES   (4 * SL_MIB)
#define ENGINE_BATCHES_PLANNED        8
#define ENGINE_WARMS_FROM_BYTES_PER_S 200000000
/* Reading the limit takes some 50 us. */
#define ENGINE_LIMIT_READ_EVERY_NS UINT64_C(20000000)
/* Other pins must be predicted to take less than this share of the time. */
#define ENGINE_WORTH_PLANNING 0.97
/* What activations are brought down to for the sake of pins. */
#define BANDED_ARENA_SHARE 4

/* Until a batch has been measured, and when nobody told: an SSD of the middle kind. */
struct sl_device_model sl_engine_known_device(const struct sl_engine *engine)
{
    uint64_t told = engine->options.device_bytes_per_s;
    return (struct sl_device_model){
        .bytes_per_s = told ? told : 500000000,
        .latency_ns = 100000,
        .host = {.clear_ns_per_byte = sl_pool_clear_ns_per_byte(engine->pool)},
        .depth = SL_ENGINE_QUEUE_DEPTH};
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

/* As it was set, by whatever thread. */
static uint64_t given_bytes(const struct sl_engine *engine)
{
    return __atomic_load_n(&engine->options.budget_bytes, __ATOMIC_RELAXED);
}

uint64_t sl_engine_total_bytes(const struct sl_engine *engine)
{
    uint64_t given = given_bytes(engine);
    return given == UINT64_MAX ? sl_cgroup_own_limit() : given;
}

bool sl_engine_budget_changed(const struct sl_engine *engine)
{
    return engine->shrunk || sl_engine_total_bytes(engine) != engine->budget.total_bytes;
}

static uint64_t arena_bytes(const struct sl_engine *engine)
{
    uint64_t most = 0;
    for (int n = 0; n < engine->network_count; n++) {
        uint64_t bytes = engine->networks[n]->plan.bytes;
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* What slots may take of the budget, or of the limit that this process runs under. The policies
 * with a budget have one request active at a time. */
static int divide_budget(struct sl_engine *engine, struct sl_error *error)
{
    struct sl_budget *budget = &engine->budget;
    *budget = (struct sl_budget){.total_bytes = sl_engine_total_bytes(engine)};
    budget->scratch_bytes = sl_pool_used(engine->pool, SL_POOL_SCRATCH);
    const uint64_t kept = sl_pool_used(engine->pool, SL_POOL_ACTIVATIONS);
    budget->activation_bytes = sl_pool_bytes_for(engine->pool, arena_bytes(engine)) + kept;
    bool group = given_bytes(engine) == UINT64_MAX;
    return sl_budget_divide(budget, group ? sl_cgroup_own_free() : UINT64_MAX,
                            kept + budget->scratch_bytes, error);
}

/* Lays the activations out in at most that many bytes, where row bands can, and divides the budget
 * anew. */
static int try_activations(struct sl_engine *engine, uint64_t most_bytes, struct sl_error *error)
{
    int result = sl_workload_bound_activations(&engine->workload, engine->networks, most_bytes,
                                               engine->threads, error);
    return result ? result : divide_budget(engine, error);
}

/* Computing of halos, for all networks. */
static double bands_cost_ns(const struct sl_engine *engine)
{
    double flops = 0;
    for (int n = 0; n < engine->network_count; n++) {
        const struct sl_activation_plan *plan = &engine->networks[n]->plan;
        for (int c = 0; c < plan->chain_count; c++)
            flops += plan->chains[c].recomputed_flops;
    }
    return sl_workload_estimate_ns(flops, engine->threads);
}

/* Row bands of activations that would fit whole leave more memory to pins: taken when reading that
 * much in every request takes longer than twice what the halos cost. */
static int band_for_pins(struct sl_engine *engine, struct sl_error *error)
{
    uint64_t weight_bytes = engine->workload.weight_bytes, whole = engine->budget.shard_bytes;
    if (!engine->policy->planned || whole >= weight_bytes)
        return 0;
    int result = try_activations(engine, arena_bytes(engine) / BANDED_ARENA_SHARE, error);
    if (result)
        return result;
    uint64_t banded = engine->budget.shard_bytes;
    banded = banded < weight_bytes ? banded : weight_bytes;
    double rate = (double)sl_engine_known_device(engine).bytes_per_s;
    double saved_ns = banded > whole ? (double)(banded - whole) * 1e9 / rate : 0;
    return saved_ns > 2 * bands_cost_ns(engine) ? 0 : try_activations(engine, UINT64_MAX, error);
}

/* Whole activations when the policy can run with what they leave of the budget, else row bands: in
 * several rounds, as planning itself makes the process larger. */
static int bound_activations(struct sl_engine *engine, uint64_t more, struct sl_error *error)
{
    uint64_t least = 0, most = UINT64_MAX, before = UINT64_MAX;
    int result = 0;
    if (engine->policy->budgeted)
        result = sl_schedule_least_budget(engine->workload.networks, engine->network_count,
                                          engine->policy, &least, error);
    while (!result) {
        result = try_activations(engine, most, error);
        const uint64_t arena = arena_bytes(engine);
        const uint64_t next = sl_budget_arena(&engine->budget, least, arena);
        if (!result && more && most == UINT64_MAX && next == UINT64_MAX)
            return band_for_pins(engine, error);
        if (next == UINT64_MAX || arena >= before)
            break;
        before = arena;
        most = next;
    }
    return result;
}

static int refuse_budget(struct sl_engine *engine, struct sl_error *error)
{
    char given[SL_UNIT_TEXT_BYTES], parts[5][SL_UNIT_TEXT_BYTES];
    const struct sl_budget *budget = &engine->budget;
    uint64_t shards = 0;
    int result = sl_schedule_least_budget(engine->workload.networks, engine->network_count,
                                          engine->policy, &shards, error);
    if (result)
        return result;
    uint64_t overhead = sl_budget_overhead(budget);
    /* The process itself takes some hundred KiB more or less from run to run. */
    const uint64_t all = shards + overhead;
    return sl_error_set(
        error, -ENOBUFS,
        "%s of %s is too small for policy %s: it needs at least %" PRIu64
        " bytes (shards %s, activations %s, scratch %s, the process %s, reserve %s); give %" PRIu64
        "M",
        given_bytes(engine) == UINT64_MAX ? "the memory limit" : "a budget",
        sl_format_size(budget->total_bytes, given), engine->policy->name, all,
        sl_format_size(shards, parts[0]), sl_format_size(budget->activation_bytes, parts[1]),
        sl_format_size(budget->scratch_bytes, parts[2]),
        sl_format_size(budget->process_bytes, parts[3]),
        sl_format_size(budget->reserve_bytes, parts[4]),
        sl_align_up(all + SL_MIB / 2, SL_MIB) / SL_MIB);
}

static void release_shard(void *context, int network, int shard)
{
    struct sl_engine *engine = context;
    sl_shard_reader_drop(&engine->reader, network, shard);
}

/* Reads in flight are given up: those that wait for a throttled disk would hold their slots for
 * seconds. The process itself and what requests compute in stay as they are. */
static int shrink(struct sl_engine *engine, uint64_t total, struct sl_error *error)
{
    struct sl_budget *budget = &engine->budget;
    uint64_t now_ns = sl_now_ns();
    if (engine->reader.in_flight)
        engine->reader.load_ns += now_ns - engine->reader.reading_since_ns;
    engine->postponed_count = 0;
    if (!sl_shard_reader_drain(&engine->reader))
        return sl_error_set(error, -EIO, "the loader broke while its reads were cancelled");
    budget->total_bytes = total;
    sl_budget_rest(budget);
    int result =
        sl_schedule_shrink(engine->schedule, budget->shard_bytes, release_shard, engine, error);
    if (result == -ENOBUFS)
        return refuse_budget(engine, error);
    if (!result && !engine->reader.maps) {
        sl_shard_reader_compact(&engine->reader, sl_schedule_view(engine->schedule)->networks);
        sl_pool_shrink_slots(engine->pool, budget->shard_bytes);
    }
    engine->shrunk = true;
    return result;
}

int sl_engine_follow_limit(struct sl_engine *engine, struct sl_error *error)
{
    uint64_t now_ns = sl_now_ns();
    if (!engine->policy->budgeted || engine->executors_busy ||
        (!engine->limit_asked && now_ns - engine->limit_read_ns < ENGINE_LIMIT_READ_EVERY_NS))
        return 0;
    engine->limit_asked = 0;
    engine->limit_read_ns = now_ns;
    uint64_t total = sl_engine_total_bytes(engine);
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
    sl_pool_warm_slots(engine->pool, view->ahead_bytes ? view->ahead_bytes : UINT64_MAX);
}

/* A last huge page is taken whole where what is left of the budget allows it. */
static void bound_slots(struct sl_engine *engine)
{
    const uint64_t bytes = sl_engine_slot_bytes(engine);
    const uint64_t whole = sl_pool_huge_bytes_for(bytes);
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
    int result = 0;
    if (!engine->workload.networks)
        result = sl_workload_create(engine->networks, engine->network_count, engine->threads,
                                    &engine->workload, error);
    if (!result)
        result = bound_activations(engine, more, error);
    if (result)
        return result;
    engine->schedule_options.memory_bytes = sl_budget_networks(&engine->budget);
    if (engine->policy->budgeted)
        engine->schedule_options.budget_bytes = engine->budget.shard_bytes;
    engine->reader.contents = engine->workload.contents;
    result = sl_schedule_create(engine->workload.networks, engine->network_count, engine->policy,
                                &engine->schedule_options, &engine->schedule, error);
    if (result == -ENOBUFS)
        return refuse_budget(engine, error);
    if (!result && engine->policy->budgeted && !engine->reader.maps)
        bound_slots(engine);
    struct sl_device_model device = sl_engine_known_device(engine);
    engine->planned_once = engine->policy->planned && !more;
    if (!result && engine->policy->planned)
        result = plan_pins(engine, &device, more > 0, UINT64_MAX, error);
    if (!result && engine->policy->budgeted && !engine->reader.maps)
        warm_slots(engine);
    if (result) {
        sl_schedule_free(engine->schedule);
        engine->schedule = NULL;
    }
    return result;
}

bool sl_engine_observed_device(const struct sl_engine *engine, struct sl_device_model *device)
{
    uint64_t read_bytes = 0;
    for (int n = 0; n < engine->network_count; n++)
        read_bytes += engine->networks[n]->result.read_bytes;
    if (read_bytes < ENGINE_OBSERVED_LEAST_BYTES || !engine->batch.load_ns)
        return false;
    *device = sl_engine_known_device(engine);
    device->bytes_per_s = (uint64_t)((double)read_bytes * 1e9 / (double)engine->batch.load_ns);
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
    if (!engine->policy->planned || !due || !more || !sl_engine_observed_device(engine, &device))
        return 0;
    int result = current_pass_ns(engine, &device, &now_ns, error);
    if (result)
        return result;
    return plan_pins(engine, &device, true, (uint64_t)((double)now_ns * ENGINE_WORTH_PLANNING),
                     error);
}

/* Bound of the batch that just ended. A device that gave more than it was measured to give (disks
 * of virtual machines have bursts) can do so: the faster rate is the one that bounds. */
static int find_bound(struct sl_engine *engine, struct sl_error *error)
{
    uint64_t bytes_per_s = engine->options.device_bytes_per_s, compute_ns;
    struct sl_device_model seen;
    if (sl_engine_observed_device(engine, &seen) && seen.bytes_per_s > bytes_per_s)
        bytes_per_s = seen.bytes_per_s;
    if (!bytes_per_s)
        return 0;
    return sl_workload_bound(&engine->workload, engine->budget.shard_bytes, (double)bytes_per_s,
                             engine->batches == 1, &engine->batch.bound_ns, &compute_ns, error);
}

int sl_engine_learn(struct sl_engine *engine, uint64_t more, struct sl_error *error)
{
    engine->batches++;
    for (int n = 0; n < engine->network_count; n++)
        sl_network_state_learn(engine->networks[n]);
    sl_workload_learn(&engine->workload, engine->networks);
    int result = find_bound(engine, error);
    return result ? result : plan_again(engine, more, error);
}
