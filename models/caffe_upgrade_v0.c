/* V0 layers: one flat list of parameters whatever the type, and padding as a layer of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/caffe_upgrade.h"
#include "models/reflect.h"
#include "runtime/base/log.h"
#include "runtime/base/suggest.h"

#define MOST_BLOB_NAMES 16384

struct v0_type {
    const char *v0;
    Caffe__V1LayerParameter__LayerType v1;
};

static const struct v0_type types[] = {
    {"accuracy", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__ACCURACY},
    {"bnll", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__BNLL},
    {"concat", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__CONCAT},
    {"conv", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__CONVOLUTION},
    {"data", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__DATA},
    {"dropout", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__DROPOUT},
    {"euclidean_loss", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__EUCLIDEAN_LOSS},
    {"flatten", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__FLATTEN},
    {"hdf5_data", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__HDF5_DATA},
    {"hdf5_output", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__HDF5_OUTPUT},
    {"im2col", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__IM2COL},
    {"images", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__IMAGE_DATA},
    {"infogain_loss", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__INFOGAIN_LOSS},
    {"innerproduct", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__INNER_PRODUCT},
    {"lrn", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__LRN},
    {"multinomial_logistic_loss", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__MULTINOMIAL_LOGISTIC_LOSS},
    {"pool", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__POOLING},
    {"relu", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__RELU},
    {"sigmoid", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__SIGMOID},
    {"softmax", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__SOFTMAX},
    {"softmax_loss", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__SOFTMAX_LOSS},
    {"split", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__SPLIT},
    {"tanh", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__TANH},
    {"window_data", CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__WINDOW_DATA},
};

/* Where a V0 field goes: for this type of layer (NULL: any), into this V1 message (NULL: the layer
 * itself), under this name. Fields and targets have the same kind of value. */
struct v0_field {
    const char *name, *type, *message, *target;
};

static const struct v0_field fields[] = {
    {"name", NULL, NULL, "name"},
    {"blobs", NULL, NULL, "blobs"},
    {"blobs_lr", NULL, NULL, "blobs_lr"},
    {"weight_decay", NULL, NULL, "weight_decay"},
    {"num_output", "conv", "convolution_param", "num_output"},
    {"num_output", "innerproduct", "inner_product_param", "num_output"},
    {"biasterm", "conv", "convolution_param", "bias_term"},
    {"biasterm", "innerproduct", "inner_product_param", "bias_term"},
    {"weight_filler", "conv", "convolution_param", "weight_filler"},
    {"weight_filler", "innerproduct", "inner_product_param", "weight_filler"},
    {"bias_filler", "conv", "convolution_param", "bias_filler"},
    {"bias_filler", "innerproduct", "inner_product_param", "bias_filler"},
    {"pad", "conv", "convolution_param", "pad"},
    {"pad", "pool", "pooling_param", "pad"},
    {"kernelsize", "conv", "convolution_param", "kernel_size"},
    {"kernelsize", "pool", "pooling_param", "kernel_size"},
    {"group", "conv", "convolution_param", "group"},
    {"stride", "conv", "convolution_param", "stride"},
    {"stride", "pool", "pooling_param", "stride"},
    {"pool", "pool", "pooling_param", "pool"},
    {"dropout_ratio", "dropout", "dropout_param", "dropout_ratio"},
    {"local_size", "lrn", "lrn_param", "local_size"},
    {"alpha", "lrn", "lrn_param", "alpha"},
    {"beta", "lrn", "lrn_param", "beta"},
    {"k", "lrn", "lrn_param", "k"},
    {"concat_dim", "concat", "concat_param", "concat_dim"},
    {"source", "data", "data_param", "source"},
    {"source", "hdf5_data", "hdf5_data_param", "source"},
    {"source", "images", "image_data_param", "source"},
    {"source", "window_data", "window_data_param", "source"},
    {"source", "infogain_loss", "infogain_loss_param", "source"},
    {"batchsize", "data", "data_param", "batch_size"},
    {"batchsize", "hdf5_data", "hdf5_data_param", "batch_size"},
    {"batchsize", "images", "image_data_param", "batch_size"},
    {"batchsize", "window_data", "window_data_param", "batch_size"},
    {"rand_skip", "data", "data_param", "rand_skip"},
    {"rand_skip", "images", "image_data_param", "rand_skip"},
    {"shuffle_images", "images", "image_data_param", "shuffle"},
    {"scale", NULL, "transform_param", "scale"},
    {"meanfile", NULL, "transform_param", "mean_file"},
    {"cropsize", NULL, "transform_param", "crop_size"},
    {"mirror", NULL, "transform_param", "mirror"},
    {"det_fg_threshold", "window_data", "window_data_param", "fg_threshold"},
    {"det_bg_threshold", "window_data", "window_data_param", "bg_threshold"},
    {"det_fg_fraction", "window_data", "window_data_param", "fg_fraction"},
    {"det_context_pad", "window_data", "window_data_param", "context_pad"},
    {"det_crop_mode", "window_data", "window_data_param", "crop_mode"},
    {"hdf5_output_param", "hdf5_output", NULL, "hdf5_output_param"},
};

