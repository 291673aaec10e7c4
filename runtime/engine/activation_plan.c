#include "runtime/engine/activation_plan.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernel.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"

#define PLAN_ALIGNMENT 64
/* Rows of the last top in a band, at most; and the share of a chain's operations done twice. */
#define CHAIN_MOST_ROWS       32
#define CHAIN_MOST_RECOMPUTED 0.25

/* Blobs that share memory form a group, named by its first blob. */
struct group {
    int first_layer, last_layer; /* alive from .. to, INT_MAX: to the end */
    uint64_t bytes;
    uint64_t offset;
    bool external;
};

static uint64_t blob_bytes(const struct sl_network *network, int blob)
{
    uint64_t bytes = (uint64_t)sl_shape_count(&network->blobs[blob].shape) * sizeof(float);
    return sl_align_up(bytes, PLAN_ALIGNMENT);
}

static int blob_last_use(const struct sl_network *network, int blob)
{
    int last = network->blobs[blob].last_consumer;
    return last < 0 ? INT_MAX : last;
}

static void join(const struct sl_network *network, int *group_of, struct group *groups, int blob,
                 int with)
{
    struct group *group = &groups[group_of[with]];
    group_of[blob] = group_of[with];
    if (blob_last_use(network, blob) > group->last_layer)
        group->last_layer = blob_last_use(network, blob);
}

static const struct sl_chain *chain_of(const struct sl_chain *chains, int count, int layer)
{
    for (int c = 0; c < count; c++) {
        if (chains[c].first_layer <= layer && layer <= chains[c].last_layer)
            return &chains[c];
    }
    return NULL;
}

/* Groups of one layer of a chain: nothing until the last layer runs the whole chain, from a bottom
 * that lives until then. */
static void form_chain_groups(const struct sl_network *network, const struct sl_chain *chain,
                              int layer, int *group_of, struct group *groups)
{
    const int top = network->layers[layer].tops[0];
    const int bottom = network->layers[chain->first_layer].bottoms[0];
    struct group *source = &groups[group_of[bottom]];
    if (source->last_layer < chain->last_layer)
        source->last_layer = chain->last_layer;
    const bool last = layer == chain->last_layer;
    group_of[top] = top;
    groups[top] = (struct group){
        .first_layer = layer,
        .last_layer = last ? blob_last_use(network, top) : layer,
        .bytes = last ? blob_bytes(network, top) : 0,
    };
}

/* groups: of the blobs, then one of each chain's workspace. */
static void form_groups(const struct sl_network *network, const struct sl_chain *chains,
                        int chain_count, int *group_of, struct group *groups)
{
    for (int c = 0; c < chain_count; c++) {
        group_of[network->blob_count + c] = network->blob_count + c;
        groups[network->blob_count + c] = (struct group){.first_layer = chains[c].first_layer,
                                                         .last_layer = chains[c].last_layer,
                                                         .bytes = sl_chain_bytes(&chains[c])};
    }
    for (int l = 0; l < network->layer_count; l++) {
        const struct sl_layer *layer = &network->layers[l];
        const struct sl_kernel *kernel = sl_kernel_find(layer->type);
        const struct sl_chain *chain = chain_of(chains, chain_count, l);
        if (chain) {
            form_chain_groups(network, chain, l, group_of, groups);
            continue;
        }
        for (int t = 0; t < layer->top_count; t++) {
            int top = layer->tops[t];
            bool view = kernel && kernel->memory == SL_KERNEL_VIEW;
            bool in_place = kernel && kernel->memory == SL_KERNEL_IN_PLACE && t == 0;
            int bottom = layer->bottom_count ? layer->bottoms[0] : -1;
            const struct group *source = bottom >= 0 ? &groups[group_of[bottom]] : NULL;
            if (view && source) {
                join(network, group_of, groups, top, bottom);
                continue;
            }
            if (in_place && source && !source->external && source->last_layer <= l &&
                blob_bytes(network, top) == blob_bytes(network, bottom)) {
                join(network, group_of, groups, top, bottom);
                continue;
            }
            group_of[top] = top;
            groups[top] = (struct group){
                .first_layer = l,
                .last_layer = blob_last_use(network, top),
                .bytes = blob_bytes(network, top),
                .external = !kernel,
            };
        }
    }
}

static bool lifetimes_overlap(const struct group *a, const struct group *b)
{
    return a->first_layer <= b->last_layer && b->first_layer <= a->last_layer;
}

/* Lowest offset at which no placed group of an overlapping lifetime lies. */
static uint64_t lowest_fit(const struct group *groups, const int *order, int placed,
                           const struct group *wanted)
{
    uint64_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < placed; i++) {
            const struct group *other = &groups[order[i]];
            if (lifetimes_overlap(other, wanted) && offset < other->offset + other->bytes &&
                other->offset < offset + wanted->bytes) {
                offset = other->offset + other->bytes;
                moved = true;
            }
        }
    }
    return offset;
}

