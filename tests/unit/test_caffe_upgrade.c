#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "models/caffe.pb-c.h"
#include "models/caffe_text.h"
#include "runtime/base/log.h"

static Caffe__NetParameter *parse(const char *text)
{
    struct sl_error error = {0};
    Caffe__NetParameter *network = NULL;
    int result = sl_caffe_parse("net", text, strlen(text), &network, &error);
    cr_assert_eq(result, 0, "%s", error.text);
    cr_expect_eq(network->n_layers, 0);
    return network;
}

static void refuse(const char *text, const char *message)
{
    struct sl_error error = {0};
    Caffe__NetParameter *network = NULL;
    int result = sl_caffe_parse("net", text, strlen(text), &network, &error);
    cr_assert_lt(result, 0, "accepted: %s", text);
    cr_assert_str_eq(error.text, message);
}

Test(caffe_upgrade, v1_layer_keeps_everything)
{
    Caffe__NetParameter *network = parse(
        "name: 'v1' layers { name: 'c' type: CONVOLUTION bottom: 'x' bottom: 'y' top: 'z'\n"
        "blobs_lr: 1 blobs_lr: 2 weight_decay: 0 param: 'shared' blob_share_mode: PERMISSIVE\n"
        "include { phase: TEST } exclude { phase: TRAIN } loss_weight: 3\n"
        "convolution_param { num_output: 7 kernel_size: 3 weight_filler { type: 'msra' } }\n"
        "blobs { num: 1 data: [1, 2] } transform_param { scale: 2 } }");
    cr_assert_eq(network->n_layer, 1);
    const Caffe__LayerParameter *layer = network->layer[0];
    cr_expect_str_eq(layer->name, "c");
    cr_expect_str_eq(layer->type, "Convolution");
    cr_expect_eq(layer->n_bottom, 2);
    cr_expect_str_eq(layer->bottom[1], "y");
    cr_expect_str_eq(layer->top[0], "z");
    cr_expect_eq(layer->n_include, 1);
    cr_expect_eq(layer->include[0]->phase, CAFFE__PHASE__TEST);
    cr_expect_eq(layer->n_exclude, 1);
    cr_expect_eq(layer->loss_weight[0], 3.0f);
    cr_expect_eq(layer->convolution_param->num_output, 7);
    cr_expect_str_eq(layer->convolution_param->weight_filler->type, "msra");
    cr_expect_eq(layer->blobs[0]->n_data, 2);
    cr_expect_eq(layer->transform_param->scale, 2.0f);
    cr_assert_eq(layer->n_param, 2);
    cr_expect_str_eq(layer->param[0]->name, "shared");
    cr_expect_eq(layer->param[0]->share_mode, CAFFE__PARAM_SPEC__DIM_CHECK_MODE__PERMISSIVE);
    cr_expect_eq(layer->param[0]->decay_mult, 0.0f);
    cr_expect_eq(layer->param[1]->lr_mult, 2.0f);
    cr_expect_null(layer->param[1]->name);
    sl_caffe_free(network);
}

Test(caffe_upgrade, every_v1_type_has_a_name)
{
    const ProtobufCEnumDescriptor *types = &caffe__v1_layer_parameter__layer_type__descriptor;
    cr_assert_eq(types->n_values, 40);
    for (unsigned i = 0; i < types->n_values; i++) {
        if (types->values[i].value == CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__NONE)
            continue;
        char text[128];
        snprintf(text, sizeof(text), "layers { type: %s }", types->values[i].name);
        Caffe__NetParameter *network = parse(text);
        /* "HDF5_DATA" and "HDF5Data": alike but for the underscores, and two that were renamed. */
        const char *name = network->layer[0]->type;
        const char *wanted = types->values[i].name;
        while (*wanted && *name) {
            if (*wanted == '_') {
                wanted++;
                continue;
            }
            if ((*wanted | 0x20) != (*name | 0x20))
                break;
            wanted++;
            name++;
        }
        bool renamed = strcmp(network->layer[0]->type, "SoftmaxWithLoss") == 0;
        cr_expect(renamed || (!*wanted && !*name), "%s became %s", types->values[i].name,
                  network->layer[0]->type);
        sl_caffe_free(network);
    }
}

Test(caffe_upgrade, every_v1_parameter_is_moved)
{
    const ProtobufCMessageDescriptor *v1 = &caffe__v1_layer_parameter__descriptor;
    int messages = 0;
    for (unsigned i = 0; i < v1->n_fields; i++) {
        if (v1->fields[i].type != PROTOBUF_C_TYPE_MESSAGE || !strcmp(v1->fields[i].name, "layer"))
            continue;
        char text[128];
        snprintf(text, sizeof(text), "layers { type: RELU %s {} }", v1->fields[i].name);
        Caffe__NetParameter *network = parse(text);
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
            &caffe__layer_parameter__descriptor, v1->fields[i].name);
        cr_assert_not_null(field, "%s", v1->fields[i].name);
        const void *value;
        memcpy(&value, (const char *)network->layer[0] + field->offset, sizeof(value));
        cr_expect_not_null(value, "%s is lost", v1->fields[i].name);
        messages++;
        sl_caffe_free(network);
    }
    cr_expect_gt(messages, 25);
}

