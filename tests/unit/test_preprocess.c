#include "runtime/input/preprocess.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"

/* An image of one colour but for one pixel. */
static struct sl_image make_image(int width, int height, const uint8_t rgb[3], int x, int y,
                                  const uint8_t dot[3])
{
    struct sl_image image = {.width = width, .height = height, .channels = 3};
    image.pixels = malloc((size_t)width * (size_t)height * 3);
    for (int i = 0; i < width * height; i++)
        for (int c = 0; c < 3; c++)
            image.pixels[i * 3 + c] = i == y * width + x ? dot[c] : rgb[c];
    return image;
}

static const uint8_t base[3] = {10, 20, 30}, dot[3] = {200, 150, 100};
static const struct sl_shape shape_4x4 = {.axes = 4, .dim = {1, 3, 4, 4}};

Test(preprocess, order_mean_and_scale)
{
    SL_AUTO(sl_image_free) struct sl_image image = make_image(4, 4, base, 2, 1, dot);
    const float mean[] = {1, 2, 3};
    struct sl_preprocessing bgr = {
        .order = SL_CHANNELS_BGR, .scale = 0.5f, .mean_count = 3, .mean = mean};
    float values[48];
    cr_assert_eq(sl_preprocess("x", &image, &bgr, &shape_4x4, values, NULL), 0);
    cr_expect_float_eq(values[0], (30 - 1) * 0.5f, 1e-6);
    cr_expect_float_eq(values[16], (20 - 2) * 0.5f, 1e-6);
    cr_expect_float_eq(values[32], (10 - 3) * 0.5f, 1e-6);
    cr_expect_float_eq(values[4 + 2], (100 - 1) * 0.5f, 1e-6, "the dot, blue first");
    struct sl_preprocessing rgb = {.order = SL_CHANNELS_RGB, .scale = 1};
    cr_assert_eq(sl_preprocess("x", &image, &rgb, &shape_4x4, values, NULL), 0);
    cr_expect_float_eq(values[4 + 2], 200, 1e-6, "the dot, red first");
}

Test(preprocess, gray_is_luma)
{
    SL_AUTO(sl_image_free) struct sl_image image = make_image(2, 2, base, 0, 0, dot);
    struct sl_preprocessing gray = {.order = SL_CHANNELS_GRAY, .scale = 1};
    const struct sl_shape shape = {.axes = 4, .dim = {1, 1, 2, 2}};
    float values[4];
    cr_assert_eq(sl_preprocess("x", &image, &gray, &shape, values, NULL), 0);
    cr_expect_float_eq(values[0], 159, 0.1, "0.299 * 200 + 0.587 * 150 + 0.114 * 100");
    cr_expect_float_eq(values[1], 18, 0.1);
}

/* The centre of a mean image is what is subtracted, as Caffe crops it. */
Test(preprocess, mean_image_is_cut_at_its_centre)
{
    SL_AUTO(sl_image_free) struct sl_image image = make_image(4, 4, base, 0, 0, base);
    float mean[3 * 6 * 6];
    for (int i = 0; i < 3 * 36; i++)
        mean[i] = (float)i;
    struct sl_preprocessing preprocessing = {
        .order = SL_CHANNELS_RGB,
        .scale = 1,
        .mean_count = 3 * 36,
        .mean = mean,
        .mean_shape = {.axes = 3, .dim = {3, 6, 6}},
    };
    float values[48];
    cr_assert_eq(sl_preprocess("x", &image, &preprocessing, &shape_4x4, values, NULL), 0);
    cr_expect_float_eq(values[0], 10 - (1 * 6 + 1), 1e-6);
    cr_expect_float_eq(values[5], 10 - (2 * 6 + 2), 1e-6);
    cr_expect_float_eq(values[16], 20 - (36 + 1 * 6 + 1), 1e-6);
}

Test(preprocess, fit_keeps_the_middle)
{
    SL_AUTO(sl_image_free) struct sl_image image = make_image(10, 4, base, 3, 0, dot);
    struct sl_preprocessing fit = {.order = SL_CHANNELS_RGB, .scale = 1, .resize_short = 4};
    float values[48];
    cr_assert_eq(sl_preprocess("x", &image, &fit, &shape_4x4, values, NULL), 0);
    cr_expect_float_eq(values[0], 200, 1e-6, "columns 3 to 6 of 10 remain");
    struct sl_preprocessing stretch = {.order = SL_CHANNELS_RGB, .scale = 1};
    cr_assert_eq(sl_preprocess("x", &image, &stretch, &shape_4x4, values, NULL), 0);
    cr_expect_float_eq(values[3], 10, 1e-6);
    struct sl_preprocessing crop = {.order = SL_CHANNELS_RGB, .scale = 1, .crop = 4};
    cr_assert_eq(sl_preprocess("x", &image, &crop, &shape_4x4, values, NULL), 0);
    cr_expect_float_eq(values[0], 200, 1e-6);
}

/* Scaled to a short side larger than what is cut: the border goes. */
Test(preprocess, resize_then_cut)
{
    SL_AUTO(sl_image_free) struct sl_image image = make_image(12, 12, base, 0, 0, dot);
    struct sl_preprocessing preprocessing = {
        .order = SL_CHANNELS_RGB, .scale = 1, .resize_short = 6, .crop = 4};
    float values[48];
    cr_assert_eq(sl_preprocess("x", &image, &preprocessing, &shape_4x4, values, NULL), 0);
    for (int i = 0; i < 16; i++)
        cr_expect_float_eq(values[i], 10, 1e-6);
}

Test(preprocess, refuses_what_does_not_fit)
{
    SL_AUTO(sl_image_free) struct sl_image image = make_image(3, 3, base, 0, 0, dot);
    const float mean[] = {1, 2};
    float values[48];
    struct sl_error error = {0};
    struct sl_preprocessing gray = {.order = SL_CHANNELS_GRAY, .scale = 1};
    cr_expect_eq(sl_preprocess("x", &image, &gray, &shape_4x4, values, &error), -EINVAL);
    struct sl_preprocessing two = {
        .order = SL_CHANNELS_RGB, .scale = 1, .mean_count = 2, .mean = mean};
    cr_expect_eq(sl_preprocess("x", &image, &two, &shape_4x4, values, &error), -EINVAL);
    struct sl_preprocessing crop = {.order = SL_CHANNELS_RGB, .scale = 1, .crop = 4};
    cr_expect_eq(sl_preprocess("x", &image, &crop, &shape_4x4, values, &error), -EINVAL);
    const struct sl_shape flat = {.axes = 2, .dim = {1, 48}};
    struct sl_preprocessing rgb = {.order = SL_CHANNELS_RGB, .scale = 1};
    cr_expect_eq(sl_preprocess("x", &image, &rgb, &flat, values, &error), -EINVAL);
    struct sl_preprocessing huge = {
        .order = SL_CHANNELS_RGB, .scale = 1, .resize_short = 30000, .crop = 4};
    cr_expect_eq(sl_preprocess("x", &image, &huge, &shape_4x4, values, &error), -EINVAL);
}
