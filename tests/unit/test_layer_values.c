/* Values worked out by hand from Caffe's definitions, for what two implementations by one author
 * could get wrong together. Kernel and reference are both held to them. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_harness.h"
#include "kernels/elements.h"

struct values {
    const char *layer;
    const char *bottoms[4];
    const float *inputs[4];
    const float *weights[SL_MAX_WEIGHTS];
    const float *expected;
    int64_t expected_count;
};

static void check_top(const struct values *test, const struct harness *harness, bool reference)
{
    const struct sl_layer *layer = &harness->network->layers[harness->network->layer_count - 1];
    const struct sl_shape *shape = &harness->network->blobs[layer->tops[0]].shape;
    const float *top = harness->blobs[layer->tops[0]];
    char text[SL_SHAPE_TEXT_BYTES];
    cr_assert_eq(sl_shape_count(shape), test->expected_count, "%s: top is %s", test->layer,
                 sl_shape_text(shape, text));
    for (int64_t i = 0; i < test->expected_count; i++) {
        const float expected = test->expected[i];
        cr_expect(top[i] == expected || (isnan(top[i]) && isnan(expected)) ||
                      fabsf(top[i] - expected) <= 2e-6f * fabsf(expected),
                  "%s: element %lld is %.9g instead of %.9g%s", test->layer, (long long)i,
                  (double)top[i], (double)expected, reference ? " (reference)" : "");
    }
}

static void check(const struct values *test)
{
    struct sl_network *network = harness_layer_network(test->bottoms, test->layer);
    const int index = network->layer_count - 1;
    const struct sl_layer *layer = &network->layers[index];
    for (int reference = 0; reference <= 1; reference++) {
        struct harness harness = {0};
        harness_create(&harness, network);
        for (int b = 0; b < 4 && test->inputs[b]; b++)
            memcpy(harness.blobs[layer->bottoms[b]], test->inputs[b],
                   (size_t)sl_shape_count(&network->blobs[layer->bottoms[b]].shape) *
                       sizeof(float));
        for (int w = 0; w < layer->weight_count; w++)
            memcpy(harness.weights[index * SL_MAX_WEIGHTS + w], test->weights[w],
                   (size_t)layer->weights[w].count * sizeof(float));
        harness_run(&harness, index, &(struct harness_options){.reference = reference}, false);
        check_top(test, &harness, reference);
        harness_free(&harness);
    }
    sl_network_free(network);
}

#define V(...) ((const float[]){__VA_ARGS__})
#define IS(...)                                                                                    \
    .expected = V(__VA_ARGS__), .expected_count = (int64_t)(sizeof(V(__VA_ARGS__)) / sizeof(float))
#define CHECK(...)  check(&(const struct values){__VA_ARGS__})
#define ONE_TO_NINE V(1, 2, 3, 4, 5, 6, 7, 8, 9)

Test(layer_values, pooling_rounds_up_and_clips)
{
    /* (3 - 2) / 2 rounds up: the last windows hold one row or column. */
    CHECK(.layer = "type: 'Pooling' top: 't' pooling_param { kernel_size: 2 stride: 2 }",
          .bottoms = {"1x1x3x3"}, .inputs = {ONE_TO_NINE}, IS(5, 6, 8, 9));
    /* A third window would start in the padding after the map: there is none. */
    CHECK(.layer = "type: 'Pooling' top: 't' pooling_param { kernel_size: 2 stride: 2 pad: 1 }",
          .bottoms = {"1x1x3x3"}, .inputs = {ONE_TO_NINE}, IS(1, 3, 7, 9));
    /* Padding never wins a maximum. */
    CHECK(.layer = "type: 'Pooling' top: 't' pooling_param { kernel_size: 3 stride: 2 pad: 1 }",
          .bottoms = {"1x1x2x2"}, .inputs = {V(-1, -2, -3, -4)}, IS(-1, -2, -3, -4));
    /* The padding counts in an average, but only one pad beyond the map: 3x3, 3x2, 2x3, 2x2. */
    CHECK(.layer = "type: 'Pooling' top: 't' "
                   "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }",
          .bottoms = {"1x1x2x2"}, .inputs = {V(1, 2, 3, 4)},
          IS(10.0f / 9, 6.0f / 6, 7.0f / 6, 4.0f / 4));
    CHECK(.layer = "type: 'Pooling' top: 't' pooling_param { pool: AVE kernel_size: 2 stride: 2 }",
          .bottoms = {"1x1x3x3"}, .inputs = {ONE_TO_NINE}, IS(3, 4.5f, 7.5f, 9));
    /* NaN does not win; where nothing does, Caffe leaves -FLT_MAX. */
    CHECK(.layer = "type: 'Pooling' top: 't' pooling_param { kernel_size: 2 stride: 2 }",
          .bottoms = {"1x1x2x4"}, .inputs = {V(NAN, 1, NAN, NAN, 0, NAN, NAN, NAN)},
          IS(1, -FLT_MAX));
}

