#include "models/network.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/arena.h"
#include "models/blob_names.h"
#include "models/layers/importer.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"
#include "runtime/base/text.h"

/* More than any real network by far; keeps counts of layers and blobs in an int. */
#define MOST_PARTS (1 << 16)

struct builder {
    const Caffe__NetParameter *message;
    struct sl_network_options options;
    struct sl_network *network; /* owned until it is handed out */
    struct sl_error *error;

    const Caffe__LayerParameter **included; /* layers of the TEST phase, in file order */
    size_t included_count;
    struct sl_blob_names names;
};

static void builder_clean(struct builder *builder)
{
    sl_network_free(builder->network);
    free(builder->included);
    sl_blob_names_free(&builder->names);
}

static int no_memory(struct builder *builder)
{
    return sl_error_set(builder->error, -ENOMEM, "out of memory while building the network");
}

/* Records hold the names of networks, layers and blobs, and JSON holds UTF-8 alone. */
static int check_name(struct builder *builder, const char *what, const char *name)
{
    if (!name || sl_text_is_utf8(name))
        return 0;
    SL_AUTO(sl_text_free) struct sl_text shown = {0};
    sl_text_add_escaped(&shown, name);
    return sl_error_set(builder->error, -EILSEQ,
                        "%s '%.300s': the name is not UTF-8, as records must be; give it another",
                        what, shown.bytes ? shown.bytes : "");
}

/* ---- which layers belong to inference ---- */

static bool has_stage(const Caffe__NetState *state, const char *stage)
{
    for (size_t i = 0; i < state->n_stage; i++)
        if (!strcmp(state->stage[i], stage))
            return true;
    return false;
}

static bool rule_applies(const Caffe__NetStateRule *rule, const Caffe__NetState *state)
{
    if (rule->has_phase && rule->phase != CAFFE__PHASE__TEST)
        return false;
    if (rule->has_min_level && state->level < rule->min_level)
        return false;
    if (rule->has_max_level && state->level > rule->max_level)
        return false;
    for (size_t i = 0; i < rule->n_stage; i++)
        if (!has_stage(state, rule->stage[i]))
            return false;
    for (size_t i = 0; i < rule->n_not_stage; i++)
        if (has_stage(state, rule->not_stage[i]))
            return false;
    return true;
}

bool sl_layer_included(const Caffe__LayerParameter *layer, const Caffe__NetState *state)
{
    bool included = layer->n_include == 0;
    for (size_t i = 0; i < layer->n_include; i++)
        included = included || rule_applies(layer->include[i], state);
    for (size_t i = 0; i < layer->n_exclude; i++)
        included = included && !rule_applies(layer->exclude[i], state);
    return included;
}

static int filter_layers(struct builder *builder)
{
    const Caffe__NetParameter *message = builder->message;
    SL_PARAMETERS(state, Caffe__NetState, CAFFE__NET_STATE__INIT, message->state);
    if (message->n_layers)
        return sl_error_set(builder->error, -EINVAL,
                            "network '%.100s' has old `layers`; it must be upgraded first",
                            message->name ? message->name : "");
    if (message->n_layer > MOST_PARTS)
        return sl_error_set(builder->error, -EINVAL, "%zu layers; at most %d are possible",
                            message->n_layer, MOST_PARTS);
    builder->included = calloc(message->n_layer + 1, sizeof(*builder->included));
    if (!builder->included)
        return no_memory(builder);
    for (size_t i = 0; i < message->n_layer; i++) {
        const Caffe__LayerParameter *layer = message->layer[i];
        if (layer->n_include && layer->n_exclude)
            return sl_error_set(builder->error, -EINVAL,
                                "layer '%.100s': give either include or exclude rules",
                                layer->name ? layer->name : "");
        if (sl_layer_included(layer, state))
            builder->included[builder->included_count++] = layer;
    }
    return 0;
}

/* ---- blobs ---- */

