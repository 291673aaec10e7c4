/* What of the memory is for shards: budget, activations, scratch. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cgroups/cgroup.h"
#include "runtime/base/units.h"
#include "runtime/engine/engine_state.h"

/* What whole huge pages may take of the memory for shards, when these do not all fit. */
#define WHOLE_PAGES_SHARE 8
/* What threads, tables and plans may take until the budget is divided for the last time. */
#define STILL_TO_COME_BYTES SL_MIB
/* What the process itself takes more or less from run to run: the kernel charges 64 pages at a time
 * for each processor. */
#define FROM_RUN_TO_RUN_BYTES (SL_MIB / 2)
/* A thread's stacks, the kernel's and its own, and its tables. */
#define THREAD_BYTES (32 * SL_KIB)
/* Beside what was asked for, so that it can be had again: the heap does not give all of it back. */
#define ROOM_MORE_BYTES (SL_MIB / 2)

/* As it was set, by whatever thread. */
static uint64_t given_bytes(const struct sl_engine *engine)
{
    return __atomic_load_n(&engine->options.budget_bytes, __ATOMIC_RELAXED);
}

/* A limit that sank is read where nothing is charged for it: more than that may be in use. */
uint64_t sl_engine_total_bytes(const struct sl_engine *engine)
{
    const uint64_t given = given_bytes(engine);
    const uint64_t limit = sl_limit_watch_lowered(&engine->watch)
                               ? sl_limit_watch_least(&engine->watch)
                               : sl_cgroup_own_limit();
    return given < limit ? given : limit;
}

bool sl_engine_budget_changed(const struct sl_engine *engine)
{
    return engine->shrunk || sl_engine_total_bytes(engine) != engine->budget.total_bytes;
}

static uint64_t arena_bytes(const struct sl_engine *engine)
{
    return sl_largest_arena(engine->networks, engine->network_count);
}

static uint64_t activation_bytes(const struct sl_engine *engine)
{
    const uint64_t arena = arena_bytes(engine);
    return sl_pool_used(engine->pool, SL_POOL_ACTIVATIONS) +
           sl_missing_blob_bytes(engine->networks, engine->network_count) +
           (engine->whole_pages ? sl_pool_whole_bytes(arena) : arena);
}

/* The limit of this process's group, not a budget that was given. */
static bool limit_binds(const struct sl_engine *engine)
{
    return given_bytes(engine) > engine->budget.total_bytes;
}

static uint64_t executors_to_come(const struct sl_engine *engine)
{
    return (uint64_t)(engine->policy->executors - engine->executor_count);
}

static uint64_t thread_bytes(const struct sl_engine *engine)
{
    return (uint64_t)engine->threads * THREAD_BYTES;
}

/* A budget that is less than the limit of the group counts what this process holds; what others do
 * may leave less of the limit than that. Of a limit all that is held is counted at once. */
static void count_others(struct sl_engine *engine, uint64_t own_bytes)
{
    struct sl_budget *budget = &engine->budget;
    const uint64_t limit = limit_binds(engine) ? UINT64_MAX : sl_cgroup_own_limit();
    if (limit == UINT64_MAX)
        return;
    const uint64_t left = sl_cgroup_own_free(), held = left < limit ? limit - left : 0;
    budget->limit_bytes = limit;
    budget->others_bytes = held > own_bytes ? held - own_bytes : 0;
}

/* What slots may take of the budget, or of the limit that this process runs under; scratch_bytes:
 * of all executors. The policies with a budget have one request active at a time. */
static int divide(struct sl_engine *engine, uint64_t scratch_bytes, struct sl_error *error)
{
    engine->budget =
        (struct sl_budget){.total_bytes = sl_engine_total_bytes(engine),
                           .scratch_bytes = scratch_bytes,
                           .activation_bytes = activation_bytes(engine),
                           .read_ahead_bytes = sl_shard_reader_ahead_bytes(&engine->reader)};
    const uint64_t pool_bytes = sl_pool_used(engine->pool, SL_POOL_ACTIVATIONS) +
                                sl_pool_used(engine->pool, SL_POOL_SCRATCH);
    int result =
        sl_budget_divide(&engine->budget, limit_binds(engine) ? sl_cgroup_own_free() : UINT64_MAX,
                         pool_bytes, error);
    count_others(engine, engine->budget.process_bytes + pool_bytes);
    engine->budget.process_bytes += executors_to_come(engine) * thread_bytes(engine);
    sl_budget_rest(&engine->budget);
    return result;
}