Test(layer_values, lrn)
{
    CHECK(.layer = "type: 'LRN' top: 't' lrn_param { local_size: 3 alpha: 3 beta: 1 }",
          .bottoms = {"1x3x1x1"}, .inputs = {V(1, 2, 3)}, IS(1.0f / 6, 2.0f / 15, 3.0f / 14));
    CHECK(.layer = "type: 'LRN' top: 't' lrn_param { local_size: 1 alpha: 14 beta: 0.75 k: 2 }",
          .bottoms = {"1x1x1x1"}, .inputs = {V(1)}, IS(0.125f));
    /* Within a channel k is not used. */
    CHECK(.layer = "type: 'LRN' top: 't' lrn_param { local_size: 3 alpha: 9 beta: 1 k: 7 "
                   "norm_region: WITHIN_CHANNEL }",
          .bottoms = {"1x2x1x2"}, .inputs = {V(1, 2, 3, 0)}, IS(1.0f / 6, 2.0f / 6, 3.0f / 10, 0));
}

Test(layer_values, normalisation)
{
    CHECK(.layer = "type: 'MVN' top: 't' mvn_param { eps: 0.25 }", .bottoms = {"1x2x1x2"},
          .inputs = {V(1, 3, 10, 10)}, IS(-0.8f, 0.8f, 0, 0));
    CHECK(.layer = "type: 'BatchNorm' top: 't' batch_norm_param { eps: 1 }", .bottoms = {"1x2x1x1"},
          .inputs = {V(6, 5)}, .weights = {V(4, 2), V(6, 16), V(2)}, IS(2, 4.0f / 3));
    /* A scale factor of 0: there are no statistics. */
    CHECK(.layer = "type: 'BatchNorm' top: 't' batch_norm_param { eps: 0.25 }",
          .bottoms = {"1x1x1x1"}, .inputs = {V(6)}, .weights = {V(4), V(6), V(0)}, IS(12));
    CHECK(.layer = "type: 'Normalize' top: 't' "
                   "norm_param { across_spatial: false channel_shared: false }",
          .bottoms = {"1x2x1x2"}, .inputs = {V(3, 0, 4, 2)}, .weights = {V(1, 10)},
          IS(0.6f, 0, 8, 10));
    CHECK(.layer = "type: 'Normalize' top: 't' norm_param { across_spatial: true eps: 11 }",
          .bottoms = {"1x2x1x1"}, .inputs = {V(3, 4)}, .weights = {V(2)}, IS(1, 8.0f / 6));
    CHECK(.layer = "type: 'Softmax' top: 't'", .bottoms = {"2x2"},
          .inputs = {V(1000, 1000, -1000, 88)}, IS(0.5f, 0.5f, 0, 1));
    CHECK(.layer = "type: 'Scale' top: 't' scale_param { bias_term: true }", .bottoms = {"1x2x1x2"},
          .inputs = {V(1, 2, 3, 4)}, .weights = {V(2, 3), V(10, 20)}, IS(12, 14, 29, 32));
}

