/* The pack: one .sluice file. Block 0 (4 KiB) holds magic, version, index length and XXH3-64; the
 * index (models/pack.proto) follows; shards follow in execution order, each aligned to 4 KiB and
 * padded with zeros to a multiple of 4 KiB.
 *
 * A shard is the row slice [row_begin, row_end) of one layer: for each weight blob of the layer in
 * order, its rows of that slice, each blob's part starting at a multiple of SL_SEGMENT_ALIGNMENT in
 * the shard. Rows are the first axis of weight 0; a blob whose first axis differs from weight 0's
 * (a scale factor) is stored whole with row 0. Layers that are not row-sharded have one shard with
 * every blob whole.
 *
 * Elements are float32, but weight 0 of a layer may be encoded in fewer bytes (models/encoding.h);
 * the index says which layers are. With an encoding that has scales (SL_ENCODING_I8,
 * SL_ENCODING_LOSSLESS) its part of a shard is one float32 scale per row, then, again aligned, the
 * rows. All rows of a layer have the same number of bytes.
 *
 * Shards of the same content lie in the file once: those that repeat one before them have its
 * file_offset, and the rest lie one behind the other without gaps.
 *
 * Versions. 1: float32, nothing shared. 2: encodings, shared shards. 3: SL_ENCODING_LOSSLESS. A
 * pack is written in the oldest version that can hold it; every version up to SL_PACK_VERSION is
 * read. */
#ifndef SLUICE_MODELS_PACK_H
#define SLUICE_MODELS_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "models/network.h"
#include "runtime/base/error.h"

#define SL_PACK_ALIGNMENT    4096
#define SL_SEGMENT_ALIGNMENT 64
#define SL_PACK_VERSION      3
#define SL_ROW_QUANTUM       16         /* shards start at multiples of this row */
#define SL_SHARD_BYTES       (1u << 20) /* wanted size of a shard */
#define SL_DECODED_BYTES     (1u << 20) /* wanted size of the decoded rows that a kernel gets */

struct sl_shard {
    int layer;
    int64_t row_begin, row_end;
    uint64_t file_offset; /* multiple of SL_PACK_ALIGNMENT */
    uint64_t bytes;       /* content without padding; the read length is this rounded up */
    uint64_t checksum;    /* XXH3-64 of the content */
};

/* How an image becomes the input blob; stored by import. Steps in order: resize so that the short
 * side is resize (0: not), centre crop to crop x crop, or to the blob's size directly; channel
 * order; minus mean; times scale. */
enum sl_channel_order { SL_CHANNELS_BGR, SL_CHANNELS_RGB, SL_CHANNELS_GRAY };
struct sl_preprocessing {
    enum sl_channel_order order;
    int64_t resize_short; /* 0: resize to the input's size directly */
    int64_t crop;         /* 0: none */
    float scale;          /* 1: none */
    int mean_count;       /* 0, channels of the input (per channel), or C x H x W of mean_shape */
    const float *mean;
    struct sl_shape mean_shape; /* of a mean file: C x H x W; axes 0 when per channel */
    int label_count;
    const char *const *labels;
};

struct sl_pack {
    const char *path;
    struct sl_network *network; /* one without a name has the file's, without its extension */
    int64_t batch;              /* that it was opened with; 0: the network's own */
    int shard_count;
    const struct sl_shard *shards;
    const int *layer_first_shard; /* layer_count + 1 entries: shards of layer l are [l], [l + 1) */
    uint64_t weight_bytes;        /* W of this network: content bytes of all shards */
    uint64_t shared_bytes;        /* of them, those that repeat the content of a shard before */
    uint64_t file_bytes;
    uint64_t index_checksum; /* identity of the pack */
    struct sl_preprocessing preprocessing;
    bool folded;
    void *arena; /* owns what is above */
};

/* Reads and verifies the index only; never the weights. Errors: -ENOENT, -EBADMSG (damaged or no
 * pack; names what does not fit), -EPROTO (newer version; says which), -EINVAL (the network cannot
 * have that batch). Free with sl_pack_close. */
int sl_pack_open(const char *path, const struct sl_network_options *options, struct sl_pack **pack,
                 struct sl_error *error);
void sl_pack_close(struct sl_pack *pack);

/* The part of a shard that holds elements of one weight blob; offsets are from the shard's start,
 * multiples of SL_SEGMENT_ALIGNMENT. */
struct sl_segment {
    enum sl_encoding encoding;
    int64_t count; /* elements; 0: this shard holds none of the blob */
    uint64_t offset_bytes;
    uint64_t bytes;
    uint64_t scale_offset_bytes; /* of one float32 per row, where the encoding has them; else 0 */
};

/* Where weight blob `weight` of layer shard->layer lies in the shard. */
void sl_shard_segment(const struct sl_network *network, const struct sl_shard *shard, int weight,
                      struct sl_segment *segment);

/* 0, or -EBADMSG naming pack, layer, rows and file offset when bytes do not have the checksum. */
int sl_shard_verify(const struct sl_pack *pack, int shard, const void *bytes,
                    struct sl_error *error);

#endif
