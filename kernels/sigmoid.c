/* Sigmoid: 1 / (1 + e^-x). */
#include <math.h>

#include "kernels/elements.h"
#include "kernels/elementwise.h"

SL_PER_ISA static void span(const struct sl_layer *layer, const float *bottom, float *top,
                            int64_t count)
{
    (void)layer;
    SL_INDEPENDENT
    for (int64_t i = 0; i < count; i++)
        top[i] = 1.0f / (1.0f + sl_float_exp(-bottom[i]));
}

static double value(const struct sl_layer *layer, double x)
{
    (void)layer;
    return 1 / (1 + exp(-x));
}

static void run(const struct sl_kernel_call *call)
{
    sl_elementwise_run(call, span);
}

static void reference(const struct sl_kernel_call *call)
{
    sl_elementwise_reference(call, value);
}

const struct sl_kernel sl_kernel_sigmoid = {
    .type = SL_LAYER_SIGMOID,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
