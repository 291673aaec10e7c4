#include "runtime/engine/schedule.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"

/* The mutable side of one struct sl_policy_network; arrays are owned here. */
struct network_state {
    char *name;
    struct sl_policy_layer *layers;
    uint64_t *shard_bytes;
    int *unit_layer, *unit_shard, *shard_unit;
    int *layer_loading, *layer_resident;
    uint8_t *residency, *ran, *pinned;
};

struct sl_schedule {
    const struct sl_policy *policy;
    void *policy_state;
    struct sl_policy_view view;
    struct sl_policy_network *networks; /* what view.networks points to */
    struct network_state *states;
    int runs_in_flight;
};

static void *array_of(size_t count, size_t size)
{
    return calloc(count ? count : 1, size);
}

static int allocate_state(const struct sl_schedule_network *description, size_t shards,
                          size_t units, struct network_state *state)
{
    const size_t layers = (size_t)description->layer_count;
    state->name = strdup(description->name);
    state->layers = array_of(layers, sizeof(*state->layers));
    state->shard_bytes = array_of(shards, sizeof(*state->shard_bytes));
    state->unit_layer = array_of(units, sizeof(int));
    state->unit_shard = array_of(units, sizeof(int));
    state->shard_unit = array_of(shards, sizeof(int));
    state->layer_loading = array_of(layers, sizeof(int));
    state->layer_resident = array_of(layers, sizeof(int));
    state->residency = array_of(shards, sizeof(*state->residency));
    state->ran = array_of(shards, sizeof(*state->ran));
    state->pinned = array_of(shards, sizeof(*state->pinned));
    const void *const arrays[] = {state->name,       state->layers,        state->shard_bytes,
                                  state->unit_layer, state->unit_shard,    state->shard_unit,
                                  state->ran,        state->layer_loading, state->layer_resident,
                                  state->residency,  state->pinned};
    for (size_t a = 0; a < sizeof(arrays) / sizeof(arrays[0]); a++)
        if (!arrays[a])
            return -ENOMEM;
    return 0;
}

/* Lists the units of layer l from *unit and *shard on, which move behind them. */
static void add_units(const struct sl_schedule_network *description, int l, int *unit, int *shard,
                      struct network_state *state)
{
    const struct sl_schedule_layer *from = &description->layers[l];
    struct sl_policy_layer *layer = &state->layers[l];
    *layer = (struct sl_policy_layer){
        .first_unit = *unit,
        .unit_count = from->shard_count ? from->shard_count : 1,
        .first_shard = *shard,
        .shard_count = from->shard_count,
        .fully_connected = from->fully_connected,
        .run_ns = from->run_ns,
    };
    for (int u = 0; u < layer->unit_count; u++, ++*unit) {
        state->unit_layer[*unit] = l;
        state->unit_shard[*unit] = -1;
        if (!from->shard_count)
            continue;
        state->unit_shard[*unit] = *shard;
        state->shard_unit[*shard] = *unit;
        state->shard_bytes[*shard] = description->shard_bytes[*shard];
        layer->bytes += state->shard_bytes[(*shard)++];
    }
}

static int network_create(const struct sl_schedule_network *description,
                          struct sl_policy_network *network, struct network_state *state)
{
    int shards = 0, units = 0, unit = 0, shard = 0;
    for (int l = 0; l < description->layer_count; l++) {
        int count = description->layers[l].shard_count;
        shards += count;
        units += count ? count : 1;
    }
    int result = allocate_state(description, (size_t)shards, (size_t)units, state);
    if (result)
        return result;
    if (description->pinned)
        memcpy(state->pinned, description->pinned, (size_t)shards);
    *network = (struct sl_policy_network){
        .layer_count = description->layer_count,
        .unit_count = units,
        .shard_count = shards,
        .layers = state->layers,
        .shard_bytes = state->shard_bytes,
        .unit_layer = state->unit_layer,
        .unit_shard = state->unit_shard,
        .shard_unit = state->shard_unit,
        .residency = state->residency,
        .ran = state->ran,
        .pinned = state->pinned,
        .layer_loading = state->layer_loading,
        .layer_resident = state->layer_resident,
        .first_absent = shards ? 0 : -1,
        .first_absent_behind = -1,
        .first_held = -1,
        .activation_bytes = description->activation_bytes,
    };
    for (int l = 0; l < description->layer_count; l++) {
        add_units(description, l, &unit, &shard, state);
        network->weight_bytes += state->layers[l].bytes;
        network->run_ns += state->layers[l].run_ns;
    }
    return 0;
}