static int no_memory(struct sl_error *error)
{
    return sl_error_set(error, -ENOMEM, "out of memory while the network is upgraded");
}

static const char *shown(const char *name)
{
    return name ? name : "";
}

static bool has_type(const Caffe__V1LayerParameter *layer, const char *type)
{
    return layer->layer && strcmp(shown(layer->layer->type), type) == 0;
}

/* The message in `name` of a layer, made when it is not there. */
static ProtobufCMessage *parameter_message(Caffe__V1LayerParameter *layer, const char *name)
{
    const ProtobufCFieldDescriptor *field = sl_reflect_field(layer->base.descriptor, name);
    ProtobufCMessage *message;
    if (sl_reflect_is_set(&layer->base, field)) {
        memcpy(&message, (char *)layer + field->offset, sizeof(message));
        return message;
    }
    message = sl_reflect_new(field->descriptor);
    if (message)
        sl_reflect_add(&layer->base, field, &message);
    return message;
}

static int set_type(Caffe__V1LayerParameter *layer, struct sl_error *error)
{
    const char *type = layer->layer->type;
    if (!type)
        return 0;
    struct sl_suggestion suggestion = {.wanted = type};
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (strcmp(type, types[i].v0) == 0) {
            layer->has_type = 1;
            layer->type = types[i].v1;
            return 0;
        }
        sl_suggest(&suggestion, types[i].v0);
    }
    return sl_error_set(error, -EINVAL, "layer '%s' (V0) has the unknown type '%s'%s%s%s",
                        shown(layer->layer->name), type, suggestion.best ? "; did you mean '" : "",
                        suggestion.best ? suggestion.best : "", suggestion.best ? "'?" : "");
}

/* Moves one field to where it belongs for this layer's type. What belongs nowhere is left out with
 * a warning, as Caffe does. */
static int move_field(Caffe__V1LayerParameter *layer, const ProtobufCFieldDescriptor *source,
                      struct sl_error *error)
{
    Caffe__V0LayerParameter *old = layer->layer;
    if (!sl_reflect_is_set(&old->base, source))
        return 0;
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        const struct v0_field *rule = &fields[i];
        if (strcmp(rule->name, source->name) != 0 || (rule->type && !has_type(layer, rule->type)))
            continue;
        ProtobufCMessage *target =
            rule->message ? parameter_message(layer, rule->message) : &layer->base;
        if (!target)
            return no_memory(error);
        const ProtobufCFieldDescriptor *field = sl_reflect_field(target->descriptor, rule->target);
        int result = sl_reflect_move(&old->base, source, target, field);
        if (result == -EEXIST)
            return sl_error_set(error, -EINVAL,
                                "layer '%s' gives '%s' both inside and outside its V0 'layer'",
                                shown(old->name ? old->name : layer->name), rule->target);
        return result < 0 ? no_memory(error) : 0;
    }
    sl_log(SL_LOG_WARNING, "layer '%s' (V0, %s): field '%s' means nothing here and is left out",
           shown(layer->name), shown(old->type), source->name);
    return 0;
}

