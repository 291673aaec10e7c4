#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "models/caffe_text.h"
#include "models/encoding.h"
#include "models/import.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"
#include "runtime/input/input.h"
#include "runtime/sluice.h"

/* What is open while a pack is made. */
struct import_state {
    struct Caffe__NetParameter *message;
    struct sl_network *network; /* to look at shapes; the pack writer builds its own */
    struct sl_weight_source *weights;
    float *mean;
    char **labels;
};

static void import_close(struct import_state *state)
{
    if (state->weights)
        state->weights->close(state->weights);
    sl_network_free(state->network);
    if (state->message)
        sl_caffe_free(state->message);
    free(state->mean);
    free(state->labels);
}

static int read_topology(const char *name, struct Caffe__NetParameter **message,
                         struct sl_error *error)
{
    const struct sl_topology *topology = sl_topology_find(name);
    if (topology)
        return sl_caffe_parse(topology->name, topology->prototxt, strlen(topology->prototxt),
                              message, error);
    struct sl_suggestion suggestion = {.wanted = name};
    for (int i = 0; (topology = sl_topology_at(i)); i++)
        sl_suggest(&suggestion, topology->name);
    if (suggestion.best)
        return sl_error_set(error, -EINVAL, "unknown topology '%s'; did you mean '%s'?", name,
                            suggestion.best);
    return sl_error_set(error, -EINVAL,
                        "unknown topology '%s'; `sluice list topologies` names them", name);
}

static int read_structure(const struct sl_import_request *request,
                          struct Caffe__NetParameter **message, struct sl_error *error)
{
    if (request->topology)
        return read_topology(request->topology, message, error);
    if (request->prototxt)
        return sl_caffe_read(request->prototxt, message, error);
    if (request->caffemodel)
        return sl_caffemodel_structure(request->caffemodel, message, error);
    return sl_error_set(error, -EINVAL, "neither a prototxt, a caffemodel nor a topology is given");
}

static int parse_order(const char *text, const struct sl_shape *input, enum sl_channel_order *order,
                       struct sl_error *error)
{
    static const char *const names[] = {"bgr", "rgb", "gray"};
    if (!text) {
        bool gray = input && input->axes == 4 && input->dim[1] == 1;
        *order = gray ? SL_CHANNELS_GRAY : SL_CHANNELS_BGR;
        return 0;
    }
    for (int i = 0; i < 3; i++) {
        if (!strcasecmp(text, names[i])) {
            *order = (enum sl_channel_order)i;
            return 0;
        }
    }
    return sl_error_set(error, -EINVAL, "channel order '%s' is not one of bgr, rgb, gray", text);
}

static int check_order(enum sl_channel_order order, const struct sl_shape *input,
                       struct sl_error *error)
{
    const int64_t channels = order == SL_CHANNELS_GRAY ? 1 : 3;
    char text[SL_SHAPE_TEXT_BYTES];
    if (!input || input->axes != 4 || input->dim[1] == channels)
        return 0;
    return sl_error_set(error, -EINVAL,
                        "channel order %s is of %" PRId64
                        " channel%s, but the input %s has %" PRId64
                        "; leave --order out, or give the order of this network",
                        channels == 1 ? "gray" : "bgr or rgb", channels, channels == 1 ? "" : "s",
                        sl_shape_text(input, text), input->dim[1]);
}

/* One mean value is meant for every channel. */
static int spread_mean(float **mean, int *count, int64_t channels, struct sl_error *error)
{
    float *spread = malloc((size_t)channels * sizeof(*spread));
    if (!spread)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int64_t c = 0; c < channels; c++)
        spread[c] = **mean;
    free(*mean);
    *mean = spread;
    *count = (int)channels;
    return 0;
}