static int add_blob(struct builder *builder, const char *name, const struct sl_shape *shape,
                    int producer)
{
    struct sl_network *network = builder->network;
    struct sl_blob *blob = &network->blobs[network->blob_count];
    if (check_name(builder, "blob", name))
        return sl_error_wrap(builder->error, "layer '%.100s'", network->layers[producer].name);
    blob->name = sl_arena_text(network->arena, name);
    if (!blob->name)
        return no_memory(builder);
    blob->shape = *shape;
    blob->producer = producer;
    blob->last_consumer = -1;
    sl_blob_names_set(&builder->names, blob->name, network->blob_count++);
    return 0;
}

static int find_bottom(struct builder *builder, const Caffe__LayerParameter *message,
                       const char *type, size_t index)
{
    const char *name = message->bottom[index];
    int blob = sl_blob_names_get(&builder->names, name);
    if (blob >= 0)
        return blob;
    const char *nearest = sl_blob_names_nearest(&builder->names, name);
    const char *layer = message->name ? message->name : "";
    if (nearest)
        return sl_error_set(builder->error, -EINVAL,
                            "layer '%.100s' (%.60s): no layer before it makes bottom '%.100s'; did "
                            "you mean '%.100s'?",
                            layer, type, name, nearest);
    return sl_error_set(builder->error, -EINVAL,
                        "layer '%.100s' (%.60s): no layer before it makes bottom '%.100s'", layer,
                        type, name);
}

/* ---- layers ---- */

static const char *const training_types[] = {
    "Accuracy",        "ContrastiveLoss", "Data",          "DummyData",
    "EuclideanLoss",   "HDF5Data",        "HDF5Output",    "HingeLoss",
    "ImageData",       "InfogainLoss",    "MultiBoxLoss",  "MultinomialLogisticLoss",
    "SoftmaxWithLoss", "WindowData",      "AnnotatedData", "SigmoidCrossEntropyLoss",
};

static int unknown_type(struct builder *builder, const char *name, const char *type)
{
    for (size_t i = 0; i < sizeof(training_types) / sizeof(training_types[0]); i++)
        if (!strcmp(type, training_types[i]))
            return sl_error_set(builder->error, -EINVAL,
                                "layer '%.100s': type %s is for training; give the deploy "
                                "prototxt, or limit the layer with include { phase: TRAIN }",
                                name, type);
    struct sl_suggestion suggestion = {.wanted = type};
    for (int i = 0; sl_layer_importer_at(i); i++)
        sl_suggest(&suggestion, sl_layer_importer_at(i)->name);
    if (suggestion.best)
        return sl_error_set(builder->error, -EINVAL,
                            "layer '%.100s': unknown type '%.60s'; did you mean '%s'?", name, type,
                            suggestion.best);
    return sl_error_set(builder->error, -EINVAL,
                        "layer '%.100s': type '%.60s' is not supported; `sluice list kernels` "
                        "names those that are",
                        name, type);
}

static int check_number(struct builder *builder, const char *name, const char *type,
                        const char *what, int found, int least, int most)
{
    if (found >= least && found <= most)
        return 0;
    char wanted[48];
    if (least == most)
        snprintf(wanted, sizeof(wanted), "%d", least);
    else if (most == SL_ANY_NUMBER)
        snprintf(wanted, sizeof(wanted), "at least %d", least);
    else
        snprintf(wanted, sizeof(wanted), "%d to %d", least, most);
    return sl_error_set(builder->error, -EINVAL, "layer '%.100s' (%s): %d %s where %s must be",
                        name, type, found, what, wanted);
}

/* A top named like the bottom of the same index runs in place; any other name must be new. */
static int check_top(struct builder *builder, const Caffe__LayerParameter *message, int layer_index,
                     int top, const struct sl_shape *shape)
{
    const struct sl_network *network = builder->network;
    const struct sl_layer *layer = &network->layers[layer_index];
    const char *type = sl_layer_type_name(layer->type);
    const char *name = message->top[top];
    bool in_place = (size_t)top < message->n_bottom && !strcmp(message->bottom[top], name);
    int known = sl_blob_names_get(&builder->names, name);
    if (known >= 0 && (!in_place || network->blobs[known].producer == layer_index))
        return sl_error_set(builder->error, -EINVAL,
                            "layer '%.100s' (%s): top '%.100s' is made by layer '%.100s' already; "
                            "give it another name",
                            layer->name, type, name,
                            network->layers[network->blobs[known].producer].name);
    char text[SL_SHAPE_TEXT_BYTES];
    if (!sl_shape_valid(shape))
        return sl_error_set(builder->error, -EINVAL,
                            "layer '%.100s' (%s): top '%.100s' would be %s; every dimension must "
                            "be at least 1 and a blob below 2^40 elements",
                            layer->name, type, name, sl_shape_text(shape, text));
    return 0;
}