/* Lays the activations out in at most that many bytes, where row bands can. */
static int lay_out(struct sl_engine *engine, uint64_t most_bytes, struct sl_error *error)
{
    int result = sl_workload_bound_activations(&engine->workload, engine->networks, most_bytes,
                                               engine->threads, error);
    engine->budget.activation_bytes = activation_bytes(engine);
    sl_budget_rest(&engine->budget);
    return result;
}

/* The same, and divides the budget anew: planning itself makes the process larger. */
static int try_activations(struct sl_engine *engine, uint64_t most_bytes, struct sl_error *error)
{
    int result = lay_out(engine, most_bytes, error);
    return result ? result : divide(engine, engine->budget.scratch_bytes, error);
}

/* Row bands of activations that would fit whole leave more memory to pins. */
static int band_for_pins(struct sl_engine *engine, struct sl_error *error)
{
    uint64_t weight_bytes = engine->workload.weight_bytes, whole = engine->budget.shard_bytes;
    if (!engine->policy->planned || whole >= weight_bytes)
        return 0;
    int result = try_activations(engine, arena_bytes(engine) / SL_BANDED_ARENA_SHARE, error);
    if (result || sl_workload_bands_pay(&engine->workload, engine->networks, engine->threads, whole,
                                        engine->budget.shard_bytes,
                                        (double)sl_engine_known_device(engine).bytes_per_s))
        return result;
    return try_activations(engine, UINT64_MAX, error);
}

static int least_bytes(const struct sl_engine *engine, uint64_t *least, struct sl_error *error)
{
    return sl_schedule_least_budget(engine->workload.networks, engine->network_count,
                                    engine->policy, least, error);
}

/* What the arena may take so that shards get least bytes; UINT64_MAX: they do. */
static uint64_t most_arena_bytes(const struct sl_engine *engine, uint64_t least)
{
    return sl_budget_arena(&engine->budget, least, arena_bytes(engine));
}

/* Whole activations when the policy can run with what they leave of the budget, else row bands, in
 * several rounds: each measures the process anew, which may have grown. */
static int bound_activations(struct sl_engine *engine, uint64_t more, struct sl_error *error)
{
    uint64_t least = 0, before = UINT64_MAX;
    int result = 0;
    if (engine->policy->budgeted)
        result = least_bytes(engine, &least, error);
    if (!result && more && most_arena_bytes(engine, least) == UINT64_MAX)
        result = band_for_pins(engine, error);
    uint64_t most = most_arena_bytes(engine, least);
    while (!result && most != UINT64_MAX && arena_bytes(engine) < before) {
        before = arena_bytes(engine);
        result = try_activations(engine, most, error);
        most = most_arena_bytes(engine, least);
    }
    return result;
}

/* Whole blobs, whatever an earlier plan made of them. */
static int whole_activations(struct sl_engine *engine, struct sl_error *error)
{
    int chains = 0;
    for (int n = 0; n < engine->network_count; n++)
        chains += engine->networks[n]->plan.chain_count;
    return chains ? lay_out(engine, UINT64_MAX, error) : 0;
}

/* Divides the budget, with whole blobs. Whole huge pages are taken where there is no limit, and
 * under a policy with a budget where all weights fit beside them, or where nothing is to follow
 * that weights could be kept for and they take little of what shards get. scratch_bytes: of all
 * executors, scratch_more of them for whole pages. */
static int choose_pages(struct sl_engine *engine, uint64_t more, uint64_t scratch_bytes,
                        uint64_t scratch_more, struct sl_error *error)
{
    int result = 0;
    if (!engine->workload.networks)
        result = sl_workload_create(engine->networks, engine->network_count, engine->threads,
                                    &engine->workload, error);
    if (!result)
        result = whole_activations(engine, error);
    engine->whole_pages = true;
    if (!result)
        result = divide(engine, scratch_bytes, error);
    if (result || engine->budget.total_bytes == UINT64_MAX)
        return result;
    const uint64_t arena = arena_bytes(engine), left = engine->budget.shard_bytes;
    const uint64_t taken = scratch_more + sl_pool_whole_bytes(arena) - arena;
    const bool all = left >= engine->workload.weight_bytes + STILL_TO_COME_BYTES;
    uint64_t least = UINT64_MAX / 2;
    if (engine->policy->budgeted && !all && !more && taken <= left / WHOLE_PAGES_SHARE)
        result = least_bytes(engine, &least, error);
    engine->whole_pages = engine->policy->budgeted && (all || left >= least + STILL_TO_COME_BYTES);
    engine->budget.activation_bytes = activation_bytes(engine);
    sl_budget_rest(&engine->budget);
    return result;
}

