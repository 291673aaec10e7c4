#include "models/import.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "models/caffe_normalize.h"
#include "models/encoding.h"
#include "models/fold.h"
#include "models/pack.pb-c.h"
#include "models/pack_format.h"
#include "models/pack_stream.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/output_file.h"
#include "runtime/base/units.h"

/* Everything of one import; owns what is malloc'd. */
struct packing {
    const struct sl_import_options *options;
    struct sl_network *network;
    struct sl_fold *fold;
    struct sl_weight_source *weights; /* of network: the caller's, or fold's */
    struct sl_preprocessing preprocessing;
    struct sl_shard *shards;
    int shard_count, shard_capacity;
    uint64_t weight_bytes;
    uint64_t shared_bytes;
    int64_t saturated;
    Sluice__PackShard *stored_shards;
    Sluice__PackShard **stored_shard_list;
    Sluice__PackEncoding *stored_encodings;
    Sluice__PackEncoding **stored_encoding_list;
    struct sl_output_file output;
};

static void free_packing(struct packing *packing)
{
    sl_output_file_close(&packing->output);
    free(packing->shards);
    free(packing->stored_shards);
    free(packing->stored_shard_list);
    free(packing->stored_encodings);
    free(packing->stored_encoding_list);
    sl_fold_free(packing->fold);
    sl_network_free(packing->network);
}

static int no_memory(struct sl_error *error)
{
    return sl_error_set(error, ENOMEM, "import: no memory");
}

/* How many shards a layer is cut into: as many as hold about shard_bytes each when all have the
 * same number of quanta of rows, give or take one quantum. */
static int64_t shards_of_layer(const struct sl_layer *layer, uint64_t shard_bytes)
{
    if (!sl_pack_row_sharded(layer))
        return 1;
    int64_t rows = sl_pack_rows(layer);
    int64_t quanta = (rows + SL_ROW_QUANTUM - 1) / SL_ROW_QUANTUM;
    uint64_t bytes = 0;
    for (int weight = 0; weight < layer->weight_count; weight++)
        bytes += (uint64_t)layer->weights[weight].count *
                 sl_encoding_bytes(weight == 0 ? layer->encoding : SL_ENCODING_F32);
    uint64_t quantum_bytes = bytes / (uint64_t)quanta;
    uint64_t quanta_per_shard = (shard_bytes + quantum_bytes / 2) / (quantum_bytes + 1);
    if (quanta_per_shard == 0)
        quanta_per_shard = 1;
    if (quanta_per_shard > (uint64_t)quanta)
        quanta_per_shard = (uint64_t)quanta;
    return (int64_t)(((uint64_t)quanta + quanta_per_shard - 1) / quanta_per_shard);
}

static int add_shard(struct packing *packing, const struct sl_shard *shard, struct sl_error *error)
{
    if (packing->shard_count == packing->shard_capacity) {
        if (packing->shard_capacity > INT_MAX / 2)
            return sl_error_set(error, E2BIG, "too many shards; import with larger ones");
        int capacity = packing->shard_capacity ? packing->shard_capacity * 2 : 64;
        struct sl_shard *grown =
            realloc(packing->shards, (size_t)capacity * sizeof(*packing->shards));
        if (!grown)
            return no_memory(error);
        packing->shards = grown;
        packing->shard_capacity = capacity;
    }
    packing->shards[packing->shard_count++] = *shard;
    packing->weight_bytes += shard->bytes;
    return 0;
}

static int plan_layer(struct packing *packing, int index, uint64_t shard_bytes,
                      struct sl_error *error)
{
    const struct sl_layer *layer = &packing->network->layers[index];
    int64_t rows = sl_pack_rows(layer), row = 0;
    int64_t quanta = (rows + SL_ROW_QUANTUM - 1) / SL_ROW_QUANTUM;
    int64_t count = shards_of_layer(layer, shard_bytes);
    for (int64_t i = 0; i < count; i++) {
        /* quanta, rows and count are below 2^31 (SL_MAX_DIMENSION), so the product is safe. */
        int64_t end = i + 1 == count ? rows : (i + 1) * quanta / count * SL_ROW_QUANTUM;
        struct sl_shard shard = {.layer = index, .row_begin = row, .row_end = end};
        if (sl_pack_shard_bytes(layer, row, end, &shard.bytes)) {
            char most[SL_UNIT_TEXT_BYTES];
            return sl_error_set(error, EFBIG,
                                "layer '%s' (%s): rows %lld to %lld need more than the %s that one "
                                "read can bring; import with smaller shards where it can be cut",
                                layer->name, sl_layer_type_name(layer->type), (long long)row,
                                (long long)end - 1, sl_format_size(SL_PACK_SHARD_MOST_BYTES, most));
        }
        int result = add_shard(packing, &shard, error);
        if (result)
            return result;
        row = end;
    }
    return 0;
}

