/* Every kernel against its plain reference, over shapes chosen to be awkward: one, two and three
 * threads, in place and not, odd sizes, batches. And the table. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_harness.h"
#include "runtime/base/rng.h"

#define MOST_NMSE 1e-7

Test(kernels, table_is_complete)
{
    struct sl_error error = {0};
    cr_assert_eq(sl_kernels_check(&error), 0, "%s", error.text);
    cr_assert_null(sl_kernel_find(SL_LAYER_INPUT));
    cr_assert_null(sl_kernel_find(SL_LAYER_TYPES));
    for (int type = 1; type < SL_LAYER_TYPES; type++)
        cr_assert_not_null(sl_kernel_find((enum sl_layer_type)type)->reference);
}

/* One layer, as harness_layer_network takes it, and how to fill it. */
struct layer_case {
    const char *bottoms[4];
    const char *layer;
    bool relu;          /* fuse an activation */
    bool positive;      /* weights in [0.5, 1.5), as for variances */
    bool probabilities; /* bottom 1 in [0, 1), bottom 2 ordered boxes: for DetectionOutput */
};

static struct sl_network *case_network(const struct layer_case *test)
{
    struct sl_network *network = harness_layer_network(test->bottoms, test->layer);
    if (test->relu) {
        struct sl_layer *layer = &network->layers[network->layer_count - 1];
        layer->activation = SL_ACTIVATION_RELU;
        layer->activation_slope = 0.125f;
    }
    return network;
}

static void fill(float *values, int64_t count, uint64_t key, float low, float high)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = low + (high - low) * (sl_rng_signed_unit(key, (uint64_t)i + 1) + 1) / 2;
}

static void order_corners(float *boxes, int64_t count)
{
    for (int64_t i = 0; i + 3 < count; i += 4)
        for (int side = 0; side < 2; side++)
            boxes[i + 2 + side] = boxes[i + side] + 0.3f * fabsf(boxes[i + 2 + side]) + 0.05f;
}

static void fill_case(const struct layer_case *test, struct harness *harness)
{
    const struct sl_network *network = harness->network;
    const struct sl_layer *layer = &network->layers[network->layer_count - 1];
    for (int b = 0; b < layer->bottom_count; b++) {
        const struct sl_shape *shape = &network->blobs[layer->bottoms[b]].shape;
        const bool within_one = test->probabilities && b > 0;
        fill(harness->blobs[layer->bottoms[b]], sl_shape_count(shape), (uint64_t)b + 1,
             within_one ? 0.0f : -2.0f, within_one ? 1.0f : 2.0f);
        if (test->probabilities && b == 2)
            order_corners(harness->blobs[layer->bottoms[b]], sl_shape_count(shape) / 2);
    }
    for (int w = 0; w < layer->weight_count; w++)
        fill(harness->weights[(network->layer_count - 1) * SL_MAX_WEIGHTS + w],
             layer->weights[w].count, (uint64_t)w + 10, test->positive ? 0.5f : -1.0f,
             test->positive ? 1.5f : 1.0f);
}

/* Runs the case into tops[0..top_count), allocated here. */
static void run_case(const struct layer_case *test, const struct sl_network *network,
                     const struct harness_options *options, bool in_place, float **tops)
{
    struct harness harness = {0};
    const struct sl_layer *layer = &network->layers[network->layer_count - 1];
    harness_create(&harness, network);
    fill_case(test, &harness);
    harness_run(&harness, network->layer_count - 1, options, in_place);
    for (int t = 0; t < layer->top_count; t++) {
        int64_t count = sl_shape_count(&network->blobs[layer->tops[t]].shape);
        tops[t] = harness_allocate(count);
        memcpy(tops[t], harness.blobs[layer->tops[t]], (size_t)count * sizeof(float));
    }
    harness_free(&harness);
}

static void compare_case(const struct layer_case *test, const struct sl_network *network,
                         const struct harness_options *options, bool in_place,
                         float *const *expected, float *const *bits)
{
    const struct sl_layer *layer = &network->layers[network->layer_count - 1];
    float *tops[SL_MAX_AXES] = {0};
    run_case(test, network, options, in_place, tops);
    for (int t = 0; t < layer->top_count; t++) {
        const int64_t count = sl_shape_count(&network->blobs[layer->tops[t]].shape);
        const double nmse = harness_nmse(tops[t], expected[t], count);
        cr_expect(nmse <= MOST_NMSE, "%s: NMSE %g with %d threads%s, bottom %s", test->layer, nmse,
                  sl_threads_count(options->threads), in_place ? ", in place" : "",
                  test->bottoms[0]);
        if (bits)
            cr_expect(!memcmp(tops[t], bits[t], (size_t)count * sizeof(float)),
                      "%s: other bits with %d threads, %lld rows a call%s, bottom %s", test->layer,
                      sl_threads_count(options->threads), (long long)options->rows_per_call,
                      in_place ? ", in place" : "", test->bottoms[0]);
        free(tops[t]);
    }
}