static int compare_groups(const void *left, const void *right, void *context)
{
    const struct group *groups = context;
    int a = *(const int *)left, b = *(const int *)right;
    if (groups[a].bytes != groups[b].bytes)
        return groups[a].bytes < groups[b].bytes ? 1 : -1;
    return a - b;
}

static uint64_t place_groups(int group_count, const int *group_of, struct group *groups, int *order)
{
    int count = 0;
    for (int g = 0; g < group_count; g++) {
        if (group_of[g] == g && !groups[g].external && groups[g].bytes)
            order[count++] = g;
    }
    qsort_r(order, (size_t)count, sizeof(*order), compare_groups, groups);
    uint64_t bytes = 0;
    for (int i = 0; i < count; i++) {
        struct group *group = &groups[order[i]];
        group->offset = lowest_fit(groups, order, i, group);
        if (group->offset + group->bytes > bytes)
            bytes = group->offset + group->bytes;
    }
    return bytes;
}

static int make_plan(const struct sl_network *network, const struct sl_chain *chains,
                     int chain_count, struct sl_activation_plan *plan)
{
    const int group_count = network->blob_count + chain_count;
    size_t count = (size_t)group_count + 1;
    SL_AUTO_FREE int *group_of = calloc(count, sizeof(*group_of));
    SL_AUTO_FREE struct group *groups = calloc(count, sizeof(*groups));
    SL_AUTO_FREE int *order = calloc(count, sizeof(*order));
    struct sl_activation_plan made = {
        .offset_bytes = calloc(count, sizeof(*made.offset_bytes)),
        .input = calloc(count, sizeof(*made.input)),
        .chains = calloc((size_t)chain_count + 1, sizeof(*made.chains)),
        .chain_count = chain_count,
    };
    if (!group_of || !groups || !order || !made.offset_bytes || !made.input || !made.chains) {
        sl_activation_plan_free(&made);
        return -ENOMEM;
    }
    form_groups(network, chains, chain_count, group_of, groups);
    made.bytes = place_groups(group_count, group_of, groups, order);
    for (int blob = 0; blob < network->blob_count; blob++) {
        const struct group *group = &groups[group_of[blob]];
        made.offset_bytes[blob] = group->external ? SL_PLAN_EXTERNAL : group->offset;
        made.input[blob] = -1;
        for (int i = 0; group->external && i < network->input_count; i++) {
            if (network->inputs[i] == group_of[blob])
                made.input[blob] = i;
        }
    }
    for (int c = 0; c < chain_count; c++) {
        made.chains[c] = chains[c];
        made.chains[c].offset_bytes = groups[network->blob_count + c].offset;
    }
    *plan = made;
    return 0;
}

int sl_activation_plan_chained(const struct sl_network *network, const struct sl_chain *chains,
                               int chain_count, struct sl_activation_plan *plan,
                               struct sl_error *error)
{
    int result = make_plan(network, chains, chain_count, plan);
    if (result)
        sl_error_set(error, result, "no memory to plan the activations of %s", network->name);
    return result;
}

int sl_activation_plan_create(const struct sl_network *network, struct sl_activation_plan *plan,
                              struct sl_error *error)
{
    return sl_activation_plan_chained(network, NULL, 0, plan, error);
}

/* The search for chains: greedy, at the layer where most is alive. */
struct search {
    const struct sl_pack *pack;
    int threads;
    uint64_t scratch_bytes;
    struct sl_chain *chains; /* [layer_count + 1] */
    int chain_count;
    int *group_of; /* of blobs and chains */
    struct group *groups;
};

/* Bytes alive while a layer runs. */
static uint64_t alive_bytes(const struct search *search, int layer)
{
    uint64_t bytes = 0;
    for (int g = 0; g < search->pack->network->blob_count + search->chain_count; g++) {
        const struct group *group = &search->groups[g];
        if (search->group_of[g] == g && !group->external && group->first_layer <= layer &&
            layer <= group->last_layer)
            bytes += group->bytes;
    }
    return bytes;
}

/* Most bytes alive from layer first to last, with the chains as they are. */
static uint64_t most_alive(struct search *search, int first, int last, int *where)
{
    uint64_t most = 0;
    form_groups(search->pack->network, search->chains, search->chain_count, search->group_of,
                search->groups);
    for (int l = first; l <= last; l++) {
        uint64_t bytes = alive_bytes(search, l);
        if (bytes > most) {
            most = bytes;
            *where = l;
        }
    }
    return most;
}