void sl_schedule_free(struct sl_schedule *schedule)
{
    if (!schedule)
        return;
    for (int n = 0; schedule->states && n < schedule->view.network_count; n++) {
        struct network_state *state = &schedule->states[n];
        free(state->name);
        free(state->layers);
        free(state->shard_bytes);
        free(state->unit_layer);
        free(state->unit_shard);
        free(state->shard_unit);
        free(state->layer_loading);
        free(state->layer_resident);
        free(state->residency);
        free(state->ran);
        free(state->pinned);
    }
    free(schedule->states);
    free(schedule->networks);
    free(schedule->policy_state);
    free(schedule);
}

static void cleanup_schedule(struct sl_schedule **schedule)
{
    sl_schedule_free(*schedule);
}

static int check_budget(const struct sl_schedule *schedule, uint64_t budget_bytes,
                        struct sl_error *error)
{
    const struct sl_policy *policy = schedule->policy;
    uint64_t least = policy->least_budget ? policy->least_budget(&schedule->view) : 0;
    if (least <= budget_bytes)
        return 0;
    return sl_error_set(error, -ENOBUFS,
                        "a budget of %" PRIu64 " bytes for weights is too small for policy %s: it "
                        "needs at least %" PRIu64,
                        budget_bytes, policy->name, least);
}

int sl_schedule_create(const struct sl_schedule_network *networks, int network_count,
                       const struct sl_policy *policy, const struct sl_schedule_options *options,
                       struct sl_schedule **schedule, struct sl_error *error)
{
    SL_AUTO(cleanup_schedule) struct sl_schedule *created = calloc(1, sizeof(*created));
    if (!created)
        return sl_error_set(error, -ENOMEM, "no memory for the schedule");
    created->policy = policy;
    created->policy_state = array_of(1, policy->state_bytes ? policy->state_bytes : 1);
    created->networks = array_of((size_t)network_count, sizeof(*created->networks));
    created->states = array_of((size_t)network_count, sizeof(*created->states));
    if (!created->policy_state || !created->networks || !created->states)
        return sl_error_set(error, -ENOMEM, "no memory for the schedule");
    created->view = (struct sl_policy_view){
        .network_count = network_count,
        .networks = created->networks,
        .budget_bytes = options->budget_bytes,
        .memory_bytes = options->memory_bytes ? options->memory_bytes : UINT64_MAX,
        .depth = options->depth,
        .ahead_bytes = options->ahead_bytes,
        .reads_most = options->reads_most ? options->reads_most : INT_MAX,
        .executors_idle = policy->executors,
    };
    for (int n = 0; n < network_count; n++) {
        if (network_create(&networks[n], &created->networks[n], &created->states[n]))
            return sl_error_set(error, -ENOMEM, "no memory for the schedule of %s",
                                networks[n].name);
    }
    int result = check_budget(created, options->budget_bytes, error);
    if (result)
        return result;
    *schedule = SL_STEAL(created);
    return 0;
}

int sl_schedule_least_budget(const struct sl_schedule_network *networks, int network_count,
                             const struct sl_policy *policy, uint64_t *bytes,
                             struct sl_error *error)
{
    const struct sl_schedule_options unlimited = {.budget_bytes = UINT64_MAX};
    SL_AUTO(cleanup_schedule) struct sl_schedule *schedule = NULL;
    int result = sl_schedule_create(networks, network_count, policy, &unlimited, &schedule, error);
    if (!result)
        *bytes = policy->least_budget ? policy->least_budget(&schedule->view) : 0;
    return result;
}

