#include "kernels/elementwise.h"

#include <string.h>

#define PIECE 16384 /* elements: 64 KiB in, 64 KiB out, within the second-level cache */

struct elementwise {
    const struct sl_layer *layer;
    sl_span_function *span;
    const float *bottom;
    float *top;
    int64_t count;
};

static void run_piece(void *context, int64_t task, int worker)
{
    const struct elementwise *work = context;
    int64_t first = task * PIECE;
    (void)worker;
    work->span(work->layer, work->bottom + first, work->top + first,
               sl_least(PIECE, work->count - first));
}

void sl_elementwise_run(const struct sl_kernel_call *call, sl_span_function *span)
{
    int64_t count = sl_shape_count(sl_top_shape(call, 0));
    struct elementwise work = {
        .layer = call->layer,
        .span = span,
        .bottom = call->bottoms[0],
        .top = call->tops[0],
        .count = count,
    };
    sl_parallel_for(sl_call_team(call, count), sl_divide_up(count, PIECE), run_piece, &work);
}

void sl_elementwise_reference(const struct sl_kernel_call *call, sl_value_function *value)
{
    int64_t count = sl_shape_count(sl_top_shape(call, 0));
    for (int64_t i = 0; i < count; i++)
        call->tops[0][i] = (float)value(call->layer, call->bottoms[0][i]);
}

static void copy_span(const struct sl_layer *layer, const float *bottom, float *top, int64_t count)
{
    (void)layer;
    memcpy(top, bottom, (size_t)count * sizeof(*top));
}

void sl_copy_elements(const struct sl_kernel_call *call, float *top, const float *bottom,
                      int64_t count)
{
    struct elementwise work = {
        .layer = call->layer,
        .span = copy_span,
        .bottom = bottom,
        .top = top,
        .count = count,
    };
    if (top != bottom)
        sl_parallel_for(sl_call_team(call, count), sl_divide_up(count, PIECE), run_piece, &work);
}