Test(caffe_upgrade, v1_errors)
{
    refuse("layers { name: 'a' }", "net: layer 'a' (V1) has no type that is known (0)");
    refuse("layers { type: RELU } layer { type: 'ReLU' }",
           "net: both 'layer' and 'layers' are used (1 and 1 times): use 'layer' for all");
}

Test(caffe_upgrade, input_dims_become_an_input_layer)
{
    Caffe__NetParameter *network =
        parse("layer { name: 'r' type: 'ReLU' } input: 'a' input: 'b' "
              "input_dim: [1, 3, 5, 7] input_dim: 2 input_dim: 4 input_dim: 6 input_dim: 8");
    cr_assert_eq(network->n_layer, 2);
    cr_expect_eq(network->n_input + network->n_input_dim + network->n_input_shape, 0);
    const Caffe__LayerParameter *layer = network->layer[0];
    cr_expect_str_eq(layer->name, "input");
    cr_expect_str_eq(layer->type, "Input");
    cr_assert_eq(layer->n_top, 2);
    cr_expect_str_eq(layer->top[1], "b");
    cr_assert_eq(layer->input_param->n_shape, 2);
    cr_assert_eq(layer->input_param->shape[1]->n_dim, 4);
    cr_expect_eq(layer->input_param->shape[0]->dim[1], 3);
    cr_expect_eq(layer->input_param->shape[1]->dim[3], 8);
    cr_expect_str_eq(network->layer[1]->name, "r");
    sl_caffe_free(network);
}

Test(caffe_upgrade, input_shapes_become_an_input_layer)
{
    Caffe__NetParameter *network = parse("input: 'a' input_shape { dim: [9, 8] }");
    cr_assert_eq(network->n_layer, 1);
    cr_assert_eq(network->layer[0]->input_param->shape[0]->n_dim, 2);
    cr_expect_eq(network->layer[0]->input_param->shape[0]->dim[0], 9);
    sl_caffe_free(network);
    refuse("input: 'a' input_dim: [1, 2, 3]",
           "net: 1 input needs as many input_shape or four times as many input_dim, found 0 and 3");
    refuse("input: 'a'",
           "net: 1 input needs as many input_shape or four times as many input_dim, found 0 and 0");
    refuse("input: 'a' input_dim: [1, 2, 3, 4] input_shape { dim: 1 }",
           "net: both input_shape and input_dim are given: use input_shape");
}

Test(caffe_upgrade, v0_network_with_padding)
{
    Caffe__NetParameter *network = parse(
        "input: 'data' input_dim: [1, 3, 8, 8]\n"
        "layers { layer { name: 'pad1' type: 'padding' pad: 2 } bottom: 'data' top: 'pad1' }\n"
        "layers { layer { name: 'conv1' type: 'conv' num_output: 4 group: 2 kernelsize: 5 stride: "
        "3\n"
        "  biasterm: false weight_filler { type: 'gaussian' std: 0.01 } blobs_lr: 1\n"
        "  blobs { num: 1 } } bottom: 'pad1' top: 'conv1' }\n"
        "layers { layer { name: 'pool1' type: 'pool' pool: AVE kernelsize: 3 stride: 2 pad: 1 }\n"
        "  bottom: 'conv1' top: 'pool1' }\n"
        "layers { layer { name: 'norm1' type: 'lrn' local_size: 3 alpha: 0.5 beta: 0.25 k: 2 }\n"
        "  bottom: 'pool1' top: 'norm1' }\n"
        "layers { layer { name: 'fc' type: 'innerproduct' num_output: 10 biasterm: true }\n"
        "  bottom: 'norm1' top: 'fc' }\n"
        "layers { layer { name: 'drop' type: 'dropout' dropout_ratio: 0.25 } bottom: 'fc' top: "
        "'fc' }\n"
        "layers { layer { name: 'cat' type: 'concat' concat_dim: 0 } bottom: 'fc' top: 'cat' }");
    cr_assert_eq(network->n_layer, 7);
    const Caffe__LayerParameter *convolution = network->layer[1];
    cr_expect_str_eq(convolution->name, "conv1");
    cr_expect_str_eq(convolution->type, "Convolution");
    cr_expect_str_eq(convolution->bottom[0], "data");
    cr_assert_eq(convolution->convolution_param->n_pad, 1);
    cr_expect_eq(convolution->convolution_param->pad[0], 2);
    cr_expect_eq(convolution->convolution_param->kernel_size[0], 5);
    cr_expect_eq(convolution->convolution_param->stride[0], 3);
    cr_expect_eq(convolution->convolution_param->group, 2);
    cr_expect_eq(convolution->convolution_param->num_output, 4);
    cr_expect(!convolution->convolution_param->bias_term);
    cr_expect_eq(convolution->convolution_param->weight_filler->std, 0.01f);
    cr_expect_eq(convolution->n_blobs, 1);
    cr_expect_eq(convolution->param[0]->lr_mult, 1.0f);
    const Caffe__PoolingParameter *pooling = network->layer[2]->pooling_param;
    cr_expect_eq(pooling->pool, CAFFE__POOLING_PARAMETER__POOL_METHOD__AVE);
    cr_expect_eq(pooling->kernel_size, 3);
    cr_expect_eq(pooling->stride, 2);
    cr_expect_eq(pooling->pad, 1);
    const Caffe__LRNParameter *norm = network->layer[3]->lrn_param;
    cr_expect(norm->local_size == 3 && norm->alpha == 0.5f && norm->beta == 0.25f && norm->k == 2);
    cr_expect_eq(network->layer[4]->inner_product_param->num_output, 10);
    cr_expect_eq(network->layer[5]->dropout_param->dropout_ratio, 0.25f);
    cr_expect_eq(network->layer[6]->concat_param->concat_dim, 0);
    sl_caffe_free(network);
}

