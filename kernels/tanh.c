/* TanH: the hyperbolic tangent. */
#include <math.h>

#include "kernels/elements.h"
#include "kernels/elementwise.h"

SL_PER_ISA static void span(const struct sl_layer *layer, const float *bottom, float *top,
                            int64_t count)
{
    (void)layer;
    SL_INDEPENDENT
    for (int64_t i = 0; i < count; i++)
        top[i] = sl_float_tanh(bottom[i]);
}

static double value(const struct sl_layer *layer, double x)
{
    (void)layer;
    return tanh(x);
}

static void run(const struct sl_kernel_call *call)
{
    sl_elementwise_run(call, span);
}

static void reference(const struct sl_kernel_call *call)
{
    sl_elementwise_reference(call, value);
}

const struct sl_kernel sl_kernel_tanh = {
    .type = SL_LAYER_TANH,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