Test(layer_values, activations_keep_nan)
{
    CHECK(.layer = "type: 'ReLU' top: 't' relu_param { negative_slope: 0.5 }", .bottoms = {"4"},
          .inputs = {V(-2, 3, NAN, -INFINITY)}, IS(-1, 3, NAN, -INFINITY));
    CHECK(.layer = "type: 'Sigmoid' top: 't'", .bottoms = {"4"},
          .inputs = {V(0, INFINITY, -INFINITY, NAN)}, IS(0.5f, 1, 0, NAN));
    CHECK(.layer = "type: 'TanH' top: 't'", .bottoms = {"4"},
          .inputs = {V(0, INFINITY, -INFINITY, NAN)}, IS(0, 1, -1, NAN));
    CHECK(.layer = "type: 'ELU' top: 't' elu_param { alpha: 2 }", .bottoms = {"4"},
          .inputs = {V(3, -INFINITY, 0, NAN)}, IS(3, -2, 0, NAN));
    CHECK(.layer = "type: 'Exp' top: 't' exp_param { base: 2 scale: 3 shift: 1 }", .bottoms = {"2"},
          .inputs = {V(1, -INFINITY)}, IS(16, 0));
    CHECK(.layer = "type: 'Log' top: 't' log_param { base: 2 scale: 3 shift: 1 }", .bottoms = {"2"},
          .inputs = {V(5, -1)}, IS(4, NAN));
    CHECK(.layer = "type: 'Power' top: 't' power_param { power: 2 scale: 0 shift: 3 }",
          .bottoms = {"2"}, .inputs = {V(5, NAN)}, IS(9, 9));
    CHECK(.layer = "type: 'BNLL' top: 't'", .bottoms = {"3"}, .inputs = {V(0, 1000, -1000)},
          IS(0.693147181f, 1000, 0));
}

Test(layer_values, eltwise)
{
    CHECK(.layer = "type: 'Eltwise' top: 't' eltwise_param { coeff: 2 coeff: -1 }",
          .bottoms = {"2", "2"}, .inputs = {V(1, 2), V(10, 20)}, IS(-8, -16));
    CHECK(.layer = "type: 'Eltwise' top: 't' eltwise_param { operation: PROD }",
          .bottoms = {"2", "2"}, .inputs = {V(1, 2), V(10, 20)}, IS(10, 40));
    CHECK(.layer = "type: 'Eltwise' top: 't' eltwise_param { operation: MAX }",
          .bottoms = {"2", "2", "2"}, .inputs = {V(1, 30), V(10, 20), V(7, -1)}, IS(10, 30));
}

Test(layer_values, rearranging)
{
    CHECK(.layer = "type: 'Permute' top: 't' permute_param { order: 0 order: 2 order: 1 }",
          .bottoms = {"1x2x3"}, .inputs = {V(1, 2, 3, 4, 5, 6)}, IS(1, 4, 2, 5, 3, 6));
    CHECK(.layer = "type: 'Crop' top: 't' crop_param { axis: 1 offset: 1 }",
          .bottoms = {"1x3x3", "1x2x1"}, .inputs = {ONE_TO_NINE, V(0, 0)}, IS(5, 8));
    CHECK(.layer = "type: 'Tile' top: 't' tile_param { axis: 1 tiles: 2 }", .bottoms = {"2x2"},
          .inputs = {V(1, 2, 3, 4)}, IS(1, 2, 1, 2, 3, 4, 3, 4));
    CHECK(.layer = "type: 'Concat' top: 't'", .bottoms = {"2x1", "2x2"},
          .inputs = {V(1, 2), V(3, 4, 5, 6)}, IS(1, 3, 4, 2, 5, 6));
    CHECK(.layer = "type: 'Slice' top: 't' top: 'u' slice_param { slice_point: 2 }",
          .bottoms = {"2x3"}, .inputs = {V(1, 2, 3, 4, 5, 6)}, IS(1, 2, 4, 5));
    CHECK(.layer = "type: 'Upsample' top: 't'", .bottoms = {"1x1x1x2"}, .inputs = {V(1, 2)},
          IS(1, 1, 2, 2, 1, 1, 2, 2));
    CHECK(.layer = "type: 'Interp' top: 't' interp_param { height: 1 width: 3 }",
          .bottoms = {"1x1x1x2"}, .inputs = {V(0, 10)}, IS(0, 5, 10));
    CHECK(.layer = "type: 'Interp' top: 't' interp_param { height: 2 width: 2 pad_beg: -1 }",
          .bottoms = {"1x1x3x3"}, .inputs = {ONE_TO_NINE}, IS(5, 6, 8, 9));
}

