/* Networks from prototxt text: shapes by Caffe's rules, one table row for each rule. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/caffe_text.h"
#include "models/network.h"
#include "runtime/base/cleanup.h"

static void message_clean(struct Caffe__NetParameter **message)
{
    if (*message)
        sl_caffe_free(*message);
}

static void network_clean(struct sl_network **network)
{
    sl_network_free(*network);
}

#define AUTO_NETWORK SL_AUTO(network_clean) struct sl_network *

static int build(const char *text, int64_t batch, struct sl_network **network,
                 struct sl_error *error)
{
    SL_AUTO(message_clean) struct Caffe__NetParameter *message = NULL;
    struct sl_network_options options = {.batch = batch};
    int result = sl_caffe_parse("test", text, strlen(text), &message, error);
    return result ? result : sl_network_build(message, &options, network, error);
}

static struct sl_network *must_build(const char *text, int64_t batch)
{
    struct sl_network *network = NULL;
    struct sl_error error = {0};
    int result = build(text, batch, &network, &error);
    cr_assert(result == 0, "%s", error.text);
    return network;
}

static const struct sl_blob *last_blob(const struct sl_network *network)
{
    return &network->blobs[network->blob_count - 1];
}

static const struct sl_layer *last_layer(const struct sl_network *network)
{
    return &network->layers[network->layer_count - 1];
}

static void expect_shape(const struct sl_shape *shape, const char *expected, const char *what)
{
    char text[SL_SHAPE_TEXT_BYTES];
    sl_shape_text(shape, text);
    cr_expect(strcmp(text, expected) == 0, "%s: %s instead of %s", what, text, expected);
}

#define INPUT(name, dims)                                                                          \
    "layer{name:'" name "' type:'Input' top:'" name "' input_param{shape{" dims "}}} "
#define D4(n, c, h, w)    "dim:" #n " dim:" #c " dim:" #h " dim:" #w
#define LAYER(type, rest) "layer{name:'l' type:'" type "' bottom:'x' top:'y' " rest "}"

struct shape_case {
    const char *bottoms, *layer;
    const char *top;     /* shape of the last blob */
    const char *weights; /* shapes of the weights, separated by a space */
};

static void expect_case(const struct shape_case *row)
{
    char text[2048], weights[4 * SL_SHAPE_TEXT_BYTES] = "", one[SL_SHAPE_TEXT_BYTES];
    snprintf(text, sizeof(text), "%s%s", row->bottoms, row->layer);
    AUTO_NETWORK network = NULL;
    struct sl_error error = {0};
    int result = build(text, 0, &network, &error);
    cr_assert(result == 0, "%s: %s", row->layer, error.text);
    expect_shape(&last_blob(network)->shape, row->top, row->layer);
    const struct sl_layer *layer = last_layer(network);
    for (int i = 0; i < layer->weight_count; i++) {
        size_t used = strlen(weights);
        snprintf(weights + used, sizeof(weights) - used, "%s%s", i ? " " : "",
                 sl_shape_text(&layer->weights[i].shape, one));
        cr_expect(layer->weights[i].count == sl_shape_count(&layer->weights[i].shape));
    }
    const char *expected = row->weights ? row->weights : "";
    cr_expect(strcmp(weights, expected) == 0, "%s: weights '%s' instead of '%s'", row->layer,
              weights, expected);
}

#define EXPECT_CASES(rows)                                                                         \
    for (size_t row_ = 0; row_ < sizeof(rows) / sizeof((rows)[0]); row_++)                         \
    expect_case(&(rows)[row_])

