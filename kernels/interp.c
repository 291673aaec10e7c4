/* Interp: bilinear resize to the top's size with corners aligned, after cropping by negative
 * pads. */
#include "kernels/call.h"

struct interp {
    const float *bottom;
    float *top;
    int64_t height, width, top_height, top_width;
    int64_t crop;                              /* rows and columns dropped at the beginning */
    int64_t effective_height, effective_width; /* after cropping */
};

static struct interp interp_of(const struct sl_kernel_call *call)
{
    const struct sl_shape *bottom = sl_bottom_shape(call, 0), *top = sl_top_shape(call, 0);
    const int64_t begin = call->layer->parameters.interp.pad_begin;
    const int64_t pad = begin + call->layer->parameters.interp.pad_end;
    return (struct interp){
        .bottom = call->bottoms[0],
        .top = call->tops[0],
        .height = bottom->dim[2],
        .width = bottom->dim[3],
        .top_height = top->dim[2],
        .top_width = top->dim[3],
        .crop = -begin,
        .effective_height = bottom->dim[2] + pad,
        .effective_width = bottom->dim[3] + pad,
    };
}

/* Between which two cells of [0, extent) position `position` of `positions` lies, and how far. */
struct between {
    int64_t low, high;
    float weight; /* of high */
};

static inline struct between between_of(int64_t position, int64_t positions, int64_t extent)
{
    const float ratio = positions > 1 ? (float)(extent - 1) / (float)(positions - 1) : 0.0f;
    const float exact = ratio * (float)position;
    const int64_t low = sl_least((int64_t)exact, extent - 1);
    return (struct between){
        .low = low,
        .high = sl_least(low + 1, extent - 1),
        .weight = exact - (float)low,
    };
}

/* One row of one plane. */
static void run_task(void *context, int64_t task, int worker)
{
    const struct interp *work = context;
    const int64_t y = task % work->top_height, plane = task / work->top_height;
    const struct between rows = between_of(y, work->top_height, work->effective_height);
    const float *bottom =
        work->bottom + (plane * work->height + work->crop) * work->width + work->crop;
    const float *low = bottom + rows.low * work->width, *high = bottom + rows.high * work->width;
    float *top = work->top + task * work->top_width;
    (void)worker;
    for (int64_t x = 0; x < work->top_width; x++) {
        const struct between columns = between_of(x, work->top_width, work->effective_width);
        const float right = columns.weight, left = 1.0f - right;
        top[x] = (1.0f - rows.weight) * (left * low[columns.low] + right * low[columns.high]) +
                 rows.weight * (left * high[columns.low] + right * high[columns.high]);
    }
}

static void run(const struct sl_kernel_call *call)
{
    struct interp work = interp_of(call);
    const struct sl_shape *top = sl_top_shape(call, 0);
    sl_parallel_for(sl_call_team(call, sl_shape_count(top)), sl_shape_span(top, 0, 3), run_task,
                    &work);
}

static double bottom_at(const struct interp *work, int64_t plane, int64_t y, int64_t x)
{
    y = sl_least(y, work->effective_height - 1) + work->crop;
    x = sl_least(x, work->effective_width - 1) + work->crop;
    return work->bottom[(plane * work->height + y) * work->width + x];
}

static void reference(const struct sl_kernel_call *call)
{
    const struct interp work = interp_of(call);
    for (int64_t i = 0; i < sl_shape_count(sl_top_shape(call, 0)); i++) {
        const int64_t x = i % work.top_width, y = i / work.top_width % work.top_height;
        const int64_t plane = i / work.top_width / work.top_height;
        double down = 0, across = 0;
        if (work.top_height > 1)
            down = (double)(y * (work.effective_height - 1)) / (double)(work.top_height - 1);
        if (work.top_width > 1)
            across = (double)(x * (work.effective_width - 1)) / (double)(work.top_width - 1);
        const int64_t row = (int64_t)down, column = (int64_t)across;
        down -= (double)row;
        across -= (double)column;
        work.top[i] = (float)((1 - down) * (1 - across) * bottom_at(&work, plane, row, column) +
                              (1 - down) * across * bottom_at(&work, plane, row, column + 1) +
                              down * (1 - across) * bottom_at(&work, plane, row + 1, column) +
                              down * across * bottom_at(&work, plane, row + 1, column + 1));
    }
}

const struct sl_kernel sl_kernel_interp = {
    .type = SL_LAYER_INTERP,
    .memory = SL_KERNEL_SEPARATE,
    .run = run,
    .reference = reference,
};
