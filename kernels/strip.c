/* Strips: padded windows of a few output rows (kernels/convolution.h). */
#include <string.h>

#include "kernels/convolution.h"

void sl_convolution_geometry(const struct sl_network *network, const struct sl_layer *layer,
                             struct sl_convolution_geometry *geometry)
{
    const struct sl_convolution_parameters *p = &layer->parameters.convolution;
    const int64_t *bottom = network->blobs[layer->bottoms[0]].shape.dim;
    const int64_t *top = network->blobs[layer->tops[0]].shape.dim;
    *geometry = (struct sl_convolution_geometry){
        .batch = bottom[0],
        .channels = bottom[1],
        .in_h = bottom[2],
        .in_w = bottom[3],
        .outputs = p->num_output,
        .out_h = top[2],
        .out_w = top[3],
        .group = p->group,
        .group_inputs = bottom[1] / p->group,
        .group_outputs = p->num_output / p->group,
        .kernel_h = p->kernel_h,
        .kernel_w = p->kernel_w,
        .stride_h = p->stride_h,
        .stride_w = p->stride_w,
        .pad_h = p->pad_h,
        .pad_w = p->pad_w,
        .dilation_h = p->dilation_h,
        .dilation_w = p->dilation_w,
        .taps = p->kernel_h * p->kernel_w,
        .depth = bottom[1] / p->group * p->kernel_h * p->kernel_w,
        .bias = p->bias,
    };
}

void sl_strip_plan(const struct sl_convolution_geometry *geometry, int64_t rows,
                   struct sl_strip *strip)
{
    const struct sl_convolution_geometry *g = geometry;
    strip->rows = rows;
    /* A kernel of one row needs only the rows that the stride lands on. */
    strip->phases_h = g->kernel_h == 1 ? 1 : g->stride_h;
    strip->phases_w = g->kernel_w == 1 ? 1 : g->stride_w;
    strip->plane_h = rows + (g->kernel_h - 1) * g->dilation_h / g->stride_h;
    strip->plane_w = g->out_w + (g->kernel_w - 1) * g->dilation_w / g->stride_w;
    strip->channel_floats = strip->phases_h * strip->phases_w * strip->plane_h * strip->plane_w;
}

void sl_strip_taps(const struct sl_convolution_geometry *geometry, const struct sl_strip *strip,
                   int32_t *tap_offset)
{
    const int64_t plane = strip->plane_h * strip->plane_w;
    for (int64_t i = 0; i < geometry->kernel_h; i++) {
        for (int64_t j = 0; j < geometry->kernel_w; j++) {
            int64_t y = i * geometry->dilation_h, x = j * geometry->dilation_w;
            int64_t phase = y % geometry->stride_h * strip->phases_w + x % geometry->stride_w;
            *tap_offset++ = (int32_t)(phase * plane + y / geometry->stride_h * strip->plane_w +
                                      x / geometry->stride_w);
        }
    }
}

/* One plane row: columns phase, phase + stride, ... of a padded input row. */
static void fill_row(const struct sl_convolution_geometry *g, const float *source, int64_t phase,
                     int64_t width, float *destination)
{
    const int64_t stride = g->stride_w;
    /* First and last plane columns that lie inside the map. */
    int64_t first = g->pad_w > phase ? (g->pad_w - phase + stride - 1) / stride : 0;
    int64_t last = (g->in_w + g->pad_w - phase + stride - 1) / stride;
    first = first < width ? first : width;
    last = last < width ? last : width;
    last = last > first ? last : first;
    source += first * stride + phase - g->pad_w;
    for (int64_t x = 0; x < first; x++)
        destination[x] = 0.0f;
    if (stride == 1)
        memcpy(destination + first, source, (size_t)(last - first) * sizeof *source);
    else if (stride == 2)
        for (int64_t x = 0; x < last - first; x++)
            destination[first + x] = source[2 * x];
    else
        for (int64_t x = 0; x < last - first; x++)
            destination[first + x] = source[stride * x];
    for (int64_t x = last; x < width; x++)
        destination[x] = 0.0f;
}

void sl_strip_fill(const struct sl_convolution_geometry *geometry, const struct sl_strip *strip,
                   const float *maps, int64_t channels, int64_t row, int64_t rows,
                   float *destination)
{
    const struct sl_convolution_geometry *g = geometry;
    const int64_t plane_rows = strip->plane_h - strip->rows + rows;
    for (int64_t c = 0; c < channels; c++) {
        const float *map = maps + c * g->in_h * g->in_w;
        for (int64_t p = 0; p < strip->phases_h; p++) {
            for (int64_t q = 0; q < strip->phases_w; q++) {
                float *plane = destination;
                destination += strip->plane_h * strip->plane_w;
                for (int64_t y = 0; y < plane_rows; y++, plane += strip->plane_w) {
                    int64_t in_y = (row + y) * g->stride_h + p - g->pad_h;
                    if (in_y >= 0 && in_y < g->in_h)
                        fill_row(g, map + in_y * g->in_w, q, strip->plane_w, plane);
                    else
                        memset(plane, 0, (size_t)strip->plane_w * sizeof *plane);
                }
            }
        }
    }
}