Test(network, convolution_shapes)
{
    static const struct shape_case rows[] = {
        {INPUT("x", D4(1, 3, 227, 227)),
         LAYER("Convolution", "convolution_param{num_output:96 kernel_size:11 stride:4}"),
         "1x96x55x55", "96x3x11x11 96"},
        {INPUT("x", D4(2, 8, 20, 30)),
         LAYER("Convolution", "convolution_param{num_output:6 kernel_h:1 kernel_w:7 pad_w:3 "
                              "stride_h:2 stride_w:1 group:2 bias_term:false}"),
         "2x6x10x30", "6x4x1x7"},
        {INPUT("x", D4(1, 4, 20, 20)),
         LAYER("Convolution", "convolution_param{num_output:4 kernel_size:3 kernel_size:5 pad:1 "
                              "pad:2 dilation:2 dilation:1 group:4}"),
         "1x4x18x20", "4x1x3x5 4"},
        {INPUT("x", D4(1, 4, 7, 7)),
         LAYER("Convolution", "convolution_param{num_output:5 kernel_size:3 dilation:3}"),
         "1x5x1x1", "5x4x3x3 5"},
        {INPUT("x", "dim:2 dim:4 dim:9"),
         LAYER("Convolution", "convolution_param{num_output:5 kernel_size:3 stride:2 axis:-2}"),
         "2x5x4", "5x4x3 5"},
        {INPUT("x", D4(1, 8, 5, 6)),
         LAYER("Deconvolution", "convolution_param{num_output:6 kernel_size:4 stride:2 pad:1 "
                                "group:2}"),
         "1x6x10x12", "8x3x4x4 6"},
        {INPUT("x", D4(1, 8, 5, 6)),
         LAYER("Deconvolution", "convolution_param{num_output:2 kernel_size:3 dilation:2 "
                                "stride:3 bias_term:false}"),
         "1x2x17x20", "8x2x3x3"},
        {INPUT("x", "dim:1 dim:4 dim:9"),
         LAYER("Deconvolution", "convolution_param{num_output:5 kernel_size:2 stride:2}"), "1x5x18",
         "4x5x2 5"},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("InnerProduct", "inner_product_param{num_output:7}"),
         "2x7", "7x60 7"},
        {INPUT("x", D4(2, 3, 4, 5)),
         LAYER("InnerProduct", "inner_product_param{num_output:7 axis:-1 transpose:true "
                               "bias_term:false}"),
         "2x3x4x7", "5x7"},
    };
    EXPECT_CASES(rows);
}

/* Caffe: ceil((H + 2 pad - kernel) / stride) + 1, less one when padded and the last window starts
 * at or after H + pad. */
Test(network, pooling_shapes)
{
    static const struct shape_case rows[] = {
        {INPUT("x", D4(1, 2, 112, 112)), LAYER("Pooling", "pooling_param{kernel_size:3 stride:2}"),
         "1x2x56x56", NULL},
        {INPUT("x", D4(1, 2, 112, 112)),
         LAYER("Pooling", "pooling_param{kernel_size:3 stride:2 pad:1}"), "1x2x57x57", NULL},
        {INPUT("x", D4(1, 2, 3, 3)),
         LAYER("Pooling", "pooling_param{kernel_size:2 stride:2 pad:1}"), "1x2x2x2", NULL},
        {INPUT("x", D4(1, 2, 112, 112)),
         LAYER("Pooling", "pooling_param{kernel_size:3 stride:2 round_mode:FLOOR}"), "1x2x55x55",
         NULL},
        {INPUT("x", D4(1, 2, 112, 112)),
         LAYER("Pooling", "pooling_param{kernel_size:3 stride:2 ceil_mode:false}"), "1x2x55x55",
         NULL},
        {INPUT("x", D4(1, 2, 10, 13)),
         LAYER("Pooling", "pooling_param{pool:AVE kernel_h:2 kernel_w:3 stride_h:3 stride_w:4 "
                          "pad_h:1 pad_w:0}"),
         "1x2x4x4", NULL},
        {INPUT("x", D4(1, 2, 10, 13)),
         LAYER("Pooling", "pooling_param{pool:AVE global_pooling:true}"), "1x2x1x1", NULL},
        /* A window larger than the map: clipped, as long as less than a stride is missing. */
        {INPUT("x", D4(1, 2, 5, 5)), LAYER("Pooling", "pooling_param{kernel_size:6 stride:2}"),
         "1x2x1x1", NULL},
    };
    EXPECT_CASES(rows);
}