static int plan_shards(struct packing *packing, struct sl_error *error)
{
    uint64_t shard_bytes = packing->options->shard_bytes;
    if (shard_bytes == 0)
        shard_bytes = SL_SHARD_BYTES;
    if (shard_bytes > SL_PACK_SHARD_MOST_BYTES)
        shard_bytes = SL_PACK_SHARD_MOST_BYTES;
    for (int i = 0; i < packing->network->layer_count; i++) {
        if (packing->network->layers[i].weight_count == 0)
            continue;
        int result = plan_layer(packing, i, shard_bytes, error);
        if (result)
            return result;
    }
    return 0;
}

/* Gives every shard its place behind an index of that length; returns the length of the file. */
static uint64_t place_shards(struct packing *packing, uint64_t index_bytes)
{
    uint64_t offset = SL_PACK_ALIGNMENT + sl_align_up(index_bytes, SL_PACK_ALIGNMENT);
    for (int i = 0; i < packing->shard_count; i++) {
        packing->shards[i].file_offset = offset;
        offset += sl_align_up(packing->shards[i].bytes, SL_PACK_ALIGNMENT);
    }
    return offset;
}

static void fill_preprocessing(const struct sl_preprocessing *from,
                               Sluice__PackPreprocessing *stored, uint64_t mean_shape[SL_MAX_AXES])
{
    stored->has_order = 1;
    stored->order = (Sluice__PackPreprocessing__ChannelOrder)from->order;
    stored->has_resize_short = 1;
    stored->resize_short = (uint64_t)from->resize_short;
    stored->has_crop = 1;
    stored->crop = (uint64_t)from->crop;
    stored->has_scale = 1;
    stored->scale = from->scale;
    stored->n_mean = (size_t)from->mean_count;
    stored->mean = (float *)from->mean;
    stored->n_mean_shape = (size_t)from->mean_shape.axes;
    stored->mean_shape = mean_shape;
    for (int axis = 0; axis < from->mean_shape.axes; axis++)
        mean_shape[axis] = (uint64_t)from->mean_shape.dim[axis];
    stored->n_label = (size_t)from->label_count;
    stored->label = (char **)from->labels;
}

/* Brings places and checksums of the shards into their messages. */
static void fill_shards(struct packing *packing)
{
    for (int i = 0; i < packing->shard_count; i++) {
        const struct sl_shard *shard = &packing->shards[i];
        Sluice__PackShard *stored = &packing->stored_shards[i];
        sluice__pack_shard__init(stored);
        stored->has_layer = stored->has_row_begin = stored->has_row_end = 1;
        stored->has_file_offset = stored->has_bytes = stored->has_checksum = 1;
        stored->layer = (uint32_t)shard->layer;
        stored->row_begin = (uint64_t)shard->row_begin;
        stored->row_end = (uint64_t)shard->row_end;
        stored->file_offset = shard->file_offset;
        stored->bytes = shard->bytes;
        stored->checksum = shard->checksum;
        packing->stored_shard_list[i] = stored;
    }
}

/* Brings the encodings of layers into their messages; returns how many there are. */
static size_t fill_encodings(struct packing *packing)
{
    size_t count = 0;
    for (int i = 0; i < packing->network->layer_count; i++) {
        enum sl_encoding encoding = packing->network->layers[i].encoding;
        if (encoding == SL_ENCODING_F32)
            continue;
        Sluice__PackEncoding *stored = &packing->stored_encodings[count];
        sluice__pack_encoding__init(stored);
        stored->has_layer = stored->has_encoding = 1;
        stored->layer = (uint32_t)i;
        stored->encoding = (Sluice__PackEncoding__Encoding)encoding;
        packing->stored_encoding_list[count++] = stored;
    }
    return count;
}

