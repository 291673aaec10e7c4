#include "runtime/engine/predict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/stats.h"
#include "runtime/base/units.h"
#include "runtime/engine/cpus.h"
#include "runtime/engine/handling.h"
#include "runtime/engine/planner.h"
#include "runtime/engine/workload.h"

/* Simulated to see the steady state: of all but the first, the mean without the least and the
 * greatest. A throttle's slices make them alternate. */
#define PREDICT_PASSES 6
/* Small networks pass a throttle at once until what it lets through at first is used up, and then
 * wait once in a slice: their mean is over so many slices, in so many passes at most. */
#define PREDICT_BURST_SLICES 2
#define PREDICT_SLICES       10
#define PREDICT_PASSES_MOST  400
/* Without a limit there is room for everything and for page tables, which are a part of the total:
 * room for more would count as theirs. */
#define PREDICT_ROOM_BYTES (16 * SL_MIB)
#define PREDICT_ROOM_SHARE 256

struct sl_predictor {
    struct sl_network_state **states;
    int count, threads;
    struct sl_workload workload;
    struct sl_device_model device;
    struct sl_handling (*handling)[SL_POLICIES_MOST]; /* [network] */
    uint64_t process_bytes;                           /* 0: what one as this is charged */
    uint64_t read_ahead_bytes;                        /* of the kernel, as in struct sl_budget */
};