Test(network, shapes_kept_and_weights_of_each_type)
{
    static const struct shape_case rows[] = {
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("ReLU", ""), "2x3x4x5", NULL},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("PReLU", ""), "2x3x4x5", "3"},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("PReLU", "prelu_param{channel_shared:true}"), "2x3x4x5",
         "scalar"},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("BatchNorm", ""), "2x3x4x5", "3 3 1"},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("Scale", ""), "2x3x4x5", "3"},
        {INPUT("x", D4(2, 3, 4, 5)),
         LAYER("Scale", "scale_param{axis:1 num_axes:2 bias_term:true}"), "2x3x4x5", "3x4 3x4"},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("Scale", "scale_param{axis:-3 num_axes:-1}"), "2x3x4x5",
         "3x4x5"},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("Scale", "scale_param{num_axes:0}"), "2x3x4x5",
         "scalar"},
        {INPUT("f", "dim:3 dim:4") INPUT("x", D4(2, 3, 4, 5)),
         LAYER("Scale", "bottom:'f' scale_param{bias_term:true}"), "2x3x4x5", "3x4"},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("Bias", ""), "2x3x4x5", "3"},
        {INPUT("f", "dim:2") INPUT("x", D4(2, 3, 4, 5)),
         LAYER("Bias", "bottom:'f' bias_param{axis:0}"), "2x3x4x5", NULL},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("Normalize", "norm_param{channel_shared:false}"),
         "2x3x4x5", "3"},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("LRN", ""), "2x3x4x5", NULL},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("MVN", ""), "2x3x4x5", NULL},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("Softmax", "softmax_param{axis:-1}"), "2x3x4x5", NULL},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("Dropout", ""), "2x3x4x5", NULL},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("Exp", "exp_param{base:2}"), "2x3x4x5", NULL},
        {INPUT("x", D4(2, 3, 4, 5)), LAYER("Log", "log_param{base:10 shift:1}"), "2x3x4x5", NULL},
    };
    EXPECT_CASES(rows);
}

