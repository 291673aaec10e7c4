/* Layers that only rearrange: Flatten, Reshape, Permute, Crop, Tile. */
#include "models/layers/importer.h"

int sl_infer_flatten(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__FlattenParameter, CAFFE__FLATTEN_PARAMETER__INIT,
                  import->message->flatten_param);
    const struct sl_shape *bottom = &import->bottoms[0];
    int first, last;
    int result = sl_import_axis(import, "axis", message->axis, bottom, &first);
    if (!result)
        result = sl_import_axis(import, "end_axis", message->end_axis, bottom, &last);
    if (result)
        return result;
    if (last < first)
        return sl_import_fail(import, "end_axis %d lies before axis %d", last, first);
    struct sl_shape top = sl_shape_make(0, 1, 1, 1, 1);
    for (int i = 0; i < first; i++)
        top.dim[top.axes++] = bottom->dim[i];
    top.dim[top.axes++] = sl_shape_span(bottom, first, last + 1);
    for (int i = last + 1; i < bottom->axes; i++)
        top.dim[top.axes++] = bottom->dim[i];
    import->tops[0] = top;
    return 0;
}

/* Puts the dimensions asked for at their place; the one of -1 stays 1 and its position (or -1) is
 * returned in *inferred. */
static int reshape_dimensions(struct sl_layer_import *import, const Caffe__BlobShape *wanted,
                              int start, struct sl_shape *top, int *inferred)
{
    const struct sl_shape *bottom = &import->bottoms[0];
    char text[SL_SHAPE_TEXT_BYTES];
    *inferred = -1;
    for (size_t i = 0; i < wanted->n_dim; i++) {
        int64_t size = wanted->dim[i];
        int source = start + (int)i;
        if (size == 0 && source >= bottom->axes)
            return sl_import_fail(import, "dim: 0 copies axis %d, which bottom '%.100s' (%s) lacks",
                                  source, import->message->bottom[0], sl_shape_text(bottom, text));
        if (size == 0)
            size = bottom->dim[source];
        if (size == -1 && *inferred >= 0)
            return sl_import_fail(import, "only one dim may be -1");
        if (size < -1)
            return sl_import_fail(import, "dim: %lld is not possible", (long long)size);
        if (size == -1) {
            *inferred = top->axes;
            size = 1;
        }
        top->dim[top->axes++] = size;
    }
    return 0;
}

int sl_infer_reshape(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__ReshapeParameter, CAFFE__RESHAPE_PARAMETER__INIT,
                  import->message->reshape_param);
    const Caffe__BlobShape nothing = CAFFE__BLOB_SHAPE__INIT;
    const Caffe__BlobShape *wanted = message->shape ? message->shape : &nothing;
    const struct sl_shape *bottom = &import->bottoms[0];
    char text[SL_SHAPE_TEXT_BYTES], other[SL_SHAPE_TEXT_BYTES];
    int64_t start = message->axis >= 0 ? message->axis : bottom->axes + message->axis + INT64_C(1);
    int64_t end = message->num_axes == -1 ? bottom->axes : start + message->num_axes;
    if (start < 0 || start > bottom->axes || message->num_axes < -1 || end > bottom->axes)
        return sl_import_fail(import, "axis %d with num_axes %d is outside bottom '%.100s' (%s)",
                              message->axis, message->num_axes, import->message->bottom[0],
                              sl_shape_text(bottom, text));
    if (wanted->n_dim > SL_MAX_AXES ||
        bottom->axes - (end - start) + (int64_t)wanted->n_dim > SL_MAX_AXES)
        return sl_import_fail(import, "the top would have more than %d axes", SL_MAX_AXES);

    struct sl_shape top = sl_shape_make(0, 1, 1, 1, 1);
    for (int i = 0; i < start; i++)
        top.dim[top.axes++] = bottom->dim[i];
    int inferred;
    int result = reshape_dimensions(import, wanted, (int)start, &top, &inferred);
    if (result)
        return result;
    for (int i = (int)end; i < bottom->axes; i++)
        top.dim[top.axes++] = bottom->dim[i];

    int64_t elements = sl_shape_count(bottom);
    bool fits = sl_shape_valid(&top);
    if (fits && inferred >= 0) {
        int64_t explicit_count = sl_shape_count(&top);
        fits = elements % explicit_count == 0;
        if (fits)
            top.dim[inferred] = elements / explicit_count;
    }
    if (!fits || !sl_shape_valid(&top) || sl_shape_count(&top) != elements) {
        if (inferred >= 0)
            top.dim[inferred] = -1;
        return sl_import_fail(import, "%lld elements of bottom '%.100s' (%s) do not fill shape %s",
                              (long long)elements, import->message->bottom[0],
                              sl_shape_text(bottom, text), sl_shape_text(&top, other));
    }
    import->tops[0] = top;
    return 0;
}