static void check_case(const struct layer_case *test)
{
    struct sl_network *network = case_network(test);
    const struct sl_layer *layer = &network->layers[network->layer_count - 1];
    const struct sl_kernel *kernel = sl_kernel_find(layer->type);
    float *expected[SL_MAX_AXES] = {0}, *bits[SL_MAX_AXES] = {0};
    cr_assert(layer->top_count <= SL_MAX_AXES);
    run_case(test, network, &(struct harness_options){.reference = true}, false, expected);
    run_case(test, network, &(struct harness_options){0}, false, bits);
    compare_case(test, network, &(struct harness_options){0}, false, expected, NULL);
    for (int count = 1; count <= 3; count++) {
        struct harness_options options = {0};
        struct sl_error error = {0};
        cr_assert_eq(sl_threads_create(count, &options.threads, &error), 0, "%s", error.text);
        compare_case(test, network, &options, false, expected, bits);
        if (kernel->memory == SL_KERNEL_IN_PLACE)
            compare_case(test, network, &options, true, expected, bits);
        sl_threads_free(options.threads);
    }
    for (int t = 0; t < layer->top_count; t++) {
        free(expected[t]);
        free(bits[t]);
    }
    sl_network_free(network);
}

#define CHECK(...)                                                                                 \
    do {                                                                                           \
        const struct layer_case cases[] = {__VA_ARGS__};                                           \
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)                              \
            check_case(&cases[i]);                                                                 \
    } while (0)

Test(kernels, pooling)
{
#define POOL(shape, text)                                                                          \
    {.bottoms = {shape}, .layer = "type: 'Pooling' top: 't' pooling_param { " text " }"}
    CHECK(POOL("1x3x8x8", "kernel_size: 2 stride: 2"), POOL("2x5x7x9", "kernel_size: 3 stride: 2"),
          POOL("1x4x13x13", "kernel_size: 3 stride: 1 pad: 1"),
          POOL("1x2x1x1", "kernel_size: 3 stride: 2 pad: 1"),
          POOL("2x3x6x11", "kernel_h: 2 kernel_w: 5 stride_h: 3 stride_w: 1"),
          POOL("1x1x10x10", "kernel_size: 4 stride: 3 pad: 3"),
          POOL("1x2x9x9", "kernel_size: 1 stride: 2"), POOL("1x2x5x5", "kernel_size: 1 stride: 3"),
          POOL("3x7x6x5", "global_pooling: true"),
          POOL("1x3x9x9", "kernel_size: 3 stride: 2 round_mode: FLOOR"),
          POOL("1x64x57x61", "kernel_size: 3 stride: 2"),
          POOL("1x2x2x2", "kernel_size: 3 stride: 2"));
#define AROUND "kernel_size: 3 stride: 1 pad: 1"
    CHECK(POOL("1x2x1x1", AROUND), POOL("1x2x1x9", AROUND), POOL("1x2x9x1", AROUND),
          POOL("2x3x2x2", AROUND), POOL("1x480x14x14", AROUND), POOL("1x1x129x130", AROUND),
          POOL("1x2x1x1", "pool: AVE " AROUND), POOL("1x2x1x9", "pool: AVE " AROUND),
          POOL("1x2x9x1", "pool: AVE " AROUND), POOL("2x3x2x2", "pool: AVE " AROUND),
          POOL("1x480x14x14", "pool: AVE " AROUND), POOL("1x1x129x130", "pool: AVE " AROUND));
    CHECK(POOL("1x3x8x8", "pool: AVE kernel_size: 2 stride: 2"),
          POOL("2x5x7x9", "pool: AVE kernel_size: 3 stride: 2"),
          POOL("1x4x13x13", "pool: AVE kernel_size: 3 stride: 1 pad: 1"),
          POOL("1x2x1x1", "pool: AVE kernel_size: 3 stride: 2 pad: 1"),
          POOL("2x3x6x11", "pool: AVE kernel_h: 2 kernel_w: 5 stride_h: 3 stride_w: 1 pad_w: 2"),
          POOL("1x1x10x10", "pool: AVE kernel_size: 4 stride: 3 pad: 3"),
          POOL("1x2x5x5", "pool: AVE kernel_size: 1 stride: 3"),
          POOL("3x7x13x13", "pool: AVE global_pooling: true"),
          POOL("2x1024x7x7", "pool: AVE kernel_size: 7 stride: 1"),
          POOL("1x2x2x2", "pool: AVE kernel_size: 3 stride: 2"));
}