Test(network, rearranged_shapes)
{
#define X INPUT("x", D4(2, 6, 4, 5))
    static const struct shape_case rows[] = {
        {X, LAYER("Flatten", ""), "2x120", NULL},
        {X, LAYER("Flatten", "flatten_param{axis:1 end_axis:-2}"), "2x24x5", NULL},
        {X, LAYER("Reshape", "reshape_param{shape{dim:0 dim:-1 dim:5}}"), "2x24x5", NULL},
        {X, LAYER("Reshape", "reshape_param{shape{dim:3 dim:-1} axis:1 num_axes:1}"), "2x3x2x4x5",
         NULL},
        {X, LAYER("Reshape", "reshape_param{shape{dim:1} axis:-1 num_axes:0}"), "2x6x4x5x1", NULL},
        {X, LAYER("Reshape", "reshape_param{shape{dim:20} axis:-3}"), "2x6x20", NULL},
        {X, LAYER("Permute", "permute_param{order:0 order:2 order:3 order:1}"), "2x4x5x6", NULL},
        {X, LAYER("Permute", "permute_param{order:3}"), "5x2x6x4", NULL},
        {INPUT("r", D4(1, 1, 3, 2)) X, LAYER("Crop", "bottom:'r' crop_param{offset:1 offset:3}"),
         "2x6x3x2", NULL},
        {INPUT("r", D4(1, 1, 3, 2)) X, LAYER("Crop", "bottom:'r' crop_param{axis:1 offset:0}"),
         "2x1x3x2", NULL},
        {X, LAYER("Tile", "tile_param{axis:1 tiles:3}"), "2x18x4x5", NULL},
        {X, LAYER("ArgMax", "argmax_param{top_k:3}"), "2x1x3x1", NULL},
        {X, LAYER("ArgMax", "argmax_param{top_k:3 out_max_val:true}"), "2x2x3x1", NULL},
        {X, LAYER("ArgMax", "argmax_param{axis:1}"), "2x1x4x5", NULL},
        {X, LAYER("Reduction", "reduction_param{axis:2}"), "2x6", NULL},
        {X, LAYER("Reduction", ""), "scalar", NULL},
        {X, LAYER("Upsample", "upsample_param{scale:3}"), "2x6x12x15", NULL},
        {X, LAYER("Upsample", ""), "2x6x8x10", NULL},
        {X, LAYER("Interp", "interp_param{zoom_factor:2}"), "2x6x7x9", NULL},
        {X, LAYER("Interp", "interp_param{shrink_factor:2 pad_beg:-1}"), "2x6x2x2", NULL},
        {X, LAYER("Interp", "interp_param{height:9 width:11}"), "2x6x9x11", NULL},
        {INPUT("r", D4(1, 1, 3, 2)) X, LAYER("Interp", "bottom:'r'"), "2x6x3x2", NULL},
        {INPUT("r", D4(2, 3, 4, 5)) X, LAYER("Concat", "bottom:'r'"), "2x9x4x5", NULL},
        {INPUT("r", D4(2, 6, 4, 1)) X, LAYER("Concat", "bottom:'r' concat_param{axis:-1}"),
         "2x6x4x6", NULL},
        {INPUT("r", D4(1, 6, 4, 5)) X, LAYER("Concat", "bottom:'r' concat_param{concat_dim:0}"),
         "3x6x4x5", NULL},
        {INPUT("r", D4(2, 6, 4, 5)) X, LAYER("Eltwise", "bottom:'r' eltwise_param{operation:MAX}"),
         "2x6x4x5", NULL},
        {X, LAYER("Slice", "top:'z'"), "2x3x4x5", NULL},
        {X, LAYER("Slice", "top:'z' slice_param{slice_point:4}"), "2x2x4x5", NULL},
        {X, LAYER("Slice", "top:'z' slice_param{slice_dim:3 slice_point:1}"), "2x6x4x4", NULL},
        {X, LAYER("Split", "top:'z'"), "2x6x4x5", NULL},
    };
#undef X
    EXPECT_CASES(rows);
}

Test(network, detection_layers)
{
    AUTO_NETWORK network = must_build(
        INPUT("data", D4(1, 3, 300, 200)) INPUT(
            "x", D4(1, 8, 5,
                    4)) "layer{name:'p' type:'PriorBox' bottom:'x' bottom:'data' top:'priors' "
                        "prior_box_param{"
                        "min_size:30 max_size:60 aspect_ratio:2 aspect_ratio:1 aspect_ratio:3 "
                        "aspect_ratio:2 "
                        "clip:true variance:0.1 variance:0.1 variance:0.2 variance:0.2}}" INPUT(
                            "loc", "dim:2 dim:480")
                            INPUT("conf",
                                  "dim:2 dim:360") "layer{name:'d' type:'DetectionOutput' "
                                                   "bottom:'loc' bottom:'conf' bottom:'priors' "
                                                   "top:'out' detection_output_param{num_classes:3 "
                                                   "keep_top_k:50 code_type:CENTER_SIZE "
                                                   "nms_param{nms_threshold:0.45 top_k:400}}}",
        0);
    const struct sl_layer *prior = &network->layers[2];
    cr_assert(prior->type == SL_LAYER_PRIOR_BOX);
    static const float ratios[] = {1, 2, 0.5f, 3, 1.0f / 3.0f};
    cr_assert_eq(prior->parameters.prior_box.aspect_count, 5);
    for (int i = 0; i < 5; i++)
        cr_expect_eq(prior->parameters.prior_box.aspect_ratios[i], ratios[i]);
    cr_expect_eq(prior->parameters.prior_box.image_h, 300);
    cr_expect_eq(prior->parameters.prior_box.image_w, 200);
    cr_expect_eq(prior->parameters.prior_box.step_h, 60.0f);
    cr_expect_eq(prior->parameters.prior_box.step_w, 50.0f);
    cr_expect_eq(prior->parameters.prior_box.variance[2], 0.2f);
    expect_shape(&network->blobs[prior->tops[0]].shape, "1x2x480", "priors");
    expect_shape(&last_blob(network)->shape, "1x1x100x7", "detections of two images");
    cr_expect_eq(last_layer(network)->parameters.detection_output.nms_top_k, 400);
    cr_expect_eq(last_layer(network)->parameters.detection_output.code, SL_BOX_CENTER_SIZE);
}

