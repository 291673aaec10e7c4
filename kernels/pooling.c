/* Pooling, with windows clipped as Caffe does: the maximum is taken over the part of the window
 * that lies in the map; the average divides by the part that lies in the padded map.
 *
 * A row of the top is made in two passes: the rows of the window into one row buffer that has the
 * padding at both ends (-FLT_MAX or 0), then the columns of the window along that buffer. */
#include <float.h>

#include "kernels/call.h"
#include "kernels/elements.h"

struct pooling {
    struct sl_pooling_parameters parameters;
    int64_t planes, height, width, top_height, top_width;
    int64_t buffer_length, planes_per_task; /* floats of one worker's scratch */
    const float *bottom;
    float *top, *scratch;
};

/* Windows of 3 x 3 around every element (stride 1, pad 1), as in Inception's modules: the plane as
 * one long vector, down and then across, with the ends of the rows made good afterwards. All
 * windows hold 9 cells of the padded map. */
#define AROUND_MOST_ELEMENTS 16384 /* of a plane; larger ones have rows long enough */

static bool is_around(const struct pooling *work)
{
    const struct sl_pooling_parameters *p = &work->parameters;
    return p->kernel_h == 3 && p->kernel_w == 3 && p->stride_h == 1 && p->stride_w == 1 &&
           p->pad_h == 1 && p->pad_w == 1 && work->top_height == work->height &&
           work->height * work->width <= AROUND_MOST_ELEMENTS;
}

static int64_t around_buffer(const struct pooling *work)
{
    return work->width + 1 + work->height * work->width + 1;
}

static struct pooling pooling_of(const struct sl_network *network, const struct sl_layer *layer)
{
    const struct sl_shape *bottom = &network->blobs[layer->bottoms[0]].shape;
    const struct sl_shape *top = &network->blobs[layer->tops[0]].shape;
    const struct sl_pooling_parameters *p = &layer->parameters.pooling;
    struct pooling work = {
        .parameters = *p,
        .planes = sl_shape_span(bottom, 0, 2),
        .height = bottom->dim[2],
        .width = bottom->dim[3],
        .top_height = top->dim[2],
        .top_width = top->dim[3],
    };
    /* The last window may reach past the padding on the right. */
    int64_t reach = (work.top_width - 1) * p->stride_w + p->kernel_w;
    work.buffer_length = sl_most(reach, p->pad_w + work.width) + work.top_width;
    if (is_around(&work))
        work.buffer_length = around_buffer(&work);
    work.planes_per_task = sl_most(1, 8192 / sl_most(1, work.height * work.width));
    return work;
}

static bool is_global(const struct pooling *work)
{
    const struct sl_pooling_parameters *p = &work->parameters;
    return work->top_height == 1 && work->top_width == 1 && p->pad_h == 0 && p->pad_w == 0 &&
           p->kernel_h == work->height && p->kernel_w == work->width;
}

/* The window's extent in one direction: cells of the padded map, and [begin, end) in the map. */
struct window {
    int64_t begin, end, padded;
};

static inline struct window window_of(int64_t position, int64_t stride, int64_t kernel, int64_t pad,
                                      int64_t extent)
{
    int64_t begin = position * stride - pad;
    int64_t end = sl_least(begin + kernel, extent + pad);
    return (struct window){
        .begin = sl_most(begin, 0),
        .end = sl_least(end, extent),
        .padded = end - begin,
    };
}

SL_INLINE_ALWAYS void max_rows(float *restrict buffer, const float *restrict rows, int64_t width,
                               int64_t count)
{
    for (int64_t x = 0; x < width; x++)
        buffer[x] = rows[x] > -FLT_MAX ? rows[x] : -FLT_MAX;
    for (int64_t r = 1; r < count; r++)
        for (int64_t x = 0; x < width; x++)
            buffer[x] = rows[r * width + x] > buffer[x] ? rows[r * width + x] : buffer[x];
}

SL_INLINE_ALWAYS void sum_rows(float *restrict buffer, const float *restrict rows, int64_t width,
                               int64_t count)
{
    for (int64_t x = 0; x < width; x++)
        buffer[x] = rows[x];
    for (int64_t r = 1; r < count; r++)
        for (int64_t x = 0; x < width; x++)
            buffer[x] += rows[r * width + x];
}

/* Inlined with constants for the usual windows, so that the loop over the kernel unrolls. */
SL_INLINE_ALWAYS void max_columns(float *restrict top, const float *restrict buffer,
                                  int64_t top_width, int64_t kernel, int64_t stride)
{
    for (int64_t x = 0; x < top_width; x++) {
        float greatest = buffer[x * stride];
        for (int64_t k = 1; k < kernel; k++)
            greatest = buffer[x * stride + k] > greatest ? buffer[x * stride + k] : greatest;
        top[x] = greatest;
    }
}

