#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/decode.h"
#include "models/pack_format.h"
#include "runtime/base/units.h"
#include "runtime/engine/network_state.h"
#include "runtime/engine/pages.h"

static uint64_t blob_bytes(const struct sl_network *network, int blob)
{
    return (uint64_t)sl_shape_count(&network->blobs[blob].shape) * sizeof(float);
}

uint64_t sl_shard_memory(const struct sl_shard *shard)
{
    return sl_align_up(shard->bytes, SL_PACK_ALIGNMENT);
}

static int allocate_tables(struct sl_network_state *state)
{
    const struct sl_network *network = state->network;
    size_t layers = (size_t)network->layer_count;
    int most_bottoms = 1, most_tops = 1;
    for (int l = 0; l < network->layer_count; l++) {
        const struct sl_layer *layer = &network->layers[l];
        most_bottoms = layer->bottom_count > most_bottoms ? layer->bottom_count : most_bottoms;
        most_tops = layer->top_count > most_tops ? layer->top_count : most_tops;
    }
    state->kernels = calloc(layers, sizeof(*state->kernels));
    state->bottoms = calloc((size_t)most_bottoms, sizeof(*state->bottoms));
    state->tops = calloc((size_t)most_tops, sizeof(*state->tops));
    state->inputs = calloc((size_t)network->input_count + 1, sizeof(*state->inputs));
    state->outputs = calloc((size_t)network->output_count + 1, sizeof(*state->outputs));
    state->slots = calloc((size_t)state->pack->shard_count + 1, sizeof(*state->slots));
    state->unverified = calloc((size_t)state->pack->shard_count + 1, sizeof(*state->unverified));
    state->times = calloc(layers, sizeof(*state->times));
    state->load_begin_ns = calloc(layers, sizeof(*state->load_begin_ns));
    state->least_run_ns = calloc(layers, sizeof(*state->least_run_ns));
    return state->kernels && state->bottoms && state->tops && state->inputs && state->outputs &&
                   state->slots && state->unverified && state->times && state->load_begin_ns &&
                   state->least_run_ns
               ? 0
               : -ENOMEM;
}

static uint64_t missing_bytes(const struct sl_network *network, const int *blobs, int count,
                              float *const *memory)
{
    uint64_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += memory[i] ? 0 : sl_align_up(blob_bytes(network, blobs[i]), SL_PAGE_BYTES);
    return bytes;
}

uint64_t sl_network_state_missing_bytes(const struct sl_network_state *state)
{
    const struct sl_network *network = state->network;
    return missing_bytes(network, network->inputs, network->input_count, state->inputs) +
           missing_bytes(network, network->outputs, network->output_count, state->outputs);
}

static int take_blobs(const struct sl_network *network, const int *blobs, int count, float **memory,
                      struct sl_pool *pool, struct sl_error *error)
{
    for (int i = 0; i < count; i++) {
        if (!memory[i])
            memory[i] =
                sl_pool_take(pool, SL_POOL_ACTIVATIONS, blob_bytes(network, blobs[i]), error);
        if (!memory[i])
            return -ENOMEM;
    }
    return 0;
}

int sl_network_state_take_blobs(struct sl_network_state *state, struct sl_pool *pool,
                                struct sl_error *error)
{
    const struct sl_network *network = state->network;
    int result =
        take_blobs(network, network->inputs, network->input_count, state->inputs, pool, error);
    return result ? result
                  : take_blobs(network, network->outputs, network->output_count, state->outputs,
                               pool, error);
}

static void give_blobs(const struct sl_network *network, const int *blobs, int count,
                       float **memory, struct sl_pool *pool)
{
    for (int i = 0; memory && i < count; i++)
        sl_pool_give(pool, SL_POOL_ACTIVATIONS, memory[i], blob_bytes(network, blobs[i]));
}

int sl_network_state_create(const struct sl_pack *pack, struct sl_network_state **created,
                            struct sl_error *error)
{
    struct sl_network_state *state = calloc(1, sizeof(*state));
    if (!state)
        return sl_error_set(error, -ENOMEM, "no memory for network %s", pack->network->name);
    const struct sl_network *network = pack->network;
    state->pack = pack;
    state->network = network;
    int result = allocate_tables(state);
    if (result)
        sl_error_set(error, result, "no memory for network %s", network->name);
    if (!result)
        result = sl_activation_plan_create(network, &state->plan, error);
    if (result) {
        sl_network_state_free(state, NULL);
        return result;
    }
    for (int l = 0; l < network->layer_count; l++)
        state->kernels[l] = sl_kernel_find(network->layers[l].type);
    memset(state->least_run_ns, 0xff, (size_t)network->layer_count * sizeof(uint64_t));
    state->result.layers = state->times;
    *created = state;
    return 0;
}

