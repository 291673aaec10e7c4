/* Convolution and Deconvolution over one or two spatial axes. */
#include "models/layers/importer.h"

/* A size for each spatial axis: from the _h and _w fields, or from a list with one value for all
 * axes, one for each, or none (the default). */
struct field {
    const char *name; /* of the list */
    const char *stem; /* of the fields <stem>_h and <stem>_w */
    size_t count;
    const uint32_t *list;
    bool has_h, has_w;
    uint32_t h, w;
    int64_t least;
    int64_t fallback; /* -1: the field must be given */
};

static int decode(struct sl_layer_import *import, const struct field *field, int spatial,
                  int64_t *size_h, int64_t *size_w)
{
    int64_t value[2];
    if (field->has_h || field->has_w) {
        if (spatial != 2 || field->count ||
            (field->fallback < 0 && !(field->has_h && field->has_w)))
            return sl_import_fail(import, "give either %s or both %s_h and %s_w (2 spatial axes)",
                                  field->name, field->stem, field->stem);
        value[0] = field->has_h ? field->h : field->fallback;
        value[1] = field->has_w ? field->w : field->fallback;
    } else if (field->count == 0) {
        if (field->fallback < 0)
            return sl_import_fail(import, "%s is missing", field->name);
        value[0] = value[1] = field->fallback;
    } else if (field->count == 1 || field->count == (size_t)spatial) {
        value[0] = field->list[0];
        value[1] = field->list[field->count - 1];
    } else {
        return sl_import_fail(import, "%zu values of %s for %d spatial axes", field->count,
                              field->name, spatial);
    }
    for (int i = 0; i < 2; i++)
        if (value[i] < field->least || value[i] > SL_MAX_DIMENSION)
            return sl_import_fail(import, "%s %lld is outside %lld to %d", field->name,
                                  (long long)value[i], (long long)field->least, SL_MAX_DIMENSION);
    *size_h = value[0];
    *size_w = value[1];
    return 0;
}

static int decode_window(struct sl_layer_import *import, const Caffe__ConvolutionParameter *message,
                         int spatial, struct sl_convolution_parameters *out)
{
    const struct field kernel = {.name = "kernel_size",
                                 .stem = "kernel",
                                 .count = message->n_kernel_size,
                                 .list = message->kernel_size,
                                 .has_h = message->has_kernel_h,
                                 .has_w = message->has_kernel_w,
                                 .h = message->kernel_h,
                                 .w = message->kernel_w,
                                 .least = 1,
                                 .fallback = -1};
    const struct field stride = {.name = "stride",
                                 .stem = "stride",
                                 .count = message->n_stride,
                                 .list = message->stride,
                                 .has_h = message->has_stride_h,
                                 .has_w = message->has_stride_w,
                                 .h = message->stride_h,
                                 .w = message->stride_w,
                                 .least = 1,
                                 .fallback = 1};
    const struct field pad = {.name = "pad",
                              .stem = "pad",
                              .count = message->n_pad,
                              .list = message->pad,
                              .has_h = message->has_pad_h,
                              .has_w = message->has_pad_w,
                              .h = message->pad_h,
                              .w = message->pad_w,
                              .least = 0,
                              .fallback = 0};
    const struct field dilation = {.name = "dilation",
                                   .stem = "dilation",
                                   .count = message->n_dilation,
                                   .list = message->dilation,
                                   .least = 1,
                                   .fallback = 1};
    int result = decode(import, &kernel, spatial, &out->kernel_h, &out->kernel_w);
    if (!result)
        result = decode(import, &stride, spatial, &out->stride_h, &out->stride_w);
    if (!result)
        result = decode(import, &pad, spatial, &out->pad_h, &out->pad_w);
    if (!result)
        result = decode(import, &dilation, spatial, &out->dilation_h, &out->dilation_w);
    if (!result && spatial == 1) {
        out->kernel_h = out->stride_h = out->dilation_h = 1;
        out->pad_h = 0;
    }
    return result;
}

static int64_t window_extent(int64_t kernel, int64_t dilation)
{
    return dilation * (kernel - 1) + 1;
}

/* base_layer of Caffe: what Convolution and Deconvolution share. */
static int decode_parameters(struct sl_layer_import *import, int *spatial)
{
    SL_PARAMETERS(message, Caffe__ConvolutionParameter, CAFFE__CONVOLUTION_PARAMETER__INIT,
                  import->message->convolution_param);
    const struct sl_shape *bottom = &import->bottoms[0];
    struct sl_convolution_parameters *out = &import->layer->parameters.convolution;
    int axis;
    int result = sl_import_axis(import, "axis", message->axis, bottom, &axis);
    if (!result)
        result = sl_import_expect_axes(import, 0, 3, 4);
    if (result)
        return result;
    if (axis != 1)
        return sl_import_fail(import, "only axis 1 is supported as the channel axis, not %d", axis);
    *spatial = bottom->axes - 2;
    result = decode_window(import, message, *spatial, out);
    if (result)
        return result;
    out->num_output = message->num_output;
    out->group = message->group;
    out->bias = message->bias_term;
    if (out->num_output < 1 || out->num_output > SL_MAX_DIMENSION)
        return sl_import_fail(import, "num_output must be at least 1");
    char text[SL_SHAPE_TEXT_BYTES];
    if (out->group < 1 || bottom->dim[1] % out->group || out->num_output % out->group)
        return sl_import_fail(
            import,
            "group %lld does not divide the %lld channels of bottom '%.100s' (%s) "
            "and num_output %lld",
            (long long)out->group, (long long)bottom->dim[1], import->message->bottom[0],
            sl_shape_text(bottom, text), (long long)out->num_output);
    return 0;
}

