/* Bias: plus an addend per channel (or per element of any run of axes): weight 0, or the second
 * bottom. */
#include "kernels/affine.h"

static struct sl_affine affine_of(const struct sl_kernel_call *call)
{
    struct sl_affine affine = sl_affine_of_axis(call);
    affine.addend = call->layer->bottom_count > 1 ? call->bottoms[1] : call->weights[0];
    return affine;
}

static void run(const struct sl_kernel_call *call)
{
    struct sl_affine affine = affine_of(call);
    sl_affine_run(call, &affine);
}

static void reference(const struct sl_kernel_call *call)
{
    struct sl_affine affine = affine_of(call);
    sl_affine_reference(call, &affine);
}

const struct sl_kernel sl_kernel_bias = {
    .type = SL_LAYER_BIAS,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
