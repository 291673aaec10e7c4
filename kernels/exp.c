/* Exp: base^(shift + scale x) = base^shift * e^(ln(base) scale x); base -1 stands for e. */
#include <math.h>

#include "kernels/elements.h"
#include "kernels/elementwise.h"

SL_PER_ISA static void span(const struct sl_layer *layer, const float *bottom, float *top,
                            int64_t count)
{
    const double base = layer->parameters.exponential.base;
    const double shift = layer->parameters.exponential.shift;
    const double natural = base == -1 ? 1.0 : log(base);
    const float inner = (float)(natural * layer->parameters.exponential.scale);
    const float outer = (float)(base == -1 ? exp(shift) : pow(base, shift));
    SL_INDEPENDENT
    for (int64_t i = 0; i < count; i++)
        top[i] = outer * sl_float_exp(inner * bottom[i]);
}

static double value(const struct sl_layer *layer, double x)
{
    const double base = layer->parameters.exponential.base;
    double exponent = layer->parameters.exponential.shift + layer->parameters.exponential.scale * x;
    return base == -1 ? exp(exponent) : pow(base, exponent);
}

static void run(const struct sl_kernel_call *call)
{
    sl_elementwise_run(call, span);
}

static void reference(const struct sl_kernel_call *call)
{
    sl_elementwise_reference(call, value);
}

const struct sl_kernel sl_kernel_exp = {
    .type = SL_LAYER_EXP,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