static int read_mean(const char *text, const struct sl_shape *input, struct import_state *state,
                     struct sl_preprocessing *preprocessing, struct sl_error *error)
{
    int count;
    int code = sl_mean_parse(text, &state->mean, &count, &preprocessing->mean_shape, error);
    if (code < 0)
        return code;
    if (!input || input->axes != 4)
        return sl_error_set(error, -EINVAL,
                            "a mean needs an input of batch x channels x height x "
                            "width, which this network does not have");
    const struct sl_shape *shape = &preprocessing->mean_shape;
    int64_t channels = input->dim[1];
    char mean_text[SL_SHAPE_TEXT_BYTES], input_text[SL_SHAPE_TEXT_BYTES];
    if (shape->axes == 0 && count == 1 && channels <= 3)
        code = spread_mean(&state->mean, &count, channels, error);
    else if (shape->axes == 0 && count != channels)
        code = sl_error_set(error, -EINVAL,
                            "mean %s: %d values, but the input %s has %" PRId64
                            " channels; give one value for each, or one for all",
                            text, count, sl_shape_text(input, input_text), channels);
    else if (shape->axes != 0 && shape->dim[shape->axes - 3] != channels)
        code = sl_error_set(error, -EINVAL,
                            "mean %s: a mean of %s, but the input %s has %" PRId64
                            " channels; give the mean file that belongs to this network",
                            text, sl_shape_text(shape, mean_text), sl_shape_text(input, input_text),
                            channels);
    else if (shape->axes != 0 && (shape->dim[shape->axes - 2] < input->dim[2] ||
                                  shape->dim[shape->axes - 1] < input->dim[3]))
        code =
            sl_error_set(error, -EINVAL,
                         "mean %s: a mean of %s is too small for the input %s; give the mean "
                         "file that belongs to this network",
                         text, sl_shape_text(shape, mean_text), sl_shape_text(input, input_text));
    preprocessing->mean = state->mean;
    preprocessing->mean_count = count;
    return code;
}

/* Boxes are fractions of what the network saw, so detectors see the whole image. */
static bool has_detections(const struct sl_network *network)
{
    for (int layer = 0; layer < network->layer_count; layer++)
        if (network->layers[layer].type == SL_LAYER_DETECTION_OUTPUT)
            return true;
    return false;
}

/* "fit" keeps the aspect ratio: the largest centred part of an image that has the input's shape.
 * network may be NULL: only whether the words are right. */
static int parse_resize(const char *text, int64_t crop, const struct sl_network *network,
                        const struct sl_shape *input, int64_t *resize_short, struct sl_error *error)
{
    *resize_short = 0;
    if (text && !strcasecmp(text, "stretch")) {
        if (crop)
            return sl_error_set(error, -EINVAL, "--resize stretch leaves nothing to --crop");
        return 0;
    }
    if (!text && network && has_detections(network))
        return 0;
    if (!text || !strcasecmp(text, "fit")) {
        if (crop)
            *resize_short = crop;
        else if (input && input->axes == 4)
            *resize_short = input->dim[2] < input->dim[3] ? input->dim[2] : input->dim[3];
        return 0;
    }
    if (!strcasecmp(text, "none")) {
        if (!crop)
            return sl_error_set(error, -EINVAL, "--resize none needs --crop");
        return 0;
    }
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < 1 || value > 32768)
        return sl_error_set(error, -EINVAL,
                            "--resize '%s' is not fit, stretch, none or a number of "
                            "pixels (1 to 32768)",
                            text);
    *resize_short = value;
    return 0;
}

int sl_check_preprocessing(const struct sl_import_preprocessing *wanted, struct sl_error *error)
{
    enum sl_channel_order order;
    int64_t resize_short;
    if (wanted->crop < 0 || wanted->crop > 32768)
        return sl_error_set(error, -EINVAL, "--crop %" PRId64 " is not between 1 and 32768",
                            wanted->crop);
    int code = parse_order(wanted->order, NULL, &order, error);
    return code < 0 ? code
                    : parse_resize(wanted->resize, wanted->crop, NULL, NULL, &resize_short, error);
}

