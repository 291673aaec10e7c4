/* Reduction: sum, sum of magnitudes, sum of squares or mean over all axes from one on, times a
 * coefficient. */
#include <math.h>

#include "kernels/call.h"
#include "kernels/elements.h"

struct work {
    const float *bottom;
    float *top;
    int64_t outer, length;
    enum sl_reduction_operation operation;
    float coefficient;
};

static struct work work_of(const struct sl_kernel_call *call)
{
    const struct sl_shape *shape = sl_bottom_shape(call, 0);
    const int axis = call->layer->parameters.reduction.axis;
    struct work work = {
        .bottom = call->bottoms[0],
        .top = call->tops[0],
        .outer = sl_shape_span(shape, 0, axis),
        .length = sl_shape_span(shape, axis, shape->axes),
        .operation = call->layer->parameters.reduction.operation,
        .coefficient = call->layer->parameters.reduction.coefficient,
    };
    if (work.operation == SL_REDUCTION_MEAN)
        work.coefficient /= (float)work.length;
    return work;
}

static void run_task(void *context, int64_t task, int worker)
{
    const struct work *work = context;
    const float *bottom = work->bottom + task * work->length;
    float sum;
    (void)worker;
    if (work->operation == SL_REDUCTION_ASUM)
        sum = sl_span_sum_absolute(bottom, work->length, 0.0f);
    else if (work->operation == SL_REDUCTION_SUMSQ)
        sum = sl_span_sum_squares(bottom, work->length, 0.0f);
    else
        sum = sl_span_sum(bottom, work->length, 0.0f);
    work->top[task] = sum * work->coefficient;
}

static void run(const struct sl_kernel_call *call)
{
    struct work work = work_of(call);
    sl_parallel_for(sl_call_team(call, work.outer * work.length), work.outer, run_task, &work);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct work work = work_of(call);
    for (int64_t o = 0; o < work.outer; o++) {
        double sum = 0;
        for (int64_t i = 0; i < work.length; i++) {
            double x = work.bottom[o * work.length + i];
            if (work.operation == SL_REDUCTION_ASUM)
                x = fabs(x);
            else if (work.operation == SL_REDUCTION_SUMSQ)
                x *= x;
            sum += x;
        }
        work.top[o] = (float)(sum * work.coefficient);
    }
}

const struct sl_kernel sl_kernel_reduction = {
    .type = SL_LAYER_REDUCTION,
    .memory = SL_KERNEL_SEPARATE,
    .run = run,
    .reference = reference,
};