/* Of one executor, for any of the networks. */
static uint64_t kernel_scratch(const struct sl_engine *engine)
{
    return sl_largest_scratch(engine->networks, engine->network_count, engine->threads);
}

int sl_engine_size_scratch(struct sl_engine *engine, uint64_t more, struct sl_error *error)
{
    const uint64_t bytes = kernel_scratch(engine);
    const uint64_t executors = (uint64_t)engine->policy->executors;
    const uint64_t whole = bytes ? sl_pool_whole_bytes(bytes) : 0;
    int result = choose_pages(engine, more, executors * whole, executors * (whole - bytes), error);
    engine->scratch_bytes = engine->whole_pages ? whole : bytes;
    return result;
}

int sl_engine_refuse_budget(struct sl_engine *engine, struct sl_error *error)
{
    char given[SL_UNIT_TEXT_BYTES], parts[5][SL_UNIT_TEXT_BYTES];
    char ahead[SL_UNIT_TEXT_BYTES + 16] = "", give[32] = "";
    const struct sl_budget *budget = &engine->budget;
    const bool others = sl_budget_usable(budget) < budget->total_bytes;
    uint64_t shards = 0;
    int result = least_bytes(engine, &shards, error);
    if (result)
        return result;
    const uint64_t all = sl_budget_least(budget, shards) + FROM_RUN_TO_RUN_BYTES;
    const uint64_t reserve = all - shards - budget->activation_bytes - budget->scratch_bytes -
                             budget->process_bytes - budget->read_ahead_bytes;
    if (budget->read_ahead_bytes)
        snprintf(ahead, sizeof(ahead), ", read-ahead %s",
                 sl_format_size(budget->read_ahead_bytes, parts[0]));
    if (!others)
        snprintf(give, sizeof(give), "; give %" PRIu64 "M", sl_align_up(all, SL_MIB) / SL_MIB);
    return sl_error_set(error, -ENOBUFS,
                        "%s of %s is too small for policy %s: it needs at least %" PRIu64
                        " bytes (shards %s, activations %s, scratch %s, the process %s, reserve "
                        "%s%s)%s",
                        limit_binds(engine) ? "the memory limit"
                        : others            ? "a budget, beside what others of its group hold,"
                                            : "a budget",
                        sl_format_size(sl_budget_usable(budget), given), engine->policy->name, all,
                        sl_format_size(shards, parts[0]),
                        sl_format_size(budget->activation_bytes, parts[1]),
                        sl_format_size(budget->scratch_bytes, parts[2]),
                        sl_format_size(budget->process_bytes, parts[3]),
                        sl_format_size(reserve, parts[4]), ahead, give);
}

/* What may be taken beside all that is held. */
static int free_bytes(const struct sl_engine *engine, uint64_t *bytes, struct sl_error *error)
{
    const uint64_t given = given_bytes(engine);
    uint64_t held;
    *bytes = sl_cgroup_own_free();
    if (given == UINT64_MAX)
        return 0;
    int result = sl_budget_resident(&held, error);
    if (!result && (held > given || given - held < *bytes))
        *bytes = held > given ? 0 : given - held;
    return result;
}

uint64_t sl_engine_executor_bytes(const struct sl_engine *engine)
{
    return executors_to_come(engine) * (kernel_scratch(engine) + thread_bytes(engine));
}

