#include "runtime/engine/predict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/stats.h"
#include "runtime/engine/cpus.h"
#include "runtime/engine/handling.h"
#include "runtime/engine/planner.h"
#include "runtime/engine/workload.h"

/* Simulated to see the steady state: of all but the first, the mean without the least and the
 * greatest. A throttle's slices make them alternate. */
#define PREDICT_PASSES 6
/* More than this process takes by itself: a limit that leaves room for everything. */
#define PREDICT_PROCESS_MOST_BYTES (UINT64_C(1) << 30)

struct sl_predictor {
    struct sl_pool *pool;
    struct sl_network_state **states;
    int count, threads;
    struct sl_workload workload;
    struct sl_device_model device;
    struct sl_handling (*handling)[SL_POLICIES_MOST]; /* [network] */
    uint64_t process_bytes;                           /* 0: what one as this is charged */
};

void sl_predictor_free(struct sl_predictor *predictor)
{
    if (!predictor)
        return;
    for (int n = 0; predictor->states && n < predictor->count; n++)
        sl_network_state_free(predictor->states[n], predictor->pool);
    free(predictor->states);
    free(predictor->handling);
    sl_workload_free(&predictor->workload);
    sl_pool_free(predictor->pool);
    free(predictor);
}

/* The networks' handling becomes that of a policy; NULL: nothing is known of it. */
static void handle_as(struct sl_predictor *predictor, const struct sl_policy *policy, bool first)
{
    for (int n = 0; n < predictor->workload.network_count; n++) {
        struct sl_schedule_network *network = &predictor->workload.networks[n];
        network->handling = 0;
        network->first_ns = 0;
        for (int p = 0; sl_policy_at(p); p++) {
            if (sl_policy_at(p) != policy)
                continue;
            const struct sl_handling *handling = &predictor->handling[n][p];
            network->handling = first ? handling->first : handling->later;
            network->first_ns = handling->first_ns;
        }
    }
}

static void cleanup_predictor(struct sl_predictor **predictor)
{
    sl_predictor_free(*predictor);
}

int sl_predictor_create(const struct sl_pack *const *packs, int count, int threads,
                        const struct sl_device_model *device, struct sl_predictor **created,
                        bool *estimated, struct sl_error *error)
{
    SL_AUTO(cleanup_predictor) struct sl_predictor *predictor = calloc(1, sizeof(*predictor));
    if (!predictor)
        return sl_error_set(error, -ENOMEM, "no memory to predict");
    predictor->states = calloc((size_t)count + 1, sizeof(*predictor->states));
    predictor->threads = threads ? threads : sl_usable_cpus();
    predictor->device = *device;
    predictor->handling = calloc((size_t)count + 1, sizeof(*predictor->handling));
    if (!predictor->states || !predictor->handling)
        return sl_error_set(error, -ENOMEM, "no memory to predict");
    int result = sl_pool_create(&predictor->pool, error);
    for (int n = 0; n < count && !result; n++) {
        result = sl_network_state_create(packs[n], predictor->pool, &predictor->states[n], error);
        predictor->count += !result;
    }
    if (!result)
        result = sl_workload_create(predictor->states, count, predictor->threads,
                                    &predictor->workload, error);
    for (int n = 0; n < count && !result; n++)
        result = sl_handling_fit(&predictor->workload.networks[n], &predictor->workload.passes[n],
                                 &predictor->device, predictor->handling[n], error);
    if (result)
        return result;
    *estimated = predictor->workload.estimated;
    *created = SL_STEAL(predictor);
    return 0;
}

