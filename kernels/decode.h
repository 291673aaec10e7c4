/* Decoding of encoded weights (models/encoding.h) into the float32 rows that kernels read. Exact:
 * the same bits from every instruction set and for any split into rows. */
#ifndef SLUICE_KERNELS_DECODE_H
#define SLUICE_KERNELS_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/threads.h"
#include "models/network.h"

/* Rows of the layer's weight 0 that are decoded at a time, so that a kernel runs on them while they
 * are in a cache: about SL_DECODED_BYTES, a multiple of SL_ROW_QUANTUM (at least one), for layers
 * that are not row-sharded all. 0 when the layer is not encoded. */
int64_t sl_decode_rows_at_once(const struct sl_layer *layer);

/* Scratch for them, a multiple of 64; 0 when the layer is not encoded. */
size_t sl_decode_scratch_bytes(const struct sl_layer *layer);

struct sl_decode {
    enum sl_encoding encoding;
    const void *values;  /* of row 0 */
    const float *scales; /* one per row; read where the encoding has them */
    int64_t depth;       /* elements of a row */
    int64_t exceptions;  /* of the layer (struct sl_layer) */
};

/* Decodes rows [row, row + rows) to destination (rows x depth). threads may be NULL. */
void sl_decode_rows(const struct sl_decode *decode, int64_t row, int64_t rows, float *destination,
                    struct sl_threads *threads);

#endif
