/* Kernels: how a layer computes. One file per layer type, each with a naive reference of the same
 * contract; the table is kernels/kernel_table.c.
 *
 * Bits: the result of a kernel never depends on the row range it is called with, on the number of
 * threads, nor on where its memory lies. Every output element is one fixed sequence of operations
 * (products are accumulated in the order of k by fused multiply-add, one accumulator per element or
 * a fixed number of lanes), whatever the tile. tests/unit/test_kernels.c holds every kernel to it.
 */
#ifndef SLUICE_KERNELS_KERNEL_H
#define SLUICE_KERNELS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/decode.h"
#include "kernels/threads.h"
#include "models/network.h"
#include "runtime/base/error.h"

struct sl_kernel_call {
    const struct sl_network *network; /* for blob shapes */
    const struct sl_layer *layer;
    const float *const *bottoms; /* layer->bottom_count, 64-byte aligned, C order */
    float *const *tops; /* layer->top_count; tops[0] == bottoms[0] only if kernel->in_place */
    const float *weights[SL_MAX_WEIGHTS]; /* rows [row_begin, row_end) of each weight blob */
    /* Weight 0 as it is stored, row row_begin first, for kernels that decode it themselves; else
     * NULL. */
    const struct sl_decode *encoded;
    int64_t row_begin, row_end; /* of weight 0's first axis; 0, 0 for layers without weights */
    void *scratch;              /* scratch_bytes(...) bytes, 64-byte aligned */
    /* Scratch holds what the call for the rows before, of the same layer and input, left in it.
     * False: it may hold anything. */
    bool scratch_kept;
    struct sl_threads *threads; /* NULL: the calling thread alone */
};

enum sl_kernel_memory {
    SL_KERNEL_SEPARATE, /* top and bottom must not overlap */
    SL_KERNEL_IN_PLACE, /* tops[0] may be bottoms[0] */
    SL_KERNEL_VIEW,     /* every top is bottom 0 itself with another shape; run is not called */
};

struct sl_kernel {
    enum sl_layer_type type;
    enum sl_kernel_memory memory;
    /* Rows may be given in several calls, ascending, each starting at a multiple of SL_ROW_QUANTUM
     * (models/pack.h). What does not depend on rows (the packed input) is made in scratch by the
     * first call and found there by those with scratch_kept. */
    bool row_sharded;
    /* Whether the kernel reads call->encoded for this layer, into scratch, instead of weights[0];
     * NULL: never. */
    bool (*decodes)(const struct sl_network *network, const struct sl_layer *layer);
    /* Bytes of scratch for this layer with so many threads; hook may be NULL: none. Depends only on
     * its arguments. scratch_limit bounds what is kept between calls; the least the kernel can run
     * with is always granted. */
    size_t (*scratch_bytes)(const struct sl_network *network, const struct sl_layer *layer,
                            int threads, size_t scratch_limit);
    /* Computes the rows of the call. May use scratch of the size above for the same threads and
     * scratch_limit. Cannot fail: shapes were checked by sl_network_build. */
    void (*run)(const struct sl_kernel_call *call);
    /* The same, as plainly as possible, all rows or any range; no scratch, one thread. */
    void (*reference)(const struct sl_kernel_call *call);
};

#define SL_SCRATCH_LIMIT ((size_t)16 << 20) /* default scratch_limit */

/* The kernel of a layer type; NULL for SL_LAYER_INPUT. */
const struct sl_kernel *sl_kernel_find(enum sl_layer_type type);

/* Checks the table: every type but Input has a kernel with its required hooks. 0 or -EINVAL. */
int sl_kernels_check(struct sl_error *error);

/* Name of the instruction set chosen at run time: "avx512", "avx2", "neon", "generic". */
const char *sl_kernels_isa(void);

#endif