Test(caffe_upgrade, v0_data_layers)
{
    Caffe__NetParameter *network =
        parse("layers { layer { name: 'd' type: 'images' source: 's' batchsize: 5 rand_skip: 6\n"
              "  shuffle_images: true scale: 0.5 meanfile: 'm' cropsize: 227 mirror: true } }\n"
              "layers { layer { type: 'window_data' det_crop_mode: 'square' det_context_pad: 3\n"
              "  det_fg_threshold: 0.125 det_bg_threshold: 0.5 det_fg_fraction: 0.75 } }");
    const Caffe__LayerParameter *layer = network->layer[0];
    cr_expect_str_eq(layer->type, "ImageData");
    cr_expect_str_eq(layer->image_data_param->source, "s");
    cr_expect_eq(layer->image_data_param->batch_size, 5);
    cr_expect_eq(layer->image_data_param->rand_skip, 6);
    cr_expect(layer->image_data_param->shuffle);
    cr_expect_eq(layer->transform_param->scale, 0.5f);
    cr_expect_str_eq(layer->transform_param->mean_file, "m");
    cr_expect_eq(layer->transform_param->crop_size, 227);
    cr_expect(layer->transform_param->mirror);
    cr_expect_str_eq(network->layer[1]->window_data_param->crop_mode, "square");
    cr_expect_eq(network->layer[1]->window_data_param->fg_threshold, 0.125f);
    cr_expect_eq(network->layer[1]->window_data_param->context_pad, 3);
    sl_caffe_free(network);
}

static void remember(enum sl_log_level level, const char *line, void *context)
{
    cr_expect_eq(level, SL_LOG_WARNING);
    snprintf(context, 128, "%s", line);
}

Test(caffe_upgrade, v0_fields_that_mean_nothing_are_warned_about)
{
    char line[128] = "";
    sl_log_set(SL_LOG_WARNING, remember, line);
    Caffe__NetParameter *network = parse("layers { layer { name: 'r' type: 'relu' stride: 2 } }");
    sl_log_set(SL_LOG_WARNING, NULL, NULL);
    cr_expect_str_eq(line,
                     "layer 'r' (V0, relu): field 'stride' means nothing here and is left out");
    sl_caffe_free(network);
}

Test(caffe_upgrade, v0_errors)
{
    refuse("layers { layer { name: 'c' type: 'covn' } }",
           "net: layer 'c' (V0) has the unknown type 'covn'; did you mean 'conv'?");
    refuse("layers { layer { name: 'p' type: 'padding' pad: 1 } bottom: 'a' top: 'p' }\n"
           "layers { layer { name: 'r' type: 'relu' } bottom: 'p' top: 'r' }",
           "net: layer 'r' (V0) reads the padding layer 'p': only conv and pool can");
    refuse("layers { layer { name: 'p' type: 'padding' pad: 1 } top: 'p' }\n"
           "layers { layer { name: 'c' type: 'conv' } bottom: 'p' top: 'r' }",
           "net: padding layer 'p' (V0) and its reader must have one bottom and one top each");
    refuse("layers { name: 'x' layer { name: 'y' type: 'relu' } }",
           "net: layer 'y' gives 'name' both inside and outside its V0 'layer'");
}

Test(caffe_upgrade, batch_norm_statistics_are_not_trained)
{
    Caffe__NetParameter *network = parse("layer { type: 'BatchNorm' param { lr_mult: 1 } param {} "
                                         "param {} } layer { type: 'BatchNorm' param {} }");
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(network->layer[0]->param[i]->lr_mult, 0.0f);
        cr_expect_eq(network->layer[0]->param[i]->decay_mult, 0.0f);
    }
    cr_expect_eq(network->layer[1]->param[0]->lr_mult, 1.0f);
    sl_caffe_free(network);
}
