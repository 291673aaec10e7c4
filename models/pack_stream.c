#include "models/pack_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "models/encoding.h"
#include "models/lossless.h"
#include "models/pack_format.h"
#include "models/row_scale.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/units.h"

/* Weights go through one buffer of this size, whatever the size of shards. */
#define BUFFER_BYTES ((size_t)1 << 20)

/* Shards lie one behind the other in the buffer, so that small ones share a write. */
struct writing {
    const struct sl_pack_stream *stream;
    unsigned char *buffer;
    float *staged;         /* SL_STAGED_VALUES on their way into an encoding */
    void *encoded;         /* the same in it */
    size_t filled, hashed; /* bytes of the buffer */
    uint64_t offset;       /* of the buffer's start in the file */
    XXH3_state_t hash;     /* of the current shard's content */
    int *by_content;       /* hash table of shards that have their own place; -1: free */
    size_t table_mask;     /* its size, a power of two, less 1 */
    uint64_t shared_bytes;
    int64_t saturated;
};

/* One weight blob of the layer, to be read from its source. */
struct blob {
    const struct sl_layer *layer;
    int weight;
};

static void hash_filled(struct writing *writing)
{
    XXH3_64bits_update(&writing->hash, writing->buffer + writing->hashed,
                       writing->filled - writing->hashed);
    writing->hashed = writing->filled;
}

static int flush(struct writing *writing, struct sl_error *error)
{
    hash_filled(writing);
    int result = sl_output_file_write(writing->stream->output, writing->buffer, writing->filled,
                                      writing->offset, error);
    writing->offset += writing->filled;
    writing->filled = writing->hashed = 0;
    return result;
}

/* Zeros up to the next multiple of alignment, which divides the buffer: they fit into it. */
static void pad(struct writing *writing, size_t alignment)
{
    size_t end = sl_align_up(writing->filled, alignment);
    memset(writing->buffer + writing->filled, 0, end - writing->filled);
    writing->filled = end;
}

/* Where the next elements of that size go; *room: how many fit, at least one. */
static int next_room(struct writing *writing, uint64_t element_bytes, void **place, int64_t *room,
                     struct sl_error *error)
{
    int result = writing->filled == BUFFER_BYTES ? flush(writing, error) : 0;
    *place = writing->buffer + writing->filled;
    *room = (int64_t)((BUFFER_BYTES - writing->filled) / element_bytes);
    return result;
}

static int write_plain(struct writing *writing, const struct blob *blob, int64_t first,
                       int64_t count, struct sl_error *error)
{
    while (count > 0) {
        void *place;
        int64_t room;
        int result = next_room(writing, sizeof(float), &place, &room, error);
        int64_t taken = count < room ? count : room;
        if (!result)
            result = sl_read_weights(writing->stream->weights, blob->layer, blob->weight, first,
                                     taken, place, error);
        if (result)
            return result;
        writing->filled += (size_t)taken * sizeof(float);
        first += taken;
        count -= taken;
    }
    return 0;
}

/* Bytes that are made elsewhere; the buffer may have to be flushed between them. */
static int append(struct writing *writing, const void *bytes, uint64_t length,
                  struct sl_error *error)
{
    for (uint64_t done = 0; done < length;) {
        void *place;
        int64_t room;
        int result = next_room(writing, 1, &place, &room, error);
        if (result)
            return result;
        size_t taken = length - done < (uint64_t)room ? (size_t)(length - done) : (size_t)room;
        memcpy(place, (const char *)bytes + done, taken);
        writing->filled += taken;
        done += taken;
    }
    return 0;
}

/* What a row's scale and its exceptions are while the row is written. */
struct row {
    float scale;
    uint32_t *entries; /* of exceptions: a place for each of the layer's */
    int64_t found;
};

/* Staged values, of which the first has that index in the row. */
static int write_staged(struct writing *writing, const struct sl_layer *layer, struct row *row,
                        int64_t index, int64_t count, struct sl_error *error)
{
    writing->saturated +=
        sl_encode(layer->encoding, writing->staged, count, row->scale, writing->encoded);
    if (layer->encoding == SL_ENCODING_LOSSLESS)
        row->found +=
            sl_lossless_exceptions(writing->staged, count, index, row->scale,
                                   row->entries + row->found, layer->exceptions - row->found);
    if (row->found > layer->exceptions)
        return sl_error_set(error, EIO, "layer '%s': the weights changed while they were read",
                            layer->name);
    return append(writing, writing->encoded, sl_encoded_bytes(layer->encoding, count), error);
}

