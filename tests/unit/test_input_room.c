/* What decoding takes is asked for before it is taken, and a refusal leaves nothing behind. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jpeglib.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/input/input.h"

#define WIDTH  160
#define HEIGHT 120
#define SIDE   32

static char path[] = "/tmp/sluice-test-room-XXXXXX";

static void tear_down(void)
{
    unlink(path);
}

TestSuite(input_room, .fini = tear_down);

static void write_png(void)
{
    SL_AUTO_FREE unsigned char *pixels = calloc(WIDTH * HEIGHT, 3);
    png_image png = {
        .version = PNG_IMAGE_VERSION, .width = WIDTH, .height = HEIGHT, .format = PNG_FORMAT_RGB};
    close(mkstemp(path));
    cr_assert(png_image_write_to_file(&png, path, 0, pixels, 0, NULL), "%s", png.message);
}

static void write_jpeg(bool progressive)
{
    struct jpeg_compress_struct state;
    struct jpeg_error_mgr manager;
    unsigned char row[WIDTH * 3] = {0};
    state.err = jpeg_std_error(&manager);
    jpeg_create_compress(&state);
    SL_AUTO_FILE FILE *file = fdopen(mkstemp(path), "wb");
    cr_assert_not_null(file);
    jpeg_stdio_dest(&state, file);
    state.image_width = WIDTH;
    state.image_height = HEIGHT;
    state.input_components = 3;
    state.in_color_space = JCS_RGB;
    jpeg_set_defaults(&state);
    if (progressive)
        jpeg_simple_progression(&state);
    jpeg_start_compress(&state, TRUE);
    while (state.next_scanline < HEIGHT) {
        JSAMPROW rows = row;
        jpeg_write_scanlines(&state, &rows, 1);
    }
    jpeg_finish_compress(&state);
    jpeg_destroy_compress(&state);
}

/* Grants so many requests, then refuses. */
struct granting {
    int granted, asked;
};

static int grant(void *context, uint64_t bytes, uint64_t so_far, struct sl_error *error)
{
    struct granting *granting = context;
    cr_expect_geq(so_far, bytes);
    return granting->asked++ < granting->granted ? 0 : sl_error_set(error, -ENOBUFS, "no room");
}

/* Reads the file with ever more requests granted; returns what it asked for once it was read. */
static uint64_t read_granting_more(int resize_short)
{
    const struct sl_shape shape = {.axes = 4, .dim = {1, 3, SIDE, SIDE}};
    const struct sl_preprocessing preprocessing = {
        .order = SL_CHANNELS_BGR, .scale = 1, .resize_short = resize_short, .crop = SIDE};
    for (int granted = 0; granted < 16; granted++) {
        struct granting granting = {.granted = granted};
        struct sl_room room = {.make = grant, .context = &granting};
        struct sl_error error = {0};
        float values[3 * SIDE * SIDE] = {-7};
        int code = sl_input_read(path, &preprocessing, &shape, &room, values, &error);
        if (code == 0)
            return granted ? room.asked_bytes : 0;
        cr_assert_eq(code, -ENOBUFS, "%s", error.text);
        cr_assert_eq(values[0], -7);
    }
    return 0;
}

Test(input_room, a_png_asks_for_its_pixels)
{
    write_png();
    cr_expect_geq(read_granting_more(SIDE), WIDTH * HEIGHT * 3 + SIDE * SIDE * 3);
    cr_expect_geq(read_granting_more(2 * SIDE), WIDTH * HEIGHT * 3 + 2 * SIDE * SIDE * 3);
}

/* All coefficients of a progressive one are kept until its last scan. */
Test(input_room, a_jpeg_asks_for_its_coefficients)
{
    write_jpeg(false);
    const uint64_t plain = read_granting_more(SIDE);
    cr_expect_geq(plain, WIDTH * HEIGHT * 3 + SIDE * SIDE * 3);
    unlink(path);
    snprintf(path, sizeof(path), "/tmp/sluice-test-room-XXXXXX");
    write_jpeg(true);
    /* Two of the three components have a quarter of the blocks. */
    const uint64_t coefficients = UINT64_C(2) * WIDTH * HEIGHT * 3 / 2;
    cr_expect_geq(read_granting_more(SIDE), plain - 4096 + coefficients);
}
