/* What the weights must be read for before they are encoded: scales of rows, and what lossless rows
 * need. */
#ifndef SLUICE_MODELS_ROW_SCALE_H
#define SLUICE_MODELS_ROW_SCALE_H

#include "models/weights.h"

/* Weights that are read at a time; a multiple of SL_LOSSLESS_BLOCK. */
#define SL_STAGED_VALUES ((int64_t)64 << 10)

/* Elements [first, first + count) of a weight blob of the layer. Errors of the source. */
int sl_read_weights(struct sl_weight_source *source, const struct sl_layer *layer, int weight,
                    int64_t first, int64_t count, float *destination, struct sl_error *error);

/* The scale of a row of weight 0, for an encoding that has scales. staged: SL_STAGED_VALUES floats
 * that are overwritten. Errors of the source; -ERANGE when i8 is to hold what is not finite. */
int sl_row_scale(struct sl_weight_source *source, const struct sl_layer *layer, int64_t row,
                 float *staged, float *scale, struct sl_error *error);

/* Encodes weight 0 of the layer, if it takes encodings: sets encoding and exceptions. Lossless
 * needs one pass over the weights; a layer that would not become smaller stays float32. Errors of
 * the source, -ENOMEM. Blocks on I/O. */
int sl_layer_encode(struct sl_weight_source *source, struct sl_layer *layer,
                    enum sl_encoding encoding, struct sl_error *error);

#endif
