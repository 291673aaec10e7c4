/* Inner loops that exist once per instruction set, chosen at run time. Every element's sequence of
 * operations is the same in all of them, so sets with fused multiply-add give the same bits. */
#ifndef SLUICE_KERNELS_ISA_H
#define SLUICE_KERNELS_ISA_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/gemm.h"
#include "runtime/base/error.h"

/* Row dots: y[r] = sum over k of w[r * w_stride + k] * x[k] for r in [0, rows), in 32 virtual
 * lanes (lane l sums the k with k mod 32 = l, in order), reduced pairwise: l + 16, 8, 4, 2, 1. */
struct sl_row_dots {
    const float *w;
    int64_t w_stride;
    const float *x; /* reads stay inside [x, x + depth) */
    int64_t rows, depth;
    float *y;
};

/* Floats beyond the end that the two below may read of b and write of destination. */
#define SL_ISA_SLACK 16

/* Rows of a depthwise convolution: for y in [0, rows), x in [0, columns),
 * y[y * columns + x] = activation(bias + sum over taps t, in order, of
 *                                        w[t] * b[offset[t] + y * pitch + x]). */
struct sl_depthwise_rows {
    const float *w;
    const float *b;
    const int32_t *offset;
    int64_t taps, rows, columns, pitch;
    float *y;
    float bias;
    enum sl_activation activation;
    float slope;
};

/* Rows of a padded plane: destination[r * width + c] for r in [0, rows), c in [0, width) is
 * source[r * source_pitch + (c - left) * step] for c in [left, left + count), else 0. */
struct sl_plane_rows {
    const float *source;
    int64_t source_pitch, step;
    int64_t rows, width, left, count;
    float *destination;
};

/* count encoded elements (models/encoding.h) of one scale, decoded exactly. With
 * SL_ENCODING_LOSSLESS they are a whole row. */
struct sl_decode_values {
    enum sl_encoding encoding;
    float scale; /* where the encoding has scales */
    const void *values;
    int64_t count, exceptions;
    float *destination;
};

struct sl_isa {
    const char *name;
    void (*gemm)(const struct sl_gemm *gemm, void *scratch);
    void (*gemm_pack)(const struct sl_gemm *gemm, float *packed);
    void (*row_dots)(const struct sl_row_dots *dots);
    void (*decode)(const struct sl_decode_values *decode);
    void (*depthwise_rows)(const struct sl_depthwise_rows *rows);
    void (*plane_rows)(const struct sl_plane_rows *rows);
};

/* The best that this processor has, or the one that was forced. Any thread. */
const struct sl_isa *sl_isa(void);

/* Forces an instruction set by name ("avx512", "avx2", "neon", "generic"), NULL: the best again.
 * -EINVAL when this build or processor has not got it. For tests and benchmarks; no kernel may be
 * running. */
int sl_kernels_force_isa(const char *name, struct sl_error *error);

#endif