static int add_weights(struct sl_layer_import *import, int64_t rows, int64_t columns, int spatial)
{
    const struct sl_convolution_parameters *p = &import->layer->parameters.convolution;
    struct sl_shape shape = sl_shape_make(4, rows, columns, p->kernel_h, p->kernel_w);
    if (spatial == 1)
        shape = sl_shape_make(3, rows, columns, p->kernel_w, 1);
    int result = sl_import_weight(import, &shape);
    if (!result && p->bias)
        result = sl_import_weight_vector(import, p->num_output);
    return result;
}

static int set_top(struct sl_layer_import *import, int spatial, int64_t height, int64_t width)
{
    const struct sl_shape *bottom = &import->bottoms[0];
    const struct sl_convolution_parameters *p = &import->layer->parameters.convolution;
    char text[SL_SHAPE_TEXT_BYTES];
    if (height < 1 || width < 1)
        return sl_import_fail(import,
                              "kernel %lldx%lld (dilation %lldx%lld, pad %lldx%lld) does not fit "
                              "bottom '%.100s' (%s)",
                              (long long)p->kernel_h, (long long)p->kernel_w,
                              (long long)p->dilation_h, (long long)p->dilation_w,
                              (long long)p->pad_h, (long long)p->pad_w, import->message->bottom[0],
                              sl_shape_text(bottom, text));
    if (spatial == 1)
        import->tops[0] = sl_shape_make(3, bottom->dim[0], p->num_output, width, 1);
    else
        import->tops[0] = sl_shape_make(4, bottom->dim[0], p->num_output, height, width);
    return 0;
}

/* Images times places of a map, as a real number: the shape may still prove too large. */
static double positions(const struct sl_shape *shape)
{
    double product = (double)shape->dim[0];
    for (int i = 2; i < shape->axes; i++)
        product *= (double)shape->dim[i];
    return product;
}

static int64_t convolution_output(int64_t input, int64_t kernel, int64_t dilation, int64_t pad,
                                  int64_t stride)
{
    int64_t room = input + 2 * pad - window_extent(kernel, dilation);
    return room < 0 ? 0 : room / stride + 1;
}

int sl_infer_convolution(struct sl_layer_import *import)
{
    int spatial;
    int result = decode_parameters(import, &spatial);
    if (result)
        return result;
    struct sl_convolution_parameters *p = &import->layer->parameters.convolution;
    const struct sl_shape *bottom = &import->bottoms[0];
    int64_t height = spatial == 1 ? 1 : bottom->dim[2], width = bottom->dim[bottom->axes - 1];
    result = set_top(import, spatial,
                     convolution_output(height, p->kernel_h, p->dilation_h, p->pad_h, p->stride_h),
                     convolution_output(width, p->kernel_w, p->dilation_w, p->pad_w, p->stride_w));
    if (!result)
        result = add_weights(import, p->num_output, bottom->dim[1] / p->group, spatial);
    if (result)
        return result;
    double per_position = 2.0 * (double)import->layer->weights[0].count;
    if (p->bias)
        per_position += (double)p->num_output;
    import->layer->flops = positions(&import->tops[0]) * per_position;
    return 0;
}

static int64_t deconvolution_output(int64_t input, int64_t kernel, int64_t dilation, int64_t pad,
                                    int64_t stride)
{
    /* Neither product overflows: each factor is below 2^31. */
    return stride * (input - 1) + window_extent(kernel, dilation) - 2 * pad;
}

int sl_infer_deconvolution(struct sl_layer_import *import)
{
    int spatial;
    int result = decode_parameters(import, &spatial);
    if (result)
        return result;
    struct sl_convolution_parameters *p = &import->layer->parameters.convolution;
    const struct sl_shape *bottom = &import->bottoms[0];
    int64_t height = spatial == 1 ? 1 : bottom->dim[2], width = bottom->dim[bottom->axes - 1];
    result =
        set_top(import, spatial,
                deconvolution_output(height, p->kernel_h, p->dilation_h, p->pad_h, p->stride_h),
                deconvolution_output(width, p->kernel_w, p->dilation_w, p->pad_w, p->stride_w));
    if (!result)
        result = add_weights(import, bottom->dim[1], p->num_output / p->group, spatial);
    if (result)
        return result;
    import->layer->flops = positions(bottom) * 2.0 * (double)import->layer->weights[0].count;
    if (p->bias)
        import->layer->flops += positions(&import->tops[0]) * (double)p->num_output;
    return 0;
}
