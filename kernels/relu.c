/* ReLU: x > 0 ? x : negative_slope * x; NaN stays NaN. */
#include <math.h>

#include "kernels/elements.h"
#include "kernels/elementwise.h"

SL_PER_ISA static void span(const struct sl_layer *layer, const float *bottom, float *top,
                            int64_t count)
{
    const float slope = layer->parameters.relu.negative_slope;
    SL_INDEPENDENT
    for (int64_t i = 0; i < count; i++)
        top[i] = bottom[i] > 0.0f ? bottom[i] : slope * bottom[i];
}

static double value(const struct sl_layer *layer, double x)
{
    return x > 0 ? x : layer->parameters.relu.negative_slope * x;
}

static void run(const struct sl_kernel_call *call)
{
    sl_elementwise_run(call, span);
}

static void reference(const struct sl_kernel_call *call)
{
    sl_elementwise_reference(call, value);
}

const struct sl_kernel sl_kernel_relu = {
    .type = SL_LAYER_RELU,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
