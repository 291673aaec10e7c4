/* Tile: the bottom repeated along one axis. */
#include <string.h>

#include "kernels/call.h"

struct work {
    const float *bottom;
    float *top;
    int64_t inner, tiles;
};

static void run_task(void *context, int64_t task, int worker)
{
    const struct work *work = context;
    const size_t bytes = (size_t)work->inner * sizeof(float);
    (void)worker;
    for (int64_t t = 0; t < work->tiles; t++)
        memcpy(work->top + (task * work->tiles + t) * work->inner,
               work->bottom + task * work->inner, bytes);
}

static void run(const struct sl_kernel_call *call)
{
    const struct sl_shape *bottom = sl_bottom_shape(call, 0);
    const int axis = call->layer->parameters.tile.axis;
    struct work work = {
        .bottom = call->bottoms[0],
        .top = call->tops[0],
        .inner = sl_shape_span(bottom, axis, bottom->axes),
        .tiles = call->layer->parameters.tile.tiles,
    };
    sl_parallel_for(sl_call_team(call, sl_shape_count(sl_top_shape(call, 0))),
                    sl_shape_span(bottom, 0, axis), run_task, &work);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct sl_shape *bottom = sl_bottom_shape(call, 0), *top = sl_top_shape(call, 0);
    const int axis = call->layer->parameters.tile.axis;
    const int64_t inner = sl_shape_span(bottom, axis + 1, bottom->axes);
    for (int64_t i = 0; i < sl_shape_count(top); i++) {
        int64_t outer = i / inner / top->dim[axis];
        int64_t position = i / inner % top->dim[axis] % bottom->dim[axis];
        call->tops[0][i] =
            call->bottoms[0][(outer * bottom->dim[axis] + position) * inner + i % inner];
    }
}

const struct sl_kernel sl_kernel_tile = {
    .type = SL_LAYER_TILE,
    .memory = SL_KERNEL_SEPARATE,
    .run = run,
    .reference = reference,
};
