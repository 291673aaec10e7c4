#include "runtime/input/preprocess.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "runtime/base/cleanup.h"

static struct sl_region centre(int width, int height, int cut_width, int cut_height)
{
    return (struct sl_region){(width - cut_width) / 2, (height - cut_height) / 2, cut_width,
                              cut_height};
}

/* The largest centred region with the aspect ratio of width : height. */
static struct sl_region centre_of_aspect(const struct sl_image *image, int width, int height)
{
    int64_t cut_width = image->width;
    int64_t cut_height = (cut_width * height + width / 2) / width;
    if (cut_height > image->height) {
        cut_height = image->height;
        cut_width = (cut_height * width + height / 2) / height;
    }
    cut_width = cut_width < 1 ? 1 : cut_width;
    cut_height = cut_height < 1 ? 1 : cut_height;
    return centre(image->width, image->height, (int)cut_width, (int)cut_height);
}

/* Scales so that the short side is resize_short (and both cover the cut), then cuts the centre. */
static int resize_and_cut(const char *name, const struct sl_image *image, int64_t resize_short,
                          int cut_width, int cut_height, struct sl_image *scaled,
                          struct sl_region *region, struct sl_error *error)
{
    int short_side = image->width < image->height ? image->width : image->height;
    double scale = (double)resize_short / short_side;
    scale = fmax(scale, fmax((double)cut_width / image->width, (double)cut_height / image->height));
    uint64_t width = (uint64_t)llround(image->width * scale);
    uint64_t height = (uint64_t)llround(image->height * scale);
    int code = sl_image_check_size(name, width, height, error);
    if (code < 0)
        return code;
    struct sl_region whole = {0, 0, image->width, image->height};
    code = sl_image_resize(image, &whole, (int)width, (int)height, SL_INTERPOLATION_AREA, scaled,
                           error);
    if (code < 0)
        return code;
    *region = centre((int)width, (int)height, cut_width, cut_height);
    return 0;
}

static int fit_geometry(const char *name, const struct sl_image *image,
                        const struct sl_preprocessing *preprocessing, int width, int height,
                        struct sl_image *fitted, struct sl_error *error)
{
    struct sl_region region = {0, 0, image->width, image->height};
    int64_t resize_short = preprocessing->resize_short, crop = preprocessing->crop;
    if (resize_short == 0 && crop == 0)
        return sl_image_resize(image, &region, width, height, SL_INTERPOLATION_LINEAR, fitted,
                               error);
    if (resize_short > SL_IMAGE_MOST_SIDE || crop > SL_IMAGE_MOST_SIDE)
        return sl_error_set(error, -EINVAL, "%s: the pack wants images of more than %d a side",
                            name, SL_IMAGE_MOST_SIDE);
    int cut_width = crop ? (int)crop : width, cut_height = crop ? (int)crop : height;
    int cut_short = cut_width < cut_height ? cut_width : cut_height;
    if (resize_short == 0) {
        if (cut_width > image->width || cut_height > image->height)
            return sl_error_set(error, -EINVAL,
                                "%s: the image is %dx%d, smaller than the crop of %dx%d; import "
                                "with --resize %d",
                                name, image->width, image->height, cut_width, cut_height,
                                cut_short);
        region = centre(image->width, image->height, cut_width, cut_height);
        return sl_image_resize(image, &region, width, height, SL_INTERPOLATION_AREA, fitted, error);
    }
    if (resize_short == cut_short) {
        region = centre_of_aspect(image, cut_width, cut_height);
        return sl_image_resize(image, &region, width, height, SL_INTERPOLATION_AREA, fitted, error);
    }
    struct sl_image scaled = {0};
    int code =
        resize_and_cut(name, image, resize_short, cut_width, cut_height, &scaled, &region, error);
    if (code == 0)
        code =
            sl_image_resize(&scaled, &region, width, height, SL_INTERPOLATION_AREA, fitted, error);
    sl_image_free(&scaled);
    return code;
}

/* Fixed-point luma with 14 fraction bits. */
static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((rgb[0] * 4899 + rgb[1] * 9617 + rgb[2] * 1868 + 8192) >> 14);
}