/* Layers that run in place make a new version of the blob; each has one producer. */
Test(network, in_place_layers_make_versions)
{
    AUTO_NETWORK network = must_build(
        INPUT("data",
              D4(1, 2, 3, 3)) "layer{name:'r1' type:'ReLU' bottom:'data' top:'data'}"
                              "layer{name:'r2' type:'TanH' bottom:'data' top:'data'}"
                              "layer{name:'e' type:'Eltwise' bottom:'data' bottom:'data' top:'sum' "
                              "eltwise_param{coeff:1 coeff:-1}}",
        0);
    cr_assert_eq(network->blob_count, 4);
    cr_expect_eq(network->layers[1].bottoms[0], 0);
    cr_expect_eq(network->layers[1].tops[0], 1);
    cr_expect_eq(network->layers[2].bottoms[0], 1);
    cr_expect_eq(network->layers[3].bottoms[0], 2);
    cr_expect_eq(network->layers[3].bottoms[1], 2);
    cr_expect_eq(sl_network_find_blob(network, "data"), 2);
    cr_expect_eq(sl_network_find_blob(network, "date"), -1);
    cr_expect_eq(network->blobs[1].producer, 1);
    cr_expect_eq(network->blobs[1].last_consumer, 2);
    cr_expect_eq(network->layers[3].parameters.eltwise.coefficients[1], -1.0f);
    cr_assert_eq(network->output_count, 1);
    cr_expect_eq(network->outputs[0], 3);
    cr_assert_eq(network->input_count, 1);
    cr_expect_eq(network->inputs[0], 0);
}

Test(network, phase_rules_choose_layers)
{
    AUTO_NETWORK network = must_build(
        INPUT(
            "x",
            D4(1, 2, 3,
               3)) "layer{name:'train' type:'SoftmaxWithLoss' bottom:'x' bottom:'no' top:'l' "
                   "include{phase:TRAIN}}"
                   "layer{name:'also' type:'Accuracy' bottom:'x' top:'l' exclude{phase:TEST}}"
                   "layer{name:'stage' type:'Nonsense' bottom:'x' top:'l' include{stage:'deploy'}}"
                   "layer{name:'level' type:'Nonsense' bottom:'x' top:'l' include{min_level:1}}"
                   "layer{name:'kept' type:'ReLU' bottom:'x' top:'y' exclude{stage:'deploy'} "
                   "phase:TRAIN}"
                   "layer{name:'kept2' type:'ReLU' bottom:'y' top:'z' include{phase:TRAIN} "
                   "include{not_stage:'deploy' max_level:0}}",
        0);
    cr_assert_eq(network->layer_count, 3);
    cr_expect_str_eq(last_layer(network)->name, "kept2");
}