void sl_network_state_free(struct sl_network_state *state, struct sl_pool *pool)
{
    if (!state)
        return;
    sl_network_state_give_arena(state, pool);
    give_blobs(state->network, state->network->inputs, state->network->input_count, state->inputs,
               pool);
    give_blobs(state->network, state->network->outputs, state->network->output_count,
               state->outputs, pool);
    sl_activation_plan_free(&state->plan);
    free(state->kernels);
    free(state->bottoms);
    free(state->tops);
    free(state->inputs);
    free(state->outputs);
    free(state->slots);
    free(state->unverified);
    free(state->times);
    free(state->load_begin_ns);
    free(state->least_run_ns);
    free(state);
}

int sl_network_state_admit(struct sl_network_state *state, bool whole_pages, struct sl_pool *pool,
                           struct sl_error *error)
{
    if (state->arena)
        return 0;
    state->arena_bytes = whole_pages ? sl_pool_whole_bytes(state->plan.bytes) : state->plan.bytes;
    state->arena = sl_pool_take(pool, SL_POOL_ACTIVATIONS, state->arena_bytes, error);
    return state->arena ? 0 : sl_error_wrap(error, "activations of %s", state->network->name);
}

int sl_network_state_bound(struct sl_network_state *state, uint64_t most_bytes, int threads,
                           struct sl_error *error)
{
    struct sl_activation_plan plan;
    int result = sl_activation_plan_bounded(state->pack, most_bytes, threads,
                                            sl_network_state_scratch(state, threads), &plan, error);
    if (result)
        return result;
    sl_activation_plan_free(&state->plan);
    state->plan = plan;
    return 0;
}

void sl_network_state_trim_arena(struct sl_network_state *state, struct sl_pool *pool)
{
    sl_pool_trim(pool, SL_POOL_ACTIVATIONS, state->arena, state->arena_bytes, state->plan.bytes);
    if (state->arena)
        state->arena_bytes = state->plan.bytes;
}

void sl_network_state_give_arena(struct sl_network_state *state, struct sl_pool *pool)
{
    sl_pool_give(pool, SL_POOL_ACTIVATIONS, state->arena, state->arena_bytes);
    state->arena = NULL;
}

static float *blob_memory(const struct sl_network_state *state, int blob)
{
    if (state->plan.offset_bytes[blob] == SL_PLAN_EXTERNAL)
        return state->inputs[state->plan.input[blob]];
    return (float *)((char *)state->arena + state->plan.offset_bytes[blob]);
}

void sl_network_state_finish(struct sl_network_state *state, struct sl_pool *pool, uint64_t now_ns,
                             bool keep_arena)
{
    const struct sl_network *network = state->network;
    XXH3_state_t digest;
    XXH3_64bits_reset(&digest);
    for (int o = 0; o < network->output_count; o++) {
        uint64_t bytes = blob_bytes(network, network->outputs[o]);
        memcpy(state->outputs[o], blob_memory(state, network->outputs[o]), bytes);
        XXH3_64bits_update(&digest, state->outputs[o], bytes);
    }
    state->result.digest = XXH3_64bits_digest(&digest);
    state->result.latency_ns = now_ns - state->arrival_ns;
    /* Reads for the next request may be in flight: their time so far belongs to this one. */
    if (state->reads_in_flight)
        state->result.load_ns += now_ns - state->reading_since_ns;
    state->reading_since_ns = now_ns;
    state->shards_ran = state->pack->shard_count;
    if (!keep_arena)
        sl_network_state_give_arena(state, pool);
}

void sl_network_state_learn(struct sl_network_state *state)
{
    for (int l = 0; l < state->network->layer_count; l++) {
        const struct sl_layer_time *time = &state->times[l];
        if (sl_activation_plan_chain(&state->plan, l))
            continue; /* the last layer ran for all */
        if (!time->major_faults && time->run_ns < state->least_run_ns[l])
            state->least_run_ns[l] = time->run_ns;
    }
}

void sl_network_state_begin(struct sl_network_state *state, uint64_t now_ns)
{
    memset(state->times, 0, (size_t)state->network->layer_count * sizeof(*state->times));
    memset(state->load_begin_ns, 0,
           (size_t)state->network->layer_count * sizeof(*state->load_begin_ns));
    state->result = (struct sl_network_result){.layers = state->times};
    state->arrival_ns = now_ns;
    state->shards_ran = 0;
    state->reading_since_ns = now_ns; /* of reads in flight since the batch before */
}

