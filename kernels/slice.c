/* Slice: the bottom cut along one axis, into the tops' sizes. */
#include <string.h>

#include "kernels/call.h"

struct work {
    const struct sl_kernel_call *call;
    int axis;
};

/* A task copies one row of one top. */
static void run_task(void *context, int64_t task, int worker)
{
    const struct work *work = context;
    const struct sl_kernel_call *call = work->call;
    const struct sl_shape *bottom = sl_bottom_shape(call, 0);
    const int64_t row = task / call->layer->top_count;
    const int wanted = (int)(task % call->layer->top_count);
    const float *source = call->bottoms[0] + row * sl_shape_span(bottom, work->axis, bottom->axes);
    (void)worker;
    for (int t = 0; t < wanted; t++)
        source += sl_shape_span(sl_top_shape(call, t), work->axis, bottom->axes);
    const int64_t length = sl_shape_span(sl_top_shape(call, wanted), work->axis, bottom->axes);
    memcpy(call->tops[wanted] + row * length, source, (size_t)length * sizeof(float));
}

static void run(const struct sl_kernel_call *call)
{
    const struct sl_shape *bottom = sl_bottom_shape(call, 0);
    struct work work = {.call = call, .axis = call->layer->parameters.concat.axis};
    sl_parallel_for(sl_call_team(call, sl_shape_count(bottom)),
                    sl_shape_span(bottom, 0, work.axis) * call->layer->top_count, run_task, &work);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct sl_shape *bottom = sl_bottom_shape(call, 0);
    const int axis = call->layer->parameters.concat.axis;
    const int64_t outer = sl_shape_span(bottom, 0, axis);
    const int64_t inner = sl_shape_span(bottom, axis + 1, bottom->axes);
    int64_t offset = 0;
    for (int t = 0; t < call->layer->top_count; t++) {
        const int64_t extent = sl_top_shape(call, t)->dim[axis];
        for (int64_t o = 0; o < outer; o++)
            for (int64_t e = 0; e < extent; e++)
                for (int64_t i = 0; i < inner; i++)
                    call->tops[t][(o * extent + e) * inner + i] =
                        call->bottoms[0][(o * bottom->dim[axis] + offset + e) * inner + i];
        offset += extent;
    }
}

const struct sl_kernel sl_kernel_slice = {
    .type = SL_LAYER_SLICE,
    .memory = SL_KERNEL_SEPARATE,
    .run = run,
    .reference = reference,
};
