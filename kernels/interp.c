/* Interp: bilinear resize to the top's size with corners aligned, after cropping by negative
 * pads. */
#include "kernels/call.h"

struct column;

struct interp {
    const float *bottom;
    float *top;
    int64_t height, width, top_height, top_width;
    int64_t crop;                              /* rows and columns dropped at the beginning */
    int64_t effective_height, effective_width; /* after cropping */
    struct column *columns;                    /* top_width, in scratch */
    float *rows;                               /* two of top_width for each worker, in scratch */
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

/* Where the columns of the top lie in a row of the bottom: the same for every row. */
struct column {
    int32_t low, high;
    float weight;
};

/* A bottom row stretched to the top's width. */
static void stretch(const struct interp *work, const float *restrict bottom, float *restrict row)
{
    const struct column *columns = work->columns;
    const int64_t width = work->top_width;
    for (int64_t x = 0; x < width; x++) {
        const struct column column = columns[x];
        row[x] = (1.0f - column.weight) * bottom[column.low] + column.weight * bottom[column.high];
    }
}

/* One plane: each bottom row is stretched once, then neighbours are mixed. */
static void run_task(void *context, int64_t plane, int worker)
{
    const struct interp *work = context;
    const float *bottom =
        work->bottom + (plane * work->height + work->crop) * work->width + work->crop;
    float *top = work->top + plane * work->top_height * work->top_width;
    float *low = work->rows + 2 * worker * work->top_width, *high = low + work->top_width;
    const int64_t top_width = work->top_width;
    int64_t low_row = -1, high_row = -1;
    for (int64_t y = 0; y < work->top_height; y++, top += work->top_width) {
        const struct between rows = between_of(y, work->top_height, work->effective_height);
        if (rows.low != low_row && rows.low == high_row) {
            float *kept = low;
            low = high;
            high = kept;
            low_row = high_row;
            high_row = -1;
        }
        if (rows.low != low_row)
            stretch(work, bottom + rows.low * work->width, low);
        if (rows.high != high_row)
            stretch(work, bottom + rows.high * work->width, high);
        low_row = rows.low;
        high_row = rows.high;
        SL_INDEPENDENT
        for (int64_t x = 0; x < top_width; x++)
            top[x] = (1.0f - rows.weight) * low[x] + rows.weight * high[x];
    }
}

static size_t scratch_bytes(const struct sl_network *network, const struct sl_layer *layer,
                            int threads, size_t scratch_limit)
{
    const size_t top_width = (size_t)network->blobs[layer->tops[0]].shape.dim[3];
    (void)scratch_limit;
    return top_width * (sizeof(struct column) + 2 * (size_t)threads * sizeof(float));
}

static void run(const struct sl_kernel_call *call)
{
    struct interp work = interp_of(call);
    const struct sl_shape *top = sl_top_shape(call, 0);
    work.columns = call->scratch;
    work.rows = (float *)(work.columns + work.top_width);
    for (int64_t x = 0; x < work.top_width; x++) {
        const struct between between = between_of(x, work.top_width, work.effective_width);
        work.columns[x] = (struct column){
            (int32_t)between.low,
            (int32_t)between.high,
            between.weight,
        };
    }
    sl_parallel_for(sl_call_team(call, sl_shape_count(top)), sl_shape_span(top, 0, 2), run_task,
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
    .scratch_bytes = scratch_bytes,
    .run = run,
    .reference = reference,
};
