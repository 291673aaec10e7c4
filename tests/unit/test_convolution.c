/* Convolution and Deconvolution against their references, on the shapes of real networks (smaller)
 * and on random ones. */
#include <criterion/criterion.h>

#include "kernel_case.h"
#include "runtime/base/rng.h"

struct shape {
    int64_t batch, channels, in_h, in_w, outputs, group, kernel_h, kernel_w, stride_h, stride_w,
        pad_h, pad_w, dilation_h, dilation_w;
    bool bias;
};

static void check(const struct shape *s, enum sl_layer_type type, uint64_t seed)
{
    struct kernel_case test;
    struct sl_convolution_parameters parameters = {
        .num_output = s->outputs,
        .group = s->group,
        .kernel_h = s->kernel_h,
        .kernel_w = s->kernel_w,
        .stride_h = s->stride_h,
        .stride_w = s->stride_w,
        .pad_h = s->pad_h,
        .pad_w = s->pad_w,
        .dilation_h = s->dilation_h,
        .dilation_w = s->dilation_w,
        .bias = s->bias,
    };
    kernel_case_convolution(&test, type, &parameters, s->batch, s->channels, s->in_h, s->in_w,
                            seed);
    kernel_case_check(&test);
    kernel_case_free(&test);
}

static void check_all(const struct shape *shapes, size_t count, enum sl_layer_type type)
{
    for (size_t i = 0; i < count; i++)
        check(&shapes[i], type, i);
}

Test(convolution, shapes_of_networks)
{
    static const struct shape shapes[] = {
        {1, 3, 67, 67, 96, 1, 11, 11, 4, 4, 0, 0, 1, 1, true},  /* AlexNet conv1 */
        {1, 96, 27, 27, 64, 2, 5, 5, 1, 1, 2, 2, 1, 1, true},   /* AlexNet conv2 */
        {1, 3, 64, 64, 64, 1, 7, 7, 2, 2, 3, 3, 1, 1, false},   /* ResNet conv1 */
        {1, 64, 56, 56, 32, 1, 1, 1, 1, 1, 0, 0, 1, 1, false},  /* bottleneck */
        {1, 64, 28, 28, 32, 1, 1, 1, 2, 2, 0, 0, 1, 1, false},  /* strided shortcut */
        {1, 512, 7, 7, 64, 1, 3, 3, 1, 1, 1, 1, 1, 1, false},   /* last stage */
        {1, 128, 14, 14, 48, 1, 3, 3, 1, 1, 1, 1, 1, 1, true},  /* VGG conv5 */
        {1, 3, 112, 224, 16, 1, 3, 3, 1, 1, 1, 1, 1, 1, true},  /* VGG conv1 */
        {1, 64, 28, 28, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, false}, /* MobileNet */
        {1, 64, 29, 28, 64, 64, 3, 3, 2, 2, 1, 1, 1, 1, true},  /* MobileNet, strided */
        {1, 256, 6, 6, 48, 1, 6, 6, 1, 1, 0, 0, 1, 1, true},    /* fc6 as convolution */
        {2, 192, 1, 1, 21, 1, 1, 1, 1, 1, 0, 0, 1, 1, true},    /* fc8 as convolution */
    };
    check_all(shapes, sizeof shapes / sizeof shapes[0], SL_LAYER_CONVOLUTION);
}

