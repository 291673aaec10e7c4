#include "models/fold.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/caffe.pb-c.h"
#include "models/fold_affine.h"
#include "models/pack_format.h"
#include "runtime/base/cleanup.h"

struct sl_fold {
    struct sl_weight_source source; /* first: the source is the fold seen as such */
    struct sl_weight_source *original;
    struct sl_affine *affines; /* sorted by layer name */
    int affine_count;
    struct sl_fused_activation *activations;
    int activation_count;
};

/* The network while it is folded, in terms of blob ids: names are given back at the end. */
struct graph {
    const struct sl_network *network;
    Caffe__NetParameter *message;
    struct sl_fold *fold;
    bool *removed;   /* per layer */
    bool *ambiguous; /* per layer: another one has the same name, and so the same weights */
    int *first_top;  /* per layer: what it writes now */
    int *alias;      /* per blob: the one that has its value now; itself when not replaced */
    int *readers;    /* per blob: bottoms that refer to it */
    int *reader;     /* per blob: the last layer that reads it */
    int *named_like; /* per blob: the one whose name it bears */
};

static void free_graph(struct graph *graph)
{
    free(graph->removed);
    free(graph->ambiguous);
    free(graph->first_top);
    free(graph->alias);
    free(graph->readers);
    free(graph->reader);
    free(graph->named_like);
}

static int no_memory(struct sl_error *error)
{
    return sl_error_set(error, ENOMEM, "folding: no memory");
}

static int value_of(const struct graph *graph, int blob)
{
    while (graph->alias[blob] != blob)
        blob = graph->alias[blob];
    return blob;
}

struct named {
    const char *name;
    int index;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order : (left->index > right->index) - (left->index < right->index);
}

static int find_ambiguous(struct graph *graph, struct sl_error *error)
{
    int count = graph->network->layer_count;
    SL_AUTO_FREE struct named *names = calloc((size_t)count + 1, sizeof(*names));
    if (!names)
        return no_memory(error);
    for (int i = 0; i < count; i++)
        names[i] = (struct named){graph->network->layers[i].name, i};
    qsort(names, (size_t)count, sizeof(*names), compare_named);
    for (int i = 1; i < count; i++)
        if (strcmp(names[i - 1].name, names[i].name) == 0)
            graph->ambiguous[names[i - 1].index] = graph->ambiguous[names[i].index] = true;
    return 0;
}

static int open_graph(struct graph *graph, struct sl_error *error)
{
    const struct sl_network *network = graph->network;
    size_t layers = (size_t)network->layer_count + 1, blobs = (size_t)network->blob_count + 1;
    graph->removed = calloc(layers, sizeof(*graph->removed));
    graph->ambiguous = calloc(layers, sizeof(*graph->ambiguous));
    graph->first_top = calloc(layers, sizeof(*graph->first_top));
    graph->alias = calloc(blobs, sizeof(*graph->alias));
    graph->readers = calloc(blobs, sizeof(*graph->readers));
    graph->reader = calloc(blobs, sizeof(*graph->reader));
    graph->named_like = calloc(blobs, sizeof(*graph->named_like));
    if (!graph->removed || !graph->ambiguous || !graph->first_top || !graph->alias ||
        !graph->readers || !graph->reader || !graph->named_like)
        return no_memory(error);
    for (int blob = 0; blob < network->blob_count; blob++)
        graph->alias[blob] = graph->named_like[blob] = blob;
    for (int i = 0; i < network->layer_count; i++) {
        const struct sl_layer *layer = &network->layers[i];
        graph->first_top[i] = layer->top_count > 0 ? layer->tops[0] : -1;
        for (int j = 0; j < layer->bottom_count; j++)
            graph->readers[layer->bottoms[j]]++;
    }
    return find_ambiguous(graph, error);
}

/* Dropout and Split: their tops are their bottom. An output keeps its name by renaming what it is a
 * copy of, which works when nothing else reads that. */
