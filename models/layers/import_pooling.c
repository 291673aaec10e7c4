/* Pooling with Caffe's rounding: up unless told otherwise, and then no window that starts in the
 * padding after the map. */
#include "models/layers/importer.h"

struct window {
    int64_t kernel, stride, pad;
};

static int decode_window(struct sl_layer_import *import, const Caffe__PoolingParameter *message,
                         struct window *h, struct window *w)
{
    const struct sl_shape *bottom = &import->bottoms[0];
    bool has_kernel = message->has_kernel_size;
    bool has_both = message->has_kernel_h && message->has_kernel_w;
    if (message->global_pooling) {
        if (has_kernel || message->has_kernel_h || message->has_kernel_w)
            return sl_import_fail(import, "global_pooling takes no kernel size");
        h->kernel = bottom->dim[2];
        w->kernel = bottom->dim[3];
    } else if (has_kernel != (message->has_kernel_h || message->has_kernel_w) &&
               (has_kernel || has_both)) {
        h->kernel = has_kernel ? message->kernel_size : message->kernel_h;
        w->kernel = has_kernel ? message->kernel_size : message->kernel_w;
    } else {
        return sl_import_fail(import, "give either kernel_size or both kernel_h and kernel_w");
    }
    bool pads = message->has_pad_h || message->has_pad_w;
    bool strides = message->has_stride_h || message->has_stride_w;
    if ((pads && message->has_pad) || (strides && message->has_stride))
        return sl_import_fail(import, "give either pad or pad_h and pad_w, and likewise stride");
    if (strides && !(message->has_stride_h && message->has_stride_w))
        return sl_import_fail(import, "give both stride_h and stride_w");
    h->pad = pads ? message->pad_h : message->pad;
    w->pad = pads ? message->pad_w : message->pad;
    h->stride = strides ? message->stride_h : message->stride;
    w->stride = strides ? message->stride_w : message->stride;
    return 0;
}

static int check_window(struct sl_layer_import *import, const struct window *window, bool global)
{
    if (window->kernel < 1 || window->kernel > SL_MAX_DIMENSION || window->stride < 1 ||
        window->stride > SL_MAX_DIMENSION)
        return sl_import_fail(import, "kernel %lld and stride %lld must be from 1 to %d",
                              (long long)window->kernel, (long long)window->stride,
                              SL_MAX_DIMENSION);
    if (window->pad >= window->kernel)
        return sl_import_fail(import, "pad %lld must be less than kernel %lld",
                              (long long)window->pad, (long long)window->kernel);
    if (global && (window->pad != 0 || window->stride != 1))
        return sl_import_fail(import, "global_pooling needs pad 0 and stride 1");
    return 0;
}

static int64_t pooled(int64_t input, const struct window *window, bool padded, bool round_up)
{
    int64_t room = input + 2 * window->pad - window->kernel;
    int64_t steps = room / window->stride;
    if (round_up && room % window->stride > 0)
        steps++;
    if (!round_up && room % window->stride < 0)
        steps--;
    int64_t count = steps + 1;
    if (padded && (count - 1) * window->stride >= input + window->pad)
        count--;
    return count;
}

int sl_infer_pooling(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__PoolingParameter, CAFFE__POOLING_PARAMETER__INIT,
                  import->message->pooling_param);
    const struct sl_shape *bottom = &import->bottoms[0];
    struct window h, w;
    int result = sl_import_expect_axes(import, 0, 4, 4);
    if (!result)
        result = decode_window(import, message, &h, &w);
    if (!result)
        result = check_window(import, &h, message->global_pooling);
    if (!result)
        result = check_window(import, &w, message->global_pooling);
    if (result)
        return result;

    struct sl_pooling_parameters *out = &import->layer->parameters.pooling;
    if (message->pool == CAFFE__POOLING_PARAMETER__POOL_METHOD__MAX)
        out->method = SL_POOLING_MAX;
    else if (message->pool == CAFFE__POOLING_PARAMETER__POOL_METHOD__AVE)
        out->method = SL_POOLING_AVERAGE;
    else
        return sl_import_fail(import, "only MAX and AVE pooling are supported");
    out->kernel_h = h.kernel;
    out->kernel_w = w.kernel;
    out->stride_h = h.stride;
    out->stride_w = w.stride;
    out->pad_h = h.pad;
    out->pad_w = w.pad;

    bool round_up = message->has_round_mode
                        ? message->round_mode == CAFFE__POOLING_PARAMETER__ROUND_MODE__CEIL
                        : message->ceil_mode;
    bool padded = h.pad || w.pad;
    int64_t height = pooled(bottom->dim[2], &h, padded, round_up);
    int64_t width = pooled(bottom->dim[3], &w, padded, round_up);
    char text[SL_SHAPE_TEXT_BYTES];
    if (height < 1 || width < 1)
        return sl_import_fail(import, "kernel %lldx%lld does not fit bottom '%.100s' (%s)",
                              (long long)h.kernel, (long long)w.kernel, import->message->bottom[0],
                              sl_shape_text(bottom, text));
    import->tops[0] = sl_shape_make(4, bottom->dim[0], bottom->dim[1], height, width);
    import->layer->flops = (double)bottom->dim[0] * (double)bottom->dim[1] * (double)height *
                           (double)width * (double)h.kernel * (double)w.kernel;
    return 0;
}
