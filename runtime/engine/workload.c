#include "runtime/engine/workload.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/log.h"

/* What one thread does with a network, before any run was measured. */
#define WORKLOAD_FLOPS_PER_THREAD 40e9

void sl_workload_free(struct sl_workload *workload)
{
    free(workload->networks);
    free(workload->layers);
    free(workload->times);
    free(workload->passes);
    free(workload->shard_bytes);
    sl_contents_free(workload->contents);
    *workload = (struct sl_workload){0};
}

double sl_workload_estimate_ns(double flops, int threads)
{
    return flops * 1e9 / (WORKLOAD_FLOPS_PER_THREAD * threads);
}

static void describe_layers(const struct sl_network_state *state, int threads,
                            struct sl_schedule_layer *layers)
{
    const int *first_shard = state->pack->layer_first_shard;
    bool connected = false;
    for (int l = 0; l < state->network->layer_count; l++) {
        int shard_count = first_shard[l + 1] - first_shard[l];
        /* Layers without weights go with the one before them. */
        if (shard_count)
            connected = sl_layer_is_fully_connected(state->network, l);
        layers[l] = (struct sl_schedule_layer){
            .shard_count = shard_count,
            .fully_connected = connected,
            .run_ns = (uint64_t)sl_workload_estimate_ns(state->network->layers[l].flops, threads),
        };
    }
}

/* Times are kept of the network as it is. */
static void load_times(struct sl_network_state *state, int threads, struct sl_run_times *times,
                       struct sl_pass_times *passes)
{
    struct sl_error error = {0};
    int result =
        state->pack->batch ? -ENOENT : sl_times_load(state->pack, threads, times, passes, &error);
    if (result == -EBADMSG)
        sl_log(SL_LOG_WARNING, "%s", error.text);
    if (result)
        return;
    for (int l = 0; l < state->network->layer_count; l++)
        state->least_run_ns[l] = times[l].least_ns;
}

int sl_workload_create(struct sl_network_state *const *states, int count, int threads,
                       struct sl_workload *workload, struct sl_error *error)
{
    size_t layer_total = 1, shard_total = 1;
    for (int n = 0; n < count; n++) {
        layer_total += (size_t)states[n]->network->layer_count;
        shard_total += (size_t)states[n]->pack->shard_count;
    }
    *workload = (struct sl_workload){
        .networks = calloc((size_t)count + 1, sizeof(*workload->networks)),
        .network_count = count,
        .layers = calloc(layer_total, sizeof(*workload->layers)),
        .layer_count = layer_total - 1,
        .times = calloc(layer_total, sizeof(*workload->times)),
        .passes = calloc((size_t)count + 1, sizeof(*workload->passes)),
        .shard_bytes = calloc(shard_total, sizeof(*workload->shard_bytes)),
    };
    if (!workload->networks || !workload->layers || !workload->times || !workload->passes ||
        !workload->shard_bytes) {
        sl_workload_free(workload);
        return sl_error_set(error, -ENOMEM, "no memory for the schedule");
    }
    int result = sl_contents_create(states, count, &workload->contents, error);
    if (result) {
        sl_workload_free(workload);
        return result;
    }
    struct sl_schedule_layer *layers = workload->layers;
    struct sl_run_times *times = workload->times;
    uint64_t *shard_bytes = workload->shard_bytes;
    for (int n = 0; n < count; n++) {
        const struct sl_network_state *state = states[n];
        workload->networks[n] = (struct sl_schedule_network){
            .name = state->network->name,
            .layer_count = state->network->layer_count,
            .layers = layers,
            .shard_bytes = shard_bytes,
            .activation_bytes = state->plan.bytes,
        };
        describe_layers(state, threads, layers);
        load_times(states[n], threads, times, &workload->passes[n]);
        layers += state->network->layer_count;
        times += state->network->layer_count;
        for (int s = 0; s < state->pack->shard_count; s++) {
            *shard_bytes = sl_shard_memory(&state->pack->shards[s]);
            workload->weight_bytes += *shard_bytes++;
        }
    }
    sl_workload_learn(workload, states);
    return 0;
}

int sl_workload_bound_activations(struct sl_workload *workload,
                                  struct sl_network_state *const *states, uint64_t most_bytes,
                                  int threads, struct sl_error *error)
{
    int result = 0;
    for (int n = 0; n < workload->network_count && !result; n++) {
        result = sl_network_state_bound(states[n], most_bytes, threads, error);
        workload->networks[n].activation_bytes = states[n]->plan.bytes;
    }
    return result;
}

