/* Layers with several bottoms or tops: Concat, Slice, Split, Eltwise. */
#include "models/layers/importer.h"

int sl_infer_concat(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__ConcatParameter, CAFFE__CONCAT_PARAMETER__INIT,
                  import->message->concat_param);
    const struct sl_shape *first = &import->bottoms[0];
    if (message->has_axis && message->has_concat_dim)
        return sl_import_fail(import, "give either axis or concat_dim");
    int axis;
    int result = sl_import_axis(import, message->has_concat_dim ? "concat_dim" : "axis",
                                message->has_concat_dim ? (int64_t)message->concat_dim
                                                        : (int64_t)message->axis,
                                first, &axis);
    if (result)
        return result;
    struct sl_shape top = *first;
    for (int i = 1; i < import->bottom_count; i++) {
        const struct sl_shape *other = &import->bottoms[i];
        bool fits = other->axes == first->axes;
        for (int a = 0; fits && a < first->axes; a++)
            fits = a == axis || other->dim[a] == first->dim[a];
        char text[SL_SHAPE_TEXT_BYTES], other_text[SL_SHAPE_TEXT_BYTES];
        if (!fits)
            return sl_import_fail(import,
                                  "bottoms '%.100s' (%s) and '%.100s' (%s) differ in more than "
                                  "axis %d",
                                  import->message->bottom[0], sl_shape_text(first, text),
                                  import->message->bottom[i], sl_shape_text(other, other_text),
                                  axis);
        top.dim[axis] += other->dim[axis];
        if (top.dim[axis] > SL_MAX_DIMENSION)
            return sl_import_fail(import, "axis %d of the top grows beyond %d", axis,
                                  SL_MAX_DIMENSION);
    }
    import->layer->parameters.concat.axis = axis;
    import->tops[0] = top;
    return 0;
}

int sl_infer_slice(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__SliceParameter, CAFFE__SLICE_PARAMETER__INIT,
                  import->message->slice_param);
    const struct sl_shape *bottom = &import->bottoms[0];
    if (message->has_axis && message->has_slice_dim)
        return sl_import_fail(import, "give either axis or slice_dim");
    int axis;
    int result = sl_import_axis(import, message->has_slice_dim ? "slice_dim" : "axis",
                                message->has_slice_dim ? (int64_t)message->slice_dim
                                                       : (int64_t)message->axis,
                                bottom, &axis);
    if (result)
        return result;
    import->layer->parameters.concat.axis = axis;
    int64_t size = bottom->dim[axis];
    int tops = import->top_count;
    if (message->n_slice_point) {
        if (message->n_slice_point != (size_t)tops - 1)
            return sl_import_fail(import, "%zu slice points for %d tops; one less than tops is due",
                                  message->n_slice_point, tops);
    } else if (size % tops) {
        return sl_import_fail(import, "axis %d of size %lld cannot be cut into %d equal tops", axis,
                              (long long)size, tops);
    }
    int64_t begin = 0;
    for (int i = 0; i < tops; i++) {
        int64_t end = size;
        if (message->n_slice_point && i < tops - 1)
            end = message->slice_point[i];
        else if (!message->n_slice_point)
            end = begin + size / tops;
        if (end <= begin || end > size)
            return sl_import_fail(import,
                                  "slice points must increase and stay inside axis %d of size %lld",
                                  axis, (long long)size);
        import->tops[i] = *bottom;
        import->tops[i].dim[axis] = end - begin;
        begin = end;
    }
    return 0;
}

int sl_infer_split(struct sl_layer_import *import)
{
    for (int i = 0; i < import->top_count; i++)
        import->tops[i] = import->bottoms[0];
    return 0;
}

int sl_infer_eltwise(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__EltwiseParameter, CAFFE__ELTWISE_PARAMETER__INIT,
                  import->message->eltwise_param);
    struct sl_layer_parameters *out = &import->layer->parameters;
    switch (message->operation) {
    case CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__PROD:
        out->eltwise.operation = SL_ELTWISE_PRODUCT;
        break;
    case CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__SUM:
        out->eltwise.operation = SL_ELTWISE_SUM;
        break;
    case CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__MAX:
        out->eltwise.operation = SL_ELTWISE_MAX;
        break;
    default:
        return sl_import_fail(import, "unknown operation; known are PROD, SUM and MAX");
    }
    if (message->n_coeff && out->eltwise.operation != SL_ELTWISE_SUM)
        return sl_import_fail(import, "coefficients are for operation SUM only");
    if (message->n_coeff && message->n_coeff != (size_t)import->bottom_count)
        return sl_import_fail(import, "%zu coefficients for %d bottoms", message->n_coeff,
                              import->bottom_count);
    const struct sl_shape *first = &import->bottoms[0];
    char text[SL_SHAPE_TEXT_BYTES], other[SL_SHAPE_TEXT_BYTES];
    for (int i = 1; i < import->bottom_count; i++)
        if (!sl_shape_equal(first, &import->bottoms[i]))
            return sl_import_fail(import, "bottoms '%.100s' (%s) and '%.100s' (%s) differ in shape",
                                  import->message->bottom[0], sl_shape_text(first, text),
                                  import->message->bottom[i],
                                  sl_shape_text(&import->bottoms[i], other));
    if (message->n_coeff) {
        out->eltwise.coefficients =
            sl_arena_copy(import->arena, message->coeff, message->n_coeff, sizeof(float));
        if (!out->eltwise.coefficients)
            return sl_import_no_memory(import);
    }
    import->tops[0] = *first;
    double operations = message->n_coeff ? 2.0 * import->bottom_count : import->bottom_count - 1.0;
    import->layer->flops = operations * (double)sl_shape_count(first);
    return 0;
}
