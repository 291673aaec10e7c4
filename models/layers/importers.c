#include "models/layers/importer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct sl_layer_importer importers[] = {
    /* Caffe's name, type, bottoms (least, most), tops (least, most), hook */
    {"Input", SL_LAYER_INPUT, 0, 0, 1, SL_ANY_NUMBER, sl_infer_input},
    {"MemoryData", SL_LAYER_INPUT, 0, 0, 1, 2, sl_infer_memory_data},
    {"Convolution", SL_LAYER_CONVOLUTION, 1, 1, 1, 1, sl_infer_convolution},
    {"Deconvolution", SL_LAYER_DECONVOLUTION, 1, 1, 1, 1, sl_infer_deconvolution},
    {"InnerProduct", SL_LAYER_INNER_PRODUCT, 1, 1, 1, 1, sl_infer_inner_product},
    {"Pooling", SL_LAYER_POOLING, 1, 1, 1, 1, sl_infer_pooling},
    {"ReLU", SL_LAYER_RELU, 1, 1, 1, 1, sl_infer_relu},
    {"PReLU", SL_LAYER_PRELU, 1, 1, 1, 1, sl_infer_prelu},
    {"ELU", SL_LAYER_ELU, 1, 1, 1, 1, sl_infer_elu},
    {"Sigmoid", SL_LAYER_SIGMOID, 1, 1, 1, 1, sl_infer_sigmoid},
    {"TanH", SL_LAYER_TANH, 1, 1, 1, 1, sl_infer_tanh},
    {"AbsVal", SL_LAYER_ABSVAL, 1, 1, 1, 1, sl_infer_absval},
    {"Power", SL_LAYER_POWER, 1, 1, 1, 1, sl_infer_power},
    {"Exp", SL_LAYER_EXP, 1, 1, 1, 1, sl_infer_exp},
    {"Log", SL_LAYER_LOG, 1, 1, 1, 1, sl_infer_log},
    {"BNLL", SL_LAYER_BNLL, 1, 1, 1, 1, sl_infer_bnll},
    {"LRN", SL_LAYER_LRN, 1, 1, 1, 1, sl_infer_lrn},
    {"MVN", SL_LAYER_MVN, 1, 1, 1, 1, sl_infer_mvn},
    {"BatchNorm", SL_LAYER_BATCH_NORM, 1, 1, 1, 1, sl_infer_batch_norm},
    {"Scale", SL_LAYER_SCALE, 1, 2, 1, 1, sl_infer_scale},
    {"Bias", SL_LAYER_BIAS, 1, 2, 1, 1, sl_infer_bias},
    {"Dropout", SL_LAYER_DROPOUT, 1, 1, 1, 1, sl_infer_dropout},
    {"Softmax", SL_LAYER_SOFTMAX, 1, 1, 1, 1, sl_infer_softmax},
    {"Concat", SL_LAYER_CONCAT, 1, SL_ANY_NUMBER, 1, 1, sl_infer_concat},
    {"Slice", SL_LAYER_SLICE, 1, 1, 1, SL_ANY_NUMBER, sl_infer_slice},
    {"Split", SL_LAYER_SPLIT, 1, 1, 1, SL_ANY_NUMBER, sl_infer_split},
    {"Eltwise", SL_LAYER_ELTWISE, 2, SL_ANY_NUMBER, 1, 1, sl_infer_eltwise},
    {"Flatten", SL_LAYER_FLATTEN, 1, 1, 1, 1, sl_infer_flatten},
    {"Reshape", SL_LAYER_RESHAPE, 1, 1, 1, 1, sl_infer_reshape},
    {"Permute", SL_LAYER_PERMUTE, 1, 1, 1, 1, sl_infer_permute},
    {"Normalize", SL_LAYER_NORMALIZE, 1, 1, 1, 1, sl_infer_normalize},
    {"Crop", SL_LAYER_CROP, 2, 2, 1, 1, sl_infer_crop},
    {"ArgMax", SL_LAYER_ARGMAX, 1, 1, 1, 1, sl_infer_argmax},
    {"Reduction", SL_LAYER_REDUCTION, 1, 1, 1, 1, sl_infer_reduction},
    {"Tile", SL_LAYER_TILE, 1, 1, 1, 1, sl_infer_tile},
    {"Upsample", SL_LAYER_UPSAMPLE, 1, 1, 1, 1, sl_infer_upsample},
    {"Interp", SL_LAYER_INTERP, 1, 2, 1, 1, sl_infer_interp},
    {"PriorBox", SL_LAYER_PRIOR_BOX, 2, 2, 1, 1, sl_infer_prior_box},
    {"DetectionOutput", SL_LAYER_DETECTION_OUTPUT, 3, 3, 1, 1, sl_infer_detection_output},
};
/* clang-format on */

