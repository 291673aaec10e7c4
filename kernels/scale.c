/* Scale: times a factor per channel (or per element of any run of axes), plus a bias if there is
 * one. The factor is weight 0, or the second bottom; the bias is the weight that follows. */
#include "kernels/affine.h"

static struct sl_affine affine_of(const struct sl_kernel_call *call)
{
    const bool given = call->layer->bottom_count > 1;
    struct sl_affine affine = sl_affine_of_axis(call);
    affine.factor = given ? call->bottoms[1] : call->weights[0];
    if (call->layer->parameters.scale.bias)
        affine.addend = call->weights[given ? 0 : 1];
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

const struct sl_kernel sl_kernel_scale = {
    .type = SL_LAYER_SCALE,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
