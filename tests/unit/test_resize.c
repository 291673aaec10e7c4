#include "runtime/input/image.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"

static struct sl_image make_source(int width, int height, int channels)
{
    struct sl_image image = {.width = width, .height = height, .channels = channels};
    image.pixels = malloc((size_t)width * (size_t)height * (size_t)channels);
    uint8_t *out = image.pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                *out++ = (uint8_t)(x * 37 + y * 91 + c * 53 + x * y % 7 * 11);
    return image;
}

static uint64_t fnv1a_bytes(const uint8_t *bytes, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* FNV-1a 64 of what OpenCV 4.6's cv2.resize makes of the same source. */
static const struct {
    int width, height, channels, to_width, to_height;
    enum sl_interpolation interpolation;
    uint64_t hash;
} references[] = {
    {10, 7, 3, 5, 3, SL_INTERPOLATION_LINEAR, UINT64_C(0x3b50781c784c77e3)},
    {10, 7, 3, 5, 3, SL_INTERPOLATION_AREA, UINT64_C(0xb5674b626a9c2baa)},
    {10, 7, 1, 23, 19, SL_INTERPOLATION_LINEAR, UINT64_C(0x99e3e1f8e5f0e9c6)},
    {64, 48, 3, 32, 24, SL_INTERPOLATION_LINEAR, UINT64_C(0x4c30fb5413d33d2a)},
    {64, 48, 3, 32, 24, SL_INTERPOLATION_AREA, UINT64_C(0x4c30fb5413d33d2a)},
    {64, 48, 3, 31, 17, SL_INTERPOLATION_LINEAR, UINT64_C(0x4349e6062be923f7)},
    {64, 48, 3, 31, 17, SL_INTERPOLATION_AREA, UINT64_C(0xebbd7712a01fc5e6)},
    {37, 53, 3, 16, 16, SL_INTERPOLATION_LINEAR, UINT64_C(0xc088186523fcf51b)},
    {37, 53, 3, 16, 16, SL_INTERPOLATION_AREA, UINT64_C(0x6f8cf6a292c60708)},
    {90, 60, 1, 30, 20, SL_INTERPOLATION_LINEAR, UINT64_C(0x2cf5731466fe64ee)},
    {90, 60, 1, 30, 20, SL_INTERPOLATION_AREA, UINT64_C(0x9f667d0da92439d4)},
    {5, 5, 3, 227, 227, SL_INTERPOLATION_LINEAR, UINT64_C(0xdafb7347fcb7f974)},
    {481, 323, 3, 227, 227, SL_INTERPOLATION_LINEAR, UINT64_C(0xc68afecaebd6c71d)},
    {481, 323, 3, 227, 227, SL_INTERPOLATION_AREA, UINT64_C(0xd8eea299aa5d75f8)},
    {300, 200, 3, 150, 50, SL_INTERPOLATION_LINEAR, UINT64_C(0x0a4cad2523edd182)},
    {300, 200, 3, 150, 50, SL_INTERPOLATION_AREA, UINT64_C(0xcefeb10d5e333204)},
    {1, 1, 3, 4, 4, SL_INTERPOLATION_LINEAR, UINT64_C(0x1bb7fbe031fa8135)},
    {40, 30, 3, 20, 60, SL_INTERPOLATION_LINEAR, UINT64_C(0xc37fe0422af868f6)},
};

Test(resize, gives_the_bits_of_opencv)
{
    for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++) {
        SL_AUTO(sl_image_free)
        struct sl_image source =
            make_source(references[i].width, references[i].height, references[i].channels);
        SL_AUTO(sl_image_free) struct sl_image resized = {0};
        struct sl_region whole = {0, 0, source.width, source.height};
        struct sl_error error = {0};
        cr_assert_eq(sl_image_resize(&source, &whole, references[i].to_width,
                                     references[i].to_height, references[i].interpolation, &resized,
                                     &error),
                     0, "%s", error.text);
        size_t bytes = (size_t)resized.width * (size_t)resized.height * (size_t)resized.channels;
        cr_expect_eq(fnv1a_bytes(resized.pixels, bytes), references[i].hash, "case %zu: %dx%d", i,
                     references[i].width, references[i].height);
    }
}

/* A region is resampled as if it were the whole image. */
Test(resize, a_region_is_an_image)
{
    SL_AUTO(sl_image_free) struct sl_image source = make_source(40, 30, 3);
    struct sl_region region = {7, 5, 21, 13};
    struct sl_image cut = {.width = 21, .height = 13, .channels = 3};
    cut.pixels = malloc(21 * 13 * 3);
    for (int y = 0; y < 13; y++)
        for (int i = 0; i < 21 * 3; i++)
            cut.pixels[y * 21 * 3 + i] = source.pixels[(y + 5) * 40 * 3 + 7 * 3 + i];
    struct sl_region whole = {0, 0, 21, 13};
    for (int interpolation = 0; interpolation < 2; interpolation++) {
        SL_AUTO(sl_image_free) struct sl_image a = {0};
        SL_AUTO(sl_image_free) struct sl_image b = {0};
        sl_image_resize(&source, &region, 11, 9, (enum sl_interpolation)interpolation, &a, NULL);
        sl_image_resize(&cut, &whole, 11, 9, (enum sl_interpolation)interpolation, &b, NULL);
        cr_expect_arr_eq(a.pixels, b.pixels, 11 * 9 * 3);
    }
    sl_image_free(&cut);
}

Test(image, sizes_are_capped)
{
    cr_expect_eq(sl_image_check_size("x", 0, 5, NULL), -EINVAL);
    cr_expect_eq(sl_image_check_size("x", 40000, 5, NULL), -EINVAL);
    cr_expect_eq(sl_image_check_size("x", 30000, 30000, NULL), -EINVAL);
    cr_expect_eq(sl_image_check_size("x", 8000, 8000, NULL), 0);
}