Test(kernels, elementwise)
{
#define MAPS(text)                                                                                 \
    {.bottoms = {"1"}, .layer = text}, {.bottoms = {"3x5"}, .layer = text},                        \
        {.bottoms = {"2x3x7x5"}, .layer = text}, {.bottoms = {"2x33x37x19"}, .layer = text}
    CHECK(MAPS("type: 'ReLU' top: 't'"),
          MAPS("type: 'ReLU' top: 't' relu_param { negative_slope: 0.1 }"),
          MAPS("type: 'ELU' top: 't' elu_param { alpha: 0.7 }"), MAPS("type: 'Sigmoid' top: 't'"),
          MAPS("type: 'TanH' top: 't'"), MAPS("type: 'AbsVal' top: 't'"),
          MAPS("type: 'BNLL' top: 't'"), MAPS("type: 'Exp' top: 't'"),
          MAPS("type: 'Exp' top: 't' exp_param { base: 2 scale: 0.5 shift: 1 }"),
          MAPS("type: 'Log' top: 't' log_param { shift: 3 }"),
          MAPS("type: 'Log' top: 't' log_param { base: 10 scale: 0.5 shift: 3 }"));
    CHECK(MAPS("type: 'Power' top: 't' power_param { scale: 0.5 shift: 3 }"),
          MAPS("type: 'Power' top: 't' power_param { power: 2 scale: 0.5 shift: 3 }"),
          MAPS("type: 'Power' top: 't' power_param { power: 0.5 scale: 0.5 shift: 3 }"),
          MAPS("type: 'Power' top: 't' power_param { power: -1 shift: 3 }"),
          MAPS("type: 'Power' top: 't' power_param { power: 1.7 shift: 3 }"),
          MAPS("type: 'Power' top: 't' power_param { power: 3 }"),
          MAPS("type: 'Power' top: 't' power_param { power: 0 }"),
          MAPS("type: 'Power' top: 't' power_param { power: 2 scale: 0 shift: 3 }"));
}

Test(kernels, per_channel)
{
    CHECK({.bottoms = {"2x5x7x3"}, .layer = "type: 'PReLU' top: 't'"},
          {.bottoms = {"3x5"}, .layer = "type: 'PReLU' top: 't'"},
          {.bottoms = {"2x5x7x3"},
           .layer = "type: 'PReLU' top: 't' prelu_param { channel_shared: true }"},
          {.bottoms = {"2x64x31x33"}, .layer = "type: 'PReLU' top: 't'"});
    CHECK({.bottoms = {"2x5x7x3"}, .layer = "type: 'BatchNorm' top: 't'", .positive = true},
          {.bottoms = {"2x5"}, .layer = "type: 'BatchNorm' top: 't'", .positive = true},
          {.bottoms = {"7"}, .layer = "type: 'BatchNorm' top: 't'", .positive = true},
          {.bottoms = {"2x64x31x33"},
           .layer = "type: 'BatchNorm' top: 't'",
           .relu = true,
           .positive = true});
#define SCALE(shape, text)                                                                         \
    {.bottoms = {shape}, .layer = "type: 'Scale' top: 't' scale_param { " text " }"}
    CHECK(
        SCALE("2x5x7x3", ""), SCALE("2x5x7x3", "bias_term: true"), SCALE("4x9", "axis: 1"),
        SCALE("2x5x7x3", "axis: 0 num_axes: 2 bias_term: true"),
        SCALE("2x5x7x3", "axis: -1 bias_term: true"), SCALE("2x5x7x3", "axis: 1 num_axes: -1"),
        SCALE("2x5x7x3", "num_axes: 0 bias_term: true"),
        {.bottoms = {"2x64x31x33"},
         .layer = "type: 'Scale' top: 't' scale_param { bias_term: true }",
         .relu = true},
        {.bottoms = {"2x5x7x3", "5x7"}, .layer = "type: 'Scale' top: 't' scale_param { axis: 1 }"},
        {.bottoms = {"2x5x7x3", "2x5"},
         .layer = "type: 'Scale' top: 't' scale_param { axis: 0 bias_term: true }"});
    CHECK({.bottoms = {"2x5x7x3"}, .layer = "type: 'Bias' top: 't'"},
          {.bottoms = {"2x5x7x3", "7x3"}, .layer = "type: 'Bias' top: 't' bias_param { axis: 2 }"},
          {.bottoms = {"2x64x31x33"}, .layer = "type: 'Bias' top: 't'"});
}