const struct sl_policy_view *sl_schedule_view(const struct sl_schedule *schedule)
{
    return &schedule->view;
}

/* First ABSENT shard in [from, end), -1 = none. */
static int absent_in(const struct sl_policy_network *network, int from, int end)
{
    for (int s = from; s < end; s++) {
        if (network->residency[s] == SL_SHARD_ABSENT)
            return s;
    }
    return -1;
}

/* First shard that unit `unit` or a later one uses; shard_count = none. */
static int shard_from_unit(const struct sl_policy_network *network, int unit)
{
    for (; unit < network->unit_count; unit++) {
        if (network->unit_shard[unit] >= 0)
            return network->unit_shard[unit];
    }
    return network->shard_count;
}

static void activate(struct sl_schedule *schedule, int n)
{
    struct sl_policy_network *network = &schedule->networks[n];
    network->active = true;
    network->waiting--;
}

static void set_residency(struct sl_schedule *schedule, int n, int shard, enum sl_residency to)
{
    struct sl_policy_network *network = &schedule->networks[n];
    struct network_state *state = &schedule->states[n];
    enum sl_residency from = state->residency[shard];
    int layer = network->unit_layer[network->shard_unit[shard]];
    bool held_before = from >= SL_SHARD_RESIDENT, held_after = to >= SL_SHARD_RESIDENT;
    state->layer_loading[layer] += (to == SL_SHARD_LOADING) - (from == SL_SHARD_LOADING);
    state->layer_resident[layer] += held_after - held_before;
    schedule->view.reads_in_flight += (to == SL_SHARD_LOADING) - (from == SL_SHARD_LOADING);
    state->residency[shard] = (uint8_t)to;
    if (to == SL_SHARD_LOADING) {
        state->ran[shard] = 0;
        schedule->view.unrun_shards++;
        schedule->view.unrun_bytes += network->shard_bytes[shard];
        schedule->view.used_bytes += network->shard_bytes[shard];
        if (network->first_held < 0 || shard < network->first_held)
            network->first_held = shard;
        if (shard == network->first_absent)
            network->first_absent = absent_in(network, shard + 1, network->shard_count);
        if (shard == network->first_absent_behind)
            network->first_absent_behind =
                absent_in(network, shard + 1, shard_from_unit(network, network->next_unit));
    } else if (to == SL_SHARD_ABSENT) {
        schedule->view.unrun_shards -= !state->ran[shard];
        schedule->view.unrun_bytes -= state->ran[shard] ? 0 : network->shard_bytes[shard];
        schedule->view.used_bytes -= network->shard_bytes[shard];
        if (shard == network->first_held) {
            int next = shard + 1;
            while (next < network->shard_count && network->residency[next] == SL_SHARD_ABSENT)
                next++;
            network->first_held = next < network->shard_count ? next : -1;
        }
        bool needed = network->shard_unit[shard] >= network->next_unit;
        int *first = needed ? &network->first_absent : &network->first_absent_behind;
        if (*first < 0 || shard < *first)
            *first = shard;
    }
}

void sl_schedule_arrive(struct sl_schedule *schedule, int network, uint64_t now_ns,
                        uint64_t more_to_come)
{
    struct sl_policy_network *arrived = &schedule->networks[network];
    if (!arrived->active && !arrived->waiting)
        arrived->arrival_ns = now_ns;
    arrived->waiting++;
    arrived->requests_left = more_to_come;
}

static bool anything_left(const struct sl_schedule *schedule)
{
    for (int n = 0; n < schedule->view.network_count; n++) {
        if (schedule->networks[n].active || schedule->networks[n].waiting)
            return true;
    }
    return false;
}

static const char *const step_names[] = {"WAIT", "ADMIT", "LOAD", "RUN", "DROP"};
static const char *const residency_names[] = {"absent", "loading", "resident", "running"};