/* Encodes the index; *bytes is malloc'd. Its length does not depend on places and checksums. */
static int encode_index(struct packing *packing, Caffe__NetParameter *message,
                        unsigned char **bytes, size_t *length, struct sl_error *error)
{
    int activation_count = 0;
    const struct sl_fused_activation *activations =
        packing->fold ? sl_fold_activations(packing->fold, &activation_count) : NULL;
    SL_AUTO_FREE Sluice__PackActivation *stored =
        calloc((size_t)activation_count + 1, sizeof(*stored));
    SL_AUTO_FREE Sluice__PackActivation **list =
        calloc((size_t)activation_count + 1, sizeof(*list));
    if (!stored || !list)
        return no_memory(error);
    for (int i = 0; i < activation_count; i++) {
        sluice__pack_activation__init(&stored[i]);
        stored[i].has_layer = stored[i].has_slope = 1;
        stored[i].layer = (uint32_t)activations[i].layer;
        stored[i].slope = activations[i].slope;
        list[i] = &stored[i];
    }
    fill_shards(packing);
    Sluice__PackPreprocessing preprocessing = SLUICE__PACK_PREPROCESSING__INIT;
    uint64_t mean_shape[SL_MAX_AXES];
    fill_preprocessing(&packing->preprocessing, &preprocessing, mean_shape);
    Sluice__PackIndex index = SLUICE__PACK_INDEX__INIT;
    index.network = message;
    index.n_activation = (size_t)activation_count;
    index.activation = list;
    index.n_shard = (size_t)packing->shard_count;
    index.shard = packing->stored_shard_list;
    index.preprocessing = &preprocessing;
    index.has_folded = 1;
    index.folded = packing->options->fold;
    index.n_encoding = fill_encodings(packing);
    index.encoding = packing->stored_encoding_list;

    *length = sluice__pack_index__get_packed_size(&index);
    if (*length > SL_PACK_INDEX_MOST_BYTES)
        return sl_error_set(error, EFBIG,
                            "the index would need %zu bytes (most: %llu); import with larger "
                            "shards or a smaller mean",
                            *length, (unsigned long long)SL_PACK_INDEX_MOST_BYTES);
    *bytes = malloc(*length + 1);
    if (!*bytes)
        return no_memory(error);
    sluice__pack_index__pack(&index, *bytes);
    return 0;
}

/* A layer whose weights are missing or of another shape: the source says which; here is where. */
static int explain_weights(const struct packing *packing, int code, struct sl_error *error)
{
    if (!error)
        return code;
    sl_error_wrap(error, "network '%s'", packing->network->name);
    if (code == -ENOENT || code == -EINVAL) {
        struct sl_error inner = *error;
        sl_error_set(error, code, "%.900s; import the weights that were trained with this prototxt",
                     inner.text);
    }
    return code;
}

static int write_shards(struct packing *packing, uint64_t *file_bytes, struct sl_error *error)
{
    if (packing->shard_count == 0)
        return 0;
    const struct sl_pack_stream stream = {
        .network = packing->network,
        .weights = packing->weights,
        .output = &packing->output,
        .offset = packing->shards[0].file_offset,
    };
    struct sl_pack_streamed streamed;
    int result = sl_pack_stream(&stream, packing->shards, packing->shard_count, &streamed, error);
    if (result)
        return explain_weights(packing, result, error);
    *file_bytes = streamed.end;
    packing->shared_bytes = streamed.shared_bytes;
    packing->saturated = streamed.saturated;
    return 0;
}

/* The oldest version that can hold the pack. */
static uint32_t needed_version(const struct packing *packing)
{
    for (int i = 0; i < packing->network->layer_count; i++)
        if (packing->network->layers[i].encoding != SL_ENCODING_F32)
            return SL_PACK_VERSION_COMPACT;
    return packing->shared_bytes > 0 ? SL_PACK_VERSION_COMPACT : 1;
}