Test(kernels, normalisation)
{
#define LRN(shape, text)                                                                           \
    {.bottoms = {shape}, .layer = "type: 'LRN' top: 't' lrn_param { " text " }"}
    CHECK(LRN("2x9x5x7", "local_size: 5 alpha: 0.5 beta: 0.75"),
          LRN("1x3x5x7", "local_size: 5 alpha: 0.5 beta: 0.75 k: 2"),
          LRN("1x2x3x1", "local_size: 7 alpha: 0.5 beta: 0.75"),
          LRN("1x12x25x23", "local_size: 3 alpha: 0.5 beta: 0.5"),
          LRN("1x12x25x23", "local_size: 5 alpha: 0.5 beta: 1"),
          LRN("1x12x3x3", "local_size: 9 alpha: 0.5 beta: 0.9"),
          LRN("1x96x27x27", "local_size: 5 alpha: 0.0001 beta: 0.75"),
          LRN("2x3x9x7", "local_size: 3 alpha: 0.5 beta: 0.75 norm_region: WITHIN_CHANNEL k: 3"),
          LRN("1x64x25x27", "local_size: 5 alpha: 1 beta: 0.5 norm_region: WITHIN_CHANNEL"),
          LRN("1x2x1x2", "local_size: 5 alpha: 1 beta: 0.75 norm_region: WITHIN_CHANNEL"));
#define MVN(shape, text)                                                                           \
    {.bottoms = {shape}, .layer = "type: 'MVN' top: 't' mvn_param { " text " }"}
    CHECK(MVN("2x3x7x5", ""), MVN("2x3x7x5", "normalize_variance: false"),
          MVN("2x3x7x5", "across_channels: true eps: 0.01"), MVN("1x64x31x33", ""));
#define NORM(shape, text)                                                                          \
    {.bottoms = {shape}, .layer = "type: 'Normalize' top: 't' norm_param { " text " }"}
    CHECK(NORM("2x5x7x3", ""), NORM("2x5x7x3", "across_spatial: false"),
          NORM("2x5x7x3", "across_spatial: true channel_shared: false"),
          NORM("2x5x7x3", "across_spatial: false channel_shared: false eps: 0.001"),
          NORM("1x64x38x38", "across_spatial: false channel_shared: false"));
#define SOFTMAX(shape, text)                                                                       \
    {.bottoms = {shape}, .layer = "type: 'Softmax' top: 't' softmax_param { " text " }"}
    CHECK(SOFTMAX("1x1000", ""), SOFTMAX("3x7", ""), SOFTMAX("2x5x7x3", ""),
          SOFTMAX("2x5x7x3", "axis: 2"), SOFTMAX("2x5x7x3", "axis: -1"),
          SOFTMAX("2x21x41x43", "axis: 1"), SOFTMAX("4x1", ""), SOFTMAX("5000x17", "axis: 1"));
}

