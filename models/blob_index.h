/* Where the values of one BlobProto lie in a file. */
#ifndef SLUICE_MODELS_BLOB_INDEX_H
#define SLUICE_MODELS_BLOB_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/network.h"
#include "models/wire.h"
#include "runtime/base/error.h"

enum sl_blob_element {
    SL_BLOB_FLOAT32,
    SL_BLOB_FLOAT64,
    SL_BLOB_FLOAT16,
    SL_BLOB_UNSUPPORTED, /* raw integers */
};

/* count values, each stride bytes after the one before (more than its size when not packed). */
struct sl_blob_run {
    uint64_t offset, count;
    uint32_t stride;
    enum sl_blob_element element;
};

/* has_shape: the file gives one, as `shape` or as the four legacy dimensions. All runs have the
 * blob's element. */
struct sl_blob_index {
    bool has_shape, legacy_shape;
    struct sl_shape shape;
    enum sl_blob_element element;
    uint64_t offset; /* of the BlobProto, for messages */
    uint64_t count;
    size_t run_count;
    struct sl_blob_run *runs;
};

/* Walks the BlobProto from wire->position to end into a zero-initialised index. *budget_bytes is
 * what the caller allows for runs and is decreased. -EBADMSG with the file offset; -ENOMEM. Free
 * with sl_blob_index_free, also after a failure. */
int sl_blob_index_walk(struct sl_wire *wire, uint64_t end, size_t *budget_bytes,
                       struct sl_blob_index *blob);
void sl_blob_index_free(struct sl_blob_index *blob);

/* Takes bytes from a budget: 0, or -EBADMSG when the index grows beyond what any network needs. */
int sl_blob_index_charge(const struct sl_wire *wire, size_t *budget_bytes, size_t bytes);

/* Values [first, first + count) as float32; the caller has checked the range. -EBADMSG when the
 * file has become shorter, -errno. Memory: a few KiB of stack. */
int sl_blob_index_read(const struct sl_blob_index *blob, int file, const char *path, uint64_t first,
                       uint64_t count, float *destination, struct sl_error *error);

#endif