static int write_index(struct packing *packing, Caffe__NetParameter *message, uint64_t file_bytes,
                       struct sl_error *error)
{
    SL_AUTO_FREE unsigned char *index = NULL;
    size_t length;
    int result = encode_index(packing, message, &index, &length, error);
    if (result)
        return result;
    unsigned char block[SL_PACK_ALIGNMENT];
    const struct sl_pack_header header = {
        .version = needed_version(packing),
        .index_bytes = length,
        .index_checksum = XXH3_64bits(index, length),
        .file_bytes = file_bytes,
    };
    sl_pack_header_encode(&header, block);
    result = sl_output_file_write(&packing->output, index, length, SL_PACK_ALIGNMENT, error);
    if (!result)
        result = sl_output_file_write(&packing->output, block, sizeof(block), 0, error);
    /* A pack without shards ends with its index, also in a whole block. */
    if (!result && ftruncate(packing->output.fd, (off_t)file_bytes))
        result = sl_error_errno(error, "%s: cannot set the length", packing->output.path);
    return result;
}

/* Structure to plan: what is in inference, folded, cut into shards. */
static int plan(struct packing *packing, Caffe__NetParameter *message,
                struct sl_weight_source *weights, struct sl_error *error)
{
    int result = sl_caffe_normalize(message, &packing->network, error);
    if (result)
        return result;
    if (message->n_layer > SL_PACK_LAYERS_MOST)
        return sl_error_set(error, E2BIG, "network '%s': %zu layers are too many (most: %d)",
                            packing->network->name, message->n_layer, SL_PACK_LAYERS_MOST);
    packing->weights = weights;
    if (packing->options->fold) {
        result = sl_fold(message, packing->network, weights, &packing->fold, error);
        if (result)
            return explain_weights(packing, result, error);
        packing->weights = sl_fold_weights(packing->fold);
        sl_network_free(SL_STEAL(packing->network));
        result = sl_network_build(message, NULL, &packing->network, error);
        if (result)
            return result;
    }
    for (int i = 0; i < packing->network->layer_count; i++) {
        struct sl_layer *layer = &packing->network->layers[i];
        if (sl_pack_takes_encoding(layer))
            layer->encoding = packing->options->encoding;
    }
    packing->preprocessing = packing->options->preprocessing;
    if (packing->preprocessing.scale == 0)
        packing->preprocessing.scale = 1;
    result = sl_pack_check_preprocessing(&packing->preprocessing, packing->network, error);
    return result ? result : plan_shards(packing, error);
}

static int write_pack(struct packing *packing, Caffe__NetParameter *message, uint64_t *file_bytes,
                      struct sl_error *error)
{
    size_t shards = (size_t)packing->shard_count + 1;
    packing->stored_shards = calloc(shards, sizeof(*packing->stored_shards));
    packing->stored_shard_list = calloc(shards, sizeof(*packing->stored_shard_list));
    size_t layers = (size_t)packing->network->layer_count + 1;
    packing->stored_encodings = calloc(layers, sizeof(*packing->stored_encodings));
    packing->stored_encoding_list = calloc(layers, sizeof(*packing->stored_encoding_list));
    if (!packing->stored_shards || !packing->stored_shard_list || !packing->stored_encodings ||
        !packing->stored_encoding_list)
        return no_memory(error);
    SL_AUTO_FREE unsigned char *draft = NULL;
    size_t index_bytes;
    int result = encode_index(packing, message, &draft, &index_bytes, error);
    if (result)
        return result;
    *file_bytes = place_shards(packing, index_bytes);
    result = sl_output_file_open(&packing->output, packing->options->output, *file_bytes, error);
    if (!result)
        result = write_shards(packing, file_bytes, error);
    if (!result)
        result = write_index(packing, message, *file_bytes, error);
    return result ? result : sl_output_file_commit(&packing->output, error);
}

int sl_pack_write(struct Caffe__NetParameter *message, struct sl_weight_source *weights,
                  const struct sl_import_options *options, struct sl_import_report *report,
                  struct sl_error *error)
{
    SL_AUTO(free_packing)
    struct packing packing = {.options = options, .output = SL_OUTPUT_FILE_NONE};
    struct sl_import_report made = {0};
    made.layers_before = (int)message->n_layer;
    int result = plan(&packing, message, weights, error);
    if (!result)
        result = write_pack(&packing, message, &made.file_bytes, error);
    if (result)
        return result;
    made.layers_after = packing.network->layer_count;
    made.shards = packing.shard_count;
    made.weight_bytes = packing.weight_bytes;
    made.shared_bytes = packing.shared_bytes;
    made.saturated = packing.saturated;
    if (report)
        *report = made;
    return 0;
}
