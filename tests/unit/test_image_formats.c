/* Decoding: what the libraries give, and every damaged file an error. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jpeglib.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"
#include "runtime/input/image.h"

#define WIDTH  37
#define HEIGHT 23

static void fill(uint8_t *pixels, int channels)
{
    for (int i = 0; i < WIDTH * HEIGHT * channels; i++)
        pixels[i] = (uint8_t)(i / channels % WIDTH * 5 + i / channels / WIDTH * 3 + i % channels);
}

/* A JPEG of the test picture; with an EXIF orientation when it is not 0. */
static uint8_t *make_jpeg(int channels, int orientation, size_t *length)
{
    uint8_t pixels[WIDTH * HEIGHT * 3];
    fill(pixels, channels);
    struct jpeg_compress_struct state;
    struct jpeg_error_mgr manager;
    state.err = jpeg_std_error(&manager);
    jpeg_create_compress(&state);
    uint8_t *bytes = NULL;
    unsigned long size = 0;
    jpeg_mem_dest(&state, &bytes, &size);
    state.image_width = WIDTH;
    state.image_height = HEIGHT;
    state.input_components = channels;
    state.in_color_space = channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&state);
    jpeg_set_quality(&state, 95, TRUE);
    jpeg_start_compress(&state, TRUE);
    if (orientation) {
        uint8_t exif[] = {'E', 'x',  'i',  'f', 0,
                          0,   'I',  'I',  42,  0,
                          8,   0,    0,    0,   1,
                          0,   0x12, 0x01, 3,   0,
                          1,   0,    0,    0,   (uint8_t)orientation,
                          0,   0,    0};
        jpeg_write_marker(&state, JPEG_APP0 + 1, exif, sizeof(exif));
    }
    while (state.next_scanline < HEIGHT) {
        JSAMPROW row = pixels + state.next_scanline * WIDTH * (size_t)channels;
        jpeg_write_scanlines(&state, &row, 1);
    }
    jpeg_finish_compress(&state);
    jpeg_destroy_compress(&state);
    *length = size;
    return bytes;
}

static uint8_t *make_png(int format, size_t *length)
{
    uint8_t pixels[WIDTH * HEIGHT * 4];
    fill(pixels, (int)PNG_IMAGE_SAMPLE_CHANNELS(format));
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = WIDTH,
                     .height = HEIGHT,
                     .format = (png_uint_32)format};
    png_alloc_size_t size = 0;
    cr_assert(png_image_write_to_memory(&png, NULL, &size, 0, pixels, 0, NULL));
    uint8_t *bytes = malloc(size);
    cr_assert(png_image_write_to_memory(&png, bytes, &size, 0, pixels, 0, NULL));
    *length = size;
    return bytes;
}

Test(image_formats, jpeg_of_both_kinds)
{
    for (int channels = 1; channels <= 3; channels += 2) {
        size_t length;
        SL_AUTO_FREE uint8_t *bytes = make_jpeg(channels, 0, &length);
        cr_assert(sl_jpeg_is(bytes, length));
        SL_AUTO(sl_image_free) struct sl_image image = {0};
        struct sl_error error = {0};
        cr_assert_eq(sl_jpeg_decode("x", bytes, length, &image, &error), 0, "%s", error.text);
        cr_expect_eq(image.width, WIDTH);
        cr_expect_eq(image.height, HEIGHT);
        cr_expect_eq(image.channels, channels);
        uint8_t pixels[WIDTH * HEIGHT * 3];
        fill(pixels, channels);
        for (int i = 0; i < WIDTH * HEIGHT * channels; i++)
            cr_expect(abs(image.pixels[i] - pixels[i]) < 12, "pixel %d", i);
    }
}

/* The corner that the first pixel goes to, by EXIF orientation. */
Test(image_formats, exif_orientation)
{
    static const struct {
        int orientation, x, y, width;
    } cases[] = {
        {1, 0, 0, WIDTH},
        {2, WIDTH - 1, 0, WIDTH},
        {3, WIDTH - 1, HEIGHT - 1, WIDTH},
        {4, 0, HEIGHT - 1, WIDTH},
        {5, 0, 0, HEIGHT},
        {6, HEIGHT - 1, 0, HEIGHT},
        {7, HEIGHT - 1, WIDTH - 1, HEIGHT},
        {8, 0, WIDTH - 1, HEIGHT},
    };
    size_t length;
    SL_AUTO_FREE uint8_t *plain_bytes = make_jpeg(1, 0, &length);
    SL_AUTO(sl_image_free) struct sl_image plain = {0};
    cr_assert_eq(sl_jpeg_decode("x", plain_bytes, length, &plain, NULL), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        SL_AUTO_FREE uint8_t *bytes = make_jpeg(1, cases[i].orientation, &length);
        SL_AUTO(sl_image_free) struct sl_image image = {0};
        cr_assert_eq(sl_jpeg_decode("x", bytes, length, &image, NULL), 0);
        cr_expect_eq(image.width, cases[i].width, "orientation %d", cases[i].orientation);
        cr_expect_eq(image.pixels[cases[i].y * image.width + cases[i].x], plain.pixels[0],
                     "orientation %d", cases[i].orientation);
    }
}