static int refuse(const struct sl_schedule *schedule, const struct sl_step *step,
                  const char *reason, struct sl_error *error)
{
    const char *name = step->network >= 0 && step->network < schedule->view.network_count
                           ? schedule->states[step->network].name
                           : "unknown network";
    return sl_error_set(error, -EPROTO, "policy %s: %s of %d in %s is not possible: %s",
                        schedule->policy->name, step_names[step->kind], step->index, name, reason);
}

static int apply_load(struct sl_schedule *schedule, const struct sl_step *step,
                      struct sl_error *error)
{
    struct sl_policy_network *network = &schedule->networks[step->network];
    if (step->index < 0 || step->index >= network->shard_count)
        return refuse(schedule, step, "there is no such shard", error);
    if (network->residency[step->index] != SL_SHARD_ABSENT)
        return refuse(schedule, step, residency_names[network->residency[step->index]], error);
    uint64_t bytes = network->shard_bytes[step->index];
    if (schedule->policy->budgeted &&
        bytes > schedule->view.budget_bytes - schedule->view.used_bytes)
        return refuse(schedule, step, "it would pass the budget", error);
    set_residency(schedule, step->network, step->index, SL_SHARD_LOADING);
    return 0;
}

static int apply_run(struct sl_schedule *schedule, const struct sl_step *step,
                     struct sl_error *error)
{
    struct sl_policy_network *network = &schedule->networks[step->network];
    if (!network->active || network->running)
        return refuse(schedule, step, network->active ? "a unit is running" : "no active request",
                      error);
    if (step->index != network->next_unit || step->index >= network->unit_count)
        return refuse(schedule, step, "it is not the next unit", error);
    if (!schedule->view.executors_idle)
        return refuse(schedule, step, "no executor is idle", error);
    int shard = network->unit_shard[step->index];
    if (shard >= 0 && network->residency[shard] != SL_SHARD_RESIDENT)
        return refuse(schedule, step, residency_names[network->residency[shard]], error);
    if (shard >= 0)
        set_residency(schedule, step->network, shard, SL_SHARD_RUNNING);
    network->running = true;
    schedule->view.executors_idle--;
    schedule->runs_in_flight++;
    return 0;
}

static int apply(struct sl_schedule *schedule, const struct sl_step *step, struct sl_error *error)
{
    if (step->kind == SL_STEP_WAIT) {
        if (schedule->view.reads_in_flight || schedule->runs_in_flight || !anything_left(schedule))
            return 0;
        return sl_error_set(error, -EDEADLK,
                            "policy %s waits although nothing is in flight and requests remain",
                            schedule->policy->name);
    }
    if (step->network < 0 || step->network >= schedule->view.network_count)
        return refuse(schedule, step, "there is no such network", error);
    struct sl_policy_network *network = &schedule->networks[step->network];
    switch (step->kind) {
    case SL_STEP_ADMIT:
        if (network->active || !network->waiting)
            return refuse(schedule, step, network->active ? "a request is active" : "none waits",
                          error);
        activate(schedule, step->network);
        return 0;
    case SL_STEP_LOAD:
        return apply_load(schedule, step, error);
    case SL_STEP_RUN:
        return apply_run(schedule, step, error);
    case SL_STEP_DROP:
        if (step->index < 0 || step->index >= network->shard_count)
            return refuse(schedule, step, "there is no such shard", error);
        if (network->residency[step->index] != SL_SHARD_RESIDENT)
            return refuse(schedule, step, residency_names[network->residency[step->index]], error);
        set_residency(schedule, step->network, step->index, SL_SHARD_ABSENT);
        return 0;
    default:
        return refuse(schedule, step, "unknown step", error);
    }
}

int sl_schedule_next(struct sl_schedule *schedule, uint64_t now_ns, struct sl_step *step,
                     struct sl_error *error)
{
    schedule->view.now_ns = now_ns;
    struct sl_step wanted = schedule->policy->next(schedule->policy_state, &schedule->view);
    int result = apply(schedule, &wanted, error);
    if (!result)
        *step = wanted;
    return result;
}

