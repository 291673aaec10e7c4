/* Layers that shift and scale: LRN, MVN, BatchNorm, Scale, Bias, Normalize. */
#include "models/layers/importer.h"

static int same_shape(struct sl_layer_import *import, double flops_per_element)
{
    import->tops[0] = import->bottoms[0];
    import->layer->flops = flops_per_element * (double)sl_shape_count(&import->bottoms[0]);
    return 0;
}

int sl_infer_lrn(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__LRNParameter, CAFFE__LRNPARAMETER__INIT,
                  import->message->lrn_param);
    int result = sl_import_expect_axes(import, 0, 4, 4);
    if (result)
        return result;
    if (message->local_size % 2 == 0 || message->local_size > SL_MAX_DIMENSION)
        return sl_import_fail(import, "local_size must be odd; it is %u", message->local_size);
    import->layer->parameters.lrn.local_size = message->local_size;
    import->layer->parameters.lrn.alpha = message->alpha;
    import->layer->parameters.lrn.beta = message->beta;
    import->layer->parameters.lrn.k = message->k;
    import->layer->parameters.lrn.within_channel =
        message->norm_region == CAFFE__LRNPARAMETER__NORM_REGION__WITHIN_CHANNEL;
    /* Square, sliding sum (one add, one subtract; a plane within a channel), power, product. */
    return same_shape(import, 7);
}

int sl_infer_mvn(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__MVNParameter, CAFFE__MVNPARAMETER__INIT,
                  import->message->mvn_param);
    int result = sl_import_expect_axes(import, 0, 2, SL_MAX_AXES);
    if (result)
        return result;
    import->layer->parameters.mvn.normalize_variance = message->normalize_variance;
    import->layer->parameters.mvn.across_channels = message->across_channels;
    import->layer->parameters.mvn.eps = message->eps;
    return same_shape(import, message->normalize_variance ? 5 : 2);
}

int sl_infer_batch_norm(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__BatchNormParameter, CAFFE__BATCH_NORM_PARAMETER__INIT,
                  import->message->batch_norm_param);
    const struct sl_shape *bottom = &import->bottoms[0];
    if (message->has_use_global_stats && !message->use_global_stats)
        return sl_import_fail(import, "statistics of the batch are for training; set "
                                      "use_global_stats: true, or remove the field");
    int result = sl_import_expect_axes(import, 0, 1, SL_MAX_AXES);
    if (result)
        return result;
    int64_t channels = bottom->axes == 1 ? 1 : bottom->dim[1];
    import->layer->parameters.batch_norm.eps = message->eps;
    result = sl_import_weight_vector(import, channels);
    if (!result)
        result = sl_import_weight_vector(import, channels);
    if (!result)
        result = sl_import_weight_vector(import, 1);
    return result ? result : same_shape(import, 2);
}

/* The bottom's axes [axis, axis + count) as a shape. */
static struct sl_shape slice_of(const struct sl_shape *bottom, int axis, int count)
{
    struct sl_shape shape = sl_shape_make(0, 1, 1, 1, 1);
    shape.axes = count;
    for (int i = 0; i < count; i++)
        shape.dim[i] = bottom->dim[axis + i];
    return shape;
}

/* Which axes the factor or addend covers: from its own shape when it is a bottom, else from
 * num_axes (-1: all that follow; 0: a single number). */
static int covered_axes(struct sl_layer_import *import, int64_t wanted_axis, int64_t wanted_count,
                        int *axis, int *count)
{
    const struct sl_shape *bottom = &import->bottoms[0];
    char text[SL_SHAPE_TEXT_BYTES], other[SL_SHAPE_TEXT_BYTES];
    if (import->bottom_count == 2 && import->bottoms[1].axes == 0) {
        *axis = *count = 0;
        return 0;
    }
    int result = sl_import_axis(import, "axis", wanted_axis, bottom, axis);
    if (result)
        return result;
    if (import->bottom_count == 1) {
        if (wanted_count < -1 || wanted_count > bottom->axes - *axis)
            return sl_import_fail(import,
                                  "num_axes %lld from axis %d is outside bottom '%.100s' (%s)",
                                  (long long)wanted_count, *axis, import->message->bottom[0],
                                  sl_shape_text(bottom, text));
        *count = wanted_count < 0 ? bottom->axes - *axis : (int)wanted_count;
        return 0;
    }
    const struct sl_shape *second = &import->bottoms[1];
    bool fits = *axis + second->axes <= bottom->axes;
    for (int i = 0; fits && i < second->axes; i++)
        fits = second->dim[i] == bottom->dim[*axis + i];
    if (!fits)
        return sl_import_fail(import,
                              "bottom '%.100s' (%s) does not match the axes of '%.100s' (%s) from "
                              "axis %d on",
                              import->message->bottom[1], sl_shape_text(second, text),
                              import->message->bottom[0], sl_shape_text(bottom, other), *axis);
    *count = second->axes;
    return 0;
}

int sl_infer_scale(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__ScaleParameter, CAFFE__SCALE_PARAMETER__INIT,
                  import->message->scale_param);
    int axis, count;
    int result = covered_axes(import, message->axis, message->num_axes, &axis, &count);
    if (result)
        return result;
    import->layer->parameters.scale.axis = axis;
    import->layer->parameters.scale.num_axes = count;
    import->layer->parameters.scale.bias = message->bias_term;
    struct sl_shape shape = slice_of(&import->bottoms[0], axis, count);
    if (import->bottom_count == 1)
        result = sl_import_weight(import, &shape);
    if (!result && message->bias_term)
        result = sl_import_weight(import, &shape);
    return result ? result : same_shape(import, message->bias_term ? 2 : 1);
}

int sl_infer_bias(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__BiasParameter, CAFFE__BIAS_PARAMETER__INIT,
                  import->message->bias_param);
    int axis, count;
    int result = covered_axes(import, message->axis, message->num_axes, &axis, &count);
    if (result)
        return result;
    import->layer->parameters.scale.axis = axis;
    import->layer->parameters.scale.num_axes = count;
    struct sl_shape shape = slice_of(&import->bottoms[0], axis, count);
    if (import->bottom_count == 1)
        result = sl_import_weight(import, &shape);
    return result ? result : same_shape(import, 1);
}

int sl_infer_normalize(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__NormalizeParameter, CAFFE__NORMALIZE_PARAMETER__INIT,
                  import->message->norm_param);
    int result = sl_import_expect_axes(import, 0, 2, 4);
    if (result)
        return result;
    bool shared = message->channel_shared;
    import->layer->parameters.normalize.across_spatial = message->across_spatial;
    import->layer->parameters.normalize.channel_shared = shared;
    import->layer->parameters.normalize.eps = message->eps;
    struct sl_shape weight = sl_shape_make(shared ? 0 : 1, 1, 1, 1, 1);
    if (!shared)
        weight.dim[0] = import->bottoms[0].dim[1];
    result = sl_import_weight(import, &weight);
    return result ? result : same_shape(import, 4);
}
