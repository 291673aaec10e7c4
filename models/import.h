/* From structure and weights to a pack file. */
#ifndef SLUICE_MODELS_IMPORT_H
#define SLUICE_MODELS_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "models/pack.h"
#include "models/weights.h"

struct sl_import_options {
    const char *output;   /* path of the pack; written to a temporary name beside it and renamed */
    bool fold;            /* BatchNorm + Scale into the convolution before, ReLU fused */
    uint64_t shard_bytes; /* 0: SL_SHARD_BYTES */
    enum sl_encoding encoding; /* of weight 0 of the layers that take it (sl_layer_encode) */
    struct sl_preprocessing preprocessing; /* borrowed; scale 0 counts as 1 */
};

struct sl_import_report {
    int layers_before, layers_after, shards;
    uint64_t weight_bytes, file_bytes;
    uint64_t shared_bytes; /* of weight_bytes: content that lies in the file already */
    int64_t saturated; /* weights beyond the range of the encoding, stored as its largest number */
};

/* Plans shards, streams the weights shard by shard (memory: a few shards, whatever the network),
 * writes index and checksums, syncs, renames. On any failure no file is left. message, from
 * the protobuf-c allocator, is modified (normalised and folded). -ENOSPC says how much room is
 * needed; -ERANGE: weights that the encoding cannot hold. Blocks. */
int sl_pack_write(struct Caffe__NetParameter *message, struct sl_weight_source *weights,
                  const struct sl_import_options *options, struct sl_import_report *report,
                  struct sl_error *error);

/* Writes the pack of that path again with shards of about shard_bytes (0: SL_SHARD_BYTES): the same
 * bytes that import gives for that size, whatever the encoding. Every shard is verified on the way
 * (-EBADMSG). Memory: the largest shard there is and some MiB. As sl_pack_write otherwise. */
int sl_pack_recut(const char *path, uint64_t shard_bytes, const char *output,
                  struct sl_import_report *report, struct sl_error *error);

/* The reverse for synthetic networks: a caffemodel that Caffe itself reads (V2 layers, blobs with
 * shape and packed data, byte-equal to the documented generator for the same rule). */
int sl_caffemodel_write(const struct Caffe__NetParameter *message, struct sl_weight_source *weights,
                        const char *output, struct sl_error *error);

/* Topologies that ship with sluice (models/topologies/, compiled in). Iterate with index from 0
 * until NULL. */
struct sl_topology {
    const char *name;        /* "alexnet" */
    const char *description; /* one line */
    const char *prototxt;    /* NUL-terminated text */
};
const struct sl_topology *sl_topology_at(int index);
const struct sl_topology *sl_topology_find(const char *name);

#endif
