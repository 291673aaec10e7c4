/* Old networks brought to today's form, by the rules of Caffe's own upgrade. */
#include "models/caffe_upgrade.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/caffe_text.h"
#include "models/reflect.h"

/* Far above what networks have: they keep hostile files from costing much time. */
#define MOST_INPUTS  1024
#define MOST_WEIGHTS 1024 /* of one layer */

/* Names of V1 layer types by their numbers (enum V1LayerParameter.LayerType). */
static const char *const v1_types[] = {
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__ACCURACY] = "Accuracy",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__BNLL] = "BNLL",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__CONCAT] = "Concat",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__CONVOLUTION] = "Convolution",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__DATA] = "Data",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__DROPOUT] = "Dropout",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__EUCLIDEAN_LOSS] = "EuclideanLoss",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__FLATTEN] = "Flatten",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__HDF5_DATA] = "HDF5Data",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__HDF5_OUTPUT] = "HDF5Output",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__IM2COL] = "Im2col",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__IMAGE_DATA] = "ImageData",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__INFOGAIN_LOSS] = "InfogainLoss",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__INNER_PRODUCT] = "InnerProduct",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__LRN] = "LRN",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__MULTINOMIAL_LOGISTIC_LOSS] = "MultinomialLogisticLoss",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__POOLING] = "Pooling",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__RELU] = "ReLU",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__SIGMOID] = "Sigmoid",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__SOFTMAX] = "Softmax",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__SOFTMAX_LOSS] = "SoftmaxWithLoss",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__SPLIT] = "Split",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__TANH] = "TanH",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__WINDOW_DATA] = "WindowData",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__ELTWISE] = "Eltwise",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__POWER] = "Power",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__SIGMOID_CROSS_ENTROPY_LOSS] = "SigmoidCrossEntropyLoss",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__HINGE_LOSS] = "HingeLoss",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__MEMORY_DATA] = "MemoryData",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__ARGMAX] = "ArgMax",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__THRESHOLD] = "Threshold",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__DUMMY_DATA] = "DummyData",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__SLICE] = "Slice",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__MVN] = "MVN",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__ABSVAL] = "AbsVal",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__SILENCE] = "Silence",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__CONTRASTIVE_LOSS] = "ContrastiveLoss",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__EXP] = "Exp",
    [CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__DECONVOLUTION] = "Deconvolution",
};

static int no_memory(struct sl_error *error)
{
    return sl_error_set(error, -ENOMEM, "out of memory while the network is upgraded");
}

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *message, const char *name)
{
    return sl_reflect_field(message->descriptor, name);
}

/* Moves what is called and typed alike in both versions: bottoms, tops, blobs, rules, and the
 * parameters of every layer type. */
static int move_common_fields(Caffe__V1LayerParameter *old, Caffe__LayerParameter *layer,
                              struct sl_error *error)
{
    const ProtobufCMessageDescriptor *descriptor = old->base.descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *source = &descriptor->fields[i];
        const ProtobufCFieldDescriptor *target = field_of(&layer->base, source->name);
        if (!target || target->type != source->type || target->label != source->label ||
            target->descriptor != source->descriptor)
            continue;
        if (sl_reflect_move(&old->base, source, &layer->base, target) < 0)
            return no_memory(error);
    }
    return 0;
}

/* The i-th ParamSpec, with those before it. NULL without memory. */
static Caffe__ParamSpec *param_spec(Caffe__LayerParameter *layer, size_t i)
{
    while (layer->n_param <= i) {
        ProtobufCMessage *spec = sl_reflect_new(&caffe__param_spec__descriptor);
        if (!spec)
            return NULL;
        if (sl_reflect_add(&layer->base, field_of(&layer->base, "param"), &spec) < 0) {
            protobuf_c_message_free_unpacked(spec, NULL);
            return NULL;
        }
    }
    return layer->param[i];
}