bool sl_workload_bands_pay(const struct sl_workload *workload,
                           struct sl_network_state *const *states, int threads,
                           uint64_t whole_bytes, uint64_t banded_bytes, double bytes_per_s)
{
    double flops = 0;
    for (int n = 0; n < workload->network_count; n++) {
        const struct sl_activation_plan *plan = &states[n]->plan;
        for (int c = 0; c < plan->chain_count; c++)
            flops += plan->chains[c].recomputed_flops;
    }
    if (banded_bytes > workload->weight_bytes)
        banded_bytes = workload->weight_bytes;
    const double saved_ns =
        banded_bytes > whole_bytes ? (double)(banded_bytes - whole_bytes) * 1e9 / bytes_per_s : 0;
    return saved_ns > 2 * sl_workload_estimate_ns(flops, threads);
}

uint64_t sl_missing_blob_bytes(struct sl_network_state *const *states, int count)
{
    uint64_t bytes = 0;
    for (int n = 0; n < count; n++)
        bytes += sl_network_state_missing_bytes(states[n]);
    return bytes;
}

uint64_t sl_largest_arena(struct sl_network_state *const *states, int count)
{
    uint64_t most = 0;
    for (int n = 0; n < count; n++)
        most = states[n]->plan.bytes > most ? states[n]->plan.bytes : most;
    return most;
}

uint64_t sl_largest_scratch(struct sl_network_state *const *states, int count, int threads)
{
    uint64_t most = 0;
    for (int n = 0; n < count; n++) {
        const uint64_t own = sl_network_state_scratch(states[n], threads);
        most = own > most ? own : most;
    }
    return most;
}

void sl_workload_learn(struct sl_workload *workload, struct sl_network_state *const *states)
{
    struct sl_schedule_layer *layer = workload->layers;
    struct sl_run_times *times = workload->times;
    workload->estimated = false;
    for (int n = 0; n < workload->network_count; n++) {
        for (int l = 0; l < workload->networks[n].layer_count; l++, layer++, times++) {
            times->least_ns = states[n]->least_run_ns[l];
            if (times->least_ns == UINT64_MAX) {
                workload->estimated = true;
                times->least_ns = 0; /* an estimate may be too long for a bound */
                continue;
            }
            layer->run_ns = times->usual_ns ? times->usual_ns : times->least_ns;
            layer->reading_ns = times->reading_ns;
            layer->first_ns = times->first_ns;
            layer->waited_ns = times->waited_ns;
        }
    }
}

int sl_workload_bound(const struct sl_workload *workload, const struct sl_bound_of *of,
                      uint64_t *bound_ns, uint64_t *compute_ns, struct sl_error *error)
{
    size_t count = workload->layer_count;
    SL_AUTO_FREE uint64_t *bytes = calloc(count + 1, sizeof(*bytes));
    SL_AUTO_FREE uint64_t *run_ns = calloc(count + 1, sizeof(*run_ns));
    SL_AUTO_FREE struct sl_bound_steps *networks =
        calloc((size_t)workload->network_count + 1, sizeof(*networks));
    if (!bytes || !run_ns || !networks)
        return sl_error_set(error, -ENOMEM, "no memory for the bound");
    const uint64_t *shard_bytes = workload->shard_bytes;
    *compute_ns = 0;
    size_t l = 0;
    for (int n = 0; n < workload->network_count; n++) {
        int shard = 0;
        networks[n] = (struct sl_bound_steps){bytes + l, run_ns + l,
                                              (size_t)workload->networks[n].layer_count};
        for (int i = 0; i < workload->networks[n].layer_count; i++, l++) {
            const struct sl_schedule_layer *layer = &workload->layers[l];
            run_ns[l] = workload->times[l].least_ns;
            *compute_ns += run_ns[l] ? run_ns[l] : layer->run_ns;
            for (int s = 0; s < layer->shard_count; s++, shard++, shard_bytes++)
                bytes[l] += sl_contents_repeats(workload->contents, n, shard) ? 0 : *shard_bytes;
        }
    }
    *bound_ns = sl_bound_of_networks_ns(networks, workload->network_count, of);
    return 0;
}