Test(kernels, joining)
{
    CHECK({.bottoms = {"2x3x4x5", "2x1x4x5", "2x2x4x5"}, .layer = "type: 'Concat' top: 't'"},
          {.bottoms = {"2x3x4x5", "2x3x4x2"},
           .layer = "type: 'Concat' top: 't' concat_param { axis: 3 }"},
          {.bottoms = {"2x3x4x5", "3x3x4x5"},
           .layer = "type: 'Concat' top: 't' concat_param { axis: 0 }"},
          {.bottoms = {"1x64x28x28", "1x96x28x28"}, .layer = "type: 'Concat' top: 't'"},
          {.bottoms = {"2x3"}, .layer = "type: 'Concat' top: 't'"});
    CHECK({.bottoms = {"2x6x4x5"}, .layer = "type: 'Slice' top: 't' top: 'u' top: 'v'"},
          {.bottoms = {"2x6x4x5"},
           .layer = "type: 'Slice' top: 't' top: 'u' slice_param { axis: 3 slice_point: 1 }"},
          {.bottoms = {"5x6"},
           .layer = "type: 'Slice' top: 't' top: 'u' slice_param { axis: 0 slice_point: 2 }"},
          {.bottoms = {"1x96x40x40"},
           .layer = "type: 'Slice' top: 't' top: 'u' slice_param { slice_point: 30 }"});
#define ELTWISE(text)                                                                              \
    {.bottoms = {"2x3x4x5", "2x3x4x5"},                                                            \
     .layer = "type: 'Eltwise' top: 't' eltwise_param { " text " }"},                              \
        {.bottoms = {"2x40x31x33", "2x40x31x33"},                                                  \
         .layer = "type: 'Eltwise' top: 't' eltwise_param { " text " }",                           \
         .relu = true}
    CHECK(ELTWISE(""), ELTWISE("operation: PROD"), ELTWISE("operation: MAX"),
          ELTWISE("operation: SUM coeff: 1 coeff: -0.5"),
          {.bottoms = {"3x7", "3x7", "3x7", "3x7"}, .layer = "type: 'Eltwise' top: 't'"},
          {.bottoms = {"3x7", "3x7", "3x7"},
           .layer = "type: 'Eltwise' top: 't' eltwise_param { operation: MAX }"},
          {.bottoms = {"3x7"}, .layer = "type: 'Eltwise' top: 't' bottom: 'a'"});
}

Test(kernels, rearranging)
{
#define PERMUTE(shape, text)                                                                       \
    {.bottoms = {shape}, .layer = "type: 'Permute' top: 't' permute_param { " text " }"}
    CHECK(PERMUTE("2x3x4x5", "order: 0 order: 2 order: 3 order: 1"),
          PERMUTE("2x3x4x5", "order: 3 order: 1"), PERMUTE("2x3x4x5", "order: 1 order: 0"),
          PERMUTE("2x3x4x5x2", "order: 4 order: 3 order: 2 order: 1 order: 0"),
          PERMUTE("7x9", "order: 1 order: 0"),
          PERMUTE("1x48x38x38", "order: 0 order: 2 order: 3 order: 1"));
    CHECK({.bottoms = {"2x6x4x5"}, .layer = "type: 'Flatten' top: 't'"},
          {.bottoms = {"2x6x4x5"},
           .layer = "type: 'Reshape' top: 't' reshape_param { shape { dim: 0 dim: -1 } }"},
          {.bottoms = {"2x6x4x5"}, .layer = "type: 'Dropout' top: 't'"},
          {.bottoms = {"2x6x4x5"}, .layer = "type: 'Split' top: 't' top: 'u'"});
    CHECK({.bottoms = {"2x6x9x8", "2x6x4x5"},
           .layer = "type: 'Crop' top: 't' crop_param { axis: 2 offset: 1 offset: 3 }"},
          {.bottoms = {"2x6x9x8", "1x2x4x5"},
           .layer = "type: 'Crop' top: 't' crop_param { axis: 0 offset: 1 }"},
          {.bottoms = {"2x6", "2x2"},
           .layer = "type: 'Crop' top: 't' crop_param { axis: 1 offset: 4 }"},
          {.bottoms = {"1x21x70x70", "1x3x64x63"},
           .layer = "type: 'Crop' top: 't' crop_param { axis: 2 offset: 5 }"});
    CHECK({.bottoms = {"2x3x4"}, .layer = "type: 'Tile' top: 't' tile_param { tiles: 3 }"},
          {.bottoms = {"2x3x4"}, .layer = "type: 'Tile' top: 't' tile_param { axis: 0 tiles: 2 }"},
          {.bottoms = {"2x3x4"}, .layer = "type: 'Tile' top: 't' tile_param { axis: -1 tiles: 5 }"},
          {.bottoms = {"2x3x40x40"},
           .layer = "type: 'Tile' top: 't' tile_param { axis: 1 tiles: 9 }"});
}

