#include "models/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/arena.h"
#include "models/caffe_normalize.h"
#include "models/lossless.h"
#include "models/pack.pb-c.h"
#include "models/pack_format.h"
#include "runtime/base/checksum.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/units.h"

/* An unpacked message takes some tens of times its encoded size at most when it is what import
 * writes; a hostile one (empty sub-messages of two bytes) would take hundreds of times as much. */
#define UNPACKED_BYTES_PER_BYTE 48
#define UNPACKED_LEAST_BYTES    (SL_MIB)
#define UNPACKED_MOST_BYTES     (512 * SL_MIB)

#define IMPORT_AGAIN "import the network again"

static void close_pack(struct sl_pack **pack)
{
    sl_pack_close(*pack);
}

/* Where protobuf-c unpacks an index: an arena, and how much of it is still allowed. */
struct unpacking {
    struct sl_arena *arena;
    uint64_t bytes_left;
};

static void *unpacking_alloc(void *data, size_t bytes)
{
    struct unpacking *unpacking = data;
    if (bytes > unpacking->bytes_left)
        return NULL;
    unpacking->bytes_left -= bytes;
    return sl_arena_alloc(unpacking->arena, 1, bytes);
}

static void unpacking_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

static void free_unpacking(const struct unpacking *unpacking)
{
    sl_arena_free(unpacking->arena);
}

static int open_file(const char *path, int *fd, uint64_t *bytes, struct sl_error *error)
{
    *fd = sl_file_open_regular(path, bytes, NULL);
    switch (*fd) {
    case -ENOENT:
        return sl_error_set(error, ENOENT,
                            "cannot open the pack: there is no such file; make one with `sluice "
                            "import` or `sluice synth`");
    case -EISDIR:
        return sl_error_set(error, EISDIR, "this is a directory, not a pack; name a .sluice file");
    case -EINVAL:
        return sl_error_set(error, EBADMSG, "not a regular file; name a .sluice file");
    default:
        if (*fd < 0)
            return sl_error_set(error, *fd, "cannot open the pack: %s", strerror(-*fd));
    }
    /* Read-ahead would bring megabytes of weights into the page cache: of the little memory that
     * the limit leaves, and in the way of the first real reads. */
    posix_fadvise(*fd, 0, 0, POSIX_FADV_RANDOM);
    return 0;
}

/* Reads block 0 and the index, both verified. *index is malloc'd. */
static int read_index(int fd, uint64_t file_bytes, struct sl_pack_header *header,
                      unsigned char **index, struct sl_error *error)
{
    unsigned char block[SL_PACK_ALIGNMENT];
    if (file_bytes < sizeof(block))
        return sl_error_set(error, EBADMSG,
                            "%llu bytes are too few for a pack; make one with `sluice import` or "
                            "`sluice synth`",
                            (unsigned long long)file_bytes);
    int result = sl_fd_read_exactly(fd, block, sizeof(block), 0, error);
    if (result)
        return result;
    result = sl_pack_header_decode(block, header, error);
    if (result)
        return result;
    if (header->file_bytes != file_bytes)
        return sl_error_set(error, EBADMSG,
                            "the file has %llu bytes, but %llu were written: it is %s; " //
                            IMPORT_AGAIN,
                            (unsigned long long)file_bytes, (unsigned long long)header->file_bytes,
                            file_bytes < header->file_bytes ? "truncated" : "damaged");
    if (header->index_bytes > SL_PACK_INDEX_MOST_BYTES ||
        header->index_bytes > file_bytes - SL_PACK_ALIGNMENT)
        return sl_error_set(error, EBADMSG, "an index of %llu bytes is impossible; " IMPORT_AGAIN,
                            (unsigned long long)header->index_bytes);
    SL_AUTO_FREE unsigned char *bytes = malloc(header->index_bytes + 1);
    if (!bytes)
        return sl_error_set(error, ENOMEM, "no memory for an index of %llu bytes",
                            (unsigned long long)header->index_bytes);
    result = sl_fd_read_exactly(fd, bytes, header->index_bytes, SL_PACK_ALIGNMENT, error);
    if (result)
        return result;
    if (sl_checksum(bytes, header->index_bytes) != header->index_checksum)
        return sl_error_set(error, EBADMSG,
                            "the index is damaged (its checksum does not match); " IMPORT_AGAIN);
    *index = SL_STEAL(bytes);
    return 0;
}

