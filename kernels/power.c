/* Power: (shift + scale x)^power; the common powers without a call. */
#include <math.h>

#include "kernels/elementwise.h"

#define MAP(expression)                                                                            \
    SL_INDEPENDENT                                                                                 \
    for (int64_t i = 0; i < count; i++) {                                                          \
        float x = shift + scale * bottom[i];                                                       \
        top[i] = (expression);                                                                     \
    }

static void span(const struct sl_layer *layer, const float *bottom, float *top, int64_t count)
{
    const float power = layer->parameters.power.power;
    /* Scale 0 makes the result one constant, whatever the input: also for NaN and infinity. */
    const float scale = layer->parameters.power.scale, shift = layer->parameters.power.shift;
    if (power == 0.0f || scale == 0.0f) {
        const float constant = powf(shift, power);
        for (int64_t i = 0; i < count; i++)
            top[i] = constant;
    } else if (power == 1.0f) {
        MAP(x)
    } else if (power == 2.0f) {
        MAP(x * x)
    } else if (power == 0.5f) {
        MAP(sqrtf(x))
    } else if (power == -1.0f) {
        MAP(1.0f / x)
    } else {
        MAP(powf(x, power))
    }
}

static double value(const struct sl_layer *layer, double x)
{
    if (layer->parameters.power.power == 0)
        return 1;
    double base = layer->parameters.power.shift;
    if (layer->parameters.power.scale != 0)
        base += layer->parameters.power.scale * x;
    return pow(base, layer->parameters.power.power);
}

static void run(const struct sl_kernel_call *call)
{
    sl_elementwise_run(call, span);
}

static void reference(const struct sl_kernel_call *call)
{
    sl_elementwise_reference(call, value);
}

const struct sl_kernel sl_kernel_power = {
    .type = SL_LAYER_POWER,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
