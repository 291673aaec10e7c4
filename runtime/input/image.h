/* Decoded images, 8 bits a channel, interleaved. */
#ifndef SLUICE_INPUT_IMAGE_H
#define SLUICE_INPUT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"
#include "runtime/input/room.h"

/* Caps against hostile headers: sides and pixels before anything is allocated. */
#define SL_IMAGE_MOST_SIDE   32768
#define SL_IMAGE_MOST_PIXELS ((size_t)64 << 20)

struct sl_image {
    int width, height, channels; /* channels: 1 (gray) or 3 (red, green, blue) */
    uint8_t *pixels;             /* height x width x channels, malloc'd */
    struct sl_room *room;        /* asked for pixels, and for what making them takes; may be NULL */
};
/* Takes memory for the pixels of width x height x channels; beside_bytes: what making them will
 * take meanwhile. */
int sl_image_allocate(const char *name, struct sl_image *image, uint64_t beside_bytes,
                      struct sl_error *error);
/* Frees the pixels and leaves an empty image behind. */
void sl_image_free(struct sl_image *image);

/* -EINVAL naming the file when the sides are not within the caps. */
int sl_image_check_size(const char *name, uint64_t width, uint64_t height, struct sl_error *error);

/* Whether the first bytes are those of a JPEG or a PNG file. */
bool sl_jpeg_is(const uint8_t *bytes, size_t length);
bool sl_png_is(const uint8_t *bytes, size_t length);

/* Decode a whole file in memory; gray gives one channel, everything else three (alpha is put on
 * black). The libraries are loaded on first use, so that runs without images do not pay for them:
 * -ENOTSUP when they are not installed. -EBADMSG: damaged, cut off or not that format. EXIF
 * orientation is applied to JPEG as OpenCV does. image: empty but for its room. */
int sl_jpeg_decode(const char *name, const uint8_t *bytes, size_t length, struct sl_image *image,
                   struct sl_error *error);
/* Takes out of a PNG file in memory what no pixel depends on (texts, Exif, ...), of which libpng
 * would keep copies, unpacked. Returns what is left of length. */
size_t sl_png_strip(uint8_t *bytes, size_t length);
int sl_png_decode(const char *name, const uint8_t *bytes, size_t length, struct sl_image *image,
                  struct sl_error *error);

/* A rectangle of an image. */
struct sl_region {
    int x, y, width, height;
};

enum sl_interpolation { SL_INTERPOLATION_LINEAR, SL_INTERPOLATION_AREA };

/* Resamples a region to width x height (channels as the source) with the arithmetic of OpenCV's
 * INTER_LINEAR (half-pixel centres) or INTER_AREA (averages areas when shrinking in both
 * directions, else linear) on 8 bits. destination->pixels is malloc'd, within the source's room. */
int sl_image_resize(const struct sl_image *source, const struct sl_region *region, int width,
                    int height, enum sl_interpolation interpolation, struct sl_image *destination,
                    struct sl_error *error);

#endif
