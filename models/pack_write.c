#include "models/import.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "models/caffe_normalize.h"
#include "models/fold.h"
#include "models/pack.pb-c.h"
#include "models/pack_format.h"
#include "models/pack_plan.h"
#include "models/pack_stream.h"
#include "models/row_scale.h"
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
    struct sl_pack_plan plan;
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
    sl_pack_plan_free(&packing->plan);
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
        stored->has_exceptions = encoding == SL_ENCODING_LOSSLESS;
        stored->exceptions = (uint32_t)packing->network->layers[i].exceptions;
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
    sl_pack_plan_store(&packing->plan, packing->stored_shards, packing->stored_shard_list);
    Sluice__PackPreprocessing preprocessing = SLUICE__PACK_PREPROCESSING__INIT;
    uint64_t mean_shape[SL_MAX_AXES];
    fill_preprocessing(&packing->preprocessing, &preprocessing, mean_shape);
    Sluice__PackIndex index = SLUICE__PACK_INDEX__INIT;
    index.network = message;
    index.n_activation = (size_t)activation_count;
    index.activation = list;
    index.n_shard = (size_t)packing->plan.shard_count;
    index.shard = packing->stored_shard_list;
    index.preprocessing = &preprocessing;
    index.has_folded = 1;
    index.folded = packing->options->fold;
    index.n_encoding = fill_encodings(packing);
    index.encoding = packing->stored_encoding_list;

    return sl_pack_index_encode(&index, bytes, length, error);
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
    if (packing->plan.shard_count == 0)
        return 0;
    const struct sl_pack_stream stream = {
        .network = packing->network,
        .weights = packing->weights,
        .output = &packing->output,
        .offset = packing->plan.shards[0].file_offset,
    };
    struct sl_pack_streamed streamed;
    int result =
        sl_pack_stream(&stream, packing->plan.shards, packing->plan.shard_count, &streamed, error);
    if (result)
        return explain_weights(packing, result, error);
    *file_bytes = streamed.end;
    packing->shared_bytes = streamed.shared_bytes;
    packing->saturated = streamed.saturated;
    return 0;
}

static int encode_layers(struct packing *packing, struct sl_error *error)
{
    for (int i = 0; i < packing->network->layer_count; i++) {
        int result = sl_layer_encode(packing->weights, &packing->network->layers[i],
                                     packing->options->encoding, error);
        if (result)
            return explain_weights(packing, result, error);
    }
    return 0;
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
    packing->preprocessing = packing->options->preprocessing;
    if (packing->preprocessing.scale == 0)
        packing->preprocessing.scale = 1;
    result = sl_pack_check_preprocessing(&packing->preprocessing, packing->network, error);
    if (!result)
        result = encode_layers(packing, error);
    return result ? result
                  : sl_pack_plan_make(packing->network, packing->options->shard_bytes,
                                      &packing->plan, error);
}

static int write_pack(struct packing *packing, Caffe__NetParameter *message, uint64_t *file_bytes,
                      struct sl_error *error)
{
    size_t shards = (size_t)packing->plan.shard_count + 1;
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
    *file_bytes = sl_pack_plan_place(&packing->plan, index_bytes);
    result = sl_output_file_open(&packing->output, packing->options->output, *file_bytes, error);
    if (!result)
        result = write_shards(packing, file_bytes, error);
    SL_AUTO_FREE unsigned char *index = NULL;
    if (!result)
        result = encode_index(packing, message, &index, &index_bytes, error);
    if (!result) {
        const struct sl_pack_header header = {
            .version = sl_pack_needed_version(packing->network, packing->shared_bytes),
            .index_bytes = index_bytes,
            .file_bytes = *file_bytes,
        };
        result = sl_pack_index_write(&packing->output, &header, index, error);
    }
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
    made.shards = packing.plan.shard_count;
    made.weight_bytes = packing.plan.weight_bytes;
    made.shared_bytes = packing.shared_bytes;
    made.saturated = packing.saturated;
    if (report)
        *report = made;
    return 0;
}