static void remove_identity(struct graph *graph, int index)
{
    const struct sl_layer *layer = &graph->network->layers[index];
    bool dropout = layer->type == SL_LAYER_DROPOUT && layer->top_count == 1;
    if ((!dropout && layer->type != SL_LAYER_SPLIT) || layer->bottom_count != 1)
        return;
    int value = value_of(graph, layer->bottoms[0]);
    int readers = 0;
    for (int j = 0; j < layer->top_count; j++) {
        int top = layer->tops[j];
        bool output = graph->readers[top] == 0;
        const struct sl_layer *producer =
            &graph->network->layers[graph->network->blobs[value].producer];
        if (output &&
            (layer->top_count > 1 || graph->readers[value] > 1 || producer->type == SL_LAYER_INPUT))
            return;
        if (output)
            graph->named_like[value] = top;
        readers += graph->readers[top];
    }
    for (int j = 0; j < layer->top_count; j++)
        graph->alias[layer->tops[j]] = value;
    graph->readers[value] += readers - 1;
    graph->removed[index] = true;
}

/* The layer that alone reads what layer `index` writes; NULL when there is none such with one
 * bottom and one top. */
static const struct sl_layer *only_reader(const struct graph *graph, int index, int *reader)
{
    const struct sl_layer *layer = &graph->network->layers[index];
    int blob = graph->first_top[index];
    if (layer->top_count != 1 || graph->readers[blob] != 1)
        return NULL;
    *reader = graph->reader[blob];
    const struct sl_layer *next = &graph->network->layers[*reader];
    return next->bottom_count == 1 && next->top_count == 1 ? next : NULL;
}

static void absorb(struct graph *graph, int index, int reader)
{
    graph->first_top[index] = graph->first_top[reader];
    graph->removed[reader] = true;
}

static void require_bias(Caffe__LayerParameter *layer)
{
    if (layer->convolution_param) {
        layer->convolution_param->has_bias_term = 1;
        layer->convolution_param->bias_term = 1;
    }
    if (layer->inner_product_param) {
        layer->inner_product_param->has_bias_term = 1;
        layer->inner_product_param->bias_term = 1;
    }
}

/* Folds every rescaling layer that directly follows layer `index` into its weights. */
static int fold_affine(struct graph *graph, int index, struct sl_error *error)
{
    const struct sl_layer *layer = &graph->network->layers[index];
    SL_AUTO(sl_affine_free) struct sl_affine affine = {0};
    if (graph->ambiguous[index] || !sl_affine_describe(graph->network, layer, &affine))
        return 0;
    for (;;) {
        int reader;
        const struct sl_layer *next = only_reader(graph, index, &reader);
        if (!next || graph->ambiguous[reader] || !sl_affine_accepts(&affine, next))
            break;
        bool done;
        int result = sl_affine_compose(&affine, next, graph->fold->original, &done, error);
        if (result)
            return result;
        if (!done)
            break;
        absorb(graph, index, reader);
    }
    if (!affine.factor)
        return 0;
    affine.layer = strdup(layer->name);
    if (!affine.layer)
        return no_memory(error);
    require_bias(graph->message->layer[index]);
    graph->fold->affines[graph->fold->affine_count++] = affine;
    affine = (struct sl_affine){0};
    return 0;
}

static void fuse_activation(struct graph *graph, int index)
{
    int reader;
    const struct sl_layer *next = only_reader(graph, index, &reader);
    if (!sl_pack_takes_activation(graph->network->layers[index].type) || !next ||
        next->type != SL_LAYER_RELU || !isfinite(next->parameters.relu.negative_slope))
        return;
    absorb(graph, index, reader);
    graph->fold->activations[graph->fold->activation_count++] = (struct sl_fused_activation){
        .layer = index,
        .slope = next->parameters.relu.negative_slope,
    };
}

