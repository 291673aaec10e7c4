#include "runtime/input/image.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "runtime/base/dynamic_library.h"

#define LIBRARY_BYTES            (128u << 10)
#define LIBRARY_BYTES_PER_COLUMN 256u

/* The part of libjpeg that is used, resolved on first use. */
struct jpeg_library {
    void *handle;
    struct jpeg_error_mgr *(*std_error)(struct jpeg_error_mgr *);
    void (*create)(j_decompress_ptr, int, size_t);
    void (*memory_source)(j_decompress_ptr, const unsigned char *, unsigned long);
    int (*read_header)(j_decompress_ptr, boolean);
    boolean (*start)(j_decompress_ptr);
    JDIMENSION (*read_scanlines)(j_decompress_ptr, JSAMPARRAY, JDIMENSION);
    boolean (*finish)(j_decompress_ptr);
    void (*destroy)(j_decompress_ptr);
};

static int jpeg_library_open(struct jpeg_library *library, const char *name, struct sl_error *error)
{
    const struct sl_symbol symbols[] = {
        {"jpeg_std_error", &library->std_error},
        {"jpeg_CreateDecompress", &library->create},
        {"jpeg_mem_src", &library->memory_source},
        {"jpeg_read_header", &library->read_header},
        {"jpeg_start_decompress", &library->start},
        {"jpeg_read_scanlines", &library->read_scanlines},
        {"jpeg_finish_decompress", &library->finish},
        {"jpeg_destroy_decompress", &library->destroy},
    };
    int code =
        sl_dynamic_library_open("libjpeg.so.62", "libjpeg62-turbo", symbols,
                                sizeof(symbols) / sizeof(symbols[0]), &library->handle, error);
    return code < 0 ? sl_error_wrap(error, "%s: cannot read JPEG", name) : 0;
}

/* libjpeg reports errors by calling error_exit, which must not return. */
struct decoder {
    struct jpeg_decompress_struct state; /* first: the callbacks cast it back */
    struct jpeg_error_mgr manager;
    jmp_buf escape;
    char message[JMSG_LENGTH_MAX];
    struct sl_image image;
};

static void on_error(j_common_ptr state)
{
    struct decoder *decoder = (struct decoder *)state;
    decoder->manager.format_message(state, decoder->message);
    longjmp(decoder->escape, 1);
}

/* Warnings of corrupt data: libjpeg would go on with gray blocks; a wrong input is worse than none.
 * Stray bytes between markers lose nothing, and cameras write them. */
static void on_message(j_common_ptr state, int level)
{
    if (level < 0 && state->err->msg_code != JWRN_EXTRANEOUS_DATA)
        on_error(state);
}

static void on_output(j_common_ptr state)
{
    (void)state;
}