#define IMPORTERS ((int)(sizeof(importers) / sizeof(importers[0])))

const struct sl_layer_importer *sl_layer_importer_at(int index)
{
    return index >= 0 && index < IMPORTERS ? &importers[index] : NULL;
}

const struct sl_layer_importer *sl_layer_importer_find(const char *caffe_type)
{
    for (int i = 0; i < IMPORTERS; i++)
        if (!strcmp(importers[i].name, caffe_type))
            return &importers[i];
    return NULL;
}

const char *sl_layer_type_name(enum sl_layer_type type)
{
    for (int i = 0; i < IMPORTERS; i++)
        if (importers[i].type == type)
            return importers[i].name;
    return "unknown";
}

int sl_import_fail(struct sl_layer_import *import, const char *format, ...)
{
    char reason[SL_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    return sl_error_set(import->error, -EINVAL, "layer '%.100s' (%s): %s", import->layer->name,
                        sl_layer_type_name(import->layer->type), reason);
}

int sl_import_no_memory(struct sl_layer_import *import)
{
    return sl_error_set(import->error, -ENOMEM, "layer '%.100s' (%s): out of memory",
                        import->layer->name, sl_layer_type_name(import->layer->type));
}

int sl_import_axis(struct sl_layer_import *import, const char *what, int64_t axis,
                   const struct sl_shape *shape, int *canonical)
{
    char text[SL_SHAPE_TEXT_BYTES];
    if (axis < -shape->axes || axis >= shape->axes)
        return sl_import_fail(import, "%s %lld is outside the %d axes of bottom shape %s", what,
                              (long long)axis, shape->axes, sl_shape_text(shape, text));
    *canonical = (int)(axis < 0 ? axis + shape->axes : axis);
    return 0;
}

int sl_import_expect_axes(struct sl_layer_import *import, int index, int least, int most)
{
    const struct sl_shape *shape = &import->bottoms[index];
    if (shape->axes >= least && shape->axes <= most)
        return 0;
    char text[SL_SHAPE_TEXT_BYTES], range[32];
    if (least == most)
        snprintf(range, sizeof(range), "%d", least);
    else
        snprintf(range, sizeof(range), "%d to %d", least, most);
    return sl_import_fail(import, "bottom '%.100s' must have %s axes and is %s",
                          import->message->bottom[index], range, sl_shape_text(shape, text));
}

struct sl_shape sl_shape_make(int axes, int64_t d0, int64_t d1, int64_t d2, int64_t d3)
{
    struct sl_shape shape = {.axes = axes, .dim = {d0, d1, d2, d3}};
    for (int i = axes; i < SL_MAX_AXES; i++)
        shape.dim[i] = 1;
    return shape;
}

bool sl_shape_valid(const struct sl_shape *shape)
{
    if (shape->axes < 0 || shape->axes > SL_MAX_AXES)
        return false;
    int64_t count = 1;
    for (int i = 0; i < shape->axes; i++) {
        if (shape->dim[i] < 1 || shape->dim[i] > SL_MAX_DIMENSION)
            return false;
        if (count > SL_MAX_ELEMENTS / shape->dim[i])
            return false;
        count *= shape->dim[i];
    }
    return count < SL_MAX_ELEMENTS;
}

int sl_import_weight(struct sl_layer_import *import, const struct sl_shape *shape)
{
    struct sl_layer *layer = import->layer;
    char text[SL_SHAPE_TEXT_BYTES];
    if (layer->weight_count == SL_MAX_WEIGHTS || !sl_shape_valid(shape))
        return sl_import_fail(import, "weight blob %d of shape %s is not possible",
                              layer->weight_count, sl_shape_text(shape, text));
    struct sl_weight *weight = &layer->weights[layer->weight_count++];
    weight->shape = *shape;
    weight->count = sl_shape_count(shape);
    return 0;
}

int sl_import_weight_vector(struct sl_layer_import *import, int64_t count)
{
    struct sl_shape shape = sl_shape_make(1, count, 1, 1, 1);
    return sl_import_weight(import, &shape);
}
