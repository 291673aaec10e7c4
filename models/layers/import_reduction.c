/* Layers that reduce axes: ArgMax, Reduction. */
#include "models/layers/importer.h"

int sl_infer_argmax(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__ArgMaxParameter, CAFFE__ARG_MAX_PARAMETER__INIT,
                  import->message->argmax_param);
    const struct sl_shape *bottom = &import->bottoms[0];
    struct sl_layer_parameters *out = &import->layer->parameters;
    int result = sl_import_expect_axes(import, 0, 1, SL_MAX_AXES);
    int axis = 0;
    if (!result && message->has_axis)
        result = sl_import_axis(import, "axis", message->axis, bottom, &axis);
    if (result)
        return result;
    int64_t candidates =
        message->has_axis ? bottom->dim[axis] : sl_shape_span(bottom, 1, bottom->axes);
    if (message->top_k < 1 || message->top_k > candidates)
        return sl_import_fail(import, "top_k %u is outside 1 to %lld, the number of candidates",
                              message->top_k, (long long)candidates);
    out->argmax.out_max_value = message->out_max_val;
    out->argmax.top_k = message->top_k;
    out->argmax.has_axis = message->has_axis;
    out->argmax.axis = axis;
    if (message->has_axis) {
        import->tops[0] = *bottom;
        import->tops[0].dim[axis] = message->top_k;
    } else {
        struct sl_shape top =
            sl_shape_make(3, bottom->dim[0], message->out_max_val ? 2 : 1, message->top_k, 1);
        if (bottom->axes > 3)
            top.axes = bottom->axes;
        import->tops[0] = top;
    }
    import->layer->flops = (double)sl_shape_count(bottom);
    return 0;
}

int sl_infer_reduction(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__ReductionParameter, CAFFE__REDUCTION_PARAMETER__INIT,
                  import->message->reduction_param);
    const struct sl_shape *bottom = &import->bottoms[0];
    struct sl_layer_parameters *out = &import->layer->parameters;
    int axis;
    int result = sl_import_axis(import, "axis", message->axis, bottom, &axis);
    if (result)
        return result;
    switch (message->operation) {
    case CAFFE__REDUCTION_PARAMETER__REDUCTION_OP__SUM:
        out->reduction.operation = SL_REDUCTION_SUM;
        break;
    case CAFFE__REDUCTION_PARAMETER__REDUCTION_OP__ASUM:
        out->reduction.operation = SL_REDUCTION_ASUM;
        break;
    case CAFFE__REDUCTION_PARAMETER__REDUCTION_OP__SUMSQ:
        out->reduction.operation = SL_REDUCTION_SUMSQ;
        break;
    case CAFFE__REDUCTION_PARAMETER__REDUCTION_OP__MEAN:
        out->reduction.operation = SL_REDUCTION_MEAN;
        break;
    default:
        return sl_import_fail(import, "unknown operation; known are SUM, ASUM, SUMSQ and MEAN");
    }
    out->reduction.axis = axis;
    out->reduction.coefficient = message->coeff;
    struct sl_shape top = sl_shape_make(0, 1, 1, 1, 1);
    for (; top.axes < axis; top.axes++)
        top.dim[top.axes] = bottom->dim[top.axes];
    import->tops[0] = top;
    import->layer->flops = 2.0 * (double)sl_shape_count(bottom);
    return 0;
}