Test(network, inputs_of_every_spelling)
{
    AUTO_NETWORK header = must_build(
        "name:'old' input:'a' input:'b' input_dim:1 input_dim:2 input_dim:3 input_dim:4 "
        "input_dim:5 input_dim:6 input_dim:7 input_dim:8 "
        "layer{name:'s' type:'Silence' bottom:'b'} layer{name:'r' type:'ReLU' bottom:'a' top:'c'}",
        9);
    cr_assert_eq(header->input_count, 2);
    expect_shape(&header->blobs[header->inputs[0]].shape, "9x2x3x4", "first header input");
    expect_shape(&header->blobs[header->inputs[1]].shape, "9x6x7x8", "second header input");
    cr_expect_str_eq(header->name, "old");
    cr_assert_eq(header->output_count, 1);
    cr_expect_eq(header->blobs[header->inputs[1]].last_consumer, 0);

    AUTO_NETWORK shapes = must_build("input:'a' input_shape{dim:4 dim:5} "
                                     "layer{name:'r' type:'ReLU' bottom:'a' top:'c'}",
                                     0);
    expect_shape(&last_blob(shapes)->shape, "4x5", "input_shape");

    AUTO_NETWORK memory = must_build(
        "layer{name:'m' type:'MemoryData' top:'data' top:'label' memory_data_param{batch_size:3 "
        "channels:1 height:4 width:5}} layer{name:'r' type:'ReLU' bottom:'data' top:'c'}",
        2);
    cr_expect_eq(memory->input_count, 1);
    cr_expect_eq(memory->output_count, 1);
    expect_shape(&last_blob(memory)->shape, "2x1x4x5", "MemoryData");

    AUTO_NETWORK shared = must_build("layer{name:'i' type:'Input' top:'a' top:'b' "
                                     "input_param{shape{dim:2 dim:3}}}",
                                     0);
    cr_expect_eq(shared->output_count, 2);
    expect_shape(&last_blob(shared)->shape, "2x3", "one shape for two tops");
}

Test(network, fully_connected_layers)
{
    AUTO_NETWORK network =
        must_build(INPUT("x", D4(1, 2, 6, 6)) "layer{name:'c1' type:'Convolution' bottom:'x' "
                                              "top:'c1' convolution_param{num_output:3 "
                                              "kernel_size:3}}"
                                              "layer{name:'r1' type:'ReLU' bottom:'c1' top:'c1'}"
                                              "layer{name:'c2' type:'Convolution' bottom:'c1' "
                                              "top:'c2' convolution_param{num_output:3 "
                                              "kernel_size:4}}"
                                              "layer{name:'r2' type:'ReLU' bottom:'c2' top:'c2'}"
                                              "layer{name:'f' type:'InnerProduct' bottom:'c2' "
                                              "top:'f' inner_product_param{num_output:2}}"
                                              "layer{name:'p' type:'Softmax' bottom:'f' top:'p'}",
                   0);
    static const bool expected[] = {false, false, false, true, true, true, true};
    for (int i = 0; i < network->layer_count; i++)
        cr_expect_eq(sl_layer_is_fully_connected(network, i), expected[i], "layer %d", i);
    /* 2 x multiply-add + bias for 16 positions, and so on. */
    cr_expect_eq(network->layers[1].flops, 16 * (2.0 * 54 + 3));
    cr_expect_eq(network->layers[5].flops, 2.0 * 6 + 2);
    cr_expect_eq(network->weight_count, 54 + 3 + 144 + 3 + 6 + 2);
}

struct bad_case {
    const char *text;
    const char *expected[3]; /* each must be in the message */
};

