/* BatchNorm at inference: (x - mean) / sqrt(variance + eps), with the stored mean and variance
 * divided by the stored scale factor (0 stands for: no statistics, both are 0). */
#include <math.h>

#include "kernels/affine.h"
#include "kernels/elements.h"

static int64_t channels_of(const struct sl_layer *layer)
{
    return layer->weights[0].count;
}

static float statistics_factor(const struct sl_kernel_call *call)
{
    const float factor = call->weights[2][0];
    return factor == 0.0f ? 0.0f : 1.0f / factor;
}

static size_t scratch_bytes(const struct sl_network *network, const struct sl_layer *layer,
                            int threads, size_t scratch_limit)
{
    (void)network;
    (void)threads;
    (void)scratch_limit;
    return 2 * (size_t)channels_of(layer) * sizeof(float);
}

static void run(const struct sl_kernel_call *call)
{
    const struct sl_shape *shape = sl_bottom_shape(call, 0);
    const int64_t channels = channels_of(call->layer);
    const float stored = statistics_factor(call);
    const float eps = call->layer->parameters.batch_norm.eps;
    float *centre = call->scratch;
    float *factor = centre + channels;
    for (int64_t c = 0; c < channels; c++) {
        centre[c] = call->weights[0][c] * stored;
        factor[c] = 1.0f / sqrtf(call->weights[1][c] * stored + eps);
    }
    const int64_t outer = shape->axes > 1 ? shape->dim[0] : sl_shape_count(shape) / channels;
    struct sl_affine affine = {
        .outer = outer,
        .channels = channels,
        .inner = sl_shape_span(shape, 2, shape->axes),
        .centre = centre,
        .factor = factor,
    };
    sl_affine_run(call, &affine);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct sl_shape *shape = sl_bottom_shape(call, 0);
    const int64_t channels = channels_of(call->layer);
    const int64_t inner = sl_shape_span(shape, 2, shape->axes);
    const double stored = call->weights[2][0] == 0 ? 0 : 1.0 / call->weights[2][0];
    for (int64_t i = 0; i < sl_shape_count(shape); i++) {
        int64_t c = i / inner % channels;
        double variance = call->weights[1][c] * stored + call->layer->parameters.batch_norm.eps;
        double value = (call->bottoms[0][i] - call->weights[0][c] * stored) / sqrt(variance);
        call->tops[0][i] = (float)sl_activate_one(call->layer, value);
    }
}

const struct sl_kernel sl_kernel_batch_norm = {
    .type = SL_LAYER_BATCH_NORM,
    .memory = SL_KERNEL_IN_PLACE,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .reference = reference,
};
