#include "runtime/input/image.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"

/* Fixed-point weights of the bilinear filter, as OpenCV has them for 8-bit images. */
#define WEIGHT_BITS 11
#define WEIGHT_ONE  (1 << WEIGHT_BITS)

static uint8_t saturate(float value)
{
    long rounded = lrintf(value);
    return (uint8_t)(rounded < 0 ? 0 : rounded > 255 ? 255 : rounded);
}

/* Where a destination index samples the source: elements `first` and `second` with weights. */
struct linear_tap {
    int first, second;
    int first_weight, second_weight;
};

/* Half-pixel centres: source coordinate = (index + 0.5) * scale - 0.5. */
static void linear_taps(struct linear_tap *taps, int source, int destination, bool clamp_weight)
{
    double scale = 1.0 / ((double)destination / source);
    for (int index = 0; index < destination; index++) {
        float at = (float)((index + 0.5) * scale - 0.5);
        int first = (int)floorf(at);
        float fraction = at - (float)first;
        if (clamp_weight && (first < 0 || first >= source - 1))
            fraction = 0;
        int second = first + 1;
        taps[index] = (struct linear_tap){
            .first = first < 0         ? 0
                     : first >= source ? source - 1
                                       : first,
            .second = second < 0         ? 0
                      : second >= source ? source - 1
                                         : second,
            .first_weight = (int)lrintf((1.f - fraction) * WEIGHT_ONE),
            .second_weight = (int)lrintf(fraction * WEIGHT_ONE),
        };
    }
}

/* A row of the source, filtered horizontally: values times WEIGHT_ONE. */
static void filter_row(const uint8_t *row, int channels, const struct linear_tap *taps, int width,
                       int *filtered)
{
    for (int x = 0; x < width; x++) {
        const struct linear_tap *tap = &taps[x];
        for (int c = 0; c < channels; c++)
            filtered[x * channels + c] = row[tap->first * channels + c] * tap->first_weight +
                                         row[tap->second * channels + c] * tap->second_weight;
    }
}

static int resize_linear(const uint8_t *source, size_t stride, const struct sl_region *region,
                         const struct sl_image *destination)
{
    int width = destination->width, height = destination->height;
    int channels = destination->channels;
    size_t row_values = (size_t)width * (size_t)channels;
    SL_AUTO_FREE struct linear_tap *taps_x = malloc((size_t)width * sizeof(*taps_x));
    SL_AUTO_FREE struct linear_tap *taps_y = malloc((size_t)height * sizeof(*taps_y));
    SL_AUTO_FREE int *upper = calloc(row_values, sizeof(*upper));
    SL_AUTO_FREE int *lower = calloc(row_values, sizeof(*lower));
    if (!taps_x || !taps_y || !upper || !lower)
        return -ENOMEM;
    linear_taps(taps_x, region->width, width, true);
    linear_taps(taps_y, region->height, height, false);
    for (int y = 0; y < height; y++) {
        const struct linear_tap *tap = &taps_y[y];
        filter_row(source + (size_t)tap->first * stride, channels, taps_x, width, upper);
        filter_row(source + (size_t)tap->second * stride, channels, taps_x, width, lower);
        uint8_t *out = destination->pixels + (size_t)y * row_values;
        /* Two truncations and one rounding: the arithmetic of OpenCV's vertical pass. */
        for (size_t i = 0; i < row_values; i++)
            out[i] = (uint8_t)((((tap->first_weight * (upper[i] >> 4)) >> 16) +
                                ((tap->second_weight * (lower[i] >> 4)) >> 16) + 2) >>
                               2);
    }
    return 0;
}

/* One source element's share of a destination element. */
struct area_tap {
    int source, destination;
    float weight;
};

/* Shares in ascending order of destination, then source; returns how many. A destination element
 * covers [index * scale, (index + 1) * scale) of the source. */
static int area_taps(struct area_tap *taps, int source, int destination)
{
    double scale = 1.0 / ((double)destination / source);
    int count = 0;
    for (int index = 0; index < destination; index++) {
        double begin = index * scale, end = begin + scale;
        double span = fmin(scale, source - begin);
        int whole_end = (int)fmin(floor(end), source - 1);
        int whole_begin = (int)fmin(ceil(begin), whole_end);
        if (whole_begin - begin > 1e-3)
            taps[count++] =
                (struct area_tap){whole_begin - 1, index, (float)((whole_begin - begin) / span)};
        for (int at = whole_begin; at < whole_end; at++)
            taps[count++] = (struct area_tap){at, index, (float)(1.0 / span)};
        if (end - whole_end > 1e-3)
            taps[count++] = (struct area_tap){
                whole_end, index, (float)(fmin(fmin(end - whole_end, 1.0), span) / span)};
    }
    return count;
}

