/* Softmax along one axis, with the greatest value subtracted first. */
#include <float.h>
#include <math.h>

#include "kernels/call.h"
#include "kernels/elements.h"

#define SPAN 256 /* positions beside the axis that go together */

struct work {
    const float *bottom;
    float *top;
    int64_t outer, classes, inner;
};

static struct work work_of(const struct sl_kernel_call *call)
{
    const struct sl_shape *shape = sl_bottom_shape(call, 0);
    const int axis = call->layer->parameters.softmax.axis;
    return (struct work){
        .bottom = call->bottoms[0],
        .top = call->tops[0],
        .outer = sl_shape_span(shape, 0, axis),
        .classes = shape->dim[axis],
        .inner = sl_shape_span(shape, axis + 1, shape->axes),
    };
}

/* The axis is the last: one contiguous vector. */
SL_PER_ISA static void run_vector(const float *bottom, float *top, int64_t classes)
{
    const float greatest = sl_span_greatest(bottom, classes, -INFINITY);
    SL_INDEPENDENT
    for (int64_t c = 0; c < classes; c++)
        top[c] = sl_float_exp(bottom[c] - greatest);
    const float sum = sl_span_sum(top, classes, 0);
    for (int64_t c = 0; c < classes; c++)
        top[c] /= sum;
}

/* `count` vectors side by side, `inner` apart. */
SL_PER_ISA static void run_columns(const float *bottom, float *top, int64_t classes, int64_t inner,
                                   int64_t count)
{
    float greatest[SPAN], sum[SPAN];
    for (int64_t i = 0; i < count; i++) {
        greatest[i] = bottom[i];
        sum[i] = 0.0f;
    }
    for (int64_t c = 1; c < classes; c++)
        for (int64_t i = 0; i < count; i++) {
            float x = bottom[c * inner + i];
            greatest[i] = x > greatest[i] ? x : greatest[i];
        }
    for (int64_t c = 0; c < classes; c++) {
        SL_INDEPENDENT
        for (int64_t i = 0; i < count; i++) {
            float power = sl_float_exp(bottom[c * inner + i] - greatest[i]);
            top[c * inner + i] = power;
            sum[i] += power;
        }
    }
    for (int64_t c = 0; c < classes; c++)
        for (int64_t i = 0; i < count; i++)
            top[c * inner + i] /= sum[i];
}

static void run_task(void *context, int64_t task, int worker)
{
    const struct work *work = context;
    (void)worker;
    if (work->inner == 1) {
        run_vector(work->bottom + task * work->classes, work->top + task * work->classes,
                   work->classes);
        return;
    }
    const int64_t spans = sl_divide_up(work->inner, SPAN);
    const int64_t first = task % spans * SPAN;
    const int64_t offset = task / spans * work->classes * work->inner + first;
    run_columns(work->bottom + offset, work->top + offset, work->classes, work->inner,
                sl_least(SPAN, work->inner - first));
}

static void run(const struct sl_kernel_call *call)
{
    struct work work = work_of(call);
    sl_parallel_for(sl_call_team(call, work.outer * work.classes * work.inner),
                    work.outer * sl_divide_up(work.inner, work.inner == 1 ? 1 : SPAN), run_task,
                    &work);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct work work = work_of(call);
    for (int64_t i = 0; i < work.outer * work.inner; i++) {
        const int64_t first = i / work.inner * work.classes * work.inner + i % work.inner;
        double greatest = -INFINITY, sum = 0;
        for (int64_t c = 0; c < work.classes; c++)
            if (work.bottom[first + c * work.inner] > greatest)
                greatest = work.bottom[first + c * work.inner];
        for (int64_t c = 0; c < work.classes; c++)
            sum += exp(work.bottom[first + c * work.inner] - greatest);
        for (int64_t c = 0; c < work.classes; c++)
            work.top[first + c * work.inner] =
                (float)(exp(work.bottom[first + c * work.inner] - greatest) / sum);
    }
}

const struct sl_kernel sl_kernel_softmax = {
    .type = SL_LAYER_SOFTMAX,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
