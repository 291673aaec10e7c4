/* How weights are cut into shards, and the index that tells of them: what import and a new cut of a
 * pack (sl_pack_recut) share. */
#ifndef SLUICE_MODELS_PACK_PLAN_H
#define SLUICE_MODELS_PACK_PLAN_H

#include "models/pack.h"
#include "models/pack.pb-c.h"
#include "models/pack_format.h"
#include "runtime/base/output_file.h"

/* Zero-initialise; free with sl_pack_plan_free. */
struct sl_pack_plan {
    struct sl_shard *shards; /* owned; in execution order */
    int shard_count, shard_capacity;
    uint64_t weight_bytes; /* content of all shards */
};

/* Cuts the layers of network, whose encodings are set, into shards of about shard_bytes (0:
 * SL_SHARD_BYTES): layer, rows and bytes are set. -EFBIG names a layer that cannot be cut. */
int sl_pack_plan_make(const struct sl_network *network, uint64_t shard_bytes,
                      struct sl_pack_plan *plan, struct sl_error *error);
/* Gives every shard its place behind an index of that length; returns the length of the file. */
uint64_t sl_pack_plan_place(struct sl_pack_plan *plan, uint64_t index_bytes);
/* Brings places and checksums of the shards into messages (shard_count of each). */
void sl_pack_plan_store(const struct sl_pack_plan *plan, Sluice__PackShard *stored,
                        Sluice__PackShard **list);
void sl_pack_plan_free(struct sl_pack_plan *plan);

/* Encodes the index; *bytes is malloc'd. Its length does not depend on places and checksums.
 * -EFBIG: more than SL_PACK_INDEX_MOST_BYTES. */
int sl_pack_index_encode(const Sluice__PackIndex *index, unsigned char **bytes, size_t *length,
                         struct sl_error *error);
/* The oldest version that can hold the pack. */
uint32_t sl_pack_needed_version(const struct sl_network *network, uint64_t shared_bytes);
/* Writes block 0 (the checksum of the index is filled in) and index, and sets the file's length. */
int sl_pack_index_write(struct sl_output_file *output, const struct sl_pack_header *header,
                        const unsigned char *index, struct sl_error *error);

#endif