void sl_network_state_read_begins(struct sl_network_state *state, int shard, uint64_t now_ns)
{
    int layer = state->pack->shards[shard].layer;
    if (shard >= state->shards_ran && !state->load_begin_ns[layer])
        state->load_begin_ns[layer] = now_ns;
    if (state->reads_in_flight++ == 0)
        state->reading_since_ns = now_ns;
}

void sl_network_state_reads_dropped(struct sl_network_state *state, uint64_t now_ns)
{
    if (state->reads_in_flight && now_ns > state->reading_since_ns)
        state->result.load_ns += now_ns - state->reading_since_ns;
    state->reads_in_flight = 0;
}

void sl_network_state_read_ends(struct sl_network_state *state, int shard, bool well,
                                uint64_t now_ns)
{
    int layer = state->pack->shards[shard].layer;
    if (shard >= state->shards_ran) {
        /* A read begun in the batch before counts from the start of this one. */
        uint64_t begin_ns =
            state->load_begin_ns[layer] ? state->load_begin_ns[layer] : state->arrival_ns;
        state->times[layer].load_ns = now_ns > begin_ns ? now_ns - begin_ns : 0;
        state->times[layer].load_start_ns = begin_ns - state->arrival_ns;
    }
    if (--state->reads_in_flight == 0 && now_ns > state->reading_since_ns)
        state->result.load_ns += now_ns - state->reading_since_ns;
    const uint64_t bytes = well ? sl_shard_memory(&state->pack->shards[shard]) : 0;
    state->times[layer].read_bytes += bytes;
    state->result.read_bytes += bytes;
}

static bool decodes(const struct sl_kernel *kernel, const struct sl_network *network,
                    const struct sl_layer *layer)
{
    return kernel->decodes && kernel->decodes(network, layer);
}

/* Weight 0 is decoded a few rows at a time, and the kernel runs on those: its results do not depend
 * on the rows of a call. Other blobs follow the rows, unless they are stored whole. */
static void run_encoded(const struct sl_kernel *kernel, struct sl_kernel_call *call,
                        const struct sl_shard *shard, const struct sl_decode *decode)
{
    const struct sl_layer *layer = call->layer;
    const int64_t at_once = sl_decode_rows_at_once(layer);
    float *decoded = call->scratch;
    call->scratch = (char *)call->scratch + sl_decode_scratch_bytes(layer);
    call->weights[0] = decoded;
    for (int64_t row = shard->row_begin; row < shard->row_end; row += at_once) {
        int64_t rows = shard->row_end - row < at_once ? shard->row_end - row : at_once;
        sl_decode_rows(decode, row - shard->row_begin, rows, decoded, call->threads);
        call->row_begin = row;
        call->row_end = row + rows;
        kernel->run(call);
        call->scratch_kept = true;
        for (int w = 1; w < layer->weight_count; w++)
            call->weights[w] += layer->weights[w].count / sl_pack_rows(layer) * rows;
    }
}

/* network: the shard's, of which the call's may be a band. */
static void run_shard(const struct sl_kernel *kernel, struct sl_kernel_call *call,
                      const struct sl_network *network, const struct sl_shard *shard,
                      const void *slot)
{
    struct sl_decode decode = {.encoding = SL_ENCODING_F32};
    for (int w = 0; w < call->layer->weight_count; w++) {
        struct sl_segment segment;
        sl_shard_segment(network, shard, w, &segment);
        const void *values = (const char *)slot + segment.offset_bytes;
        call->weights[w] = values;
        if (segment.encoding == SL_ENCODING_F32)
            continue;
        decode = (struct sl_decode){
            .encoding = segment.encoding,
            .values = values,
            .scales =
                (const float *)(const void *)((const char *)slot + segment.scale_offset_bytes),
            .depth = segment.count / (shard->row_end - shard->row_begin),
            .exceptions = call->layer->exceptions,
        };
    }
    call->row_begin = shard->row_begin;
    call->row_end = shard->row_end;
    if (decode.encoding == SL_ENCODING_F32) {
        kernel->run(call);
    } else if (decodes(kernel, call->network, call->layer)) {
        struct sl_kernel_call decoding = *call;
        decoding.encoded = &decode;
        kernel->run(&decoding);
    } else {
        run_encoded(kernel, call, shard, &decode);
    }
}

/* Where the copy of a chain's shard lies in its workspace. */
static char *chain_shard(const struct sl_network_state *state, const struct sl_chain *chain,
                         int shard)
{
    char *copy = (char *)state->arena + chain->offset_bytes;
    for (int s = state->pack->layer_first_shard[chain->first_layer]; s < shard; s++)
        copy += sl_shard_memory(&state->pack->shards[s]);
    return copy;
}