static void area_row(const uint8_t *row, int channels, const struct area_tap *taps, int tap_count,
                     float *filtered, size_t row_values)
{
    memset(filtered, 0, row_values * sizeof(*filtered));
    for (int t = 0; t < tap_count; t++)
        for (int c = 0; c < channels; c++)
            filtered[taps[t].destination * channels + c] +=
                row[taps[t].source * channels + c] * taps[t].weight;
}

static int resize_area(const uint8_t *source, size_t stride, const struct sl_region *region,
                       const struct sl_image *destination)
{
    int width = destination->width, height = destination->height;
    int channels = destination->channels;
    size_t row_values = (size_t)width * (size_t)channels;
    /* Every source element is shared by at most two destinations. */
    SL_AUTO_FREE struct area_tap *taps_x =
        malloc(2 * ((size_t)region->width + 1) * sizeof(*taps_x));
    SL_AUTO_FREE struct area_tap *taps_y =
        malloc(2 * ((size_t)region->height + 1) * sizeof(*taps_y));
    SL_AUTO_FREE float *filtered = malloc(row_values * sizeof(*filtered));
    SL_AUTO_FREE float *sum = calloc(row_values, sizeof(*sum));
    if (!taps_x || !taps_y || !filtered || !sum)
        return -ENOMEM;
    int count_x = area_taps(taps_x, region->width, width);
    int count_y = area_taps(taps_y, region->height, height);
    for (int t = 0; t < count_y; t++) {
        const struct area_tap *tap = &taps_y[t];
        area_row(source + (size_t)tap->source * stride, channels, taps_x, count_x, filtered,
                 row_values);
        bool first = t == 0 || taps_y[t - 1].destination != tap->destination;
        for (size_t i = 0; i < row_values; i++)
            sum[i] = first ? tap->weight * filtered[i] : sum[i] + tap->weight * filtered[i];
        if (t + 1 < count_y && taps_y[t + 1].destination == tap->destination)
            continue;
        uint8_t *out = destination->pixels + (size_t)tap->destination * row_values;
        for (size_t i = 0; i < row_values; i++)
            out[i] = saturate(sum[i]);
    }
    return 0;
}

/* Whole-number shrinking: the mean of block_x x block_y pixels. */
static void resize_blocks(const uint8_t *source, size_t stride, int block_x, int block_y,
                          const struct sl_image *destination)
{
    int channels = destination->channels;
    float scale = 1.f / (float)(block_x * block_y);
    uint8_t *out = destination->pixels;
    for (int y = 0; y < destination->height; y++) {
        for (int x = 0; x < destination->width; x++) {
            for (int c = 0; c < channels; c++) {
                unsigned sum = 0;
                for (int v = 0; v < block_y; v++)
                    for (int u = 0; u < block_x; u++)
                        sum += source[(size_t)(y * block_y + v) * stride +
                                      (size_t)((x * block_x + u) * channels + c)];
                /* 2 x 2 rounds halves up, everything else to even. */
                *out++ = block_x == 2 && block_y == 2 ? (uint8_t)((sum + 2) >> 2)
                                                      : saturate((float)sum * scale);
            }
        }
    }
}

/* Of the taps and rows above, whichever of them will be used. */
static uint64_t table_bytes(const struct sl_region *region, const struct sl_image *destination)
{
    const uint64_t taps = 2 * ((uint64_t)region->width + (uint64_t)region->height + 2) +
                          (uint64_t)destination->width + (uint64_t)destination->height;
    const uint64_t row = (uint64_t)destination->width * (uint64_t)destination->channels;
    return taps * sizeof(struct linear_tap) + 2 * row * sizeof(int);
}

int sl_image_resize(const struct sl_image *source, const struct sl_region *region, int width,
                    int height, enum sl_interpolation interpolation, struct sl_image *destination,
                    struct sl_error *error)
{
    struct sl_image resized = {
        .width = width, .height = height, .channels = source->channels, .room = source->room};
    int code = sl_image_allocate("resizing", &resized, table_bytes(region, &resized), error);
    if (code < 0)
        return code;
    size_t stride = (size_t)source->width * (size_t)source->channels;
    const uint8_t *origin =
        source->pixels + (size_t)region->y * stride + (size_t)region->x * (size_t)source->channels;
    int block_x = region->width / width, block_y = region->height / height;
    bool whole = block_x * width == region->width && block_y * height == region->height;
    bool halved = whole && block_x == 2 && block_y == 2;
    bool shrinks = region->width >= width && region->height >= height;
    if (halved || (interpolation == SL_INTERPOLATION_AREA && whole))
        resize_blocks(origin, stride, block_x, block_y, &resized);
    else if (interpolation == SL_INTERPOLATION_AREA && shrinks)
        code = resize_area(origin, stride, region, &resized);
    else
        code = resize_linear(origin, stride, region, &resized);
    if (code < 0) {
        sl_image_free(&resized);
        return sl_error_set(error, code, "out of memory for an image of %dx%d", width, height);
    }
    *destination = resized;
    return 0;
}