int sl_schedule_loaded(struct sl_schedule *schedule, int n, int shard, struct sl_error *error)
{
    const struct sl_policy_network *network = &schedule->networks[n];
    if (shard < 0 || shard >= network->shard_count || network->residency[shard] != SL_SHARD_LOADING)
        return sl_error_set(error, -EPROTO, "shard %d of %s is loaded although it was not loading",
                            shard, schedule->states[n].name);
    set_residency(schedule, n, shard, SL_SHARD_RESIDENT);
    return 0;
}

int sl_schedule_ran(struct sl_schedule *schedule, int n, int unit, struct sl_error *error)
{
    struct sl_policy_network *network = &schedule->networks[n];
    if (!network->running || unit != network->next_unit)
        return sl_error_set(error, -EPROTO, "unit %d of %s ran although it was not running", unit,
                            schedule->states[n].name);
    int shard = network->unit_shard[unit];
    if (shard >= 0) {
        set_residency(schedule, n, shard, SL_SHARD_RESIDENT);
        if (!schedule->states[n].ran[shard]) {
            schedule->view.unrun_shards--;
            schedule->view.unrun_bytes -= network->shard_bytes[shard];
        }
        schedule->states[n].ran[shard] = 1;
    }
    network->running = false;
    schedule->view.executors_idle++;
    schedule->runs_in_flight--;
    network->next_unit = unit + 1;
    if (network->next_unit < network->unit_count)
        return 0;
    network->active = false;
    network->next_unit = 0;
    network->first_absent = absent_in(network, 0, network->shard_count);
    network->first_absent_behind = -1;
    return 1;
}

void sl_schedule_set_ahead(struct sl_schedule *schedule, uint64_t ahead_bytes)
{
    schedule->view.ahead_bytes = ahead_bytes;
}

void sl_schedule_pin(struct sl_schedule *schedule, int network, const uint8_t *pinned)
{
    memcpy(schedule->states[network].pinned, pinned,
           (size_t)schedule->networks[network].shard_count);
}

int sl_schedule_drop_unpinned(struct sl_schedule *schedule, int n)
{
    const struct sl_policy_network *network = &schedule->networks[n];
    for (int s = 0; s < network->shard_count; s++) {
        if (network->residency[s] != SL_SHARD_RESIDENT || !network->ran[s] || network->pinned[s])
            continue;
        set_residency(schedule, n, s, SL_SHARD_ABSENT);
        return s;
    }
    return -1;
}

/* Bytes of the shards from *end on that are in memory without a gap and fit; sets *end behind them.
 */
static uint64_t kept_bytes(const struct sl_policy_network *network, uint64_t most, int *end)
{
    uint64_t kept = 0;
    while (*end < network->shard_count && network->residency[*end] == SL_SHARD_RESIDENT &&
           kept + network->shard_bytes[*end] <= most)
        kept += network->shard_bytes[(*end)++];
    return kept;
}

int sl_schedule_shrink(struct sl_schedule *schedule, uint64_t budget_bytes,
                       void (*released)(void *context, int network, int shard), void *context,
                       struct sl_error *error)
{
    for (int n = 0; n < schedule->view.network_count; n++)
        memset(schedule->states[n].pinned, 0, (size_t)schedule->networks[n].shard_count);
    int result = check_budget(schedule, budget_bytes, error);
    if (result)
        return result;
    uint64_t left = budget_bytes;
    for (int n = 0; n < schedule->view.network_count; n++) {
        struct sl_policy_network *network = &schedule->networks[n];
        int first = network->active ? shard_from_unit(network, network->next_unit) : 0, end = first;
        left -= network->active ? kept_bytes(network, left, &end) : 0;
        for (int s = 0; s < network->shard_count; s++) {
            if (network->residency[s] == SL_SHARD_ABSENT || (s >= first && s < end))
                continue;
            set_residency(schedule, n, s, SL_SHARD_ABSENT);
            released(context, n, s);
        }
    }
    schedule->view.budget_bytes = budget_bytes;
    return 0;
}

bool sl_schedule_idle(const struct sl_schedule *schedule)
{
    return !anything_left(schedule);
}