/* V1 keeps names, share modes, rates and decays of the weights in four lists. */
static int upgrade_param_lists(Caffe__V1LayerParameter *old, Caffe__LayerParameter *layer,
                               struct sl_error *error)
{
    size_t most = old->n_param;
    if (old->n_blob_share_mode > most)
        most = old->n_blob_share_mode;
    if (old->n_blobs_lr > most)
        most = old->n_blobs_lr;
    if (old->n_weight_decay > most)
        most = old->n_weight_decay;
    if (most > MOST_WEIGHTS)
        return sl_error_set(error, -E2BIG, "layer '%s' (V1) has settings for %zu weights",
                            layer->name ? layer->name : "", most);
    for (size_t i = 0; i < most; i++) {
        Caffe__ParamSpec *spec = param_spec(layer, i);
        if (!spec)
            return no_memory(error);
        if (i < old->n_param) {
            spec->name = old->param[i];
            old->param[i] = NULL;
        }
        if (i < old->n_blob_share_mode) {
            spec->has_share_mode = 1;
            spec->share_mode =
                old->blob_share_mode[i] == CAFFE__V1_LAYER_PARAMETER__DIM_CHECK_MODE__PERMISSIVE
                    ? CAFFE__PARAM_SPEC__DIM_CHECK_MODE__PERMISSIVE
                    : CAFFE__PARAM_SPEC__DIM_CHECK_MODE__STRICT;
        }
        if (i < old->n_blobs_lr) {
            spec->has_lr_mult = 1;
            spec->lr_mult = old->blobs_lr[i];
        }
        if (i < old->n_weight_decay) {
            spec->has_decay_mult = 1;
            spec->decay_mult = old->weight_decay[i];
        }
    }
    return 0;
}

static int upgrade_v1_layer(Caffe__V1LayerParameter *old, Caffe__LayerParameter *layer,
                            struct sl_error *error)
{
    unsigned type = old->has_type ? (unsigned)old->type : 0;
    if (type >= sizeof(v1_types) / sizeof(*v1_types) || !v1_types[type])
        return sl_error_set(error, -EINVAL, "layer '%s' (V1) has no type that is known (%u)",
                            old->name ? old->name : "", type);
    layer->type = strdup(v1_types[type]);
    if (!layer->type)
        return no_memory(error);
    int result = move_common_fields(old, layer, error);
    return result < 0 ? result : upgrade_param_lists(old, layer, error);
}

static int upgrade_v1(Caffe__NetParameter *network, struct sl_error *error)
{
    if (!network->n_layers)
        return 0;
    if (network->n_layer)
        return sl_error_set(error, -EINVAL,
                            "both 'layer' and 'layers' are used (%zu and %zu times): use 'layer' "
                            "for all",
                            network->n_layer, network->n_layers);
    free(network->layer);
    network->layer = malloc(network->n_layers * sizeof(*network->layer));
    if (!network->layer)
        return no_memory(error);
    for (size_t i = 0; i < network->n_layers; i++) {
        ProtobufCMessage *layer = sl_reflect_new(&caffe__layer_parameter__descriptor);
        if (!layer)
            return no_memory(error);
        network->layer[network->n_layer++] = (Caffe__LayerParameter *)layer;
        int result = upgrade_v1_layer(network->layers[i], (Caffe__LayerParameter *)layer, error);
        if (result < 0)
            return result;
    }
    for (size_t i = 0; i < network->n_layers; i++)
        protobuf_c_message_free_unpacked(&network->layers[i]->base, NULL);
    free(network->layers);
    network->layers = NULL;
    network->n_layers = 0;
    return 0;
}

/* The shape of input i from input_shape or four input_dim. */
static int add_input_shape(const Caffe__NetParameter *network, size_t i,
                           Caffe__InputParameter *parameter, struct sl_error *error)
{
    ProtobufCMessage *shape = sl_reflect_new(&caffe__blob_shape__descriptor);
    if (!shape)
        return no_memory(error);
    if (sl_reflect_add(&parameter->base, field_of(&parameter->base, "shape"), &shape) < 0) {
        protobuf_c_message_free_unpacked(shape, NULL);
        return no_memory(error);
    }
    bool legacy = network->n_input_shape == 0;
    size_t axes = legacy ? 4 : network->input_shape[i]->n_dim;
    for (size_t axis = 0; axis < axes; axis++) {
        int64_t dim =
            legacy ? network->input_dim[4 * i + axis] : network->input_shape[i]->dim[axis];
        if (sl_reflect_add(shape, field_of(shape, "dim"), &dim) < 0)
            return no_memory(error);
    }
    return 0;
}

