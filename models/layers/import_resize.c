/* Layers that resample a map: Upsample (nearest neighbour), Interp (bilinear). */
#include "models/layers/importer.h"

/* Of the fork that introduced the layer; files may leave the scale out. */
#define DEFAULT_SCALE 2

int sl_infer_upsample(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__UpsampleParameter, CAFFE__UPSAMPLE_PARAMETER__INIT,
                  import->message->upsample_param);
    const struct sl_shape *bottom = &import->bottoms[0];
    int result = sl_import_expect_axes(import, 0, 4, 4);
    if (result)
        return result;
    if (message->has_upsample_h || message->has_upsample_w)
        return sl_import_fail(import, "upsample_h and upsample_w undo a pooling with a mask, which "
                                      "is not supported; only scale is");
    int64_t scale = message->has_scale ? message->scale : DEFAULT_SCALE;
    int64_t scale_h = message->has_scale_h ? message->scale_h : scale;
    int64_t scale_w = message->has_scale_w ? message->scale_w : scale;
    if (scale_h < 1 || scale_w < 1)
        return sl_import_fail(import, "scale must be at least 1; it is %lldx%lld",
                              (long long)scale_h, (long long)scale_w);
    import->layer->parameters.upsample.scale_h = scale_h;
    import->layer->parameters.upsample.scale_w = scale_w;
    import->tops[0] = sl_shape_make(4, bottom->dim[0], bottom->dim[1], bottom->dim[2] * scale_h,
                                    bottom->dim[3] * scale_w);
    return 0;
}

/* Output size along one axis of `size` input elements that remain after cropping. */
static int64_t interpolated(const Caffe__InterpParameter *message, int64_t size, int64_t given)
{
    if (!message->has_shrink_factor && !message->has_zoom_factor)
        return given;
    if (message->has_shrink_factor)
        size = (size - 1) / message->shrink_factor + 1;
    if (message->has_zoom_factor)
        size = size + (size - 1) * (message->zoom_factor - 1);
    return size;
}

int sl_infer_interp(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__InterpParameter, CAFFE__INTERP_PARAMETER__INIT,
                  import->message->interp_param);
    const struct sl_shape *bottom = &import->bottoms[0];
    int result = sl_import_expect_axes(import, 0, 4, 4);
    if (!result && import->bottom_count == 2)
        result = sl_import_expect_axes(import, 1, 4, 4);
    if (result)
        return result;
    if (message->pad_beg > 0 || message->pad_end > 0)
        return sl_import_fail(import, "pad_beg and pad_end crop: they must not be positive");
    if (message->shrink_factor < 1 || message->zoom_factor < 1)
        return sl_import_fail(import, "shrink_factor and zoom_factor must be at least 1");
    int64_t crop = (int64_t)message->pad_beg + message->pad_end;
    int64_t height = bottom->dim[2] + crop, width = bottom->dim[3] + crop;
    char text[SL_SHAPE_TEXT_BYTES];
    if (height < 1 || width < 1)
        return sl_import_fail(import, "pads %d and %d leave nothing of bottom '%.100s' (%s)",
                              message->pad_beg, message->pad_end, import->message->bottom[0],
                              sl_shape_text(bottom, text));
    if (import->bottom_count == 2) {
        height = import->bottoms[1].dim[2];
        width = import->bottoms[1].dim[3];
    } else {
        height = interpolated(message, height, message->height);
        width = interpolated(message, width, message->width);
    }
    if (height < 1 || width < 1)
        return sl_import_fail(import, "give shrink_factor, zoom_factor, or height and width");
    import->layer->parameters.interp.pad_begin = message->pad_beg;
    import->layer->parameters.interp.pad_end = message->pad_end;
    import->tops[0] = sl_shape_make(4, bottom->dim[0], bottom->dim[1], height, width);
    /* Four products and three sums for each element. */
    import->layer->flops =
        7.0 * (double)bottom->dim[0] * (double)bottom->dim[1] * (double)height * (double)width;
    return 0;
}
