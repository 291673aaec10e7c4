/* The one seam for dense products: C = A x B where B need not be stored as a matrix. Back-ends
 * stand in the table of kernels/gemm.c:
 *
 *   native    own micro-kernels (default). Every element of C is one chain of fused multiply-adds
 * in the order of k, so its bits depend neither on rows, columns and tiles of the call nor on the
 * width of the vectors. openblas  cblas_sgemm of libopenblas.so.0, loaded when selected, one thread
 * per call. Its bits depend on the tiles; for comparison, and for processors where it is faster.
 */
#ifndef SLUICE_KERNELS_GEMM_H
#define SLUICE_KERNELS_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/network.h"
#include "runtime/base/error.h"

/* For m in [0, rows), n in [0, columns):
 *
 *   C[m][n] = activation(bias[m] + (accumulate ? C[m][n] : 0) + sum over k of A[m][k] * B[k][n])
 *
 * with bias and activation applied only when finish is set. A[m][k] = a[m * a_stride + k],
 * C[m][n] = c[m * c_stride + n], and B is seen through offsets, so that the windows of a
 * convolution over a padded map are a matrix without being copied:
 *
 *   B[k][n] = b[k / taps * channel_stride + tap_offset[k % taps] + n / run * pitch + n % run]
 *
 * A plain row-major matrix is taps 1, tap_offset {0}, channel_stride = its row stride, run =
 * columns. No read goes beyond b_end. */
struct sl_gemm {
    const float *a;
    int64_t a_stride, rows, depth; /* depth: how many k */
    const float *b, *b_end;
    int64_t taps, channel_stride;
    const int32_t *tap_offset; /* taps entries */
    int64_t columns, run, pitch;
    float *c;
    int64_t c_stride;
    bool accumulate, finish;
    const float *packed; /* B as sl_gemm_pack wrote it, then b is not read; or NULL */
    const float *bias;   /* rows values; NULL: none */
    enum sl_activation activation;
    float slope;
};

/* Shape of the native back-end's panel of B, the same for every instruction set so that scratch is.
 */
#define SL_GEMM_BLOCK_DEPTH         256 /* most rows of B in a panel */
#define SL_GEMM_PANEL_COLUMNS       48
#define SL_GEMM_LEAST_PANEL_COLUMNS 8 /* of the widest panel of any instruction set */

/* Computes on the calling thread. scratch: sl_gemm_scratch_bytes(columns) bytes, 64-byte aligned.
 */
void sl_gemm_run(const struct sl_gemm *gemm, void *scratch);
size_t sl_gemm_scratch_bytes(int64_t columns);

/* Writes all of B (depth x columns) in the back-end's own order, for products of the same depth and
 * columns with other rows; packed: sl_gemm_packed_bytes(depth, columns) bytes, 64-byte aligned. */
void sl_gemm_pack(const struct sl_gemm *gemm, float *packed);
size_t sl_gemm_packed_bytes(int64_t depth, int64_t columns);

/* Selects the back-end for all later calls; no kernel may be running. -EINVAL: no such back-end;
 * -ENOENT: its library cannot be loaded. */
int sl_gemm_select(const char *name, struct sl_error *error);
/* Name of the selected back-end. */
const char *sl_gemm_backend(void);

/* Plain definition of the same, for tests. */
void sl_gemm_reference(const struct sl_gemm *gemm);

#endif
