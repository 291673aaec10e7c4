/* Chains: consecutive layers computed band by band over the rows of the last one's top, so that the
 * blobs between them never exist whole. Rows that two bands read (the halo) are computed twice.
 *
 * A band is an ordinary network of fewer rows: its blobs hold the rows that the band reads, and its
 * layers have what is left of the padding above. Kernels take missing rows below from the shapes.
 * Every element is the same sequence of operations as in the whole map, so the bits are the same.
 */
#ifndef SLUICE_ENGINE_CHAIN_H
#define SLUICE_ENGINE_CHAIN_H

#include "models/pack.h"

#define SL_CHAIN_MOST_LAYERS 12

struct sl_chain {
    int first_layer, last_layer;
    int64_t rows; /* of the last top in a band; the last band may have fewer */
    /* Workspace: copies of the layers' shards (they are dropped before the chain runs), then two
     * buffers that hold the bands of the blobs in turn. */
    uint64_t shard_bytes, buffer_bytes[2];
    uint64_t offset_bytes;   /* of the workspace in the arena */
    double recomputed_flops; /* of halos */
};

/* One band of a chain. Valid while the chain's network is. */
struct sl_band {
    struct sl_network network;
    struct sl_blob blobs[SL_CHAIN_MOST_LAYERS + 1]; /* 0: the chain's bottom, n: top of layer n-1 */
    struct sl_layer layers[SL_CHAIN_MOST_LAYERS];
    int ids[SL_CHAIN_MOST_LAYERS + 1];
    int64_t first_row[SL_CHAIN_MOST_LAYERS + 1]; /* [blob]: in the whole blob */
};

/* Bytes of the workspace, multiple of 64. */
uint64_t sl_chain_bytes(const struct sl_chain *chain);

/* Whether layer and the one after it can be neighbours in a chain. */
bool sl_chain_links(const struct sl_network *network, int layer);

/* Fills in the sizes of a chain whose layers and rows are set; false when it cannot be banded so.
 */
bool sl_chain_measure(const struct sl_pack *pack, struct sl_chain *chain);

/* The chain's band that begins with this row of the last top. */
void sl_band_make(const struct sl_network *network, const struct sl_chain *chain, int64_t row,
                  struct sl_band *band);

/* Rows of the chain's last top. */
int64_t sl_chain_height(const struct sl_network *network, const struct sl_chain *chain);

/* Copies the rows of a band's blob from (gather) or to (scatter) the whole blob. */
void sl_band_gather(const struct sl_network *network, const struct sl_chain *chain,
                    const struct sl_band *band, const float *whole, float *rows);
void sl_band_scatter(const struct sl_network *network, const struct sl_chain *chain,
                     const struct sl_band *band, const float *rows, float *whole);

#endif
