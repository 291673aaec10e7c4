/* BNLL: log(1 + e^x), as x + log(1 + e^-x) for x > 0. */
#include <math.h>

#include "kernels/elements.h"
#include "kernels/elementwise.h"

static void span(const struct sl_layer *layer, const float *bottom, float *top, int64_t count)
{
    (void)layer;
    SL_INDEPENDENT
    for (int64_t i = 0; i < count; i++)
        top[i] = (bottom[i] < 0.0f ? 0.0f : bottom[i]) + log1pf(sl_float_exp(-fabsf(bottom[i])));
}

static double value(const struct sl_layer *layer, double x)
{
    (void)layer;
    return x > 0 ? x + log(1 + exp(-x)) : log(1 + exp(x));
}

static void run(const struct sl_kernel_call *call)
{
    sl_elementwise_run(call, span);
}

static void reference(const struct sl_kernel_call *call)
{
    sl_elementwise_reference(call, value);
}

const struct sl_kernel sl_kernel_bnll = {
    .type = SL_LAYER_BNLL,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