Test(network, bad_input_is_refused_with_a_message)
{
#define X INPUT("x", D4(1, 4, 5, 6))
    static const struct bad_case rows[] = {
        {X "layer{name:'l' type:'Convolutoin' bottom:'x' top:'y'}",
         {"layer 'l'", "Convolutoin", "did you mean 'Convolution'"}},
        {X "layer{name:'l' type:'LSTM' bottom:'x' top:'y'}",
         {"layer 'l'", "LSTM", "not supported"}},
        {X "layer{name:'l' type:'SoftmaxWithLoss' bottom:'x' top:'y'}",
         {"layer 'l'", "training", "deploy"}},
        {INPUT("conv1", D4(1, 4, 5, 6)) "layer{name:'l' type:'ReLU' bottom:'conv2' top:'y'}",
         {"layer 'l'", "'conv2'", "did you mean 'conv1'"}},
        {X "layer{name:'l' type:'ReLU' bottom:'x' top:'y'} layer{name:'m' type:'TanH' bottom:'x' "
           "top:'y'}",
         {"layer 'm'", "'y'", "another name"}},
        {X "layer{name:'l' type:'Slice' bottom:'x' top:'y' top:'y'}", {"layer 'l'", "'y'", ""}},
        {X "layer{name:'l' type:'ReLU' bottom:'x'}", {"layer 'l'", "0 tops", "1 must be"}},
        {X "layer{name:'l' type:'Eltwise' bottom:'x' top:'y'}", {"1 bottoms", "at least 2", ""}},
        {X LAYER("Convolution", ""), {"layer 'l' (Convolution)", "kernel_size is missing", ""}},
        {X LAYER("Convolution", "convolution_param{kernel_size:3}"), {"num_output", "", ""}},
        {X LAYER("Convolution", "convolution_param{num_output:4 kernel_size:3 group:3}"),
         {"group 3", "4 channels", "1x4x5x6"}},
        {X LAYER("Convolution", "convolution_param{num_output:4 kernel_size:7}"),
         {"kernel 7x7", "does not fit", "1x4x5x6"}},
        {X LAYER("Convolution", "convolution_param{num_output:4 kernel_size:3 stride:0}"),
         {"stride 0", "", ""}},
        {X LAYER("Convolution",
                 "convolution_param{num_output:4 kernel_size:4000000000 pad:4294967295}"),
         {"kernel_size 4000000000", "", ""}},
        {X LAYER("Convolution",
                 "convolution_param{num_output:2147483647 kernel_size:1 pad:2147483647}"),
         {"layer 'l'", "2^40", ""}},
        {X LAYER("Convolution", "convolution_param{num_output:4 kernel_size:3 kernel_h:3}"),
         {"kernel_h", "", ""}},
        {X LAYER("Deconvolution", "convolution_param{num_output:4 kernel_size:1 pad:9}"),
         {"does not fit", "", ""}},
        {X LAYER("Deconvolution",
                 "convolution_param{num_output:4 kernel_size:1 stride:2147483647}"),
         {"2^40", "", ""}},
        {X LAYER("Pooling", ""), {"kernel_size", "", ""}},
        {X LAYER("Pooling", "pooling_param{kernel_size:2 pad:2}"), {"pad 2", "kernel 2", ""}},
        {X LAYER("Pooling", "pooling_param{pool:STOCHASTIC kernel_size:2}"),
         {"MAX and AVE", "", ""}},
        {X LAYER("Pooling", "pooling_param{kernel_size:9}"), {"kernel 9x9", "1x4x5x6", ""}},
        {X LAYER("InnerProduct", "inner_product_param{num_output:3 axis:4}"),
         {"axis 4", "1x4x5x6", ""}},
        {X LAYER("InnerProduct", ""), {"num_output", "", ""}},
        {X LAYER("BatchNorm", "batch_norm_param{use_global_stats:false}"),
         {"use_global_stats: true", "", ""}},
        {X LAYER("LRN", "lrn_param{local_size:4}"), {"odd", "4", ""}},
        {X LAYER("Scale", "scale_param{num_axes:4}"), {"num_axes 4", "1x4x5x6", ""}},
        {INPUT("f", "dim:3") X LAYER("Scale", "bottom:'f'"), {"'f' (3)", "1x4x5x6", ""}},
        {INPUT("f", D4(1, 4, 5, 7)) X LAYER("Concat", "bottom:'f'"),
         {"1x4x5x7", "1x4x5x6", "axis 1"}},
        {INPUT("f", D4(1, 4, 5, 7)) X LAYER("Eltwise", "bottom:'f'"), {"1x4x5x7", "1x4x5x6", ""}},
        {INPUT("f", D4(1, 4, 5, 6)) X LAYER("Eltwise", "bottom:'f' eltwise_param{coeff:1}"),
         {"1 coefficients", "2 bottoms", ""}},
        {X LAYER("Slice", "top:'z' top:'w'"), {"3 equal", "", ""}},
        {X LAYER("Slice", "top:'z' slice_param{slice_point:4}"), {"slice points", "", ""}},
        {X LAYER("Reshape", "reshape_param{shape{dim:7 dim:-1}}"), {"120", "7x-1", ""}},
        {X LAYER("Reshape", "reshape_param{shape{dim:-1 dim:-1}}"), {"only one", "", ""}},
        {X LAYER("Reshape", "reshape_param{shape{dim:4294967296 dim:4294967296}}"),
         {"do not fill", "", ""}},
        {X LAYER("Reshape", "reshape_param{shape{dim:1 dim:1 dim:1 dim:1 dim:0}}"),
         {"axis 4", "lacks", ""}},
        {X LAYER("Reshape", "reshape_param{shape{dim:1 dim:1 dim:1 dim:1 dim:1 dim:1} axis:4}"),
         {"more than 8 axes", "", ""}},
        {X LAYER("Permute", "permute_param{order:1 order:1}"), {"order: 1", "", ""}},
        {X LAYER("Permute", "permute_param{order:4}"), {"order: 4", "", ""}},
        {X LAYER("Flatten", "flatten_param{axis:2 end_axis:1}"), {"end_axis", "", ""}},
        {INPUT("r", D4(1, 4, 5, 6)) X LAYER("Crop", "bottom:'r' crop_param{offset:1}"),
         {"offset 1", "", ""}},
        {X LAYER("Tile", ""), {"tiles", "", ""}},
        {X LAYER("ArgMax", "argmax_param{top_k:121}"), {"121", "120", ""}},
        {X LAYER("Upsample", "upsample_param{scale:0}"), {"scale", "", ""}},
        {X LAYER("Interp", ""), {"zoom_factor", "", ""}},
        {X LAYER("Interp", "interp_param{zoom_factor:2 pad_beg:-9}"), {"-9", "", ""}},
        {X LAYER("Exp", "exp_param{base:0}"), {"base", "", ""}},
        {X LAYER("PriorBox", "bottom:'x'"), {"min_size", "", ""}},
        {X LAYER("DetectionOutput", "bottom:'x' bottom:'x' detection_output_param{num_classes:2}"),
         {"do not match", "2 classes", ""}},
        {"layer{name:'i' type:'Input' top:'x'}", {"layer 'i'", "0 shapes", "input_param"}},
        {INPUT("x", "dim:1 dim:0"), {"layer 'x' (Input)", "1x0", ""}},
        {INPUT("x", "dim:1 dim:-3"), {"1x-3", "", ""}},
        {INPUT("x", "dim:2000000000 dim:2000000000 dim:2000000000"), {"2^40", "", ""}},
        {INPUT("x", "dim:9223372036854775807 dim:2"), {"2^40", "", ""}},
        {INPUT("x", "dim:1 dim:1 dim:1 dim:1 dim:1 dim:1 dim:1 dim:1 dim:1"), {"9 axes", "", ""}},
        {"name:'empty'", {"'empty'", "no input", "Input"}},
        {X LAYER("ReLU", "include{phase:TEST} exclude{phase:TRAIN}"),
         {"include or exclude", "", ""}},
    };
#undef X
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sl_network *network = NULL;
        struct sl_error error = {0};
        int result = build(rows[i].text, 0, &network, &error);
        cr_expect(result < 0 && error.code == result && !network, "%s was accepted", rows[i].text);
        sl_network_free(network);
        for (int j = 0; j < 3 && rows[i].expected[j]; j++)
            cr_expect(strstr(error.text, rows[i].expected[j]), "%s: '%s' is not in: %s",
                      rows[i].text, rows[i].expected[j], error.text);
    }
}

Test(network, memory_of_a_failed_build_is_freed_and_null_is_accepted)
{
    sl_network_free(NULL);
    struct sl_error error = {0};
    struct sl_network *network = NULL;
    cr_expect(build(INPUT("x", "dim:1"), -1, &network, &error) < 0);
    cr_expect(strstr(error.text, "batch -1"));
}