void sl_predictor_slow_down(struct sl_predictor *predictor, double factor)
{
    struct sl_workload *workload = &predictor->workload;
    for (int n = 0; n < workload->network_count; n++) {
        for (int p = 0; p < SL_POLICIES_MOST; p++) {
            struct sl_handling *handling = &predictor->handling[n][p];
            handling->first *= handling->first > 0 ? factor : 1;
            handling->later *= handling->later > 0 ? factor : 1;
            handling->first_ns = (uint64_t)((double)handling->first_ns * factor);
        }
    }
    for (size_t l = 0; l < workload->layer_count; l++) {
        struct sl_schedule_layer *layer = &workload->layers[l];
        uint64_t *times[] = {&layer->run_ns, &layer->reading_ns, &layer->first_ns,
                             &layer->waited_ns, &workload->times[l].least_ns};
        for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++)
            *times[t] = (uint64_t)((double)*times[t] * factor);
    }
}

void sl_predictor_set_process(struct sl_predictor *predictor, uint64_t bytes)
{
    predictor->process_bytes = bytes;
}

/* Memory besides shards, as the engine will divide it (engine_budget.c), in single pages. Policies
 * without a budget have all requests of a batch active at once, but bulk and linear, which chain
 * them. */
static int divide(const struct sl_predictor *predictor, const struct sl_policy *policy,
                  uint64_t limit_bytes, struct sl_budget *budget, struct sl_error *error)
{
    *budget = (struct sl_budget){.total_bytes = limit_bytes};
    for (int n = 0; n < predictor->count; n++) {
        const struct sl_network_state *state = predictor->states[n];
        uint64_t scratch = sl_network_state_scratch(state, predictor->threads);
        if (scratch > budget->scratch_bytes)
            budget->scratch_bytes = scratch;
        if (state->plan.bytes > budget->activation_bytes)
            budget->activation_bytes = state->plan.bytes;
    }
    budget->scratch_bytes *= (uint64_t)policy->executors;
    budget->activation_bytes += sl_pool_used(predictor->pool, SL_POOL_ACTIVATIONS);
    if (limit_bytes == UINT64_MAX)
        budget->total_bytes = predictor->workload.weight_bytes + budget->activation_bytes +
                              budget->scratch_bytes + PREDICT_PROCESS_MOST_BYTES;
    uint64_t charged = 0;
    int result = sl_budget_charged(&charged, error);
    if (!result)
        result = sl_budget_divide(budget,
                                  budget->total_bytes > charged ? budget->total_bytes - charged : 0,
                                  sl_pool_used(predictor->pool, SL_POOL_ACTIVATIONS), error);
    if (!result && predictor->process_bytes) {
        budget->process_bytes = predictor->process_bytes;
        sl_budget_rest(budget);
    }
    return result;
}

/* The same with activations of at most most_bytes, if they can be had so small. */
static int divide_bounded(struct sl_predictor *predictor, const struct sl_policy *policy,
                          uint64_t limit_bytes, uint64_t most_bytes, struct sl_budget *budget,
                          struct sl_error *error)
{
    int result = sl_workload_bound_activations(&predictor->workload, predictor->states, most_bytes,
                                               predictor->threads, error);
    return result ? result : divide(predictor, policy, limit_bytes, budget, error);
}

/* As the engine does: whole activations when the policy can run so, else row bands. *least: bytes
 * of shards that the policy needs; *least_limit: of memory for all, in row bands; both 0 when it
 * heeds no budget. */
static int divide_for(struct sl_predictor *predictor, const struct sl_policy *policy,
                      uint64_t limit_bytes, struct sl_budget *budget, uint64_t *least,
                      uint64_t *least_limit, struct sl_error *error)
{
    *least = *least_limit = 0;
    if (!policy->budgeted)
        return divide_bounded(predictor, policy, limit_bytes, UINT64_MAX, budget, error);
    int result = sl_schedule_least_budget(predictor->workload.networks, predictor->count, policy,
                                          least, error);
    if (!result)
        result = divide_bounded(predictor, policy, limit_bytes, 0, budget, error);
    if (result)
        return result;
    *least_limit = sl_budget_least(budget, *least);
    result = divide_bounded(predictor, policy, limit_bytes, UINT64_MAX, budget, error);
    uint64_t arena = 0;
    for (int n = 0; n < predictor->count; n++)
        if (predictor->states[n]->plan.bytes > arena)
            arena = predictor->states[n]->plan.bytes;
    uint64_t most = sl_budget_arena(budget, *least, arena);
    if (result || most == UINT64_MAX)
        return result;
    return divide_bounded(predictor, policy, limit_bytes, most, budget, error);
}