static int write_encoded(struct writing *writing, const struct blob *blob, int64_t first,
                         int64_t count, struct row *row, struct sl_error *error)
{
    for (int64_t done = 0; done < count; done += SL_STAGED_VALUES) {
        int64_t taken = count - done < SL_STAGED_VALUES ? count - done : SL_STAGED_VALUES;
        int result = sl_read_weights(writing->stream->weights, blob->layer, blob->weight,
                                     first + done, taken, writing->staged, error);
        if (!result)
            result = write_staged(writing, blob->layer, row, done, taken, error);
        if (result)
            return result;
    }
    return 0;
}

static int write_row(struct writing *writing, const struct blob *blob, int64_t index, int64_t depth,
                     struct row *row, struct sl_error *error)
{
    const int64_t places = blob->layer->exceptions;
    row->found = 0;
    int result = write_encoded(writing, blob, index * depth, depth, row, error);
    if (result || blob->layer->encoding != SL_ENCODING_LOSSLESS)
        return result;
    while (row->found < places)
        row->entries[row->found++] = SL_LOSSLESS_UNUSED;
    pad(writing, sizeof(*row->entries));
    return append(writing, row->entries, (uint64_t)places * sizeof(*row->entries), error);
}

/* The scales of all rows, then the rows: the weights are read twice. */
static int write_scaled(struct writing *writing, const struct blob *blob,
                        const struct sl_shard *shard, int64_t depth, struct sl_error *error)
{
    const int64_t rows = shard->row_end - shard->row_begin;
    SL_AUTO_FREE float *scales = malloc((size_t)rows * sizeof(*scales));
    SL_AUTO_FREE uint32_t *entries =
        malloc((size_t)(blob->layer->exceptions + 1) * sizeof(*entries));
    if (!scales || !entries)
        return sl_error_set(error, ENOMEM, "import: no memory");
    int result = 0;
    for (int64_t r = 0; !result && r < rows; r++)
        result = sl_row_scale(writing->stream->weights, blob->layer, shard->row_begin + r,
                              writing->staged, &scales[r], error);
    if (!result)
        result = append(writing, scales, (uint64_t)rows * sizeof(*scales), error);
    pad(writing, SL_SEGMENT_ALIGNMENT);
    for (int64_t r = 0; !result && r < rows; r++) {
        struct row row = {.scale = scales[r], .entries = entries};
        result = write_row(writing, blob, shard->row_begin + r, depth, &row, error);
    }
    return result;
}

/* Part of what a pack stores of a layer, as it is. */
static int copy_stored(struct writing *writing, const struct sl_shard *shard, int weight,
                       bool scales, uint64_t first, uint64_t length, struct sl_error *error)
{
    struct sl_stored_weights *stored = writing->stream->stored;
    while (length > 0) {
        void *place;
        int64_t room;
        int result = next_room(writing, 1, &place, &room, error);
        size_t taken = length < (uint64_t)room ? (size_t)length : (size_t)room;
        if (!result)
            result = stored->read(stored, shard->layer, weight, scales, first, taken, place, error);
        if (result)
            return result;
        writing->filled += taken;
        first += taken;
        length -= taken;
    }
    return 0;
}

static int copy_segment(struct writing *writing, const struct sl_shard *shard, int weight,
                        const struct sl_segment *segment, struct sl_error *error)
{
    const uint64_t rows = (uint64_t)(shard->row_end - shard->row_begin);
    const uint64_t row_begin = (uint64_t)shard->row_begin;
    int result = 0;
    if (sl_encoding_has_scales(segment->encoding)) {
        result = copy_stored(writing, shard, weight, true, row_begin * sizeof(float),
                             rows * sizeof(float), error);
        pad(writing, SL_SEGMENT_ALIGNMENT);
    }
    /* Of a blob that is not cut, row 0 has everything. */
    uint64_t first = row_begin > 0 ? segment->bytes / rows * row_begin : 0;
    return result ? result
                  : copy_stored(writing, shard, weight, false, first, segment->bytes, error);
}

static int write_segment(struct writing *writing, const struct sl_shard *shard, int weight,
                         const struct sl_segment *segment, struct sl_error *error)
{
    const struct blob blob = {&writing->stream->network->layers[shard->layer], weight};
    /* Of a blob that is not cut, row 0 has everything. */
    int64_t depth = segment->count / (shard->row_end - shard->row_begin);
    int64_t first = shard->row_begin > 0 ? depth * shard->row_begin : 0;
    pad(writing, SL_SEGMENT_ALIGNMENT);
    if (writing->stream->stored)
        return copy_segment(writing, shard, weight, segment, error);
    if (segment->encoding == SL_ENCODING_F32)
        return write_plain(writing, &blob, first, segment->count, error);
    if (sl_encoding_has_scales(segment->encoding))
        return write_scaled(writing, &blob, shard, depth, error);
    struct row all = {0};
    return write_encoded(writing, &blob, first, segment->count, &all, error);
}

