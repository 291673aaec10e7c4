#include "runtime/input/image.h"

#include <dlfcn.h>
#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/dynamic_library.h"

/* What libpng takes: the window of zlib, and some rows of up to 16 bits a channel, with alpha. */
#define PNG_LIBRARY_BYTES (128u << 10)
#define ROWS              16u

/* The part of libpng that is used, resolved on first use. */
struct png_library {
    void *handle;
    int (*begin)(png_imagep, png_const_voidp, size_t);
    int (*finish)(png_imagep, png_const_colorp, void *, png_int_32, void *);
    void (*free)(png_imagep);
};

static int png_library_open(struct png_library *library, const char *name, struct sl_error *error)
{
    const struct sl_symbol symbols[] = {
        {"png_image_begin_read_from_memory", &library->begin},
        {"png_image_finish_read", &library->finish},
        {"png_image_free", &library->free},
    };
    int code =
        sl_dynamic_library_open("libpng16.so.16", "libpng16-16", symbols,
                                sizeof(symbols) / sizeof(symbols[0]), &library->handle, error);
    return code < 0 ? sl_error_wrap(error, "%s: cannot read PNG", name) : 0;
}

bool sl_png_is(const uint8_t *bytes, size_t length)
{
    return length >= 8 && !memcmp(bytes, "\x89PNG\r\n\x1a\n", 8);
}

#define SIGNATURE_BYTES 8
#define CHUNK_BYTES     12 /* length, type and checksum around its data */
/* Larger than any profile of sRGB, the only ones that change an image. */
#define PROFILE_MOST_BYTES 8192

/* Whether pixels depend on it; what libpng would only keep is not read. */
static bool is_needed(const uint8_t *type, uint32_t length)
{
    static const char types[][5] = {"IHDR", "PLTE", "tRNS", "IDAT", "IEND",
                                    "gAMA", "cHRM", "sRGB", "sBIT", "bKGD"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (!memcmp(type, types[i], 4))
            return true;
    const bool ancillary = type[0] & 0x20;
    return !ancillary || (!memcmp(type, "iCCP", 4) && length <= PROFILE_MOST_BYTES);
}

size_t sl_png_strip(uint8_t *bytes, size_t length)
{
    size_t from = SIGNATURE_BYTES, to = SIGNATURE_BYTES;
    while (length >= CHUNK_BYTES && from <= length - CHUNK_BYTES) {
        const uint8_t *chunk = bytes + from;
        const uint32_t data = (uint32_t)chunk[0] << 24 | (uint32_t)chunk[1] << 16 |
                              (uint32_t)chunk[2] << 8 | chunk[3];
        const size_t whole = (size_t)data + CHUNK_BYTES;
        if (whole > length - from)
            break;
        if (is_needed(chunk + 4, data)) {
            memmove(bytes + to, chunk, whole);
            to += whole;
        }
        from += whole;
    }
    /* Of a damaged file the rest stays, for libpng to say what is wrong. */
    memmove(bytes + to, bytes + from, length - from);
    return to + length - from;
}

static int decode(const struct png_library *library, const char *name, const uint8_t *bytes,
                  size_t length, struct sl_image *image, struct sl_error *error)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    if (!library->begin(&png, bytes, length))
        return sl_error_set(error, -EBADMSG, "%s: damaged PNG: %s", name, png.message);
    int code = sl_image_check_size(name, png.width, png.height, error);
    if (code < 0) {
        library->free(&png);
        return code;
    }
    bool color = png.format & PNG_FORMAT_FLAG_COLOR;
    png.format = color ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    struct sl_image decoded = {.width = (int)png.width,
                               .height = (int)png.height,
                               .channels = color ? 3 : 1,
                               .room = image->room};
    code = sl_image_allocate(name, &decoded, PNG_LIBRARY_BYTES + ROWS * PNG_IMAGE_ROW_STRIDE(png),
                             error);
    if (code < 0) {
        library->free(&png);
        return code;
    }
    png_color black = {0, 0, 0};
    if (!library->finish(&png, &black, decoded.pixels, 0, NULL)) {
        sl_image_free(&decoded);
        return sl_error_set(error, -EBADMSG, "%s: damaged PNG: %s", name, png.message);
    }
    *image = decoded;
    return 0;
}

int sl_png_decode(const char *name, const uint8_t *bytes, size_t length, struct sl_image *image,
                  struct sl_error *error)
{
    struct png_library library = {0};
    int code = png_library_open(&library, name, error);
    if (code < 0)
        return code;
    code = decode(&library, name, bytes, length, image, error);
    dlclose(library.handle);
    return code;
}
