/* What the reader and the writer of packs share: block 0, and the layout of shards. */
#ifndef SLUICE_MODELS_PACK_FORMAT_H
#define SLUICE_MODELS_PACK_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "models/pack.h"

#define SL_PACK_INDEX_MOST_BYTES (UINT64_C(64) << 20)
#define SL_PACK_SHARD_MOST_BYTES (UINT64_C(1) << 30) /* what a loader reads at once */
#define SL_PACK_LAYERS_MOST      65536
#define SL_PACK_VERSION_COMPACT  2 /* the first that knows encodings and shared shards */
#define SL_PACK_VERSION_LOSSLESS 3 /* the first that knows SL_ENCODING_LOSSLESS */

/* Block 0. All numbers are little-endian. Magic, version and the checksum of the block stay where
 * they are in every version, so that any version tells a newer pack from a damaged one. */
struct sl_pack_header {
    uint32_t version; /* 1 .. SL_PACK_VERSION */
    uint64_t index_bytes;
    uint64_t index_checksum; /* XXH3-64 */
    uint64_t file_bytes;
};

/* Fills the whole block, zeros behind the header. */
void sl_pack_header_encode(const struct sl_pack_header *header,
                           unsigned char block[SL_PACK_ALIGNMENT]);
/* 0; -EBADMSG (no pack, or damaged) or -EPROTO (newer version) with a message. */
int sl_pack_header_decode(const unsigned char block[SL_PACK_ALIGNMENT],
                          struct sl_pack_header *header, struct sl_error *error);

/* Rows of a layer's weights: the first axis of weight 0 (1 for a scalar); 0 without weights. */
int64_t sl_pack_rows(const struct sl_layer *layer);

/* Elements of a row of weight 0; 0 without weights. */
int64_t sl_pack_depth(const struct sl_layer *layer);

/* Whether the weights of this layer are cut by rows (as its kernel computes them). */
bool sl_pack_row_sharded(const struct sl_layer *layer);

/* Whether weight 0 of the layer can be stored encoded: the large blobs of Convolution, InnerProduct
 * and Deconvolution. Kernels that are not row-sharded need it decoded whole, so that would save
 * storage but cost more memory than it saves: above SL_DECODED_BYTES theirs stay float32. */
bool sl_pack_takes_encoding(const struct sl_layer *layer);

/* Bytes of all weights of the layer as they are stored, without what aligns them in shards. */
uint64_t sl_pack_layer_bytes(const struct sl_layer *layer);

/* Content bytes of a shard of the layer, without padding. -EOVERFLOW (no message) when they do not
 * fit into SL_PACK_SHARD_MOST_BYTES. rows must lie within [0, sl_pack_rows(layer)]. */
int sl_pack_shard_bytes(const struct sl_layer *layer, int64_t row_begin, int64_t row_end,
                        uint64_t *bytes);

/* Whether an activation can be fused into this layer type. */
bool sl_pack_takes_activation(enum sl_layer_type type);

/* Checks that the preprocessing is complete and fits the first input of the network. 0 or -EINVAL
 * with a message. */
int sl_pack_check_preprocessing(const struct sl_preprocessing *preprocessing,
                                const struct sl_network *network, struct sl_error *error);

#endif