static int upgrade_layer(Caffe__V1LayerParameter *layer, struct sl_error *error)
{
    int result = set_type(layer, error);
    const ProtobufCMessageDescriptor *descriptor = layer->layer->base.descriptor;
    for (unsigned i = 0; i < descriptor->n_fields && result == 0; i++) {
        if (strcmp(descriptor->fields[i].name, "type") != 0)
            result = move_field(layer, &descriptor->fields[i], error);
    }
    if (result < 0)
        return result;
    caffe__v0_layer_parameter__free_unpacked(layer->layer, NULL);
    layer->layer = NULL;
    return 0;
}

/* Index of the last layer before `before` that makes that blob, -1 when none does. */
static ptrdiff_t producer(const Caffe__NetParameter *network, size_t before, const char *blob)
{
    for (size_t i = before; i-- > 0;) {
        const Caffe__V1LayerParameter *layer = network->layers[i];
        for (size_t top = 0; top < layer->n_top; top++) {
            if (strcmp(layer->top[top], blob) == 0)
                return (ptrdiff_t)i;
        }
    }
    return -1;
}

/* A convolution or pooling that reads a padding layer takes over its pad and its bottom. */
static int absorb_padding(Caffe__NetParameter *network, size_t index, size_t bottom,
                          struct sl_error *error)
{
    Caffe__V1LayerParameter *layer = network->layers[index];
    ptrdiff_t source_index = producer(network, index, layer->bottom[bottom]);
    if (source_index < 0 || !has_type(network->layers[source_index], "padding"))
        return 0;
    const Caffe__V1LayerParameter *source = network->layers[source_index];
    if (!has_type(layer, "conv") && !has_type(layer, "pool"))
        return sl_error_set(
            error, -EINVAL, "layer '%s' (V0) reads the padding layer '%s': only conv and pool can",
            shown(layer->layer ? layer->layer->name : layer->name), shown(source->layer->name));
    if (layer->n_bottom != 1 || source->n_bottom != 1 || source->n_top != 1)
        return sl_error_set(error, -EINVAL,
                            "padding layer '%s' (V0) and its reader must have one bottom and one "
                            "top each",
                            shown(source->layer->name));
    char *name = strdup(source->bottom[0]);
    if (!name)
        return no_memory(error);
    free(layer->bottom[bottom]);
    layer->bottom[bottom] = name;
    layer->layer->has_pad = 1;
    layer->layer->pad = source->layer->pad;
    return 0;
}

static int merge_padding(Caffe__NetParameter *network, struct sl_error *error)
{
    for (size_t i = 0; i < network->n_layers; i++) {
        if (has_type(network->layers[i], "padding"))
            continue;
        for (size_t bottom = 0; bottom < network->layers[i]->n_bottom; bottom++) {
            int result = absorb_padding(network, i, bottom, error);
            if (result < 0)
                return result;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < network->n_layers; i++) {
        if (has_type(network->layers[i], "padding"))
            caffe__v1_layer_parameter__free_unpacked(network->layers[i], NULL);
        else
            network->layers[kept++] = network->layers[i];
    }
    network->n_layers = kept;
    return 0;
}

/* V0 networks are small; the bound keeps the search for producers short on hostile files. */
static int check_size(const Caffe__NetParameter *network, struct sl_error *error)
{
    size_t names = 0;
    for (size_t i = 0; i < network->n_layers; i++)
        names += network->layers[i]->n_bottom + network->layers[i]->n_top;
    if (names <= MOST_BLOB_NAMES)
        return 0;
    return sl_error_set(error, -E2BIG, "a V0 network with %zu bottoms and tops (at most %d)", names,
                        MOST_BLOB_NAMES);
}

static bool is_v0(const Caffe__NetParameter *network)
{
    for (size_t i = 0; i < network->n_layers; i++) {
        if (network->layers[i]->layer)
            return true;
    }
    return false;
}

int sl_caffe_upgrade_v0(Caffe__NetParameter *network, struct sl_error *error)
{
    if (!is_v0(network))
        return 0;
    int result = check_size(network, error);
    if (result == 0)
        result = merge_padding(network, error);
    for (size_t i = 0; i < network->n_layers && result == 0; i++) {
        if (network->layers[i]->layer)
            result = upgrade_layer(network->layers[i], error);
    }
    return result;
}