Test(layer_values, reducing)
{
    /* Of equal values the one with the greater index comes first. */
    CHECK(.layer = "type: 'ArgMax' top: 't' argmax_param { top_k: 2 }", .bottoms = {"2x4"},
          .inputs = {V(3, 5, 5, 1, 4, NAN, 0, 0)}, IS(2, 1, 0, 3));
    CHECK(.layer = "type: 'ArgMax' top: 't'", .bottoms = {"3x3"},
          .inputs = {V(2, 2, 1, NAN, -4, NAN, -INFINITY, NAN, -INFINITY)}, IS(1, 1, 2));
    CHECK(.layer = "type: 'ArgMax' top: 't' argmax_param { top_k: 2 out_max_val: true }",
          .bottoms = {"1x4"}, .inputs = {V(3, 5, 7, 1)}, IS(2, 1, 7, 5));
    CHECK(.layer = "type: 'ArgMax' top: 't' argmax_param { axis: 1 out_max_val: true }",
          .bottoms = {"1x2x2"}, .inputs = {V(3, 5, 7, 1)}, IS(7, 5));
    CHECK(.layer = "type: 'Reduction' top: 't' reduction_param { operation: ASUM axis: 1 coeff: 2 "
                   "}",
          .bottoms = {"2x2"}, .inputs = {V(1, -2, 3, 4)}, IS(6, 14));
    CHECK(.layer = "type: 'Reduction' top: 't' reduction_param { operation: MEAN }",
          .bottoms = {"2x2"}, .inputs = {V(1, -2, 3, 4)}, IS(1.5f));
}

Test(layer_values, prior_box)
{
    /* One cell, centre (50, 100) of an image 100 wide and 200 high: the square of 20, that of
     * sqrt(20 * 80), 40 x 10 for ratio 4 and its flip. */
    CHECK(.layer = "type: 'PriorBox' top: 't' prior_box_param { min_size: 20 max_size: 80 "
                   "aspect_ratio: 4 }",
          .bottoms = {"1x1x1x1", "1x3x200x100"},
          IS(0.4f, 0.45f, 0.6f, 0.55f, 0.3f, 0.4f, 0.7f, 0.6f, 0.3f, 0.475f, 0.7f, 0.525f, 0.45f,
             0.4f, 0.55f, 0.6f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f,
             0.1f, 0.1f, 0.1f, 0.1f, 0.1f));
    CHECK(.layer = "type: 'PriorBox' top: 't' prior_box_param { min_size: 40 clip: true step: 10 "
                   "variance: 0.1 variance: 0.2 variance: 0.3 variance: 0.4 }",
          .bottoms = {"1x1x1x1", "1x3x100x100"}, IS(0, 0, 0.25f, 0.25f, 0.1f, 0.2f, 0.3f, 0.4f));
}

#define PRIORS                                                                                     \
    V(0, 0, 1, 1, 0, 0, 1, 0.9f, 2, 2, 4, 3, /* variances */ 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f,   \
      0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f)
#define NO_OFFSETS V(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