static int connect_bottoms(struct builder *builder, const Caffe__LayerParameter *message,
                           struct sl_layer *layer, int layer_index, struct sl_shape *shapes)
{
    struct sl_network *network = builder->network;
    int *bottoms = sl_arena_alloc(network->arena, message->n_bottom, sizeof(*bottoms));
    if (!bottoms)
        return no_memory(builder);
    for (size_t i = 0; i < message->n_bottom; i++) {
        bottoms[i] = find_bottom(builder, message, sl_layer_type_name(layer->type), i);
        if (bottoms[i] < 0)
            return bottoms[i];
        shapes[i] = network->blobs[bottoms[i]].shape;
        network->blobs[bottoms[i]].last_consumer = layer_index;
    }
    layer->bottoms = bottoms;
    layer->bottom_count = (int)message->n_bottom;
    return 0;
}

static int connect_tops(struct builder *builder, const Caffe__LayerParameter *message,
                        struct sl_layer *layer, int layer_index, const struct sl_shape *shapes)
{
    struct sl_network *network = builder->network;
    int *tops = sl_arena_alloc(network->arena, (size_t)layer->top_count, sizeof(*tops));
    if (!tops)
        return no_memory(builder);
    for (int i = 0; i < layer->top_count; i++) {
        tops[i] = network->blob_count;
        int result = check_top(builder, message, layer_index, i, &shapes[i]);
        if (!result)
            result = add_blob(builder, message->top[i], &shapes[i], layer_index);
        if (result)
            return result;
    }
    layer->tops = tops;
    return 0;
}

/* MemoryData also yields labels; they are left out when nothing reads them. */
static int tops_in_use(const struct builder *builder, const Caffe__LayerParameter *message,
                       const char *type)
{
    int count = (int)message->n_top;
    if (strcmp(type, "MemoryData") || count < 2)
        return count;
    for (size_t i = 0; i < builder->included_count; i++)
        for (size_t j = 0; j < builder->included[i]->n_bottom; j++)
            if (!strcmp(builder->included[i]->bottom[j], message->top[count - 1]))
                return count;
    return count - 1;
}

static int infer_layer(struct builder *builder, const Caffe__LayerParameter *message,
                       const struct sl_layer_importer *importer, struct sl_layer *layer,
                       int layer_index)
{
    SL_AUTO_FREE struct sl_shape *bottoms = calloc(message->n_bottom + 1, sizeof(*bottoms));
    SL_AUTO_FREE struct sl_shape *tops = calloc((size_t)layer->top_count + 1, sizeof(*tops));
    if (!bottoms || !tops)
        return no_memory(builder);
    int result = connect_bottoms(builder, message, layer, layer_index, bottoms);
    if (result)
        return result;
    struct sl_layer_import import = {
        .message = message,
        .bottoms = bottoms,
        .bottom_count = layer->bottom_count,
        .top_count = layer->top_count,
        .batch = builder->options.batch,
        .arena = builder->network->arena,
        .error = builder->error,
        .layer = layer,
        .tops = tops,
    };
    result = importer->infer(&import);
    return result ? result : connect_tops(builder, message, layer, layer_index, tops);
}

/* A Silence layer only keeps its bottoms from being outputs: they count as consumed. */
static int silence(struct builder *builder, const Caffe__LayerParameter *message)
{
    for (size_t i = 0; i < message->n_bottom; i++) {
        int blob = find_bottom(builder, message, "Silence", i);
        if (blob < 0)
            return blob;
        struct sl_blob *silenced = &builder->network->blobs[blob];
        if (silenced->last_consumer < 0)
            silenced->last_consumer = silenced->producer;
    }
    return 0;
}