int sl_engine_check_room(struct sl_engine *engine, uint64_t bytes, struct sl_error *error)
{
    uint64_t left;
    if (!engine->policy->budgeted)
        return 0;
    int result = free_bytes(engine, &left, error);
    if (result || left == UINT64_MAX || left >= bytes + STILL_TO_COME_BYTES)
        return result;
    const uint64_t scratch = sl_pool_used(engine->pool, SL_POOL_SCRATCH) +
                             executors_to_come(engine) * kernel_scratch(engine);
    result = choose_pages(engine, 0, scratch, 0, error);
    if (!result)
        result = bound_activations(engine, 0, error);
    return result ? result : sl_engine_refuse_budget(engine, error);
}

/* What the plan in force leaves. The kernel calls mapped shards free that it would take from them.
 */
static uint64_t planned_free(const struct sl_engine *engine)
{
    const struct sl_budget *budget = &engine->budget;
    const uint64_t held =
        sl_budget_overhead(budget) - budget->room_bytes + sl_pool_used(engine->pool, SL_POOL_SLOTS);
    const uint64_t usable = sl_budget_usable(budget);
    return usable > held ? usable - held : 0;
}

int sl_engine_make_room(struct sl_engine *engine, uint64_t bytes, uint64_t so_far_bytes,
                        struct sl_error *error)
{
    uint64_t left;
    if (!engine->policy->budgeted)
        return 0;
    int result = free_bytes(engine, &left, error);
    if (engine->schedule && engine->reader.maps) {
        const uint64_t planned = planned_free(engine), taken = so_far_bytes - bytes;
        const uint64_t rest = planned > taken ? planned - taken : 0;
        left = rest < left ? rest : left;
    }
    const bool gives = !result && engine->schedule && left < bytes + ROOM_MORE_BYTES;
    if (gives) {
        sl_engine_drain(engine);
        result = free_bytes(engine, &left, error);
    }
    if (result)
        return result;
    if (left >= bytes + ROOM_MORE_BYTES) {
        if ((gives || engine->room_bytes) && engine->room_bytes < so_far_bytes)
            engine->room_bytes = so_far_bytes;
        return 0;
    }
    char texts[3][SL_UNIT_TEXT_BYTES];
    const uint64_t total = sl_engine_total_bytes(engine);
    return sl_error_set(error, -ENOBUFS,
                        "%s more are needed for a while, but of %s of %s only %s are free",
                        sl_format_size(bytes + ROOM_MORE_BYTES, texts[0]),
                        given_bytes(engine) > total ? "the memory limit" : "a budget",
                        sl_format_size(total, texts[1]), sl_format_size(left, texts[2]));
}

/* What was taken between batches can be taken again without giving weights up. */
static int keep_room(struct sl_engine *engine, struct sl_error *error)
{
    struct sl_budget *budget = &engine->budget;
    uint64_t least = 0;
    if (!engine->room_bytes || budget->shard_bytes == UINT64_MAX)
        return 0;
    int result = least_bytes(engine, &least, error);
    const uint64_t spare = budget->shard_bytes > least ? budget->shard_bytes - least : 0;
    const uint64_t wanted = engine->room_bytes + ROOM_MORE_BYTES;
    budget->room_bytes = wanted < spare ? wanted : spare;
    sl_budget_rest(budget);
    return result;
}

void sl_engine_take_single_pages(struct sl_engine *engine)
{
    const uint64_t held = sl_pool_used(engine->pool, SL_POOL_ACTIVATIONS);
    engine->whole_pages = false;
    engine->scratch_bytes = kernel_scratch(engine);
    for (int e = 0; e < engine->executor_count; e++)
        sl_executor_trim(engine->executors[e], engine->pool, engine->scratch_bytes);
    for (int n = 0; n < engine->network_count; n++)
        sl_network_state_trim_arena(engine->networks[n], engine->pool);
    engine->budget.scratch_bytes = sl_pool_used(engine->pool, SL_POOL_SCRATCH);
    engine->budget.activation_bytes -= held - sl_pool_used(engine->pool, SL_POOL_ACTIVATIONS);
    sl_budget_rest(&engine->budget);
}

int sl_engine_divide_budget(struct sl_engine *engine, uint64_t more, struct sl_error *error)
{
    int result = choose_pages(engine, more, sl_pool_used(engine->pool, SL_POOL_SCRATCH), 0, error);
    if (!result && !engine->whole_pages)
        sl_engine_take_single_pages(engine);
    if (!result)
        result = bound_activations(engine, more, error);
    return result ? result : keep_room(engine, error);
}
