#include "models/stack.h"

#include <errno.h>
#include <stdbool.h>

int sl_stack_batch(const struct sl_network *one, int64_t requests, int64_t *batch,
                   struct sl_error *error)
{
    int64_t first = 0;
    for (int i = 0; i < one->input_count; i++) {
        const struct sl_blob *blob = &one->blobs[one->inputs[i]];
        if (blob->shape.axes == 0 || (i > 0 && blob->shape.dim[0] != first))
            return sl_error_set(error, -EINVAL,
                                "%s cannot run several requests together: its inputs have no "
                                "common first axis",
                                one->name);
        first = blob->shape.dim[0];
    }
    if (first == 0 || first > INT32_MAX / requests)
        return sl_error_set(error, -EINVAL, "%s cannot run %lld requests together", one->name,
                            (long long)requests);
    *batch = first * requests;
    return 0;
}

static bool blob_stacks(const struct sl_shape *one, const struct sl_shape *stacked,
                        int64_t requests)
{
    if (one->axes == 0 || one->axes != stacked->axes || stacked->dim[0] != one->dim[0] * requests)
        return false;
    for (int axis = 1; axis < one->axes; axis++)
        if (one->dim[axis] != stacked->dim[axis])
            return false;
    return true;
}

/* What the shapes of its blobs do not tell. */
static bool works_across(const struct sl_layer *layer)
{
    const struct sl_layer_parameters *p = &layer->parameters;
    switch (layer->type) {
    case SL_LAYER_CONCAT:
    case SL_LAYER_SLICE:
        return p->concat.axis == 0;
    case SL_LAYER_SOFTMAX:
        return p->softmax.axis == 0;
    case SL_LAYER_ARGMAX:
        return p->argmax.has_axis && p->argmax.axis == 0;
    case SL_LAYER_REDUCTION:
        return p->reduction.axis == 0;
    case SL_LAYER_TILE:
        return p->tile.axis == 0;
    case SL_LAYER_PERMUTE:
        return p->permute.order[0] != 0;
    case SL_LAYER_CROP:
        return p->crop.offset[0] != 0;
    default:
        return false;
    }
}

int sl_stack_check(const struct sl_network *one, const struct sl_network *stacked, int64_t requests,
                   struct sl_error *error)
{
    for (int b = 0; b < one->blob_count; b++)
        if (!blob_stacks(&one->blobs[b].shape, &stacked->blobs[b].shape, requests))
            return sl_error_set(error, -EINVAL,
                                "%s cannot run several requests together: blob %s of layer %s has "
                                "no part for each",
                                one->name, one->blobs[b].name,
                                one->layers[one->blobs[b].producer].name);
    for (int l = 0; l < one->layer_count; l++)
        if (works_across(&one->layers[l]))
            return sl_error_set(error, -EINVAL,
                                "%s cannot run several requests together: layer %s (%s) works "
                                "across its first axis",
                                one->name, one->layers[l].name,
                                sl_layer_type_name(one->layers[l].type));
    return 0;
}