static int add_layer(struct builder *builder, const Caffe__LayerParameter *message)
{
    struct sl_network *network = builder->network;
    const char *type = message->type ? message->type : "";
    const char *name = message->name ? message->name : "";
    if (!strcmp(type, "Silence"))
        return silence(builder, message);
    const struct sl_layer_importer *importer = sl_layer_importer_find(type);
    if (!importer)
        return unknown_type(builder, name, type);
    int result = check_name(builder, "layer", name);
    if (!result && (message->n_bottom > MOST_PARTS || message->n_top > MOST_PARTS))
        result = sl_error_set(builder->error, -EINVAL, "layer '%.100s' (%s): too many blobs", name,
                              type);
    if (!result)
        result = check_number(builder, name, type, "bottoms", (int)message->n_bottom,
                              importer->least_bottoms, importer->most_bottoms);
    if (!result)
        result = check_number(builder, name, type, "tops", (int)message->n_top,
                              importer->least_tops, importer->most_tops);
    if (result)
        return result;

    int index = network->layer_count;
    struct sl_layer *layer = &network->layers[index];
    layer->name = sl_arena_text(network->arena, name);
    if (!layer->name)
        return no_memory(builder);
    layer->type = importer->type;
    layer->top_count = tops_in_use(builder, message, type);
    result = infer_layer(builder, message, importer, layer, index);
    if (result)
        return result;
    network->layer_count++;
    network->flops += layer->flops;
    for (int i = 0; i < layer->weight_count; i++)
        network->weight_count += layer->weights[i].count;
    if (network->weight_count > SL_MAX_ELEMENTS)
        return sl_error_set(builder->error, -EINVAL,
                            "layer '%.100s' (%s): the weights up to here exceed 2^40 elements",
                            name, type);
    return 0;
}

/* ---- inputs and outputs ---- */

/* Old files name their inputs at the top: they become one Input layer, as in Caffe's upgrade. */
static int add_header_inputs(struct builder *builder)
{
    const Caffe__NetParameter *message = builder->message;
    size_t count = message->n_input;
    if (!count)
        return 0;
    if (message->n_input_shape != count && message->n_input_dim != 4 * count)
        return sl_error_set(builder->error, -EINVAL,
                            "%zu inputs need %zu input_shape or %zu input_dim; there are %zu and "
                            "%zu",
                            count, count, 4 * count, message->n_input_shape, message->n_input_dim);
    SL_AUTO_FREE Caffe__BlobShape *shapes = calloc(count, sizeof(*shapes));
    SL_AUTO_FREE Caffe__BlobShape **list = calloc(count, sizeof(*list));
    SL_AUTO_FREE int64_t *dims = calloc(count, 4 * sizeof(*dims));
    if (!shapes || !list || !dims)
        return no_memory(builder);
    for (size_t i = 0; i < count; i++) {
        caffe__blob_shape__init(&shapes[i]);
        list[i] = message->n_input_shape == count ? message->input_shape[i] : &shapes[i];
        shapes[i].n_dim = 4;
        shapes[i].dim = dims + 4 * i;
        for (size_t j = 0; j < 4 && message->n_input_shape != count; j++)
            dims[4 * i + j] = message->input_dim[4 * i + j];
    }
    Caffe__InputParameter parameters = CAFFE__INPUT_PARAMETER__INIT;
    parameters.n_shape = count;
    parameters.shape = list;
    char name[] = "input", type[] = "Input";
    Caffe__LayerParameter layer = CAFFE__LAYER_PARAMETER__INIT;
    layer.name = name;
    layer.type = type;
    layer.n_top = count;
    layer.top = message->input;
    layer.input_param = &parameters;
    return add_layer(builder, &layer);
}

