#include "models/caffe_normalize.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/caffe.pb-c.h"
#include "models/caffe_text.h"
#include "models/layers/importer.h"
#include "runtime/base/cleanup.h"

static bool is_silence(const Caffe__LayerParameter *layer)
{
    return layer->type && strcmp(layer->type, "Silence") == 0;
}

static bool is_silence_or_excluded(const Caffe__NetParameter *message,
                                   const Caffe__LayerParameter *layer)
{
    SL_PARAMETERS(state, Caffe__NetState, CAFFE__NET_STATE__INIT, message->state);
    return is_silence(layer) || !sl_layer_included(layer, state);
}

/* Drops the layers for which drop says so. */
static void drop_layers(Caffe__NetParameter *message,
                        bool (*drop)(const Caffe__NetParameter *message,
                                     const Caffe__LayerParameter *layer))
{
    size_t kept = 0;
    for (size_t i = 0; i < message->n_layer; i++) {
        if (drop(message, message->layer[i]))
            caffe__layer_parameter__free_unpacked(message->layer[i], NULL);
        else
            message->layer[kept++] = message->layer[i];
    }
    message->n_layer = kept;
}

static void drop_blobs(Caffe__LayerParameter *layer)
{
    for (size_t i = 0; i < layer->n_blobs; i++)
        caffe__blob_proto__free_unpacked(layer->blobs[i], NULL);
    free(layer->blobs);
    layer->blobs = NULL;
    layer->n_blobs = 0;
}

/* A blob that only Silence reads has its producer as its consumer. */
static bool is_silenced(const struct sl_blob *blob)
{
    return blob->last_consumer == blob->producer;
}

static int append_silence(Caffe__NetParameter *message, const struct sl_network *network,
                          struct sl_error *error)
{
    Caffe__LayerParameter *silence = calloc(1, sizeof(*silence));
    Caffe__LayerParameter **layers =
        realloc(message->layer, (message->n_layer + 1) * sizeof(*layers));
    if (layers)
        message->layer = layers;
    if (!silence || !layers) {
        free(silence);
        return sl_error_set(error, ENOMEM, "import: no memory");
    }
    caffe__layer_parameter__init(silence);
    message->layer[message->n_layer++] = silence;
    silence->name = strdup("silence");
    silence->type = strdup("Silence");
    silence->bottom = calloc((size_t)network->blob_count, sizeof(*silence->bottom));
    bool complete = silence->name && silence->type && silence->bottom;
    for (int i = 0; complete && i < network->blob_count; i++) {
        if (!is_silenced(&network->blobs[i]))
            continue;
        silence->bottom[silence->n_bottom] = strdup(network->blobs[i].name);
        complete = silence->bottom[silence->n_bottom++] != NULL;
    }
    return complete ? 0 : sl_error_set(error, ENOMEM, "import: no memory");
}

bool sl_caffe_matches(const struct Caffe__NetParameter *message, const struct sl_network *network)
{
    size_t count = message->n_layer;
    if (count > 0 && is_silence(message->layer[count - 1]))
        count--;
    if ((size_t)network->layer_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *name = message->layer[i]->name ? message->layer[i]->name : "";
        if (strcmp(network->layers[i].name, name) != 0)
            return false;
    }
    return true;
}

static void cleanup_network(struct sl_network **network)
{
    sl_network_free(*network);
}

int sl_caffe_normalize(struct Caffe__NetParameter *message, struct sl_network **network,
                       struct sl_error *error)
{
    int result = sl_caffe_upgrade(message, error);
    if (result)
        return result;
    SL_AUTO(cleanup_network) struct sl_network *built = NULL;
    result = sl_network_build(message, NULL, &built, error);
    if (result)
        return result;
    drop_layers(message, is_silence_or_excluded);
    for (size_t i = 0; i < message->n_layer; i++)
        drop_blobs(message->layer[i]);
    for (int i = 0; i < built->blob_count; i++) {
        if (is_silenced(&built->blobs[i])) {
            result = append_silence(message, built, error);
            break;
        }
    }
    if (result)
        return result;
    if (!sl_caffe_matches(message, built))
        return sl_error_set(error, EINVAL,
                            "network '%s': which of its layers take part in inference is not "
                            "clear; leave only those in the prototxt",
                            built->name);
    *network = SL_STEAL(built);
    return 0;
}
