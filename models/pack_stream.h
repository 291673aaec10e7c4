/* The shards of a pack on their way into the file. */
#ifndef SLUICE_MODELS_PACK_STREAM_H
#define SLUICE_MODELS_PACK_STREAM_H

#include "models/pack.h"
#include "models/weights.h"
#include "runtime/base/output_file.h"

/* Weights as a pack stores them, for a new cut of it. */
struct sl_stored_weights {
    /* Bytes [first, first + length) of weight blob `weight` of that layer, as all its shards
     * together hold it; scales: of the scales of its rows instead, where the encoding has them. */
    int (*read)(struct sl_stored_weights *stored, int layer, int weight, bool scales,
                uint64_t first, size_t length, void *destination, struct sl_error *error);
};

struct sl_pack_stream {
    const struct sl_network *network; /* its layers say how weights are encoded */
    struct sl_weight_source *weights;
    struct sl_stored_weights *stored; /* instead of weights; NULL: none */
    struct sl_output_file *output;
    uint64_t offset; /* where the first shard begins in the file, a multiple of SL_PACK_ALIGNMENT */
};

struct sl_pack_streamed {
    uint64_t end;          /* offset behind the last shard and its padding */
    uint64_t shared_bytes; /* of shards that have the place of one before */
    int64_t saturated;     /* weights that were out of their encoding's range */
};

/* Writes the shards (layer, rows and bytes set) one behind the other and sets their file_offset and
 * checksum; one whose content is in the file already (compared byte for byte) gets that place.
 * Memory: 2 MiB and 8 bytes per shard, whatever their size. Errors of the
 * weight source; -ERANGE when i8 is to hold what is not finite. Blocks on I/O. */
int sl_pack_stream(const struct sl_pack_stream *stream, struct sl_shard *shards, int shard_count,
                   struct sl_pack_streamed *streamed, struct sl_error *error);

#endif