Test(kernels, resampling)
{
    CHECK(
        {.bottoms = {"2x3x4x5"}, .layer = "type: 'Upsample' top: 't' upsample_param { scale: 2 }"},
        {.bottoms = {"2x3x4x5"}, .layer = "type: 'Upsample' top: 't' upsample_param { scale: 3 }"},
        {.bottoms = {"1x64x20x20"}, .layer = "type: 'Upsample' top: 't'"});
#define INTERP(shape, text)                                                                        \
    {.bottoms = {shape}, .layer = "type: 'Interp' top: 't' interp_param { " text " }"}
    CHECK(INTERP("2x3x4x5", "height: 9 width: 7"), INTERP("2x3x4x5", "height: 2 width: 3"),
          INTERP("2x3x4x5", "height: 1 width: 1"), INTERP("2x3x1x1", "height: 5 width: 6"),
          INTERP("2x3x4x5", "zoom_factor: 8"), INTERP("2x3x9x9", "shrink_factor: 2"),
          INTERP("2x3x9x8", "pad_beg: -1 pad_end: -2 height: 11 width: 13"),
          INTERP("1x21x33x33", "zoom_factor: 8"));
}

Test(kernels, reducing)
{
#define REDUCE(shape, text)                                                                        \
    {.bottoms = {shape}, .layer = "type: 'Reduction' top: 't' reduction_param { " text " }"}
    CHECK(REDUCE("2x3x4x5", ""), REDUCE("2x3x4x5", "operation: ASUM axis: 1 coeff: 2"),
          REDUCE("2x3x4x5", "operation: SUMSQ axis: -1"),
          REDUCE("2x3x4x5", "operation: MEAN axis: 2"),
          REDUCE("8x64x37x41", "operation: SUMSQ axis: 1"));
#define ARGMAX(shape, text)                                                                        \
    {.bottoms = {shape}, .layer = "type: 'ArgMax' top: 't' argmax_param { " text " }"}
    CHECK(ARGMAX("2x3x4x5", ""), ARGMAX("3x7", "out_max_val: true"),
          ARGMAX("2x3x41x43", "axis: 1 out_max_val: true"), ARGMAX("2x3x4x5", "top_k: 7"),
          ARGMAX("2x3x4x5", "top_k: 60 out_max_val: true"), ARGMAX("2x3x4x5", "axis: 1"),
          ARGMAX("2x3x4x5", "axis: 2 top_k: 3 out_max_val: true"), ARGMAX("5x9", "axis: -1"),
          ARGMAX("1x21x65x65", "axis: 1"));
}

Test(kernels, detection)
{
#define PRIOR(text)                                                                                \
    {.bottoms = {"1x8x5x7", "1x3x100x150"},                                                        \
     .layer = "type: 'PriorBox' top: 't' prior_box_param { " text " }"}
    CHECK(PRIOR("min_size: 30"), PRIOR("min_size: 30 max_size: 60 aspect_ratio: 2"),
          PRIOR("min_size: 30.5 min_size: 40 aspect_ratio: 2 aspect_ratio: 3 flip: false"),
          PRIOR("min_size: 30 min_size: 50 max_size: 60 max_size: 90 aspect_ratio: 2 clip: true "
                "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.3"),
          PRIOR("min_size: 30 step: 8 offset: 0.25 img_size: 120"));
#define DETECT(text)                                                                               \
    "type: 'DetectionOutput' top: 't' detection_output_param { num_classes: 3 " text " }"
    CHECK(
        {.bottoms = {"2x200", "2x150", "1x2x200"},
         .layer = DETECT("nms_param { nms_threshold: 0.45 top_k: 20 } keep_top_k: 10 "
                         "code_type: CENTER_SIZE confidence_threshold: 0.3"),
         .probabilities = true},
        {.bottoms = {"2x200", "2x150", "1x2x200"},
         .layer =
             DETECT("nms_param { nms_threshold: 0.2 } code_type: CORNER background_label_id: -1"),
         .probabilities = true},
        {.bottoms = {"1x600", "1x150", "1x2x200"},
         .layer =
             DETECT("share_location: false nms_param { nms_threshold: 0.7 eta: 0.9 top_k: 40 } "
                    "keep_top_k: 200 code_type: CORNER_SIZE variance_encoded_in_target: true"),
         .probabilities = true},
        {.bottoms = {"1x200", "1x150", "1x2x200"},
         .layer = DETECT("nms_param { nms_threshold: 0.45 } keep_top_k: 5 confidence_threshold: 2"),
         .probabilities = true},
        {.bottoms = {"1x40000", "1x30000", "1x2x40000"},
         .layer = DETECT("nms_param { nms_threshold: 0.45 top_k: 100 } keep_top_k: 50 "
                         "code_type: CENTER_SIZE confidence_threshold: 0.9"),
         .probabilities = true});
}
