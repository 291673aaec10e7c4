/* The table of kernels: one line per layer type, in the order of enum sl_layer_type. A kernel's
 * file defines `const struct sl_kernel sl_kernel_<name>`. */
#include <errno.h>

#include "kernels/kernel.h"

#define KERNELS(ROW)                                                                               \
    ROW(SL_LAYER_CONVOLUTION, convolution)                                                         \
    ROW(SL_LAYER_DECONVOLUTION, deconvolution)                                                     \
    ROW(SL_LAYER_INNER_PRODUCT, inner_product)                                                     \
    ROW(SL_LAYER_POOLING, pooling)                                                                 \
    ROW(SL_LAYER_RELU, relu)                                                                       \
    ROW(SL_LAYER_PRELU, prelu)                                                                     \
    ROW(SL_LAYER_ELU, elu)                                                                         \
    ROW(SL_LAYER_SIGMOID, sigmoid)                                                                 \
    ROW(SL_LAYER_TANH, tanh)                                                                       \
    ROW(SL_LAYER_ABSVAL, absval)                                                                   \
    ROW(SL_LAYER_POWER, power)                                                                     \
    ROW(SL_LAYER_EXP, exp)                                                                         \
    ROW(SL_LAYER_LOG, log)                                                                         \
    ROW(SL_LAYER_BNLL, bnll)                                                                       \
    ROW(SL_LAYER_LRN, lrn)                                                                         \
    ROW(SL_LAYER_MVN, mvn)                                                                         \
    ROW(SL_LAYER_BATCH_NORM, batch_norm)                                                           \
    ROW(SL_LAYER_SCALE, scale)                                                                     \
    ROW(SL_LAYER_BIAS, bias)                                                                       \
    ROW(SL_LAYER_DROPOUT, dropout)                                                                 \
    ROW(SL_LAYER_SOFTMAX, softmax)                                                                 \
    ROW(SL_LAYER_CONCAT, concat)                                                                   \
    ROW(SL_LAYER_SLICE, slice)                                                                     \
    ROW(SL_LAYER_SPLIT, split)                                                                     \
    ROW(SL_LAYER_ELTWISE, eltwise)                                                                 \
    ROW(SL_LAYER_FLATTEN, flatten)                                                                 \
    ROW(SL_LAYER_RESHAPE, reshape)                                                                 \
    ROW(SL_LAYER_PERMUTE, permute)                                                                 \
    ROW(SL_LAYER_NORMALIZE, normalize)                                                             \
    ROW(SL_LAYER_CROP, crop)                                                                       \
    ROW(SL_LAYER_ARGMAX, argmax)                                                                   \
    ROW(SL_LAYER_REDUCTION, reduction)                                                             \
    ROW(SL_LAYER_TILE, tile)                                                                       \
    ROW(SL_LAYER_UPSAMPLE, upsample)                                                               \
    ROW(SL_LAYER_INTERP, interp)                                                                   \
    ROW(SL_LAYER_PRIOR_BOX, prior_box)                                                             \
    ROW(SL_LAYER_DETECTION_OUTPUT, detection_output)

#define DECLARE(type, name) extern const struct sl_kernel sl_kernel_##name;
KERNELS(DECLARE)

#define ENTRY(type, name) [type] = &sl_kernel_##name,
static const struct sl_kernel *const kernels[SL_LAYER_TYPES] = {KERNELS(ENTRY)};

const struct sl_kernel *sl_kernel_find(enum sl_layer_type type)
{
    return (unsigned)type < SL_LAYER_TYPES ? kernels[type] : NULL;
}

int sl_kernels_check(struct sl_error *error)
{
    for (int type = 0; type < SL_LAYER_TYPES; type++) {
        if (type == SL_LAYER_INPUT)
            continue;
        const struct sl_kernel *kernel = kernels[type];
        const char *name = sl_layer_type_name((enum sl_layer_type)type);
        if (!kernel)
            return sl_error_set(error, -EINVAL, "layer type %s has no kernel", name);
        if ((int)kernel->type != type)
            return sl_error_set(error, -EINVAL, "the kernel of layer type %s says it is for %s",
                                name, sl_layer_type_name(kernel->type));
        if (kernel->memory != SL_KERNEL_VIEW && (!kernel->run || !kernel->reference))
            return sl_error_set(error, -EINVAL, "the kernel of layer type %s lacks a hook", name);
    }
    return 0;
}
