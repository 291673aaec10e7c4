#include "runtime/engine/activation_plan.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernel.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"

#define PLAN_ALIGNMENT 64

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

static void form_groups(const struct sl_network *network, int *group_of, struct group *groups)
{
    for (int l = 0; l < network->layer_count; l++) {
        const struct sl_layer *layer = &network->layers[l];
        const struct sl_kernel *kernel = sl_kernel_find(layer->type);
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

static uint64_t place_groups(const struct sl_network *network, const int *group_of,
                             struct group *groups, int *order)
{
    int count = 0;
    for (int blob = 0; blob < network->blob_count; blob++) {
        if (group_of[blob] == blob && !groups[blob].external)
            order[count++] = blob;
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

int sl_activation_plan_create(const struct sl_network *network, struct sl_activation_plan *plan,
                              struct sl_error *error)
{
    size_t count = (size_t)network->blob_count + 1;
    SL_AUTO_FREE int *group_of = calloc(count, sizeof(*group_of));
    SL_AUTO_FREE struct group *groups = calloc(count, sizeof(*groups));
    SL_AUTO_FREE int *order = calloc(count, sizeof(*order));
    struct sl_activation_plan made = {
        .offset_bytes = calloc(count, sizeof(*made.offset_bytes)),
        .input = calloc(count, sizeof(*made.input)),
    };
    if (!group_of || !groups || !order || !made.offset_bytes || !made.input) {
        sl_activation_plan_free(&made);
        return sl_error_set(error, -ENOMEM, "no memory to plan the activations of %s",
                            network->name);
    }
    form_groups(network, group_of, groups);
    made.bytes = place_groups(network, group_of, groups, order);
    for (int blob = 0; blob < network->blob_count; blob++) {
        const struct group *group = &groups[group_of[blob]];
        made.offset_bytes[blob] = group->external ? SL_PLAN_EXTERNAL : group->offset;
        made.input[blob] = -1;
        for (int i = 0; group->external && i < network->input_count; i++) {
            if (network->inputs[i] == group_of[blob])
                made.input[blob] = i;
        }
    }
    *plan = made;
    return 0;
}

void sl_activation_plan_free(struct sl_activation_plan *plan)
{
    free(plan->offset_bytes);
    free(plan->input);
    *plan = (struct sl_activation_plan){0};
}