static struct sl_schedule_options options_of(const struct sl_predictor *predictor,
                                             const struct sl_policy *policy,
                                             const struct sl_budget *budget, uint64_t limit_bytes,
                                             int depth, uint64_t ahead_bytes)
{
    return (struct sl_schedule_options){
        .budget_bytes = policy->budgeted ? budget->shard_bytes : UINT64_MAX,
        .memory_bytes = limit_bytes == UINT64_MAX ? 0 : sl_budget_networks(budget),
        .depth = depth,
        .ahead_bytes = ahead_bytes,
        .reads_most = predictor->device.depth,
    };
}

/* As the engine will plan, which knows nothing of handling. */
static int plan(struct sl_predictor *predictor, const struct sl_schedule_options *options,
                bool again, struct sl_plan *made, struct sl_error *error)
{
    const uint64_t rate = predictor->device.bytes_per_s,
                   throttle = predictor->device.throttle_bytes_per_s;
    const struct sl_device_model device =
        sl_plan_device(throttle && throttle < rate ? throttle : rate,
                       predictor->device.host.clear_ns_per_byte, predictor->device.depth);
    handle_as(predictor, NULL, false);
    return sl_plan_make(predictor->workload.networks, predictor->count, options, &device, again,
                        made, error);
}

/* One request, in a process that begins with it. */
static int simulate_first(struct sl_predictor *predictor, const struct sl_policy *policy,
                          const struct sl_schedule_options *options, struct sl_simulation *cold,
                          struct sl_error *error)
{
    struct sl_schedule_options cold_options = *options;
    int result = 0;
    if (policy->planned) {
        struct sl_plan made = {0};
        result = plan(predictor, options, false, &made, error);
        cold_options.ahead_bytes = made.ahead_bytes;
        sl_plan_free(&made);
    }
    handle_as(predictor, policy, true);
    if (!result)
        result = sl_simulate(predictor->workload.networks, predictor->count, policy, &cold_options,
                             &predictor->device, 1, cold, error);
    return result;
}

/* PREDICT_PASSES of them. */
static int simulate_later(struct sl_predictor *predictor, const struct sl_policy *policy,
                          const struct sl_schedule_options *options, struct sl_simulation *steady,
                          uint64_t *pinned_bytes, struct sl_error *error)
{
    struct sl_schedule_network *networks = predictor->workload.networks;
    struct sl_plan made = {0};
    int result = policy->planned ? plan(predictor, options, true, &made, error) : 0;
    for (int n = 0; n < predictor->count && policy->planned && !result; n++)
        networks[n].pinned = made.pinned[n];
    handle_as(predictor, policy, false);
    if (!result)
        result = sl_simulate(networks, predictor->count, policy, options, &predictor->device,
                             PREDICT_PASSES, steady, error);
    for (int n = 0; n < predictor->count; n++)
        networks[n].pinned = NULL;
    *pinned_bytes = made.pinned_bytes;
    sl_plan_free(&made);
    return result;
}