SL_INLINE_ALWAYS void sum_columns(float *restrict top, const float *restrict buffer,
                                  int64_t top_width, int64_t kernel, int64_t stride)
{
    for (int64_t x = 0; x < top_width; x++) {
        float sum = buffer[x * stride];
        for (int64_t k = 1; k < kernel; k++)
            sum += buffer[x * stride + k];
        top[x] = sum;
    }
}

#define FOR_USUAL_WINDOWS(columns, top, buffer, width, kernel, stride)                             \
    do {                                                                                           \
        if ((kernel) == 3 && (stride) == 2)                                                        \
            columns(top, buffer, width, 3, 2);                                                     \
        else if ((kernel) == 3 && (stride) == 1)                                                   \
            columns(top, buffer, width, 3, 1);                                                     \
        else if ((kernel) == 2 && (stride) == 2)                                                   \
            columns(top, buffer, width, 2, 2);                                                     \
        else                                                                                       \
            columns(top, buffer, width, kernel, stride);                                           \
    } while (0)

/* The columns of the padded map in each window. */
static void count_columns(const struct pooling *work, float *columns)
{
    const struct sl_pooling_parameters *p = &work->parameters;
    for (int64_t x = 0; x < work->top_width; x++)
        columns[x] =
            (float)sl_most(1, window_of(x, p->stride_w, p->kernel_w, p->pad_w, work->width).padded);
}

SL_INLINE_ALWAYS void divide_row(float *restrict top, const float *restrict columns, float rows,
                                 int64_t width)
{
    for (int64_t x = 0; x < width; x++)
        top[x] /= rows * columns[x];
}

/* buffer: the row, then columns[top_width] as counted by count_columns. */
SL_PER_ISA static void pool_plane(const struct pooling *work, int64_t plane, float *buffer)
{
    const struct sl_pooling_parameters *p = &work->parameters;
    const bool average = p->method == SL_POOLING_AVERAGE;
    const float *bottom = work->bottom + plane * work->height * work->width;
    float *top = work->top + plane * work->top_height * work->top_width;
    const float *columns = buffer + work->buffer_length - work->top_width;
    const float outside = average ? 0.0f : -FLT_MAX;

    for (int64_t x = 0; x < work->buffer_length - work->top_width; x++)
        buffer[x] = outside;
    for (int64_t y = 0; y < work->top_height; y++, top += work->top_width) {
        struct window rows = window_of(y, p->stride_h, p->kernel_h, p->pad_h, work->height);
        if (rows.begin >= rows.end) { /* a stride larger than the window may step past the map */
            for (int64_t x = 0; x < work->top_width; x++)
                top[x] = outside;
            continue;
        }
        const float *first = bottom + rows.begin * work->width;
        if (average) {
            sum_rows(buffer + p->pad_w, first, work->width, rows.end - rows.begin);
            FOR_USUAL_WINDOWS(sum_columns, top, buffer, work->top_width, p->kernel_w, p->stride_w);
            divide_row(top, columns, (float)rows.padded, work->top_width);
        } else {
            max_rows(buffer + p->pad_w, first, work->width, rows.end - rows.begin);
            FOR_USUAL_WINDOWS(max_columns, top, buffer, work->top_width, p->kernel_w, p->stride_w);
        }
    }
}

SL_INLINE_ALWAYS float of_three(float a, float b, float c, bool average)
{
    if (average)
        return a + b + c;
    float greatest = a > -FLT_MAX ? a : -FLT_MAX;
    greatest = b > greatest ? b : greatest;
    return c > greatest ? c : greatest;
}

SL_INLINE_ALWAYS void three_rows(float *restrict result, const float *a, const float *b,
                                 const float *c, int64_t count, bool average)
{
    for (int64_t i = 0; i < count; i++)
        result[i] = of_three(a[i], b[i], c[i], average);
}

