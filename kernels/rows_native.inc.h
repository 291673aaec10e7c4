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

/* `vectors` whole vectors of a depthwise row from column x on. */
SL_INLINE void depthwise_columns(const struct sl_depthwise_row *row, int64_t x, int last_lanes,
                                 const int vectors)
{
    sl_vector sum[4];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        sum[v] = (sl_vector){0};
    for (int64_t t = 0; t < row->taps; t++) {
        const float *b = row->b + row->offset[t] + x;
        sl_vector w = sl_vector_all(row->w[t]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[v] = sl_vector_fma(w, sl_vector_load(b + v * SL_LANES), sum[v]);
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        sl_vector value = sum[v] + row->bias;
        if (row->activation == SL_ACTIVATION_RELU)
            value = sl_vector_relu(value, row->slope);
        if (v < vectors - 1 || last_lanes == SL_LANES)
            sl_vector_store(row->y + x + v * SL_LANES, value);
        else
            sl_vector_store_part(row->y + x + v * SL_LANES, value, last_lanes);
    }
}

static void native_depthwise_row(const struct sl_depthwise_row *row)
{
    int64_t x = 0;
    for (; x + 4 * SL_LANES <= row->columns; x += 4 * SL_LANES)
        depthwise_columns(row, x, SL_LANES, 4);
    for (; x < row->columns; x += SL_LANES) {
        int64_t left = row->columns - x;
        depthwise_columns(row, x, left < SL_LANES ? (int)left : SL_LANES, 1);
    }
}