static int list_inputs_and_outputs(struct builder *builder)
{
    struct sl_network *network = builder->network;
    int *inputs = sl_arena_alloc(network->arena, (size_t)network->blob_count, sizeof(*inputs));
    int *outputs = sl_arena_alloc(network->arena, (size_t)network->blob_count, sizeof(*outputs));
    if (!inputs || !outputs)
        return no_memory(builder);
    for (int i = 0; i < network->blob_count; i++) {
        if (network->layers[network->blobs[i].producer].type == SL_LAYER_INPUT)
            inputs[network->input_count++] = i;
        if (network->blobs[i].last_consumer < 0)
            outputs[network->output_count++] = i;
    }
    network->inputs = inputs;
    network->outputs = outputs;
    if (!network->input_count)
        return sl_error_set(builder->error, -EINVAL,
                            "network '%.100s' has no input; add a layer of type Input with its "
                            "shape",
                            network->name);
    if (!network->output_count)
        return sl_error_set(builder->error, -EINVAL, "network '%.100s' has no output",
                            network->name);
    return 0;
}

/* ---- public ---- */

static int reserve(struct builder *builder)
{
    struct sl_network *network = builder->network;
    size_t layers = builder->included_count + 1, blobs = builder->message->n_input;
    for (size_t i = 0; i < builder->included_count; i++)
        blobs += builder->included[i]->n_top;
    if (blobs > MOST_PARTS)
        return sl_error_set(builder->error, -EINVAL, "%zu blobs; at most %d are possible", blobs,
                            MOST_PARTS);
    network->layers = sl_arena_alloc(network->arena, layers, sizeof(*network->layers));
    network->blobs = sl_arena_alloc(network->arena, blobs, sizeof(*network->blobs));
    network->name = sl_arena_text(network->arena, builder->message->name);
    if (!network->layers || !network->blobs || !network->name ||
        sl_blob_names_reserve(&builder->names, blobs))
        return no_memory(builder);
    return 0;
}

int sl_network_build(const struct Caffe__NetParameter *message,
                     const struct sl_network_options *options, struct sl_network **network,
                     struct sl_error *error)
{
    SL_AUTO(builder_clean) struct builder builder = {.message = message, .error = error};
    if (options)
        builder.options = *options;
    if (builder.options.batch < 0 || builder.options.batch > SL_MAX_DIMENSION)
        return sl_error_set(error, -EINVAL, "batch %lld is outside 0 to %d",
                            (long long)builder.options.batch, SL_MAX_DIMENSION);
    struct sl_arena *arena = sl_arena_create();
    if (!arena)
        return no_memory(&builder);
    builder.network = sl_arena_alloc(arena, 1, sizeof(*builder.network));
    if (!builder.network) {
        sl_arena_free(arena);
        return no_memory(&builder);
    }
    builder.network->arena = arena;

    int result = check_name(&builder, "network", message->name);
    if (!result)
        result = filter_layers(&builder);
    if (!result)
        result = reserve(&builder);
    if (!result)
        result = add_header_inputs(&builder);
    for (size_t i = 0; i < builder.included_count && !result; i++)
        result = add_layer(&builder, builder.included[i]);
    if (!result)
        result = list_inputs_and_outputs(&builder);
    if (!result)
        *network = SL_STEAL(builder.network);
    return result;
}

void sl_network_free(struct sl_network *network)
{
    if (network)
        sl_arena_free(network->arena);
}

int sl_network_find_blob(const struct sl_network *network, const char *name)
{
    for (int i = network->blob_count - 1; i >= 0; i--)
        if (!strcmp(network->blobs[i].name, name))
            return i;
    return -1;
}

bool sl_layer_is_fully_connected(const struct sl_network *network, int layer)
{
    while (layer > 0 && network->layers[layer].weight_count == 0)
        layer--;
    const struct sl_layer *owner = &network->layers[layer];
    if (owner->type == SL_LAYER_INNER_PRODUCT)
        return true;
    if (owner->type != SL_LAYER_CONVOLUTION)
        return false;
    const struct sl_shape *top = &network->blobs[owner->tops[0]].shape;
    return sl_shape_span(top, 2, top->axes) == 1;
}