static int simulate(struct sl_predictor *predictor, const struct sl_policy *policy,
                    const struct sl_schedule_options *options, struct sl_prediction *prediction,
                    struct sl_error *error)
{
    SL_AUTO(sl_simulation_free) struct sl_simulation cold = {0}, steady = {0};
    int result = simulate_first(predictor, policy, options, &cold, error);
    if (!result)
        result =
            simulate_later(predictor, policy, options, &steady, &prediction->pinned_bytes, error);
    if (result)
        return result;
    prediction->makespan_ns = cold.request_end_ns[cold.requests_done - 1];
    prediction->read_bytes = cold.bytes_read;
    prediction->reads_bind =
        prediction->makespan_ns ? (double)cold.stall_ns / (double)prediction->makespan_ns : 0;
    uint64_t later_ns[PREDICT_PASSES - 1];
    for (size_t pass = 1; pass < PREDICT_PASSES; pass++)
        later_ns[pass - 1] = steady.request_end_ns[(pass + 1) * (size_t)predictor->count - 1] -
                             steady.round_begin_ns[pass];
    sl_sort_u64(later_ns, PREDICT_PASSES - 1);
    for (size_t pass = 1; pass < PREDICT_PASSES - 2; pass++)
        prediction->steady_ns += later_ns[pass] / (PREDICT_PASSES - 3);
    prediction->steady_read_bytes = (steady.bytes_read - cold.bytes_read) / (PREDICT_PASSES - 1);
    prediction->peak_bytes =
        steady.peak_bytes > cold.peak_bytes ? steady.peak_bytes : cold.peak_bytes;
    return 0;
}

int sl_predict(struct sl_predictor *predictor, const struct sl_policy *policy, uint64_t limit_bytes,
               int depth, uint64_t ahead_bytes, struct sl_prediction *prediction,
               struct sl_error *error)
{
    struct sl_budget budget;
    struct sl_prediction made = {0};
    uint64_t least = 0;
    int result =
        divide_for(predictor, policy, limit_bytes, &budget, &least, &made.least_limit_bytes, error);
    if (result)
        return result;
    uint64_t overhead = sl_budget_overhead(&budget);
    const struct sl_schedule_options options =
        options_of(predictor, policy, &budget, limit_bytes, depth, ahead_bytes);
    made.fits = !policy->budgeted || budget.shard_bytes >= least;
    if (made.fits) {
        result = simulate(predictor, policy, &options, &made, error);
        if (result)
            return result;
    }
    made.budget = budget;
    made.slot_bytes = made.peak_bytes;
    if (policy->budgeted)
        made.slot_bytes = budget.shard_bytes < predictor->workload.weight_bytes
                              ? budget.shard_bytes
                              : predictor->workload.weight_bytes;
    made.slot_bytes -= made.pinned_bytes < made.slot_bytes ? made.pinned_bytes : made.slot_bytes;
    made.peak_bytes += overhead;
    if (!policy->budgeted) {
        made.least_limit_bytes = made.peak_bytes;
        made.fits = made.peak_bytes <= limit_bytes;
    }
    const uint64_t throttle = predictor->device.throttle_bytes_per_s;
    double rate = (double)predictor->device.bytes_per_s;
    if (throttle && (double)throttle < rate)
        rate = (double)throttle;
    result = sl_workload_bound(&predictor->workload, budget.shard_bytes, rate, true, &made.bound_ns,
                               &made.compute_ns, error);
    if (!result)
        result = sl_workload_bound(&predictor->workload, budget.shard_bytes, rate, false,
                                   &made.steady_bound_ns, &made.compute_ns, error);
    if (!result)
        *prediction = made;
    return result;
}

int sl_predict_steps(struct sl_predictor *predictor, const struct sl_policy *policy,
                     uint64_t limit_bytes, int depth, uint64_t ahead_bytes,
                     void (*observe)(void *context, const struct sl_simulated_step *step),
                     void *context, struct sl_error *error)
{
    struct sl_budget budget;
    uint64_t least, least_limit;
    int result = divide_for(predictor, policy, limit_bytes, &budget, &least, &least_limit, error);
    if (result)
        return result;
    const struct sl_schedule_options options =
        options_of(predictor, policy, &budget, limit_bytes, depth, ahead_bytes);
    handle_as(predictor, policy, true);
    return sl_simulate_steps(predictor->workload.networks, predictor->count, policy, &options,
                             &predictor->device, observe, context, error);
}
