/* Upsample: nearest neighbour, every element becomes scale_h x scale_w. */
#include <string.h>

#include "kernels/call.h"

struct work {
    const float *bottom;
    float *top;
    int64_t height, width, scale_h, scale_w;
};

/* One plane. */
static void run_task(void *context, int64_t task, int worker)
{
    const struct work *work = context;
    const int64_t top_width = work->width * work->scale_w;
    const float *row = work->bottom + task * work->height * work->width;
    float *top = work->top + task * work->height * work->scale_h * top_width;
    (void)worker;
    for (int64_t y = 0; y < work->height; y++, row += work->width) {
        const float *first = top;
        for (int64_t x = 0; x < work->width; x++)
            for (int64_t s = 0; s < work->scale_w; s++)
                top[x * work->scale_w + s] = row[x];
        top += top_width;
        for (int64_t s = 1; s < work->scale_h; s++, top += top_width)
            memcpy(top, first, (size_t)top_width * sizeof(float));
    }
}

static void run(const struct sl_kernel_call *call)
{
    const struct sl_shape *bottom = sl_bottom_shape(call, 0);
    struct work work = {
        .bottom = call->bottoms[0],
        .top = call->tops[0],
        .height = bottom->dim[2],
        .width = bottom->dim[3],
        .scale_h = call->layer->parameters.upsample.scale_h,
        .scale_w = call->layer->parameters.upsample.scale_w,
    };
    sl_parallel_for(sl_call_team(call, sl_shape_count(sl_top_shape(call, 0))),
                    sl_shape_span(bottom, 0, 2), run_task, &work);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct sl_shape *bottom = sl_bottom_shape(call, 0), *top = sl_top_shape(call, 0);
    for (int64_t i = 0; i < sl_shape_count(top); i++) {
        int64_t x = i % top->dim[3] / call->layer->parameters.upsample.scale_w;
        int64_t y = i / top->dim[3] % top->dim[2] / call->layer->parameters.upsample.scale_h;
        int64_t plane = i / top->dim[3] / top->dim[2];
        call->tops[0][i] = call->bottoms[0][(plane * bottom->dim[2] + y) * bottom->dim[3] + x];
    }
}

const struct sl_kernel sl_kernel_upsample = {
    .type = SL_LAYER_UPSAMPLE,
    .memory = SL_KERNEL_SEPARATE,
    .run = run,
    .reference = reference,
};