static int damaged(struct sl_error *error, const char *what)
{
    return sl_error_set(error, EBADMSG, "the index is not valid: %s; " IMPORT_AGAIN, what);
}

static int build_network(const Sluice__PackIndex *index, const struct sl_network_options *options,
                         struct sl_pack *pack, struct sl_error *error)
{
    const Caffe__NetParameter *message = index->network;
    if (!message)
        return damaged(error, "it holds no network");
    if (message->n_layer > SL_PACK_LAYERS_MOST)
        return damaged(error, "it has too many layers");
    int result = sl_network_build(message, options, &pack->network, error);
    /* What import wrote can only be refused because of the batch. */
    if (result == -EINVAL && (!options || options->batch == 0)) {
        result = -EBADMSG;
        if (error)
            error->code = result;
    }
    if (result)
        return result;
    struct sl_network *network = pack->network;
    if (!sl_caffe_matches(message, network))
        return damaged(error, "its layers do not correspond to the network's");
    for (size_t i = 0; i < index->n_activation; i++) {
        const Sluice__PackActivation *fused = index->activation[i];
        if (fused->layer >= (uint32_t)network->layer_count)
            return damaged(error, "an activation belongs to no layer");
        struct sl_layer *layer = &network->layers[fused->layer];
        if (!sl_pack_takes_activation(layer->type) || layer->activation != SL_ACTIVATION_NONE)
            return damaged(error, "an activation belongs to a layer that cannot have it");
        if (!isfinite(fused->slope))
            return damaged(error, "the slope of an activation is not a number");
        layer->activation = SL_ACTIVATION_RELU;
        layer->activation_slope = fused->slope;
    }
    return 0;
}

static int take_encoding(const Sluice__PackEncoding *stored, uint32_t version,
                         struct sl_layer *layer, struct sl_error *error)
{
    if (!sl_pack_takes_encoding(layer) || layer->encoding != SL_ENCODING_F32)
        return damaged(error, "an encoding belongs to a layer that cannot have it");
    if ((int)stored->encoding <= SL_ENCODING_F32 || (int)stored->encoding >= SL_ENCODINGS)
        return damaged(error, "an encoding is unknown");
    layer->encoding = (enum sl_encoding)stored->encoding;
    layer->exceptions = stored->exceptions;
    if (layer->encoding != SL_ENCODING_LOSSLESS)
        return layer->exceptions == 0 ? 0 : damaged(error, "an encoding has no exceptions");
    if (version < SL_PACK_VERSION_LOSSLESS)
        return damaged(error, "its format version does not know the encoding of a layer");
    if (sl_pack_depth(layer) > SL_LOSSLESS_DEPTH_MOST)
        return damaged(error, "a layer's rows are too long for its encoding");
    if (layer->exceptions > sl_pack_depth(layer))
        return damaged(error, "a layer's rows have more exceptions than elements");
    return 0;
}

static int take_encodings(const Sluice__PackIndex *index, uint32_t version,
                          const struct sl_pack *pack, struct sl_error *error)
{
    struct sl_network *network = pack->network;
    if (index->n_encoding > 0 && version < SL_PACK_VERSION_COMPACT)
        return damaged(error, "its format version knows no encodings");
    for (size_t i = 0; i < index->n_encoding; i++) {
        const Sluice__PackEncoding *stored = index->encoding[i];
        if (stored->layer >= (uint32_t)network->layer_count)
            return damaged(error, "an encoding belongs to no layer");
        int result = take_encoding(stored, version, &network->layers[stored->layer], error);
        if (result)
            return result;
    }
    return 0;
}