int sl_infer_permute(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__PermuteParameter, CAFFE__PERMUTE_PARAMETER__INIT,
                  import->message->permute_param);
    const struct sl_shape *bottom = &import->bottoms[0];
    int *order = import->layer->parameters.permute.order;
    bool used[SL_MAX_AXES] = {false};
    char text[SL_SHAPE_TEXT_BYTES];
    int axes = 0;
    if (message->n_order > (size_t)bottom->axes)
        return sl_import_fail(import, "%zu axes in order for bottom '%.100s' (%s)",
                              message->n_order, import->message->bottom[0],
                              sl_shape_text(bottom, text));
    for (size_t i = 0; i < message->n_order; i++) {
        uint32_t axis = message->order[i];
        if (axis >= (uint32_t)bottom->axes || used[axis])
            return sl_import_fail(import,
                                  "order: %u is no axis of bottom '%.100s' (%s), or a repeat", axis,
                                  import->message->bottom[0], sl_shape_text(bottom, text));
        used[axis] = true;
        order[axes++] = (int)axis;
    }
    for (int axis = 0; axis < bottom->axes; axis++)
        if (!used[axis])
            order[axes++] = axis;
    import->tops[0] = *bottom;
    for (int i = 0; i < axes; i++)
        import->tops[0].dim[i] = bottom->dim[order[i]];
    return 0;
}

int sl_infer_crop(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__CropParameter, CAFFE__CROP_PARAMETER__INIT,
                  import->message->crop_param);
    const struct sl_shape *bottom = &import->bottoms[0], *like = &import->bottoms[1];
    int64_t *offset = import->layer->parameters.crop.offset;
    char text[SL_SHAPE_TEXT_BYTES], other[SL_SHAPE_TEXT_BYTES];
    int start;
    int result = sl_import_axis(import, "axis", message->axis, bottom, &start);
    if (result)
        return result;
    if (message->n_offset > 1 && message->n_offset != (size_t)(bottom->axes - start))
        return sl_import_fail(import, "%zu offsets for %d cropped axes; give one, or one for each",
                              message->n_offset, bottom->axes - start);
    import->tops[0] = *bottom;
    for (int axis = start; axis < bottom->axes; axis++) {
        size_t index = message->n_offset == 1 ? 0 : (size_t)(axis - start);
        offset[axis] = message->n_offset ? message->offset[index] : 0;
        if (axis >= like->axes || like->dim[axis] + offset[axis] > bottom->dim[axis])
            return sl_import_fail(import,
                                  "axis %d of bottom '%.100s' (%s) at offset %lld is larger than "
                                  "that of '%.100s' (%s)",
                                  axis, import->message->bottom[1], sl_shape_text(like, text),
                                  (long long)offset[axis], import->message->bottom[0],
                                  sl_shape_text(bottom, other));
        import->tops[0].dim[axis] = like->dim[axis];
    }
    return 0;
}

int sl_infer_tile(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__TileParameter, CAFFE__TILE_PARAMETER__INIT,
                  import->message->tile_param);
    int axis;
    int result = sl_import_axis(import, "axis", message->axis, &import->bottoms[0], &axis);
    if (result)
        return result;
    if (message->tiles < 1)
        return sl_import_fail(import, "tiles must be at least 1; it is %d", message->tiles);
    import->layer->parameters.tile.axis = axis;
    import->layer->parameters.tile.tiles = message->tiles;
    import->tops[0] = import->bottoms[0];
    import->tops[0].dim[axis] *= message->tiles;
    return 0;
}
