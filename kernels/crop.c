/* Crop: the box of the bottom that starts at an offset per axis and has the top's shape. */
#include <string.h>

#include "kernels/call.h"

/* Where row `row` of the top (all axes but the last) begins in the bottom. */
static int64_t source_of_row(const struct sl_kernel_call *call, int64_t row)
{
    const struct sl_shape *bottom = sl_bottom_shape(call, 0), *top = sl_top_shape(call, 0);
    const int64_t *offset = call->layer->parameters.crop.offset;
    const int last = top->axes - 1;
    int64_t source = offset[last], stride = bottom->dim[last];
    for (int axis = last - 1; axis >= 0; axis--) {
        source += (row % top->dim[axis] + offset[axis]) * stride;
        row /= top->dim[axis];
        stride *= bottom->dim[axis];
    }
    return source;
}

struct work {
    const struct sl_kernel_call *call;
};

static void run_task(void *context, int64_t task, int worker)
{
    const struct sl_kernel_call *call = ((const struct work *)context)->call;
    const struct sl_shape *top = sl_top_shape(call, 0);
    const int64_t width = top->dim[top->axes - 1];
    (void)worker;
    memcpy(call->tops[0] + task * width, call->bottoms[0] + source_of_row(call, task),
           (size_t)width * sizeof(float));
}

static void run(const struct sl_kernel_call *call)
{
    const struct sl_shape *top = sl_top_shape(call, 0);
    struct work work = {.call = call};
    sl_parallel_for(sl_call_team(call, sl_shape_count(top)), sl_shape_span(top, 0, top->axes - 1),
                    run_task, &work);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct sl_shape *bottom = sl_bottom_shape(call, 0), *top = sl_top_shape(call, 0);
    for (int64_t i = 0; i < sl_shape_count(top); i++) {
        int64_t rest = i, source = 0, stride = 1;
        for (int axis = top->axes - 1; axis >= 0; axis--) {
            int64_t position = rest % top->dim[axis];
            source += (position + call->layer->parameters.crop.offset[axis]) * stride;
            stride *= bottom->dim[axis];
            rest /= top->dim[axis];
        }
        call->tops[0][i] = call->bottoms[0][source];
    }
}

const struct sl_kernel sl_kernel_crop = {
    .type = SL_LAYER_CROP,
    .memory = SL_KERNEL_SEPARATE,
    .run = run,
    .reference = reference,
};
