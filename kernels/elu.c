/* ELU: x > 0 ? x : alpha * (e^x - 1). */
#include <math.h>

#include "kernels/elements.h"
#include "kernels/elementwise.h"

SL_PER_ISA static void span(const struct sl_layer *layer, const float *bottom, float *top,
                            int64_t count)
{
    const float alpha = layer->parameters.elu.alpha;
    SL_INDEPENDENT
    for (int64_t i = 0; i < count; i++)
        top[i] = bottom[i] > 0.0f ? bottom[i] : alpha * (sl_float_exp(bottom[i]) - 1.0f);
}

static double value(const struct sl_layer *layer, double x)
{
    return x > 0 ? x : layer->parameters.elu.alpha * (exp(x) - 1);
}

static void run(const struct sl_kernel_call *call)
{
    sl_elementwise_run(call, span);
}

static void reference(const struct sl_kernel_call *call)
{
    sl_elementwise_reference(call, value);
}

const struct sl_kernel sl_kernel_elu = {
    .type = SL_LAYER_ELU,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