Test(layer_values, detection_output)
{
    /* Boxes 0 and 1 overlap by 0.9: of class 1 the better one stays; of class 2 only box 1 is
     * likely enough. Class 0 is the background. Rows are by class, then score; the fourth is not
     * needed. */
    CHECK(.layer = "type: 'DetectionOutput' top: 't' detection_output_param { num_classes: 3 "
                   "nms_param { nms_threshold: 0.5 } keep_top_k: 4 confidence_threshold: 0.25 }",
          .bottoms = {"1x12", "1x9", "1x2x12"},
          .inputs = {NO_OFFSETS, V(0.9f, 0.5f, 0.1f, 0.9f, 0.6f, 0.3f, 0.9f, 0.4f, 0.25f), PRIORS},
          IS(0, 1, 0.6f, 0, 0, 1, 0.9f, 0, 1, 0.4f, 2, 2, 4, 3, 0, 2, 0.3f, 0, 0, 1, 0.9f, 0, 0, 0,
             0, 0, 0, 0));
    /* The best two of all classes. */
    CHECK(.layer = "type: 'DetectionOutput' top: 't' detection_output_param { num_classes: 3 "
                   "nms_param { nms_threshold: 0.95 } keep_top_k: 2 }",
          .bottoms = {"1x12", "1x9", "1x2x12"},
          .inputs = {NO_OFFSETS, V(0.9f, 0.5f, 0.1f, 0.9f, 0.6f, 0.3f, 0.9f, 0.4f, 0.8f), PRIORS},
          IS(0, 1, 0.6f, 0, 0, 1, 0.9f, 0, 2, 0.8f, 2, 2, 4, 3));
    /* Offsets times variance 0.5: corners; centre and size (2 x 1 box, twice as wide: ln 4 / 2). */
    CHECK(.layer = "type: 'DetectionOutput' top: 't' detection_output_param { num_classes: 1 "
                   "background_label_id: -1 nms_param { nms_threshold: 0.5 } keep_top_k: 1 }",
          .bottoms = {"1x12", "1x3", "1x2x12"},
          .inputs = {V(0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4), V(0.1f, 0.2f, 0.9f), PRIORS},
          IS(0, 0, 0.9f, 2.5f, 3, 5.5f, 5));
    CHECK(.layer = "type: 'DetectionOutput' top: 't' detection_output_param { num_classes: 1 "
                   "code_type: CENTER_SIZE background_label_id: -1 nms_param { nms_threshold: 0.5 "
                   "} keep_top_k: 1 }",
          .bottoms = {"1x12", "1x3", "1x2x12"},
          .inputs = {V(0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1.38629436f, 0), V(0.1f, 0.2f, 0.9f), PRIORS},
          IS(0, 0, 0.9f, 2, 3, 6, 4));
    CHECK(.layer = "type: 'DetectionOutput' top: 't' detection_output_param { num_classes: 1 "
                   "code_type: CORNER_SIZE variance_encoded_in_target: true "
                   "background_label_id: -1 nms_param { nms_threshold: 0.5 } keep_top_k: 1 }",
          .bottoms = {"1x12", "1x3", "1x2x12"},
          .inputs = {V(0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4), V(0.1f, 0.2f, 0.9f), PRIORS},
          IS(0, 0, 0.9f, 4, 4, 10, 7));
}

Test(layer_values, elementary_functions)
{
    for (int i = -10300; i <= 8870; i++) {
        const float x = (float)i * 0.01f + 0.001f;
        const double exact = exp((double)x);
        const double allowed = 3e-7 * exact + 1.5e-45;
        cr_expect(fabs(sl_float_exp(x) - exact) <= allowed, "exp(%g) = %g", (double)x,
                  (double)sl_float_exp(x));
    }
    cr_expect(sl_float_exp(0) == 1);
    cr_expect(sl_float_exp(-INFINITY) == 0 && sl_float_exp(-200) == 0);
    cr_expect(isinf(sl_float_exp(89)) && isinf(sl_float_exp(INFINITY)));
    cr_expect(isnan(sl_float_exp(NAN)) && isnan(sl_float_exp(-NAN)));
    for (int i = -2000; i <= 2000; i++) {
        const float x = (float)i * 0.005f;
        cr_expect(fabs(sl_float_tanh(x) - tanh((double)x)) <= 3e-7 * fabs(tanh((double)x)),
                  "tanh(%g) = %g", (double)x, (double)sl_float_tanh(x));
    }
}