static bool scratch_suffices(const struct search *search, const struct sl_chain *chain)
{
    const struct sl_network *network = search->pack->network;
    for (int64_t row = 0; row < sl_chain_height(network, chain); row += chain->rows) {
        struct sl_band band;
        sl_band_make(network, chain, row, &band);
        for (int n = 0; n < band.network.layer_count; n++) {
            const struct sl_layer *layer = &band.layers[n];
            const struct sl_kernel *kernel = sl_kernel_find(layer->type);
            uint64_t bytes = sl_decode_scratch_bytes(layer);
            if (kernel->scratch_bytes)
                bytes +=
                    kernel->scratch_bytes(&band.network, layer, search->threads, SL_SCRATCH_LIMIT);
            if (bytes > search->scratch_bytes)
                return false;
        }
    }
    return true;
}

/* Tries the chain from first to last in bands of several heights; keeps the best in *best. */
static void try_chain(struct search *search, int first, int last, uint64_t *least,
                      struct sl_chain *best)
{
    const struct sl_network *network = search->pack->network;
    double flops = 0;
    for (int l = first; l <= last; l++)
        flops += network->layers[l].flops;
    for (int64_t rows = 1; rows <= CHAIN_MOST_ROWS; rows *= 2) {
        struct sl_chain chain = {.first_layer = first, .last_layer = last, .rows = rows};
        int where;
        if (rows >= sl_chain_height(network, &chain) || !sl_chain_measure(search->pack, &chain) ||
            chain.recomputed_flops > CHAIN_MOST_RECOMPUTED * flops)
            continue;
        search->chains[search->chain_count++] = chain;
        uint64_t bytes = most_alive(search, first, last, &where);
        search->chain_count--;
        bool better = bytes < *least || (bytes == *least && best->rows &&
                                         chain.recomputed_flops < best->recomputed_flops);
        if (better && scratch_suffices(search, &chain)) {
            *least = bytes;
            *best = chain;
        }
    }
}

/* Adds the chain that leaves least alive where most is; false when none leaves less. */
static bool add_chain(struct search *search)
{
    const struct sl_network *network = search->pack->network;
    int peak = 0;
    uint64_t least = most_alive(search, 0, network->layer_count - 1, &peak);
    struct sl_chain best = {0};
    const struct sl_chain *taken = search->chains;
    const int taken_count = search->chain_count;
    if (chain_of(taken, taken_count, peak))
        return false;
    for (int first = peak; peak - first < SL_CHAIN_MOST_LAYERS; first--) {
        for (int last = peak; last - first < SL_CHAIN_MOST_LAYERS; last++) {
            if (last > first)
                try_chain(search, first, last, &least, &best);
            if (!sl_chain_links(network, last) || chain_of(taken, taken_count, last + 1))
                break;
        }
        if (!sl_chain_links(network, first - 1) || chain_of(taken, taken_count, first - 1))
            break;
    }
    if (best.rows)
        search->chains[search->chain_count++] = best;
    return best.rows;
}

int sl_activation_plan_bounded(const struct sl_pack *pack, uint64_t most_bytes, int threads,
                               uint64_t scratch_bytes, struct sl_activation_plan *plan,
                               struct sl_error *error)
{
    const struct sl_network *network = pack->network;
    const size_t layers = (size_t)network->layer_count;
    const size_t groups_most = (size_t)network->blob_count + layers + 1;
    SL_AUTO_FREE struct sl_chain *chains = calloc(layers + 1, sizeof(*chains));
    SL_AUTO_FREE int *group_of = calloc(groups_most, sizeof(*group_of));
    SL_AUTO_FREE struct group *groups = calloc(groups_most, sizeof(*groups));
    struct search search = {pack, threads, scratch_bytes, chains, 0, group_of, groups};
    struct sl_activation_plan made, other;
    int result = chains && group_of && groups ? make_plan(network, NULL, 0, &made) : -ENOMEM;
    while (!result && made.bytes > most_bytes && add_chain(&search)) {
        result = make_plan(network, chains, search.chain_count, &other);
        if (result || other.bytes > made.bytes) {
            sl_activation_plan_free(result ? &made : &other);
            break;
        }
        sl_activation_plan_free(&made);
        made = other;
    }
    if (result)
        return sl_error_set(error, result, "no memory to plan the activations of %s",
                            network->name);
    *plan = made;
    return 0;
}

const struct sl_chain *sl_activation_plan_chain(const struct sl_activation_plan *plan, int layer)
{
    return chain_of(plan->chains, plan->chain_count, layer);
}

void sl_activation_plan_free(struct sl_activation_plan *plan)
{
    free(plan->offset_bytes);
    free(plan->input);
    free(plan->chains);
    *plan = (struct sl_activation_plan){0};
}
