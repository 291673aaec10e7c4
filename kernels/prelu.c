/* PReLU: x > 0 ? x : slope * x, one slope per channel or one shared. */
#include "kernels/call.h"

struct work {
    const float *bottom, *slopes;
    float *top;
    int64_t planes, channels, inner, planes_per_task;
    bool shared;
};

static void run_task(void *context, int64_t task, int worker)
{
    const struct work *work = context;
    const int64_t first = task * work->planes_per_task;
    const int64_t last = sl_least(first + work->planes_per_task, work->planes);
    (void)worker;
    for (int64_t plane = first; plane < last; plane++) {
        const float slope = work->slopes[work->shared ? 0 : plane % work->channels];
        const float *bottom = work->bottom + plane * work->inner;
        float *top = work->top + plane * work->inner;
        const int64_t inner = work->inner;
        SL_INDEPENDENT
        for (int64_t i = 0; i < inner; i++)
            top[i] = bottom[i] > 0.0f ? bottom[i] : slope * bottom[i];
    }
}

static struct work work_of(const struct sl_kernel_call *call)
{
    const struct sl_shape *shape = sl_bottom_shape(call, 0);
    struct work work = {
        .bottom = call->bottoms[0],
        .slopes = call->weights[0],
        .top = call->tops[0],
        .planes = sl_shape_span(shape, 0, 2),
        .channels = shape->axes > 1 ? shape->dim[1] : 1,
        .inner = sl_shape_span(shape, 2, shape->axes),
        .shared = call->layer->parameters.prelu.channel_shared,
    };
    if (shape->axes < 2)
        work.planes = sl_shape_count(shape);
    work.planes_per_task = sl_most(1, 16384 / sl_most(1, work.inner));
    return work;
}

static void run(const struct sl_kernel_call *call)
{
    struct work work = work_of(call);
    sl_parallel_for(sl_call_team(call, work.planes * work.inner),
                    sl_divide_up(work.planes, work.planes_per_task), run_task, &work);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct work work = work_of(call);
    for (int64_t i = 0; i < work.planes * work.inner; i++) {
        double x = work.bottom[i];
        double slope = work.slopes[work.shared ? 0 : i / work.inner % work.channels];
        work.top[i] = (float)(x > 0 ? x : slope * x);
    }
}

const struct sl_kernel sl_kernel_prelu = {
    .type = SL_LAYER_PRELU,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