bool sl_jpeg_is(const uint8_t *bytes, size_t length)
{
    return length >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

static unsigned read_u16(const uint8_t *bytes, bool big_endian)
{
    return big_endian ? bytes[0] << 8 | bytes[1] : bytes[1] << 8 | bytes[0];
}

static uint32_t read_u32(const uint8_t *bytes, bool big_endian)
{
    uint32_t first = read_u16(bytes, big_endian), second = read_u16(bytes + 2, big_endian);
    return big_endian ? first << 16 | second : second << 16 | first;
}

#define MARKER_APP1      0xe1
#define MARKER_SCAN      0xda
#define EXIF_ORIENTATION 0x0112

/* Orientation (1 to 8) in an APP1 marker, 1 when there is none. Layout: "Exif\0\0", a TIFF header
 * (byte order, 42, offset of the first directory), the directory: count, 12-byte entries. */
static int exif_orientation(const uint8_t *data, size_t length)
{
    if (length < 14 || memcmp(data, "Exif\0\0", 6))
        return 1;
    const uint8_t *tiff = data + 6;
    size_t size = length - 6;
    bool big_endian = tiff[0] == 'M';
    size_t directory = read_u32(tiff + 4, big_endian);
    if (directory > size || size - directory < 2)
        return 1;
    size_t entries = read_u16(tiff + directory, big_endian);
    const uint8_t *entry = tiff + directory + 2;
    for (size_t left = size - directory - 2; entries > 0 && left >= 12; entries--, left -= 12) {
        if (read_u16(entry, big_endian) == EXIF_ORIENTATION) {
            unsigned value = read_u16(entry + 8, big_endian);
            return value >= 1 && value <= 8 ? (int)value : 1;
        }
        entry += 12;
    }
    return 1;
}

/* That of the first Exif marker before the image itself. libjpeg would keep a copy of them all. */
static int find_orientation(const uint8_t *bytes, size_t length)
{
    size_t at = 2;
    while (length >= 4 && at <= length - 4 && bytes[at + 1] != MARKER_SCAN) {
        if (bytes[at] != 0xff || bytes[at + 1] == 0xff || !bytes[at + 1]) {
            at++; /* stray bytes, fill bytes */
            continue;
        }
        const size_t size = read_u16(bytes + at + 2, true);
        if (size < 2 || size > length - at - 2)
            break;
        const uint8_t *data = bytes + at + 4;
        if (bytes[at + 1] == MARKER_APP1 && size >= 8 && !memcmp(data, "Exif\0\0", 6))
            return exif_orientation(data, size - 2);
        at += 2 + size;
    }
    return 1;
}

/* What libjpeg takes besides: rows in several stages and, when not every scan has all of the image,
 * the coefficients of all blocks. */
static uint64_t library_bytes(const struct jpeg_decompress_struct *state)
{
    uint64_t bytes = LIBRARY_BYTES + (uint64_t)state->image_width * LIBRARY_BYTES_PER_COLUMN;
    if (!state->progressive_mode && state->comps_in_scan == state->num_components)
        return bytes;
    for (int c = 0; c < state->num_components; c++) {
        const jpeg_component_info *component = &state->comp_info[c];
        const uint64_t across = component->width_in_blocks + (unsigned)component->h_samp_factor;
        const uint64_t down = component->height_in_blocks + (unsigned)component->v_samp_factor;
        bytes += across * down * DCTSIZE2 * sizeof(JCOEF);
    }
    return bytes;
}

/* Runs between create and destroy; leaves by longjmp on errors, so it owns nothing locally. */
static int decode_rows(const struct jpeg_library *library, struct decoder *decoder,
                       const char *name, struct sl_error *error)
{
    struct jpeg_decompress_struct *state = &decoder->state;
    library->read_header(state, TRUE);
    int code = sl_image_check_size(name, state->image_width, state->image_height, error);
    if (code < 0)
        return code;
    state->out_color_space = state->jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    if (state->jpeg_color_space == JCS_CMYK || state->jpeg_color_space == JCS_YCCK)
        return sl_error_set(error, -EINVAL,
                            "%s: a CMYK image; convert it to RGB first (for example with "
                            "`convert in.jpg -colorspace sRGB out.jpg`)",
                            name);
    struct sl_image *image = &decoder->image;
    image->width = (int)state->image_width;
    image->height = (int)state->image_height;
    image->channels = state->out_color_space == JCS_GRAYSCALE ? 1 : 3;
    code = sl_image_allocate(name, image, library_bytes(state), error);
    if (code < 0)
        return code;
    library->start(state);
    size_t row_bytes = (size_t)image->width * (size_t)image->channels;
    while (state->output_scanline < state->output_height) {
        JSAMPROW row = image->pixels + row_bytes * state->output_scanline;
        library->read_scanlines(state, &row, 1);
    }
    library->finish(state);
    return 0;
}

/* Turns the image upright: EXIF orientations 2 to 8 are mirrorings and, from 5 on, transposed. */
static int apply_orientation(const char *name, struct sl_image *image, int orientation,
                             struct sl_error *error)
{
    if (orientation == 1)
        return 0;
    bool transposed = orientation >= 5;
    bool mirror_x = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    bool mirror_y = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    struct sl_image upright = {.width = transposed ? image->height : image->width,
                               .height = transposed ? image->width : image->height,
                               .channels = image->channels,
                               .room = image->room};
    size_t channels = (size_t)image->channels;
    int code = sl_image_allocate(name, &upright, 0, error);
    if (code < 0)
        return code;
    for (int y = 0; y < upright.height; y++) {
        for (int x = 0; x < upright.width; x++) {
            int u = mirror_x ? upright.width - 1 - x : x;
            int v = mirror_y ? upright.height - 1 - y : y;
            size_t from = transposed ? (size_t)u * (size_t)image->width + (size_t)v
                                     : (size_t)v * (size_t)image->width + (size_t)u;
            memcpy(upright.pixels + ((size_t)y * (size_t)upright.width + (size_t)x) * channels,
                   image->pixels + from * channels, channels);
        }
    }
    sl_image_free(image);
    *image = upright;
    return 0;
}

static int decode(const struct jpeg_library *library, struct decoder *decoder, const char *name,
                  const uint8_t *bytes, size_t length, struct sl_error *error)
{
    decoder->state.err = library->std_error(&decoder->manager);
    decoder->manager.error_exit = on_error;
    decoder->manager.emit_message = on_message;
    decoder->manager.output_message = on_output;
    if (setjmp(decoder->escape)) {
        library->destroy(&decoder->state);
        return sl_error_set(error, -EBADMSG, "%s: damaged JPEG: %s", name, decoder->message);
    }
    library->create(&decoder->state, JPEG_LIB_VERSION, sizeof(decoder->state));
    library->memory_source(&decoder->state, bytes, length);
    int code = decode_rows(library, decoder, name, error);
    library->destroy(&decoder->state);
    return code ? code
                : apply_orientation(name, &decoder->image, find_orientation(bytes, length), error);
}

int sl_jpeg_decode(const char *name, const uint8_t *bytes, size_t length, struct sl_image *image,
                   struct sl_error *error)
{
    struct jpeg_library library = {0};
    int code = jpeg_library_open(&library, name, error);
    if (code < 0)
        return code;
    struct decoder *decoder = calloc(1, sizeof(*decoder));
    if (decoder)
        decoder->image.room = image->room;
    if (decoder)
        code = decode(&library, decoder, name, bytes, length, error);
    else
        code = sl_error_set(error, -ENOMEM, "%s: out of memory", name);
    if (code == 0)
        *image = decoder->image;
    else if (decoder)
        sl_image_free(&decoder->image);
    free(decoder);
    dlclose(library.handle);
    return code;
}
