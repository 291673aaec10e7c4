/* Permute: the axes in another order. */
#include <string.h>

#include "kernels/call.h"

struct work {
    const float *bottom;
    float *top;
    int axes;
    int64_t extent[SL_MAX_AXES]; /* of the top */
    int64_t stride[SL_MAX_AXES]; /* of the bottom, in the top's order of axes */
    int64_t rows_per_task, rows;
};

static struct work work_of(const struct sl_kernel_call *call)
{
    const struct sl_shape *bottom = sl_bottom_shape(call, 0), *top = sl_top_shape(call, 0);
    struct work work = {.bottom = call->bottoms[0], .top = call->tops[0], .axes = top->axes};
    for (int axis = 0; axis < top->axes; axis++) {
        const int from = call->layer->parameters.permute.order[axis];
        work.extent[axis] = top->dim[axis];
        work.stride[axis] = sl_shape_span(bottom, from + 1, bottom->axes);
    }
    work.rows = sl_shape_span(top, 0, top->axes - 1);
    work.rows_per_task = sl_most(1, 16384 / sl_most(1, top->dim[top->axes - 1]));
    return work;
}

/* Where row `row` of the top (all axes but the last) begins in the bottom. */
static int64_t source_of_row(const struct work *work, int64_t row)
{
    int64_t source = 0;
    for (int axis = work->axes - 2; axis >= 0; axis--) {
        source += row % work->extent[axis] * work->stride[axis];
        row /= work->extent[axis];
    }
    return source;
}

static void run_task(void *context, int64_t task, int worker)
{
    const struct work *work = context;
    const int64_t width = work->extent[work->axes - 1], stride = work->stride[work->axes - 1];
    const int64_t first = task * work->rows_per_task;
    const int64_t last = sl_least(first + work->rows_per_task, work->rows);
    (void)worker;
    for (int64_t row = first; row < last; row++) {
        const float *source = work->bottom + source_of_row(work, row);
        float *top = work->top + row * width;
        if (stride == 1) {
            memcpy(top, source, (size_t)width * sizeof(float));
        } else {
            for (int64_t i = 0; i < width; i++)
                top[i] = source[i * stride];
        }
    }
}

static void run(const struct sl_kernel_call *call)
{
    struct work work = work_of(call);
    sl_parallel_for(sl_call_team(call, sl_shape_count(sl_top_shape(call, 0))),
                    sl_divide_up(work.rows, work.rows_per_task), run_task, &work);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct sl_shape *bottom = sl_bottom_shape(call, 0), *top = sl_top_shape(call, 0);
    for (int64_t i = 0; i < sl_shape_count(top); i++) {
        int64_t position[SL_MAX_AXES] = {0}, rest = i, source = 0;
        for (int axis = top->axes - 1; axis >= 0; axis--) {
            position[call->layer->parameters.permute.order[axis]] = rest % top->dim[axis];
            rest /= top->dim[axis];
        }
        for (int axis = 0; axis < bottom->axes; axis++)
            source = source * bottom->dim[axis] + position[axis];
        call->tops[0][i] = call->bottoms[0][source];
    }
}

const struct sl_kernel sl_kernel_permute = {
    .type = SL_LAYER_PERMUTE,
    .memory = SL_KERNEL_SEPARATE,
    .run = run,
    .reference = reference,
};