static void run_band(const struct sl_network_state *state, const struct sl_chain *chain,
                     const struct sl_band *band, float *const buffers[2],
                     const struct sl_kernel_call *shared)
{
    const int *first_shard = state->pack->layer_first_shard;
    for (int n = 0; n < band->network.layer_count; n++) {
        const int layer = chain->first_layer + n;
        const struct sl_kernel *kernel = state->kernels[layer];
        const float *bottom = buffers[n % 2];
        float *top = buffers[(n + 1) % 2];
        struct sl_kernel_call call = *shared;
        call.layer = &band->layers[n];
        call.bottoms = &bottom;
        call.tops = &top;
        if (first_shard[layer] == first_shard[layer + 1])
            kernel->run(&call);
        for (int s = first_shard[layer]; s < first_shard[layer + 1]; s++) {
            struct sl_kernel_call rows = call;
            rows.scratch_kept = s > first_shard[layer];
            run_shard(kernel, &rows, state->network, &state->pack->shards[s],
                      chain_shard(state, chain, s));
        }
    }
}

/* A unit of a chain: its shard is kept, as it is dropped after the run; the last one computes. */
static void run_chain_unit(struct sl_network_state *state, const struct sl_chain *chain,
                           int layer_index, int shard_index, struct sl_threads *threads,
                           void *scratch)
{
    const struct sl_network *network = state->network;
    const int *first_shard = state->pack->layer_first_shard;
    if (shard_index >= 0)
        memcpy(chain_shard(state, chain, shard_index), state->slots[shard_index],
               state->pack->shards[shard_index].bytes);
    if (layer_index < chain->last_layer ||
        (shard_index >= 0 && shard_index + 1 < first_shard[layer_index + 1]))
        return;
    char *workspace = (char *)state->arena + chain->offset_bytes + chain->shard_bytes;
    float *const buffers[2] = {(void *)workspace, (void *)(workspace + chain->buffer_bytes[0])};
    const float *bottom = blob_memory(state, network->layers[chain->first_layer].bottoms[0]);
    float *top = blob_memory(state, network->layers[chain->last_layer].tops[0]);
    const int64_t height = sl_chain_height(network, chain);
    for (int64_t row = 0; row < height; row += chain->rows) {
        struct sl_band band;
        sl_band_make(network, chain, row, &band);
        const struct sl_kernel_call call = {
            .network = &band.network, .scratch = scratch, .threads = threads};
        sl_band_gather(network, chain, &band, bottom, buffers[0]);
        run_band(state, chain, &band, buffers, &call);
        sl_band_scatter(network, chain, &band, buffers[band.network.layer_count % 2], top);
    }
}

void sl_network_state_run(struct sl_network_state *state, int layer_index, int shard_index,
                          struct sl_threads *threads, void *scratch, bool scratch_kept)
{
    const struct sl_network *network = state->network;
    const struct sl_layer *layer = &network->layers[layer_index];
    const struct sl_kernel *kernel = state->kernels[layer_index];
    const struct sl_chain *chain = sl_activation_plan_chain(&state->plan, layer_index);
    if (chain) {
        run_chain_unit(state, chain, layer_index, shard_index, threads, scratch);
        return;
    }
    if (!kernel || kernel->memory == SL_KERNEL_VIEW)
        return;
    for (int b = 0; b < layer->bottom_count; b++)
        state->bottoms[b] = blob_memory(state, layer->bottoms[b]);
    for (int t = 0; t < layer->top_count; t++)
        state->tops[t] = blob_memory(state, layer->tops[t]);
    struct sl_kernel_call call = {
        .network = network,
        .layer = layer,
        .bottoms = state->bottoms,
        .tops = state->tops,
        .scratch = scratch,
        .scratch_kept = scratch_kept,
        .threads = threads,
    };
    if (shard_index >= 0)
        run_shard(kernel, &call, network, &state->pack->shards[shard_index],
                  state->slots[shard_index]);
    else
        kernel->run(&call);
}

uint64_t sl_network_state_scratch(const struct sl_network_state *state, int threads)
{
    uint64_t most = 0;
    for (int l = 0; l < state->network->layer_count; l++) {
        const struct sl_kernel *kernel = state->kernels[l];
        const struct sl_layer *layer = &state->network->layers[l];
        uint64_t bytes = 0;
        if (!kernel || !decodes(kernel, state->network, layer))
            bytes += sl_decode_scratch_bytes(layer);
        if (kernel && kernel->scratch_bytes)
            bytes += kernel->scratch_bytes(state->network, layer, threads, SL_SCRATCH_LIMIT);
        most = bytes > most ? bytes : most;
    }
    return most;
}