static uint8_t channel_value(const struct sl_image *image, const uint8_t *pixel,
                             enum sl_channel_order order, int channel)
{
    if (image->channels == 1)
        return pixel[0];
    if (order == SL_CHANNELS_GRAY)
        return luma(pixel);
    return pixel[order == SL_CHANNELS_BGR ? 2 - channel : channel];
}

/* Mean of one channel as an image: *stride is 0 for a single value. */
static const float *mean_of_channel(const struct sl_preprocessing *preprocessing, int channel,
                                    int width, int height, int64_t *stride)
{
    const struct sl_shape *shape = &preprocessing->mean_shape;
    *stride = 0;
    if (preprocessing->mean_count == 0)
        return NULL;
    if (shape->axes == 0)
        return preprocessing->mean + channel;
    int64_t mean_height = shape->dim[shape->axes - 2], mean_width = shape->dim[shape->axes - 1];
    *stride = mean_width;
    return preprocessing->mean + channel * mean_height * mean_width +
           (mean_height - height) / 2 * mean_width + (mean_width - width) / 2;
}

static int check_mean(const char *name, const struct sl_preprocessing *preprocessing, int channels,
                      int width, int height, struct sl_error *error)
{
    const struct sl_shape *shape = &preprocessing->mean_shape;
    if (preprocessing->mean_count == 0)
        return 0;
    if (shape->axes == 0) {
        if (preprocessing->mean_count != channels)
            return sl_error_set(error, -EINVAL,
                                "%s: the pack has %d mean values for %d channels; "
                                "import it again with --mean",
                                name, preprocessing->mean_count, channels);
        return 0;
    }
    char text[SL_SHAPE_TEXT_BYTES];
    if (shape->axes < 3 || shape->dim[shape->axes - 3] != channels ||
        shape->dim[shape->axes - 2] < height || shape->dim[shape->axes - 1] < width ||
        sl_shape_count(shape) != preprocessing->mean_count)
        return sl_error_set(error, -EINVAL,
                            "%s: the pack's mean image is %s, the input needs at "
                            "least %dx%dx%d; import it again with --mean",
                            name, sl_shape_text(shape, text), channels, height, width);
    return 0;
}

static void fill(const struct sl_image *image, const struct sl_preprocessing *preprocessing,
                 int channels, float *values)
{
    for (int c = 0; c < channels; c++) {
        int64_t stride;
        const float *mean = mean_of_channel(preprocessing, c, image->width, image->height, &stride);
        const uint8_t *pixel = image->pixels;
        for (int y = 0; y < image->height; y++) {
            for (int x = 0; x < image->width; x++) {
                float value = channel_value(image, pixel, preprocessing->order, c);
                if (mean)
                    value -= stride ? mean[y * stride + x] : *mean;
                *values++ = value * preprocessing->scale;
                pixel += image->channels;
            }
        }
    }
}

int sl_preprocess(const char *name, const struct sl_image *image,
                  const struct sl_preprocessing *preprocessing, const struct sl_shape *shape,
                  float *values, struct sl_error *error)
{
    int expected = preprocessing->order == SL_CHANNELS_GRAY ? 1 : 3;
    char text[SL_SHAPE_TEXT_BYTES];
    if (shape->axes != 4 || shape->dim[0] != 1 || shape->dim[1] != expected)
        return sl_error_set(error, -EINVAL,
                            "%s: a %s image has %d channel(s), the input is %s (batch x channels x "
                            "height x width); import with another --order, or give the input as "
                            ".npy or .f32",
                            name, expected == 1 ? "gray" : "colour", expected,
                            sl_shape_text(shape, text));
    if (shape->dim[2] > SL_IMAGE_MOST_SIDE || shape->dim[3] > SL_IMAGE_MOST_SIDE)
        return sl_error_set(error, -EINVAL, "%s: the input %s is larger than an image may be", name,
                            sl_shape_text(shape, text));
    int height = (int)shape->dim[2], width = (int)shape->dim[3];
    int code = check_mean(name, preprocessing, expected, width, height, error);
    if (code < 0)
        return code;
    SL_AUTO(sl_image_free) struct sl_image fitted = {0};
    code = fit_geometry(name, image, preprocessing, width, height, &fitted, error);
    if (code < 0)
        return code;
    fill(&fitted, preprocessing, expected, values);
    return 0;
}