static int write_shard(struct writing *writing, struct sl_shard *shard, struct sl_error *error)
{
    const struct sl_network *network = writing->stream->network;
    shard->file_offset = writing->offset + writing->filled;
    XXH3_64bits_reset(&writing->hash);
    for (int weight = 0; weight < network->layers[shard->layer].weight_count; weight++) {
        struct sl_segment segment;
        sl_shard_segment(network, shard, weight, &segment);
        int result = segment.count > 0 ? write_segment(writing, shard, weight, &segment, error) : 0;
        if (result)
            return result;
    }
    hash_filled(writing);
    shard->checksum = XXH3_64bits_digest(&writing->hash);
    pad(writing, SL_PACK_ALIGNMENT);
    writing->hashed = writing->filled;
    return 0;
}

static int read_back(const struct writing *writing, void *bytes, size_t length, uint64_t offset,
                     struct sl_error *error)
{
    const struct sl_output_file *output = writing->stream->output;
    int result = sl_fd_read_exactly(output->fd, bytes, length, offset, error);
    if (result)
        sl_error_wrap(error, "%s: cannot read it back", output->path);
    return result;
}

/* Whether two shards of the file, of as many bytes, are the same. The buffer must be empty. */
static int compare(const struct writing *writing, const struct sl_shard *a,
                   const struct sl_shard *b, bool *same, struct sl_error *error)
{
    const size_t half = BUFFER_BYTES / 2;
    *same = true;
    for (uint64_t done = 0; *same && done < a->bytes; done += half) {
        size_t length = a->bytes - done < half ? (size_t)(a->bytes - done) : half;
        int result = read_back(writing, writing->buffer, length, a->file_offset + done, error);
        if (!result)
            result =
                read_back(writing, writing->buffer + half, length, b->file_offset + done, error);
        if (result)
            return result;
        *same = memcmp(writing->buffer, writing->buffer + half, length) == 0;
    }
    return 0;
}

/* Gives the shard that was just written the place of an earlier one with the same content, and its
 * own place to the next. */
static int share(struct writing *writing, struct sl_shard *shards, int index,
                 struct sl_error *error)
{
    struct sl_shard *shard = &shards[index];
    size_t at = shard->checksum & writing->table_mask;
    for (; writing->by_content[at] >= 0; at = (at + 1) & writing->table_mask) {
        const struct sl_shard *earlier = &shards[writing->by_content[at]];
        if (earlier->checksum != shard->checksum || earlier->bytes != shard->bytes)
            continue;
        bool same;
        int result = flush(writing, error);
        if (!result)
            result = compare(writing, earlier, shard, &same, error);
        if (result)
            return result;
        if (!same)
            continue;
        writing->offset = shard->file_offset;
        writing->shared_bytes += shard->bytes;
        shard->file_offset = earlier->file_offset;
        return 0;
    }
    writing->by_content[at] = index;
    return 0;
}

int sl_pack_stream(const struct sl_pack_stream *stream, struct sl_shard *shards, int shard_count,
                   struct sl_pack_streamed *streamed, struct sl_error *error)
{
    SL_AUTO_FREE unsigned char *buffer = aligned_alloc(SL_PACK_ALIGNMENT, BUFFER_BYTES);
    SL_AUTO_FREE float *staged = malloc((size_t)SL_STAGED_VALUES * sizeof(*staged));
    SL_AUTO_FREE void *encoded = malloc((size_t)SL_STAGED_VALUES * sizeof(*staged));
    size_t table_size = 64;
    while (table_size < 2 * (size_t)shard_count)
        table_size *= 2;
    SL_AUTO_FREE int *by_content = malloc(table_size * sizeof(*by_content));
    if (!buffer || !staged || !encoded || !by_content)
        return sl_error_set(error, ENOMEM, "import: no memory");
    memset(by_content, 0xff, table_size * sizeof(*by_content)); /* -1 */
    struct writing writing = {
        .stream = stream,
        .buffer = buffer,
        .staged = staged,
        .encoded = encoded,
        .offset = stream->offset,
        .by_content = by_content,
        .table_mask = table_size - 1,
    };
    for (int i = 0; i < shard_count; i++) {
        int result = write_shard(&writing, &shards[i], error);
        if (!result)
            result = share(&writing, shards, i, error);
        if (result)
            return result;
    }
    int result = flush(&writing, error);
    if (result)
        return result;
    *streamed = (struct sl_pack_streamed){
        .end = writing.offset,
        .shared_bytes = writing.shared_bytes,
        .saturated = writing.saturated,
    };
    return 0;
}