static int fold_layers(struct graph *graph, struct sl_error *error)
{
    const struct sl_network *network = graph->network;
    for (int i = 0; i < network->layer_count; i++)
        remove_identity(graph, i);
    for (int i = 0; i < network->layer_count; i++)
        for (int j = 0; !graph->removed[i] && j < network->layers[i].bottom_count; j++)
            graph->reader[value_of(graph, network->layers[i].bottoms[j])] = i;
    for (int i = 0; i < network->layer_count; i++) {
        if (graph->removed[i])
            continue;
        int result = fold_affine(graph, i, error);
        if (result)
            return result;
        fuse_activation(graph, i);
    }
    return 0;
}

/* Blob names as numbers: equal names have equal numbers. */
static int number_names(const struct sl_network *network, struct named *sorted, int *number)
{
    int distinct = 0;
    for (int blob = 0; blob < network->blob_count; blob++)
        sorted[blob] = (struct named){network->blobs[blob].name, blob};
    qsort(sorted, (size_t)network->blob_count, sizeof(*sorted), compare_named);
    for (int i = 0; i < network->blob_count; i++) {
        if (i > 0 && strcmp(sorted[i - 1].name, sorted[i].name) != 0)
            distinct++;
        number[sorted[i].index] = distinct;
    }
    return distinct + 1;
}

/* A layer reads the last blob of a name written before it. Where folding let another one of the
 * same name come between, hidden[blob] is set: it needs a name of its own. */
static int find_hidden(const struct graph *graph, bool *hidden, struct sl_error *error)
{
    const struct sl_network *network = graph->network;
    size_t blobs = (size_t)network->blob_count + 1;
    SL_AUTO_FREE struct named *sorted = calloc(blobs, sizeof(*sorted));
    SL_AUTO_FREE int *number = calloc(blobs, sizeof(*number));
    SL_AUTO_FREE int *latest = calloc(blobs, sizeof(*latest));
    if (!sorted || !number || !latest)
        return no_memory(error);
    number_names(network, sorted, number);
    for (int i = 0; i < network->layer_count; i++) {
        const struct sl_layer *layer = &network->layers[i];
        if (graph->removed[i])
            continue;
        for (int j = 0; j < layer->bottom_count; j++) {
            int blob = value_of(graph, layer->bottoms[j]);
            hidden[blob] |= latest[number[graph->named_like[blob]]] != blob;
        }
        for (int j = 0; j < layer->top_count; j++) {
            int blob = j == 0 ? graph->first_top[i] : layer->tops[j];
            latest[number[graph->named_like[blob]]] = blob;
        }
    }
    return 0;
}

/* malloc'd name of a blob in the folded message. */
static char *name_blob(const struct graph *graph, const bool *hidden, int blob)
{
    const struct sl_network *network = graph->network;
    const char *name = network->blobs[graph->named_like[blob]].name;
    if (!hidden[blob])
        return strdup(name);
    for (int attempt = 0;; attempt++) {
        char *unique;
        if (asprintf(&unique, "%s#%d.%d", name, blob, attempt) < 0)
            return NULL;
        if (sl_network_find_blob(network, unique) < 0)
            return unique;
        free(unique);
    }
}

static int rename_text(char **text, char *name, struct sl_error *error)
{
    if (!name)
        return no_memory(error);
    free(*text);
    *text = name;
    return 0;
}