static int read_preprocessing(const struct sl_import_preprocessing *wanted,
                              struct import_state *state, struct sl_preprocessing *preprocessing,
                              struct sl_error *error)
{
    const struct sl_network *network = state->network;
    const struct sl_shape *input =
        network->input_count > 0 ? &network->blobs[network->inputs[0]].shape : NULL;
    *preprocessing = (struct sl_preprocessing){
        .crop = wanted->crop,
        .scale = wanted->scale != 0 ? wanted->scale : 1,
    };
    int code = sl_check_preprocessing(wanted, error);
    if (code == 0)
        code = parse_order(wanted->order, input, &preprocessing->order, error);
    if (code == 0 && wanted->order)
        code = check_order(preprocessing->order, input, error);
    if (code == 0)
        code = parse_resize(wanted->resize, wanted->crop, network, input,
                            &preprocessing->resize_short, error);
    if (code == 0 && wanted->mean)
        code = read_mean(wanted->mean, input, state, preprocessing, error);
    if (code == 0 && wanted->labels)
        code = sl_labels_read(wanted->labels, &state->labels, &preprocessing->label_count, error);
    preprocessing->labels = (const char *const *)state->labels;
    return code;
}

/* Says which file describes a network that cannot be. */
static int build_network(const struct sl_import_request *request, struct import_state *state,
                         struct sl_error *error)
{
    int code = sl_network_build(state->message, NULL, &state->network, error);
    if (code >= 0 || request->topology)
        return code;
    if (request->prototxt || code == -EILSEQ)
        return sl_error_wrap(error, "%s",
                             request->prototxt ? request->prototxt : request->caffemodel);
    return sl_error_wrap(error, "%s: the structure in it is not whole, give the prototxt too",
                         request->caffemodel);
}

/* summary may be NULL. */
static void summarise(const struct sl_import_report *report, struct sl_import_summary *summary)
{
    if (summary)
        *summary = (struct sl_import_summary){
            .layers_before = report->layers_before,
            .layers_after = report->layers_after,
            .shard_count = report->shards,
            .weight_bytes = report->weight_bytes,
            .file_bytes = report->file_bytes,
            .shared_bytes = report->shared_bytes,
            .saturated = report->saturated,
        };
}

static int import_into(const struct sl_import_request *request, struct import_state *state,
                       struct sl_import_summary *summary, struct sl_error *error)
{
    enum sl_encoding encoding;
    int code = sl_encoding_parse(request->encoding, &encoding, error);
    if (code == 0)
        code = read_structure(request, &state->message, error);
    if (code == 0)
        code = build_network(request, state, error);
    if (code < 0)
        return code;
    code = request->caffemodel ? sl_caffemodel_open(request->caffemodel, &state->weights, error)
                               : sl_synthetic_weights_open(request->seed, &state->weights, error);
    struct sl_import_options options = {
        .output = request->output,
        .fold = !request->keep_layers,
        .shard_bytes = request->shard_bytes,
        .encoding = encoding,
    };
    if (code == 0)
        code = read_preprocessing(&request->preprocessing, state, &options.preprocessing, error);
    /* Before the pack: writing that folds the message. */
    if (code == 0 && request->caffemodel_output)
        code =
            sl_caffemodel_write(state->message, state->weights, request->caffemodel_output, error);
    struct sl_import_report report = {.layers_before = state->network->layer_count};
    if (code == 0 && request->output)
        code = sl_pack_write(state->message, state->weights, &options, &report, error);
    if (code == 0)
        summarise(&report, summary);
    return code;
}

int sl_import(const struct sl_import_request *request, struct sl_import_summary *summary,
              struct sl_error *error)
{
    struct import_state state = {0};
    int code = import_into(request, &state, summary, error);
    import_close(&state);
    return code;
}

int sl_repack(const char *path, uint64_t shard_bytes, const char *output,
              struct sl_import_summary *summary, struct sl_error *error)
{
    struct sl_import_report report;
    if (!path || !output)
        return sl_error_set(error, -EINVAL, "repack needs the names of two packs");
    int code = sl_pack_recut(path, shard_bytes, output, &report, error);
    if (code == 0)
        summarise(&report, summary);
    return code;
}
