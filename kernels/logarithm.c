/* Log: log_base(shift + scale x); base -1 stands for e. */
#include <math.h>

#include "kernels/elementwise.h"

static void span(const struct sl_layer *layer, const float *bottom, float *top, int64_t count)
{
    const float base = layer->parameters.exponential.base;
    const float scale = layer->parameters.exponential.scale;
    const float shift = layer->parameters.exponential.shift;
    const float outer = base == -1.0f ? 1.0f : (float)(1.0 / log((double)base));
    for (int64_t i = 0; i < count; i++)
        top[i] = outer * logf(shift + scale * bottom[i]);
}

static double value(const struct sl_layer *layer, double x)
{
    const double base = layer->parameters.exponential.base;
    double natural =
        log(layer->parameters.exponential.shift + layer->parameters.exponential.scale * x);
    return base == -1 ? natural : natural / log(base);
}

static void run(const struct sl_kernel_call *call)
{
    sl_elementwise_run(call, span);
}

static void reference(const struct sl_kernel_call *call)
{
    sl_elementwise_reference(call, value);
}

const struct sl_kernel sl_kernel_log = {
    .type = SL_LAYER_LOG,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
