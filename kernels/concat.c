/* Concat: bottoms side by side along one axis. */
#include <string.h>

#include "kernels/call.h"

/* Every bottom is outer rows; a task copies one row of one bottom. */
struct work {
    const struct sl_kernel_call *call;
    int axis;
};

static void run_task(void *context, int64_t task, int worker)
{
    const struct work *work = context;
    const struct sl_kernel_call *call = work->call;
    const struct sl_shape *top = sl_top_shape(call, 0);
    const int64_t row = task / call->layer->bottom_count;
    const int wanted = (int)(task % call->layer->bottom_count);
    float *destination = call->tops[0] + row * sl_shape_span(top, work->axis, top->axes);
    (void)worker;
    for (int b = 0; b < wanted; b++)
        destination += sl_shape_span(sl_bottom_shape(call, b), work->axis, top->axes);
    const int64_t length = sl_shape_span(sl_bottom_shape(call, wanted), work->axis, top->axes);
    memcpy(destination, call->bottoms[wanted] + row * length, (size_t)length * sizeof(float));
}

static void run(const struct sl_kernel_call *call)
{
    const struct sl_shape *top = sl_top_shape(call, 0);
    struct work work = {.call = call, .axis = call->layer->parameters.concat.axis};
    sl_parallel_for(sl_call_team(call, sl_shape_count(top)),
                    sl_shape_span(top, 0, work.axis) * call->layer->bottom_count, run_task, &work);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct sl_shape *top = sl_top_shape(call, 0);
    const int axis = call->layer->parameters.concat.axis;
    const int64_t outer = sl_shape_span(top, 0, axis);
    const int64_t inner = sl_shape_span(top, axis + 1, top->axes);
    int64_t offset = 0;
    for (int b = 0; b < call->layer->bottom_count; b++) {
        const int64_t extent = sl_bottom_shape(call, b)->dim[axis];
        for (int64_t o = 0; o < outer; o++)
            for (int64_t e = 0; e < extent; e++)
                for (int64_t i = 0; i < inner; i++)
                    call->tops[0][(o * top->dim[axis] + offset + e) * inner + i] =
                        call->bottoms[b][(o * extent + e) * inner + i];
        offset += extent;
    }
}

const struct sl_kernel sl_kernel_concat = {
    .type = SL_LAYER_CONCAT,
    .memory = SL_KERNEL_SEPARATE,
    .run = run,
    .reference = reference,
};