Test(convolution, corners)
{
    static const struct shape shapes[] = {
        {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, false},
        {1, 1, 1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, true},      /* more padding than map */
        {1, 2, 3, 3, 5, 1, 3, 3, 3, 3, 2, 2, 1, 1, true},      /* stride skips padding */
        {2, 6, 9, 7, 10, 2, 1, 7, 1, 1, 0, 3, 1, 1, true},     /* row kernel */
        {2, 6, 9, 7, 20, 2, 7, 1, 2, 1, 3, 0, 1, 1, false},    /* column kernel */
        {1, 4, 17, 19, 17, 1, 3, 3, 1, 1, 2, 2, 2, 2, true},   /* dilation */
        {1, 4, 17, 19, 18, 1, 3, 2, 2, 3, 4, 1, 3, 2, true},   /* dilation and stride */
        {3, 8, 5, 1, 33, 1, 3, 1, 1, 1, 1, 0, 1, 1, true},     /* one column */
        {2, 12, 6, 6, 24, 12, 3, 3, 1, 1, 1, 1, 1, 1, true},   /* depthwise, two outputs each */
        {2, 20, 11, 70, 20, 20, 5, 3, 3, 2, 2, 0, 1, 2, true}, /* depthwise, odd */
        {1, 2, 3, 500, 2, 2, 3, 3, 1, 1, 1, 1, 1, 1, true},    /* wide depthwise */
        {2, 3, 2, 2, 16, 1, 2, 2, 5, 5, 0, 0, 1, 1, true},     /* covers the map */
        {2, 6, 2, 2, 18, 3, 2, 2, 1, 1, 0, 0, 1, 1, true},     /* the same in groups */
        {1, 700, 3, 3, 16, 1, 1, 1, 1, 1, 0, 0, 1, 1, true},   /* several blocks of k */
        {1, 5, 8, 8, 16, 1, 5, 5, 1, 1, 0, 0, 1, 1, true},     /* no padding, in place */
        {1, 40, 3, 900, 16, 1, 3, 3, 1, 1, 1, 1, 1, 1, false}, /* rows wider than a task */
    };
    check_all(shapes, sizeof shapes / sizeof shapes[0], SL_LAYER_CONVOLUTION);
}

static struct shape random_shape(uint64_t *rng)
{
    struct shape s = {
        .batch = 1 + (int64_t)sl_rng_below(rng, 2),
        .group = 1 + (int64_t)(sl_rng_below(rng, 4) == 0) * (int64_t)sl_rng_below(rng, 4),
        .kernel_h = 1 + (int64_t)sl_rng_below(rng, 4),
        .kernel_w = 1 + (int64_t)sl_rng_below(rng, 4),
        .stride_h = 1 + (int64_t)sl_rng_below(rng, 3),
        .stride_w = 1 + (int64_t)sl_rng_below(rng, 3),
        .pad_h = (int64_t)sl_rng_below(rng, 3),
        .pad_w = (int64_t)sl_rng_below(rng, 3),
        .dilation_h = 1 + (int64_t)(sl_rng_below(rng, 4) == 0),
        .dilation_w = 1 + (int64_t)(sl_rng_below(rng, 4) == 0),
        .bias = sl_rng_below(rng, 2),
    };
    s.channels = s.group * (1 + (int64_t)sl_rng_below(rng, 24));
    s.outputs = s.group * (1 + (int64_t)sl_rng_below(rng, 40));
    s.in_h = (s.kernel_h - 1) * s.dilation_h + 1 + (int64_t)sl_rng_below(rng, 24);
    s.in_w = (s.kernel_w - 1) * s.dilation_w + 1 + (int64_t)sl_rng_below(rng, 40);
    return s;
}

Test(convolution, random_shapes)
{
    uint64_t rng = 2024;
    for (uint64_t i = 0; i < 150; i++) {
        struct shape s = random_shape(&rng);
        check(&s, SL_LAYER_CONVOLUTION, i);
    }
}

Test(deconvolution, shapes_of_networks)
{
    static const struct shape shapes[] = {
        {1, 21, 5, 5, 21, 21, 4, 4, 2, 2, 1, 1, 1, 1, false}, /* bilinear enlargement */
        {1, 21, 9, 8, 21, 1, 4, 4, 2, 2, 0, 0, 1, 1, true},   /* FCN */
        {2, 16, 7, 9, 8, 1, 3, 3, 1, 1, 1, 1, 1, 1, true},
        {1, 8, 40, 40, 4, 2, 2, 2, 2, 2, 0, 0, 1, 1, false},
        {1, 4, 6, 6, 6, 2, 3, 2, 3, 2, 1, 0, 2, 2, true},
    };
    check_all(shapes, sizeof shapes / sizeof shapes[0], SL_LAYER_DECONVOLUTION);
}

Test(deconvolution, random_shapes)
{
    uint64_t rng = 7;
    for (uint64_t i = 0; i < 60; i++) {
        struct shape s = random_shape(&rng);
        s.pad_h = s.kernel_h > 1 ? s.pad_h % s.kernel_h : 0;
        s.pad_w = s.kernel_w > 1 ? s.pad_w % s.kernel_w : 0;
        s.in_h += 4;
        s.in_w += 4;
        check(&s, SL_LAYER_DECONVOLUTION, i);
    }
}
