/* MVN (mean-variance normalisation): each channel (or image) minus its mean and, if asked, divided
 * by its standard deviation + eps. */
#include <math.h>

#include "kernels/call.h"
#include "kernels/elements.h"

struct work {
    const float *bottom;
    float *top;
    int64_t groups, length;
    float eps;
    bool normalise_variance;
};

static struct work work_of(const struct sl_kernel_call *call)
{
    const struct sl_shape *shape = sl_bottom_shape(call, 0);
    const bool across = call->layer->parameters.mvn.across_channels || shape->axes < 2;
    const int axis = across ? 1 : 2;
    return (struct work){
        .bottom = call->bottoms[0],
        .top = call->tops[0],
        .groups = sl_shape_span(shape, 0, axis),
        .length = sl_shape_span(shape, axis, shape->axes),
        .eps = call->layer->parameters.mvn.eps,
        .normalise_variance = call->layer->parameters.mvn.normalize_variance,
    };
}

static void run_task(void *context, int64_t task, int worker)
{
    const struct work *work = context;
    const float *bottom = work->bottom + task * work->length;
    float *top = work->top + task * work->length;
    const float mean = sl_span_sum(bottom, work->length, 0) / (float)work->length;
    float divisor = 1.0f;
    (void)worker;
    if (work->normalise_variance)
        divisor = sqrtf(sl_span_sum_squares(bottom, work->length, mean) / (float)work->length) +
                  work->eps;
    const int64_t length = work->length;
    SL_INDEPENDENT
    for (int64_t i = 0; i < length; i++)
        top[i] = (bottom[i] - mean) / divisor;
}

static void run(const struct sl_kernel_call *call)
{
    struct work work = work_of(call);
    sl_parallel_for(sl_call_team(call, work.groups * work.length), work.groups, run_task, &work);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct work work = work_of(call);
    for (int64_t g = 0; g < work.groups; g++) {
        const float *bottom = work.bottom + g * work.length;
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < work.length; i++)
            mean += bottom[i] / (double)work.length;
        for (int64_t i = 0; i < work.length; i++)
            variance += (bottom[i] - mean) * (bottom[i] - mean) / (double)work.length;
        double divisor = work.normalise_variance ? sqrt(variance) + work.eps : 1;
        for (int64_t i = 0; i < work.length; i++)
            work.top[g * work.length + i] = (float)((bottom[i] - mean) / divisor);
    }
}

const struct sl_kernel sl_kernel_mvn = {
    .type = SL_LAYER_MVN,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