static int check_input_header(const Caffe__NetParameter *network, struct sl_error *error)
{
    size_t inputs = network->n_input, shapes = network->n_input_shape, dims = network->n_input_dim;
    if (inputs > MOST_INPUTS)
        return sl_error_set(error, -E2BIG, "%zu inputs (at most %d)", inputs, MOST_INPUTS);
    if (shapes && dims)
        return sl_error_set(error, -EINVAL,
                            "both input_shape and input_dim are given: use input_shape");
    if (shapes ? shapes == inputs : dims % 4 == 0 && dims / 4 == inputs)
        return 0;
    return sl_error_set(error, -EINVAL,
                        "%zu input needs as many input_shape or four times as many input_dim, "
                        "found %zu and %zu",
                        inputs, shapes, dims);
}

/* One Input layer called "input" in front of all, as Caffe makes it. */
static int upgrade_input_header(Caffe__NetParameter *network, struct sl_error *error)
{
    if (!network->n_input && !network->n_input_dim && !network->n_input_shape)
        return 0;
    int result = check_input_header(network, error);
    if (result < 0)
        return result;
    Caffe__LayerParameter *layer =
        (Caffe__LayerParameter *)sl_reflect_new(&caffe__layer_parameter__descriptor);
    if (!layer)
        return no_memory(error);
    if (sl_reflect_add(&network->base, field_of(&network->base, "layer"), &layer) < 0) {
        caffe__layer_parameter__free_unpacked(layer, NULL);
        return no_memory(error);
    }
    memmove(network->layer + 1, network->layer, (network->n_layer - 1) * sizeof(*network->layer));
    network->layer[0] = layer;
    layer->name = strdup("input");
    layer->type = strdup("Input");
    layer->input_param =
        (Caffe__InputParameter *)sl_reflect_new(&caffe__input_parameter__descriptor);
    if (!layer->name || !layer->type || !layer->input_param)
        return no_memory(error);
    for (size_t i = 0; i < network->n_input && result == 0; i++)
        result = add_input_shape(network, i, layer->input_param, error);
    if (result < 0)
        return result;
    if (sl_reflect_move(&network->base, field_of(&network->base, "input"), &layer->base,
                        field_of(&layer->base, "top")) < 0)
        return no_memory(error);
    for (size_t i = 0; i < network->n_input_shape; i++)
        caffe__blob_shape__free_unpacked(network->input_shape[i], NULL);
    free(network->input_shape);
    free(network->input_dim);
    network->input_shape = NULL;
    network->input_dim = NULL;
    network->n_input_shape = network->n_input_dim = 0;
    return 0;
}

/* The statistics of a BatchNorm are no trained parameters: old files gave them learning rates. */
static void upgrade_batch_norm(Caffe__NetParameter *network)
{
    for (size_t i = 0; i < network->n_layer; i++) {
        Caffe__LayerParameter *layer = network->layer[i];
        if (!layer->type || strcmp(layer->type, "BatchNorm") != 0 || layer->n_param != 3)
            continue;
        for (size_t j = 0; j < layer->n_param; j++) {
            layer->param[j]->has_lr_mult = layer->param[j]->has_decay_mult = 1;
            layer->param[j]->lr_mult = layer->param[j]->decay_mult = 0;
        }
    }
}

int sl_caffe_upgrade(struct Caffe__NetParameter *message, struct sl_error *error)
{
    int result = sl_caffe_upgrade_v0(message, error);
    if (result == 0)
        result = upgrade_v1(message, error);
    if (result == 0)
        result = upgrade_input_header(message, error);
    if (result == 0)
        upgrade_batch_norm(message);
    return result;
}