/* Brings names and the list of layers of the message up to date. */
static int rewrite_message(struct graph *graph, struct sl_error *error)
{
    const struct sl_network *network = graph->network;
    Caffe__NetParameter *message = graph->message;
    SL_AUTO_FREE bool *hidden = calloc((size_t)network->blob_count + 1, sizeof(*hidden));
    SL_AUTO_FREE int *place = calloc((size_t)network->layer_count + 1, sizeof(*place));
    if (!hidden || !place)
        return no_memory(error);
    int result = find_hidden(graph, hidden, error);
    if (result)
        return result;
    size_t kept = 0;
    for (int i = 0; i < network->layer_count; i++) {
        const struct sl_layer *layer = &network->layers[i];
        Caffe__LayerParameter *written = message->layer[i];
        message->layer[i] = NULL;
        if (graph->removed[i]) {
            caffe__layer_parameter__free_unpacked(written, NULL);
            continue;
        }
        place[i] = (int)kept;
        message->layer[kept++] = written;
        for (int j = 0; !result && j < layer->bottom_count; j++)
            result =
                rename_text(&written->bottom[j],
                            name_blob(graph, hidden, value_of(graph, layer->bottoms[j])), error);
        for (int j = 0; !result && j < layer->top_count; j++)
            result = rename_text(
                &written->top[j],
                name_blob(graph, hidden, j == 0 ? graph->first_top[i] : layer->tops[j]), error);
    }
    for (size_t i = (size_t)network->layer_count; i < message->n_layer; i++)
        message->layer[kept++] = message->layer[i];
    message->n_layer = kept;
    for (int i = 0; i < graph->fold->activation_count; i++)
        graph->fold->activations[i].layer = place[graph->fold->activations[i].layer];
    return result;
}

static int compare_affines(const void *a, const void *b)
{
    return strcmp(((const struct sl_affine *)a)->layer, ((const struct sl_affine *)b)->layer);
}

static int read_folded(struct sl_weight_source *source, const char *layer, const char *type,
                       int blob, const struct sl_shape *shape, int64_t first, int64_t count,
                       float *destination, struct sl_error *error)
{
    const struct sl_fold *fold = (const struct sl_fold *)source;
    const struct sl_affine wanted = {.layer = (char *)layer};
    const struct sl_affine *affine = bsearch(&wanted, fold->affines, (size_t)fold->affine_count,
                                             sizeof(*fold->affines), compare_affines);
    if (affine && blob == 1 && !affine->had_bias) {
        memset(destination, 0, (size_t)count * sizeof(*destination));
    } else {
        int result = fold->original->read(fold->original, layer, type, blob, shape, first, count,
                                          destination, error);
        if (result)
            return result;
    }
    if (affine)
        sl_affine_apply(affine, blob, first, count, destination);
    return 0;
}

static void close_folded(struct sl_weight_source *source)
{
    (void)source;
}

static void cleanup_fold(struct sl_fold **fold)
{
    sl_fold_free(*fold);
}

int sl_fold(struct Caffe__NetParameter *message, const struct sl_network *network,
            struct sl_weight_source *weights, struct sl_fold **fold, struct sl_error *error)
{
    size_t layers = (size_t)network->layer_count + 1;
    SL_AUTO(cleanup_fold) struct sl_fold *made = calloc(1, sizeof(*made));
    if (!made)
        return no_memory(error);
    made->source = (struct sl_weight_source){.read = read_folded, .close = close_folded};
    made->original = weights;
    made->affines = calloc(layers, sizeof(*made->affines));
    made->activations = calloc(layers, sizeof(*made->activations));
    if (!made->affines || !made->activations)
        return no_memory(error);
    SL_AUTO(free_graph)
    struct graph graph = {.network = network, .message = message, .fold = made};
    int result = open_graph(&graph, error);
    if (!result)
        result = fold_layers(&graph, error);
    if (!result)
        result = rewrite_message(&graph, error);
    if (result)
        return result;
    qsort(made->affines, (size_t)made->affine_count, sizeof(*made->affines), compare_affines);
    *fold = SL_STEAL(made);
    return 0;
}

void sl_fold_free(struct sl_fold *fold)
{
    if (!fold)
        return;
    for (int i = 0; i < fold->affine_count; i++)
        sl_affine_free(&fold->affines[i]);
    free(fold->affines);
    free(fold->activations);
    free(fold);
}

struct sl_weight_source *sl_fold_weights(struct sl_fold *fold)
{
    return &fold->source;
}

const struct sl_fused_activation *sl_fold_activations(const struct sl_fold *fold, int *count)
{
    *count = fold->activation_count;
    return fold->activations;
}
