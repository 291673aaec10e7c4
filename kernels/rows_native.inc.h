/* Row dots and depthwise rows, compiled once per instruction set (kernels/isa_*.c). */
#include "kernels/isa.h"
#include "kernels/simd.h"

/* Virtual lanes of a dot: as many on every instruction set, so that the bits are the same. */
#define DOT_LANES   32
#define DOT_VECTORS (DOT_LANES / SL_LANES)
/* Rows at once, for enough independent sums to hide the latency of the additions. */
#define DOT_ROWS (SL_LANES == 16 ? 4 : SL_LANES == 8 ? 2 : 1)

SL_INLINE float dot_reduce(const sl_vector sum[DOT_VECTORS])
{
    float lane[DOT_LANES];
    memcpy(lane, sum, sizeof lane);
    for (int half = DOT_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

/* tail_x: the last depth % DOT_LANES values, filled up with zeros. */
SL_INLINE void dot_rows(const struct sl_row_dots *dots, int64_t row, const float *tail_x,
                        const int rows)
{
    sl_vector sum[4][DOT_VECTORS];
    const float *w = dots->w + row * dots->w_stride;
    const int64_t whole = dots->depth / DOT_LANES * DOT_LANES;
    const size_t tail_bytes = (size_t)(dots->depth - whole) * sizeof(float);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < DOT_VECTORS; v++)
            sum[r][v] = (sl_vector){0};
    for (int64_t k = 0; k < whole; k += DOT_LANES) {
#pragma GCC unroll 8
        for (int v = 0; v < DOT_VECTORS; v++) {
            sl_vector x = sl_vector_load(dots->x + k + v * SL_LANES);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++)
                sum[r][v] = sl_vector_fma(sl_vector_load(w + r * dots->w_stride + k + v * SL_LANES),
                                          x, sum[r][v]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
        if (tail_bytes > 0) {
            float tail_w[DOT_LANES] = {0};
            memcpy(tail_w, w + r * dots->w_stride + whole, tail_bytes);
#pragma GCC unroll 8
            for (int v = 0; v < DOT_VECTORS; v++)
                sum[r][v] = sl_vector_fma(sl_vector_load(tail_w + v * SL_LANES),
                                          sl_vector_load(tail_x + v * SL_LANES), sum[r][v]);
        }
        dots->y[row + r] = dot_reduce(sum[r]);
    }
}

static void native_row_dots(const struct sl_row_dots *dots)
{
    float tail_x[DOT_LANES] = {0};
    int64_t whole = dots->depth / DOT_LANES * DOT_LANES, row = 0;
    memcpy(tail_x, dots->x + whole, (size_t)(dots->depth - whole) * sizeof(float));
    for (; row + DOT_ROWS <= dots->rows; row += DOT_ROWS)
        dot_rows(dots, row, tail_x, DOT_ROWS);
    for (; row < dots->rows; row++)
        dot_rows(dots, row, tail_x, 1);
}

/* `vectors` vectors of a depthwise row from b, `taps` taps. */
SL_INLINE void depthwise_columns(const struct sl_depthwise_rows *rows, const float *b, float *y,
                                 int last_lanes, const int vectors, const int64_t taps)
{
    sl_vector sum[4];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        sum[v] = (sl_vector){0};
#pragma GCC unroll 9
    for (int64_t t = 0; t < taps; t++) {
        const float *window = b + rows->offset[t];
        sl_vector w = sl_vector_all(rows->w[t]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[v] = sl_vector_fma(w, sl_vector_load(window + v * SL_LANES), sum[v]);
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        sl_vector value = sum[v] + rows->bias;
        if (rows->activation == SL_ACTIVATION_RELU)
            value = sl_vector_relu(value, rows->slope);
        if (v < vectors - 1 || last_lanes == SL_LANES)
            sl_vector_store(y + v * SL_LANES, value);
        else
            sl_vector_store_part(y + v * SL_LANES, value, last_lanes);
    }
}

SL_INLINE void depthwise(const struct sl_depthwise_rows *rows, const int64_t taps)
{
    for (int64_t r = 0; r < rows->rows; r++) {
        const float *b = rows->b + r * rows->pitch;
        float *y = rows->y + r * rows->columns;
        int64_t x = 0;
        for (; x + 4 * SL_LANES <= rows->columns; x += 4 * SL_LANES)
            depthwise_columns(rows, b + x, y + x, SL_LANES, 4, taps);
        for (; x < rows->columns; x += SL_LANES) {
            int64_t left = rows->columns - x;
            depthwise_columns(rows, b + x, y + x, left < SL_LANES ? (int)left : SL_LANES, 1, taps);
        }
    }
}

static void native_depthwise_rows(const struct sl_depthwise_rows *rows)
{
    if (rows->taps == 9)
        depthwise(rows, 9);
    else
        depthwise(rows, rows->taps);
}

/* Writes `count` zeros, in whole vectors. */
SL_INLINE void zero_columns(float *destination, int64_t count)
{
    for (int64_t x = 0; x < count; x += SL_LANES)
        sl_vector_store(destination + x, (sl_vector){0});
}

SL_INLINE sl_vector load_up_to(const float *source, int64_t count)
{
    if (count >= SL_LANES)
        return sl_vector_load(source);
    return sl_vector_load_part(source, count > 0 ? (int)count : 0);
}

SL_INLINE void copy_columns(const float *source, int64_t step, int64_t count, float *destination)
{
    if (step == 1) {
        for (int64_t x = 0; x < count; x += SL_LANES)
            sl_vector_store(destination + x, load_up_to(source + x, count - x));
    } else if (step == 2) {
        for (int64_t x = 0; x < count; x += SL_LANES) {
            const float *from = source + 2 * x;
            int64_t left = 2 * (count - x) - 1;
            sl_vector low = load_up_to(from, left);
            sl_vector high = (sl_vector){0};
            if (left > SL_LANES)
                high = load_up_to(from + SL_LANES, left - SL_LANES);
            sl_vector_store(destination + x, sl_vector_evens(low, high));
        }
    } else {
        for (int64_t x = 0; x < count; x++)
            destination[x] = source[x * step];
    }
}

/* Each row is written left to right in whole vectors; what goes beyond its end is written again by
 * the next one. */
static void native_plane_rows(const struct sl_plane_rows *rows)
{
    const float *source = rows->source;
    float *destination = rows->destination;
    const int64_t end = rows->left + rows->count;
    for (int64_t r = 0; r < rows->rows; r++) {
        zero_columns(destination, rows->left);
        copy_columns(source, rows->step, rows->count, destination + rows->left);
        zero_columns(destination + end, rows->width - end);
        source += rows->source_pitch;
        destination += rows->width;
    }
}
