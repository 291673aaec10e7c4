#include "models/pack_stream.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "models/encoding.h"
#include "models/pack_format.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"

/* Weights go through one buffer of this size, whatever the size of shards. */
#define BUFFER_BYTES ((size_t)1 << 20)
/* float32 weights on their way into an encoding. */
#define STAGED_VALUES ((int64_t)64 << 10)

/* Shards lie one behind the other in the buffer, so that small ones share a write. */
struct writing {
    const struct sl_pack_stream *stream;
    unsigned char *buffer;
    float *staged;         /* STAGED_VALUES */
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

static int read_weights(struct writing *writing, const struct blob *blob, int64_t first,
                        int64_t count, float *destination, struct sl_error *error)
{
    struct sl_weight_source *source = writing->stream->weights;
    const struct sl_layer *layer = blob->layer;
    return source->read(source, layer->name, sl_layer_type_name(layer->type), blob->weight,
                        &layer->weights[blob->weight].shape, first, count, destination, error);
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
            result = read_weights(writing, blob, first, taken, place, error);
        if (result)
            return result;
        writing->filled += (size_t)taken * sizeof(float);
        first += taken;
        count -= taken;
    }
    return 0;
}

/* Encodes staged values; the buffer may have to be flushed between them. */
static int write_staged(struct writing *writing, enum sl_encoding encoding, int64_t count,
                        float scale, struct sl_error *error)
{
    const float *values = writing->staged;
    while (count > 0) {
        void *place;
        int64_t room;
        int result = next_room(writing, sl_encoding_bytes(encoding), &place, &room, error);
        if (result)
            return result;
        int64_t taken = count < room ? count : room;
        writing->saturated += sl_encode(encoding, values, taken, scale, place);
        writing->filled += (size_t)taken * sl_encoding_bytes(encoding);
        values += taken;
        count -= taken;
    }
    return 0;
}

static int write_encoded(struct writing *writing, const struct blob *blob, int64_t first,
                         int64_t count, float scale, struct sl_error *error)
{
    while (count > 0) {
        int64_t taken = count < STAGED_VALUES ? count : STAGED_VALUES;
        int result = read_weights(writing, blob, first, taken, writing->staged, error);
        if (!result)
            result = write_staged(writing, blob->layer->encoding, taken, scale, error);
        if (result)
            return result;
        first += taken;
        count -= taken;
    }
    return 0;
}

/* The scale of a row, which may be longer than what can be staged. */
static int find_scale(struct writing *writing, const struct blob *blob, int64_t row, int64_t depth,
                      float *scale, struct sl_error *error)
{
    float largest = 0;
    for (int64_t done = 0; done < depth;) {
        int64_t taken = depth - done < STAGED_VALUES ? depth - done : STAGED_VALUES;
        int result = read_weights(writing, blob, row * depth + done, taken, writing->staged, error);
        if (result)
            return result;
        largest = fmaxf(largest, sl_largest_magnitude(writing->staged, taken));
        done += taken;
    }
    if (isinf(largest))
        return sl_error_set(error, ERANGE,
                            "layer '%s': row %lld of the weights holds a value that is not finite, "
                            "which i8 cannot store; import with --encode f32",
                            blob->layer->name, (long long)row);
    *scale = sl_encoding_scale(largest);
    return 0;
}

/* The scales of all rows, then the rows: the weights are read twice. */
static int write_i8(struct writing *writing, const struct blob *blob, const struct sl_shard *shard,
                    int64_t depth, struct sl_error *error)
{
    int64_t rows = shard->row_end - shard->row_begin;
    SL_AUTO_FREE float *scales = malloc((size_t)rows * sizeof(*scales));
    if (!scales)
        return sl_error_set(error, ENOMEM, "import: no memory");
    for (int64_t row = 0; row < rows; row++) {
        int result = find_scale(writing, blob, shard->row_begin + row, depth, &scales[row], error);
        if (result)
            return result;
    }
    for (int64_t row = 0; row < rows;) {
        void *place;
        int64_t room;
        int result = next_room(writing, sizeof(float), &place, &room, error);
        if (result)
            return result;
        int64_t taken = rows - row < room ? rows - row : room;
        memcpy(place, scales + row, (size_t)taken * sizeof(float));
        writing->filled += (size_t)taken * sizeof(float);
        row += taken;
    }
    pad(writing, SL_SEGMENT_ALIGNMENT);
    for (int64_t row = 0; row < rows; row++) {
        int result = write_encoded(writing, blob, (shard->row_begin + row) * depth, depth,
                                   scales[row], error);
        if (result)
            return result;
    }
    return 0;
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
    if (segment->encoding == SL_ENCODING_I8) {
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
    switch (segment->encoding) {
    case SL_ENCODING_F32:
        return write_plain(writing, &blob, first, segment->count, error);
    case SL_ENCODING_I8:
        return write_i8(writing, &blob, shard, depth, error);
    default:
        return write_encoded(writing, &blob, first, segment->count, 0, error);
    }
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
    for (size_t done = 0; done < length;) {
        const uint64_t at = offset + done;
        ssize_t got = pread(output->fd, (char *)bytes + done, length - done, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return sl_error_set(error, got < 0 ? errno : EIO, "%s: cannot read back at byte %llu",
                                output->path, (unsigned long long)at);
        done += (size_t)got;
    }
    return 0;
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
    SL_AUTO_FREE float *staged = malloc((size_t)STAGED_VALUES * sizeof(*staged));
    size_t table_size = 64;
    while (table_size < 2 * (size_t)shard_count)
        table_size *= 2;
    SL_AUTO_FREE int *by_content = malloc(table_size * sizeof(*by_content));
    if (!buffer || !staged || !by_content)
        return sl_error_set(error, ENOMEM, "import: no memory");
    memset(by_content, 0xff, table_size * sizeof(*by_content)); /* -1 */
    struct writing writing = {
        .stream = stream,
        .buffer = buffer,
        .staged = staged,
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