/* Networks without a name are called after their pack, so that results tell them apart. */
static int name_after_file(const char *path, struct sl_network *network, struct sl_error *error)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    const char *dot = strrchr(file, '.');
    size_t length = dot && dot > file ? (size_t)(dot - file) : strlen(file);
    char *name = sl_arena_alloc(network->arena, length + 1, 1);
    if (!name)
        return sl_error_set(error, ENOMEM, "no memory for the name of the network");
    snprintf(name, length + 1, "%.*s", (int)length, file);
    network->name = name;
    return 0;
}

/* What has been laid out so far while shards are checked one after another. */
struct shard_walk {
    int layer;
    int64_t row;
    uint64_t offset;
    bool may_share;                /* format version */
    const struct sl_shard *shards; /* those before */
    int *distinct;                 /* those of them that have their own place, which ascend */
    int distinct_count;
};

/* The shard before whose place in the file this one has; NULL when there is none of that content.
 */
static const struct sl_shard *find_shared(const struct shard_walk *walk,
                                          const Sluice__PackShard *stored)
{
    int from = 0, to = walk->distinct_count;
    while (from < to) {
        int middle = from + (to - from) / 2;
        const struct sl_shard *shard = &walk->shards[walk->distinct[middle]];
        if (shard->file_offset == stored->file_offset)
            return shard->bytes == stored->bytes && shard->checksum == stored->checksum ? shard
                                                                                        : NULL;
        if (shard->file_offset < stored->file_offset)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

/* Moves on to the next layer that has rows left. */
static void skip_finished_layers(const struct sl_network *network, struct shard_walk *walk,
                                 int *first_shard, int shard)
{
    while (walk->layer < network->layer_count &&
           walk->row == sl_pack_rows(&network->layers[walk->layer])) {
        walk->layer++;
        walk->row = 0;
        first_shard[walk->layer] = shard;
    }
}

static int check_shard(const struct sl_network *network, const Sluice__PackShard *stored,
                       uint64_t file_bytes, struct shard_walk *walk, struct sl_error *error)
{
    if (walk->layer >= network->layer_count)
        return damaged(error, "it has more shards than the layers have weights");
    const struct sl_layer *layer = &network->layers[walk->layer];
    int64_t rows = sl_pack_rows(layer);
    if (stored->layer != (uint32_t)walk->layer || stored->row_begin != (uint64_t)walk->row ||
        stored->row_end <= stored->row_begin || stored->row_end > (uint64_t)rows)
        return damaged(error, "a shard's rows do not follow those before it");
    bool whole = stored->row_begin == 0 && stored->row_end == (uint64_t)rows;
    bool cut_allowed = sl_pack_row_sharded(layer) &&
                       (stored->row_end == (uint64_t)rows || stored->row_end % SL_ROW_QUANTUM == 0);
    if (!whole && !cut_allowed)
        return damaged(error, "a layer is cut where its kernel cannot be");
    uint64_t bytes;
    if (sl_pack_shard_bytes(layer, walk->row, (int64_t)stored->row_end, &bytes) ||
        bytes != stored->bytes)
        return damaged(error, "a shard has not the size of its rows");
    walk->row = (int64_t)stored->row_end;
    if (walk->may_share && stored->file_offset < walk->offset && find_shared(walk, stored))
        return 0;
    if (stored->file_offset != walk->offset || stored->file_offset > file_bytes ||
        sl_align_up(bytes, SL_PACK_ALIGNMENT) > file_bytes - stored->file_offset)
        return damaged(error, "a shard lies outside its place");
    walk->offset += sl_align_up(bytes, SL_PACK_ALIGNMENT);
    return 0;
}

static int take_shards(const Sluice__PackIndex *index, const struct sl_pack_header *header,
                       struct sl_pack *pack, struct sl_error *error)
{
    const struct sl_network *network = pack->network;
    size_t layers = (size_t)network->layer_count;
    struct sl_shard *shards = sl_arena_alloc(pack->arena, index->n_shard, sizeof(*shards));
    int *first_shard = sl_arena_alloc(pack->arena, layers + 1, sizeof(*first_shard));
    SL_AUTO_FREE int *distinct = calloc(index->n_shard + 1, sizeof(*distinct));
    if (!shards || !first_shard || !distinct)
        return sl_error_set(error, ENOMEM, "no memory for %zu shards", index->n_shard);

    struct shard_walk walk = {
        .offset = SL_PACK_ALIGNMENT + sl_align_up(header->index_bytes, SL_PACK_ALIGNMENT),
        .may_share = header->version >= SL_PACK_VERSION_COMPACT,
        .shards = shards,
        .distinct = distinct,
    };
    first_shard[0] = 0;
    skip_finished_layers(network, &walk, first_shard, 0);
    for (size_t i = 0; i < index->n_shard; i++) {
        const Sluice__PackShard *stored = index->shard[i];
        uint64_t end = walk.offset;
        int result = check_shard(network, stored, header->file_bytes, &walk, error);
        if (result)
            return result;
        shards[i] = (struct sl_shard){
            .layer = (int)stored->layer,
            .row_begin = (int64_t)stored->row_begin,
            .row_end = (int64_t)stored->row_end,
            .file_offset = stored->file_offset,
            .bytes = stored->bytes,
            .checksum = stored->checksum,
        };
        pack->weight_bytes += stored->bytes;
        if (stored->file_offset == end)
            distinct[walk.distinct_count++] = (int)i;
        else
            pack->shared_bytes += stored->bytes;
        skip_finished_layers(network, &walk, first_shard, (int)i + 1);
    }
    if (walk.layer != network->layer_count)
        return damaged(error, "shards are missing");
    if (walk.offset != header->file_bytes)
        return damaged(error, "the file goes on behind its last shard");
    pack->shards = shards;
    pack->shard_count = (int)index->n_shard;
    pack->layer_first_shard = first_shard;
    return 0;
}

static int take_preprocessing(const Sluice__PackPreprocessing *stored, struct sl_pack *pack,
                              struct sl_error *error)
{
    struct sl_preprocessing *taken = &pack->preprocessing;
    taken->scale = 1;
    if (!stored)
        return 0;
    if ((int)stored->order < SL_CHANNELS_BGR || (int)stored->order > SL_CHANNELS_GRAY)
        return damaged(error, "the channel order is unknown");
    if (stored->resize_short > INT32_MAX || stored->crop > INT32_MAX ||
        stored->n_mean > INT32_MAX || stored->n_label > INT32_MAX ||
        stored->n_mean_shape > SL_MAX_AXES)
        return damaged(error, "preprocessing is out of range");
    float *mean = sl_arena_copy(pack->arena, stored->mean, stored->n_mean, sizeof(*mean));
    const char **labels = sl_arena_alloc(pack->arena, stored->n_label, sizeof(*labels));
    if (!mean || !labels)
        return sl_error_set(error, ENOMEM, "no memory for mean and labels");
    for (size_t i = 0; i < stored->n_label; i++) {
        labels[i] = sl_arena_text(pack->arena, stored->label[i]);
        if (!labels[i])
            return sl_error_set(error, ENOMEM, "no memory for labels");
    }
    taken->order = (enum sl_channel_order)stored->order;
    taken->resize_short = (int64_t)stored->resize_short;
    taken->crop = (int64_t)stored->crop;
    taken->scale = stored->scale;
    taken->mean_count = (int)stored->n_mean;
    taken->mean = stored->n_mean > 0 ? mean : NULL;
    taken->mean_shape.axes = (int)stored->n_mean_shape;
    for (size_t axis = 0; axis < stored->n_mean_shape; axis++) {
        if (stored->mean_shape[axis] > INT32_MAX)
            return damaged(error, "the mean is too large");
        taken->mean_shape.dim[axis] = (int64_t)stored->mean_shape[axis];
    }
    taken->label_count = (int)stored->n_label;
    taken->labels = stored->n_label > 0 ? labels : NULL;
    int result = sl_pack_check_preprocessing(taken, pack->network, error);
    return result ? damaged(error, "the mean does not fit the network's input") : 0;
}

static int take_index(const unsigned char *bytes, const struct sl_pack_header *header,
                      const struct sl_network_options *options, struct sl_pack *pack,
                      struct sl_error *error)
{
    uint64_t limit = UNPACKED_LEAST_BYTES + header->index_bytes * UNPACKED_BYTES_PER_BYTE;
    SL_AUTO(free_unpacking)
    struct unpacking unpacking = {
        .arena = sl_arena_create(),
        .bytes_left = limit < UNPACKED_MOST_BYTES ? limit : UNPACKED_MOST_BYTES,
    };
    if (!unpacking.arena)
        return sl_error_set(error, ENOMEM, "no memory for the index");
    ProtobufCAllocator allocator = {unpacking_alloc, unpacking_free, &unpacking};
    const Sluice__PackIndex *index =
        sluice__pack_index__unpack(&allocator, header->index_bytes, bytes);
    if (!index)
        return damaged(error, "it cannot be decoded");
    if (index->n_shard > INT32_MAX)
        return damaged(error, "it has too many shards");
    pack->folded = index->folded;
    pack->batch = options ? options->batch : 0;
    int result = build_network(index, options, pack, error);
    if (!result && !*pack->network->name)
        result = name_after_file(pack->path, pack->network, error);
    if (!result)
        result = take_encodings(index, header->version, pack, error);
    if (!result)
        result = take_shards(index, header, pack, error);
    if (result)
        return result;
    return take_preprocessing(index->preprocessing, pack, error);
}

static int open_pack(const char *path, const struct sl_network_options *options,
                     struct sl_pack *pack, struct sl_error *error)
{
    SL_AUTO_FD int fd = -1;
    struct sl_pack_header header;
    SL_AUTO_FREE unsigned char *index = NULL;
    uint64_t file_bytes = 0;
    int result = open_file(path, &fd, &file_bytes, error);
    if (result)
        return result;
    result = read_index(fd, file_bytes, &header, &index, error);
    if (result)
        return result;
    pack->path = sl_arena_text(pack->arena, path);
    if (!pack->path)
        return sl_error_set(error, ENOMEM, "no memory");
    pack->file_bytes = header.file_bytes;
    pack->index_checksum = header.index_checksum;
    return take_index(index, &header, options, pack, error);
}

int sl_pack_open(const char *path, const struct sl_network_options *options, struct sl_pack **pack,
                 struct sl_error *error)
{
    struct sl_arena *arena = sl_arena_create();
    SL_AUTO(close_pack)
    struct sl_pack *opened = arena ? sl_arena_alloc(arena, 1, sizeof(*opened)) : NULL;
    if (!opened) {
        sl_arena_free(arena);
        return sl_error_set(error, ENOMEM, "%s: no memory", path);
    }
    opened->arena = arena;
    int result = open_pack(path, options, opened, error);
    if (result) {
        sl_error_wrap(error, "%s", path);
        return result;
    }
    *pack = SL_STEAL(opened);
    return 0;
}

void sl_pack_close(struct sl_pack *pack)
{
    if (!pack)
        return;
    sl_network_free(pack->network);
    sl_arena_free(pack->arena); /* holds the pack itself */
}

int sl_shard_verify(const struct sl_pack *pack, int shard, const void *bytes,
                    struct sl_error *error)
{
    const struct sl_shard *expected = &pack->shards[shard];
    if (sl_checksum(bytes, expected->bytes) == expected->checksum)
        return 0;
    return sl_error_set(error, EBADMSG,
                        "%s: shard %d of %d (layer '%s', rows %lld to %lld, at byte %llu of the "
                        "file) is damaged: its checksum does not match; " IMPORT_AGAIN,
                        pack->path, shard, pack->shard_count,
                        pack->network->layers[expected->layer].name, (long long)expected->row_begin,
                        (long long)expected->row_end - 1,
                        (unsigned long long)expected->file_offset);
}