/* buffer: `around_buffer` floats. */
SL_INLINE_ALWAYS void pool_around_as(const struct pooling *work, int64_t plane,
                                     float *restrict buffer, bool average)
{
    const int64_t height = work->height, width = work->width, count = height * width;
    const float outside = average ? 0.0f : -FLT_MAX;
    const float divisor = average ? 9.0f : 1.0f;
    const float *bottom = work->bottom + plane * count;
    float *restrict top = work->top + plane * count;
    float *outer_row = buffer, *columns = buffer + width + 1;

    for (int64_t x = 0; x < width + 1; x++)
        outer_row[x] = outside;
    columns[count] = outside;
    three_rows(columns, outer_row, bottom, height > 1 ? bottom + width : outer_row, width, average);
    if (height > 2)
        three_rows(columns + width, bottom, bottom + width, bottom + 2 * width, count - 2 * width,
                   average);
    if (height > 1)
        three_rows(columns + count - width, bottom + count - 2 * width, bottom + count - width,
                   outer_row, width, average);

    for (int64_t i = 0; i < count; i++)
        top[i] = of_three(columns[i - 1], columns[i], columns[i + 1], average) / divisor;
    for (int64_t first = 0; first < count; first += width) {
        const int64_t last = first + width - 1;
        const float after_first = width > 1 ? columns[first + 1] : outside;
        const float before_last = width > 1 ? columns[last - 1] : outside;
        top[first] = of_three(outside, columns[first], after_first, average) / divisor;
        top[last] = of_three(before_last, columns[last], outside, average) / divisor;
    }
}

SL_PER_ISA static void max_around(const struct pooling *work, int64_t plane, float *buffer)
{
    pool_around_as(work, plane, buffer, false);
}

SL_PER_ISA static void average_around(const struct pooling *work, int64_t plane, float *buffer)
{
    pool_around_as(work, plane, buffer, true);
}

static void run_task(void *context, int64_t task, int worker)
{
    const struct pooling *work = context;
    const int64_t first = task * work->planes_per_task;
    const int64_t last = sl_least(first + work->planes_per_task, work->planes);
    const int64_t size = work->height * work->width;
    float *buffer = work->scratch + worker * work->buffer_length;
    const bool average = work->parameters.method == SL_POOLING_AVERAGE;
    const bool around = is_around(work), global = is_global(work);
    if (!global && !around)
        count_columns(work, buffer + work->buffer_length - work->top_width);
    for (int64_t plane = first; plane < last; plane++) {
        if (around && average)
            average_around(work, plane, buffer);
        else if (around)
            max_around(work, plane, buffer);
        else if (!global)
            pool_plane(work, plane, buffer);
        else if (average)
            work->top[plane] = sl_span_sum(work->bottom + plane * size, size, 0) / (float)size;
        else
            work->top[plane] = sl_span_greatest(work->bottom + plane * size, size, -FLT_MAX);
    }
}

static size_t scratch_bytes(const struct sl_network *network, const struct sl_layer *layer,
                            int threads, size_t scratch_limit)
{
    const struct pooling work = pooling_of(network, layer);
    (void)scratch_limit;
    return is_global(&work) ? 0
                            : (size_t)threads * (size_t)work.buffer_length * sizeof(*work.scratch);
}

static void run(const struct sl_kernel_call *call)
{
    struct pooling work = pooling_of(call->network, call->layer);
    work.bottom = call->bottoms[0];
    work.top = call->tops[0];
    work.scratch = call->scratch;
    sl_parallel_for(sl_call_team(call, work.planes * work.height * work.width),
                    sl_divide_up(work.planes, work.planes_per_task), run_task, &work);
}

static float pool_window(const struct pooling *work, const float *plane, struct window rows,
                         struct window columns)
{
    const bool average = work->parameters.method == SL_POOLING_AVERAGE;
    double result = average ? 0 : -FLT_MAX;
    if (rows.begin >= rows.end || columns.begin >= columns.end)
        return (float)result;
    for (int64_t y = rows.begin; y < rows.end; y++)
        for (int64_t x = columns.begin; x < columns.end; x++) {
            double value = plane[y * work->width + x];
            if (average)
                result += value;
            else if (value > result)
                result = value;
        }
    return (float)(average ? result / (double)(rows.padded * columns.padded) : result);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct pooling work = pooling_of(call->network, call->layer);
    const struct sl_pooling_parameters *p = &work.parameters;
    float *top = call->tops[0];
    for (int64_t plane = 0; plane < work.planes; plane++)
        for (int64_t y = 0; y < work.top_height; y++)
            for (int64_t x = 0; x < work.top_width; x++)
                *top++ = pool_window(&work, call->bottoms[0] + plane * work.height * work.width,
                                     window_of(y, p->stride_h, p->kernel_h, p->pad_h, work.height),
                                     window_of(x, p->stride_w, p->kernel_w, p->pad_w, work.width));
}

const struct sl_kernel sl_kernel_pooling = {
    .type = SL_LAYER_POOLING,
    .memory = SL_KERNEL_SEPARATE,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .reference = reference,
};