void sl_predictor_free(struct sl_predictor *predictor)
{
    if (!predictor)
        return;
    for (int n = 0; predictor->states && n < predictor->count; n++)
        sl_network_state_free(predictor->states[n], NULL);
    free(predictor->states);
    free(predictor->handling);
    sl_workload_free(&predictor->workload);
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
    int result = 0;
    for (int n = 0; n < count && !result; n++) {
        result = sl_network_state_create(packs[n], &predictor->states[n], error);
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

void sl_predictor_set_read_ahead(struct sl_predictor *predictor, uint64_t bytes)
{
    predictor->read_ahead_bytes = bytes;
}

/* What is asked. */
struct question {
    const struct sl_policy *policy;
    uint64_t limit_bytes;
    int depth;
    uint64_t ahead_bytes;
};

/* How memory is divided for it. */
struct division {
    struct sl_budget budget;
    uint64_t least_bytes;       /* of shards, that the policy needs; 0 when it heeds no budget */
    uint64_t least_limit_bytes; /* of memory for all, in row bands; the same */
    bool whole;                 /* activations are not in row bands for want of memory */
};

/* Memory besides shards, as the engine will divide it (engine_budget.c), in single pages, with the
 * activations of one network. */
static int divide(const struct sl_predictor *predictor, const struct question *question,
                  struct sl_budget *budget, struct sl_error *error)
{
    uint64_t charged;
    int result = sl_budget_charged(&charged, error);
    if (result)
        return result;
    *budget = (struct sl_budget){
        .total_bytes = question->limit_bytes,
        .read_ahead_bytes = predictor->read_ahead_bytes,
        .scratch_bytes =
            (uint64_t)question->policy->executors *
            sl_largest_scratch(predictor->states, predictor->count, predictor->threads),
        .activation_bytes = sl_missing_blob_bytes(predictor->states, predictor->count) +
                            sl_largest_arena(predictor->states, predictor->count)};
    const uint64_t process =
        predictor->process_bytes > charged ? predictor->process_bytes : charged;
    if (question->limit_bytes == UINT64_MAX) {
        const uint64_t all_bytes = predictor->workload.weight_bytes + budget->activation_bytes +
                                   budget->scratch_bytes + budget->read_ahead_bytes + process;
        budget->total_bytes = all_bytes + all_bytes / PREDICT_ROOM_SHARE + PREDICT_ROOM_BYTES;
    }
    result = sl_budget_divide(
        budget, budget->total_bytes > charged ? budget->total_bytes - charged : 0, 0, error);
    if (!result && predictor->process_bytes) {
        budget->process_bytes = predictor->process_bytes;
        sl_budget_rest(budget);
    }
    return result;
}

/* The same with activations of at most most_bytes, if they can be had so small. */
static int divide_bounded(struct sl_predictor *predictor, const struct question *question,
                          uint64_t most_bytes, struct sl_budget *budget, struct sl_error *error)
{
    int result = sl_workload_bound_activations(&predictor->workload, predictor->states, most_bytes,
                                               predictor->threads, error);
    return result ? result : divide(predictor, question, budget, error);
}

/* As the engine does: whole activations when the policy can run so, else row bands. */
static int divide_for(struct sl_predictor *predictor, const struct question *question,
                      struct division *division, struct sl_error *error)
{
    struct sl_budget *budget = &division->budget;
    *division = (struct division){.whole = true};
    if (!question->policy->budgeted)
        return divide_bounded(predictor, question, UINT64_MAX, budget, error);
    int result = sl_schedule_least_budget(predictor->workload.networks, predictor->count,
                                          question->policy, &division->least_bytes, error);
    if (!result)
        result = divide_bounded(predictor, question, 0, budget, error);
    if (result)
        return result;
    division->least_limit_bytes = sl_budget_least(budget, division->least_bytes);
    result = divide_bounded(predictor, question, UINT64_MAX, budget, error);
    uint64_t most = sl_budget_arena(budget, division->least_bytes,
                                    sl_largest_arena(predictor->states, predictor->count));
    if (result || most == UINT64_MAX)
        return result;
    division->whole = false;
    return divide_bounded(predictor, question, most, budget, error);
}

/* What the engine does when more requests are to come: smaller activations for more pins. */
static int band_for_pins(struct sl_predictor *predictor, const struct question *question,
                         struct division *division, struct sl_error *error)
{
    const uint64_t whole_bytes = division->budget.shard_bytes;
    if (!question->policy->planned || !division->whole ||
        whole_bytes >= predictor->workload.weight_bytes)
        return 0;
    const uint64_t arena = sl_largest_arena(predictor->states, predictor->count);
    int result = divide_bounded(predictor, question, arena / SL_BANDED_ARENA_SHARE,
                                &division->budget, error);
    if (result || sl_workload_bands_pay(&predictor->workload, predictor->states, predictor->threads,
                                        whole_bytes, division->budget.shard_bytes,
                                        (double)sl_device_rate(&predictor->device)))
        return result;
    return divide_bounded(predictor, question, UINT64_MAX, &division->budget, error);
}

static struct sl_schedule_options options_of(const struct sl_predictor *predictor,
                                             const struct question *question,
                                             const struct division *division)
{
    const struct sl_budget *budget = &division->budget;
    return (struct sl_schedule_options){
        .budget_bytes = question->policy->budgeted ? budget->shard_bytes : UINT64_MAX,
        .memory_bytes = question->limit_bytes == UINT64_MAX ? 0 : sl_budget_networks(budget),
        .depth = question->depth,
        .ahead_bytes = question->ahead_bytes,
        .reads_most = predictor->device.depth,
    };
}

/* As the engine will plan, which knows nothing of handling. */
static int plan(struct sl_predictor *predictor, const struct sl_schedule_options *options,
                bool again, struct sl_plan *made, struct sl_error *error)
{
    const struct sl_device_model device =
        sl_plan_device(sl_device_rate(&predictor->device), predictor->device.host.clear_ns_per_byte,
                       predictor->device.depth);
    handle_as(predictor, NULL, false);
    return sl_plan_make(predictor->workload.networks, predictor->count, options, &device, again,
                        made, error);
}

/* One request in a process that begins with it: how it is scheduled, and handled. */
static int prepare_first(struct sl_predictor *predictor, const struct question *question,
                         const struct division *division, struct sl_schedule_options *options,
                         struct sl_error *error)
{
    int result = 0;
    *options = options_of(predictor, question, division);
    if (question->policy->planned) {
        struct sl_plan made = {0};
        result = plan(predictor, options, false, &made, error);
        options->ahead_bytes = made.ahead_bytes;
        sl_plan_free(&made);
    }
    handle_as(predictor, question->policy, true);
    return result;
}

static int simulate_first(struct sl_predictor *predictor, const struct question *question,
                          const struct division *division, struct sl_simulation *cold,
                          struct sl_error *error)
{
    struct sl_schedule_options options;
    int result = prepare_first(predictor, question, division, &options, error);
    return result ? result
                  : sl_simulate(predictor->workload.networks, predictor->count, question->policy,
                                &options, &predictor->device, 1, cold, error);
}

struct passes {
    int count, skipped; /* of them, before the steady state */
};

/* When each reads so much. */
static struct passes choose_passes(const struct sl_device_model *device, uint64_t read_bytes)
{
    struct passes passes = {PREDICT_PASSES, 1};
    const uint64_t slice_bytes = sl_throttle_slice_bytes(device);
    if (PREDICT_BURST_SLICES * slice_bytes <= read_bytes || !read_bytes)
        return passes;
    const uint64_t burst = PREDICT_BURST_SLICES * slice_bytes / read_bytes + 1;
    const uint64_t count = burst + PREDICT_SLICES * slice_bytes / read_bytes + 1;
    if (count > PREDICT_PASSES_MOST)
        return passes; /* next to nothing is read */
    return (struct passes){(int)count, (int)burst};
}

static int simulate_later(struct sl_predictor *predictor, const struct question *question,
                          const struct division *division, struct passes *passes,
                          struct sl_simulation *steady, uint64_t *pinned_bytes,
                          struct sl_error *error)
{
    const struct sl_schedule_options options = options_of(predictor, question, division);
    struct sl_schedule_network *networks = predictor->workload.networks;
    const bool planned = question->policy->planned;
    struct sl_plan made = {0};
    int result = planned ? plan(predictor, &options, true, &made, error) : 0;
    for (int n = 0; n < predictor->count && planned && !result; n++)
        networks[n].pinned = made.pinned[n];
    handle_as(predictor, question->policy, false);
    *passes =
        choose_passes(&predictor->device, predictor->workload.weight_bytes - made.pinned_bytes);
    if (!result)
        result = sl_simulate(networks, predictor->count, question->policy, &options,
                             &predictor->device, passes->count, steady, error);
    for (int n = 0; n < predictor->count; n++)
        networks[n].pinned = NULL;
    *pinned_bytes = made.pinned_bytes;
    sl_plan_free(&made);
    return result;
}

static uint64_t steady_pass_ns(const struct sl_simulation *steady, const struct passes *passes,
                               int networks)
{
    uint64_t later_ns[PREDICT_PASSES - 1], sum_ns = 0;
    if (passes->skipped > 1)
        return (steady->request_end_ns[steady->requests_done - 1] -
                steady->round_begin_ns[passes->skipped]) /
               (uint64_t)(passes->count - passes->skipped);
    for (size_t pass = 1; pass < PREDICT_PASSES; pass++)
        later_ns[pass - 1] = steady->request_end_ns[(pass + 1) * (size_t)networks - 1] -
                             steady->round_begin_ns[pass];
    sl_sort_u64(later_ns, PREDICT_PASSES - 1);
    for (size_t pass = 1; pass < PREDICT_PASSES - 2; pass++)
        sum_ns += later_ns[pass];
    return sum_ns / (PREDICT_PASSES - 3);
}

/* What the process holds at most. budget: as it was divided, for the activations of one network;
 * they become those of the requests active at once, which are several under some policies without
 * one. */
static uint64_t peak_of(const struct sl_predictor *predictor,
                        const struct sl_simulation *simulation, struct sl_budget *budget)
{
    const uint64_t activation_bytes = sl_missing_blob_bytes(predictor->states, predictor->count) +
                                      simulation->activation_peak_bytes;
    if (activation_bytes > budget->activation_bytes)
        budget->activation_bytes = activation_bytes;
    return simulation->peak_bytes + sl_budget_overhead(budget);
}

static double share_of(uint64_t part_ns, uint64_t all_ns)
{
    return all_ns ? (double)part_ns / (double)all_ns : 0;
}

/* *division becomes that of later passes. */
static int simulate(struct sl_predictor *predictor, const struct question *question,
                    struct division *division, struct sl_prediction *prediction,
                    struct sl_error *error)
{
    SL_AUTO(sl_simulation_free) struct sl_simulation cold = {0}, steady = {0};
    struct passes passes;
    int result = simulate_first(predictor, question, division, &cold, error);
    if (result)
        return result;
    prediction->makespan_ns = cold.request_end_ns[cold.requests_done - 1];
    prediction->read_bytes = cold.bytes_read;
    prediction->reads_bind = share_of(cold.stall_ns, cold.makespan_ns);
    prediction->budget = division->budget;
    prediction->peak_bytes = peak_of(predictor, &cold, &prediction->budget);
    result = band_for_pins(predictor, question, division, error);
    if (!result)
        result = simulate_later(predictor, question, division, &passes, &steady,
                                &prediction->pinned_bytes, error);
    if (result)
        return result;
    prediction->steady_ns = steady_pass_ns(&steady, &passes, predictor->count);
    const uint64_t first_ns = steady.request_end_ns[predictor->count - 1];
    prediction->steady_reads_bind = share_of(steady.later_stall_ns, steady.makespan_ns - first_ns);
    prediction->steady_read_bytes =
        (steady.bytes_read - cold.bytes_read) / (uint64_t)(passes.count - 1);
    prediction->budget = division->budget;
    const uint64_t peak_bytes = peak_of(predictor, &steady, &prediction->budget);
    if (peak_bytes > prediction->peak_bytes)
        prediction->peak_bytes = peak_bytes;
    prediction->slot_bytes = steady.peak_bytes;
    return 0;
}

static int find_bounds(struct sl_predictor *predictor, const struct question *question,
                       uint64_t first_bytes, uint64_t later_bytes, struct sl_prediction *prediction,
                       struct sl_error *error)
{
    const struct sl_device_model *device = &predictor->device;
    struct sl_bound_of of = {.memory_bytes = first_bytes,
                             .bytes_per_s = (double)device->bytes_per_s,
                             .burst_ns = PREDICT_BURST_SLICES * SL_THROTTLE_SLICE_NS,
                             .cold = true,
                             .executors = question->policy->executors};
    if (sl_throttle_slice_bytes(device))
        of.throttle_bytes_per_s = (double)device->throttle_bytes_per_s;
    uint64_t *compute_ns = &prediction->compute_ns;
    int result =
        sl_workload_bound(&predictor->workload, &of, &prediction->bound_ns, compute_ns, error);
    of.memory_bytes = later_bytes;
    of.cold = false;
    return result ? result
                  : sl_workload_bound(&predictor->workload, &of, &prediction->steady_bound_ns,
                                      compute_ns, error);
}

int sl_predict(struct sl_predictor *predictor, const struct sl_policy *policy, uint64_t limit_bytes,
               int depth, uint64_t ahead_bytes, struct sl_prediction *prediction,
               struct sl_error *error)
{
    const struct question question = {policy, limit_bytes, depth, ahead_bytes};
    struct division division;
    struct sl_prediction made = {0};
    int result = divide_for(predictor, &question, &division, error);
    if (result)
        return result;
    const uint64_t first_bytes = division.budget.shard_bytes;
    made.least_limit_bytes = division.least_limit_bytes;
    made.fits = !policy->budgeted || first_bytes >= division.least_bytes;
    made.budget = division.budget;
    made.peak_bytes = sl_budget_overhead(&division.budget);
    if (made.fits)
        result = simulate(predictor, &question, &division, &made, error);
    if (!result)
        result = find_bounds(predictor, &question, first_bytes, division.budget.shard_bytes, &made,
                             error);
    if (result)
        return result;
    if (policy->budgeted) {
        const uint64_t weight_bytes = predictor->workload.weight_bytes;
        made.slot_bytes =
            division.budget.shard_bytes < weight_bytes ? division.budget.shard_bytes : weight_bytes;
    } else {
        made.least_limit_bytes = made.peak_bytes;
        made.fits = made.peak_bytes <= limit_bytes;
    }
    made.slot_bytes -= made.pinned_bytes < made.slot_bytes ? made.pinned_bytes : made.slot_bytes;
    *prediction = made;
    return 0;
}

int sl_predict_steps(struct sl_predictor *predictor, const struct sl_policy *policy,
                     uint64_t limit_bytes, int depth, uint64_t ahead_bytes,
                     void (*observe)(void *context, const struct sl_simulated_step *step),
                     void *context, struct sl_error *error)
{
    const struct question question = {policy, limit_bytes, depth, ahead_bytes};
    struct division division;
    struct sl_schedule_options options;
    int result = divide_for(predictor, &question, &division, error);
    if (!result && policy->budgeted && division.budget.shard_bytes < division.least_bytes) {
        char given[SL_UNIT_TEXT_BYTES], least_text[SL_UNIT_TEXT_BYTES];
        result = sl_error_set(error, -ENOBUFS,
                              "a limit of %s is too small for policy %s: it needs at least %s",
                              sl_format_size(limit_bytes, given), policy->name,
                              sl_format_size(division.least_limit_bytes, least_text));
    }
    if (!result)
        result = prepare_first(predictor, &question, &division, &options, error);
    return result ? result
                  : sl_simulate_steps(predictor->workload.networks, predictor->count, policy,
                                      &options, &predictor->device, observe, context, error);
}