/* Bytes with `count` more put in at a place; the caller's. */
static uint8_t *insert(const uint8_t *bytes, size_t length, size_t at, const uint8_t *more,
                       size_t count)
{
    uint8_t *longer = malloc(length + count);
    cr_assert_not_null(longer);
    memcpy(longer, bytes, at);
    memcpy(longer + at, more, count);
    memcpy(longer + at + count, bytes + at, length - at);
    return longer;
}

/* Cameras write other markers of that number before it, of up to 64 KiB each, and stray bytes. */
Test(image_formats, exif_is_found_behind_others)
{
    static uint8_t other[65537 + 3] = {0xff, 0xe1, 0xff, 0xff, 'h', 't', 't', 'p'};
    memcpy(other + 65537, "abc", 3);
    size_t length;
    SL_AUTO_FREE uint8_t *bytes = make_jpeg(3, 6, &length);
    SL_AUTO_FREE uint8_t *longer = insert(bytes, length, 2, other, sizeof(other));
    SL_AUTO(sl_image_free) struct sl_image image = {0};
    struct sl_error error = {0};
    cr_assert_eq(sl_jpeg_decode("x", longer, length + sizeof(other), &image, &error), 0, "%s",
                 error.text);
    cr_expect_eq(image.width, HEIGHT);
}

/* What is left out of a PNG: a text and a profile too large to be one of sRGB, but not a small one
 * nor what is critical. Cut off anywhere, nothing is read behind the end (under ASan). */
Test(image_formats, png_is_stripped)
{
    static const char *const types[] = {"tEXt", "iCCP", "eXIf", "iCCP", "PLTE"};
    static const size_t lengths[] = {3, 60000, 0, 100, 3};
    size_t length;
    SL_AUTO_FREE uint8_t *bytes = make_png(PNG_FORMAT_RGB, &length);
    for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++) {
        const bool stays = t >= 3;
        uint8_t chunk[60000 + 12] = {[2] = (uint8_t)(lengths[t] >> 8), (uint8_t)lengths[t]};
        memcpy(chunk + 4, types[t], 4);
        const size_t added = lengths[t] + 12;
        SL_AUTO_FREE uint8_t *longer = insert(bytes, length, 33, chunk, added);
        cr_expect_eq(sl_png_strip(longer, length + added), length + (stays ? added : 0), "%s",
                     types[t]);
        if (!stays)
            cr_expect_arr_eq(longer, bytes, length);
        SL_AUTO_FREE uint8_t *again = insert(bytes, length, 33, chunk, added);
        for (size_t cut = 8; cut < 200 && cut <= length + added; cut++) {
            SL_AUTO_FREE uint8_t *part = malloc(cut);
            memcpy(part, again, cut);
            cr_expect_leq(sl_png_strip(part, cut), cut);
        }
    }
}

Test(image_formats, png_of_every_kind)
{
    static const int formats[] = {PNG_FORMAT_GRAY, PNG_FORMAT_RGB, PNG_FORMAT_RGBA, PNG_FORMAT_GA};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        size_t length;
        SL_AUTO_FREE uint8_t *bytes = make_png(formats[i], &length);
        cr_assert(sl_png_is(bytes, length));
        SL_AUTO(sl_image_free) struct sl_image image = {0};
        struct sl_error error = {0};
        cr_assert_eq(sl_png_decode("x", bytes, length, &image, &error), 0, "%s", error.text);
        cr_expect_eq(image.channels, formats[i] & PNG_FORMAT_FLAG_COLOR ? 3 : 1);
        cr_expect_eq(image.width, WIDTH);
        if (formats[i] & PNG_FORMAT_FLAG_ALPHA)
            continue;
        uint8_t pixels[WIDTH * HEIGHT * 3];
        fill(pixels, image.channels);
        cr_expect_arr_eq(image.pixels, pixels, (size_t)(WIDTH * HEIGHT * image.channels));
    }
}

typedef int decode_function(const char *, const uint8_t *, size_t, struct sl_image *,
                            struct sl_error *);

/* Every truncation fails; flipped bytes fail or give an image of sane size. Nothing crashes. */
static void damage(decode_function *decode, const uint8_t *bytes, size_t length)
{
    struct sl_error error;
    for (size_t cut = 0; cut + 12 < length; cut++) {
        SL_AUTO_FREE uint8_t *part = malloc(cut + 1);
        memcpy(part, bytes, cut);
        struct sl_image image = {0};
        cr_expect(decode("x", part, cut, &image, &error) < 0, "cut at %zu", cut);
        cr_expect_null(image.pixels);
    }
    uint64_t random = 1;
    for (int round = 0; round < 2000; round++) {
        SL_AUTO_FREE uint8_t *part = malloc(length);
        memcpy(part, bytes, length);
        for (uint64_t flips = 1 + sl_rng_below(&random, 4); flips > 0; flips--)
            part[sl_rng_below(&random, length)] = (uint8_t)sl_rng_next(&random);
        SL_AUTO(sl_image_free) struct sl_image image = {0};
        if (decode("x", part, length, &image, &error) == 0)
            cr_expect(image.width > 0 && image.height > 0 && image.pixels);
    }
}

Test(image_formats, damaged_jpeg)
{
    size_t length;
    SL_AUTO_FREE uint8_t *bytes = make_jpeg(3, 6, &length);
    damage(sl_jpeg_decode, bytes, length);
}

Test(image_formats, damaged_png)
{
    size_t length;
    SL_AUTO_FREE uint8_t *bytes = make_png(PNG_FORMAT_RGB, &length);
    damage(sl_png_decode, bytes, length);
}
