/* Strips: padded windows of a few output rows (kernels/convolution.h). */
#include <string.h>

#include "kernels/convolution.h"
#include "kernels/isa.h"

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

/* Which plane columns (or rows) of a phase lie inside the map: [*first, *first + *count), and the
 * map's column that the first of them is. */
static void inside(int64_t map, int64_t pad, int64_t stride, int64_t phase, int64_t plane,
                   int64_t *first, int64_t *count, int64_t *column)
{
    int64_t last = (map + pad - phase + stride - 1) / stride;
    *first = pad > phase ? (pad - phase + stride - 1) / stride : 0;
    *first = *first < plane ? *first : plane;
    last = last < plane ? last : plane;
    *count = last > *first ? last - *first : 0;
    *column = *first * stride + phase - pad;
}

void sl_strip_fill(const struct sl_convolution_geometry *geometry, const struct sl_strip *strip,
                   const float *maps, int64_t channels, int64_t row, int64_t rows,
                   float *destination)
{
    const struct sl_convolution_geometry *g = geometry;
    const int64_t plane_rows = strip->plane_h - strip->rows + rows;
    const int64_t plane = strip->plane_h * strip->plane_w;
    void (*fill_rows)(const struct sl_plane_rows *) = sl_isa()->plane_rows;
    for (int64_t c = 0; c < channels; c++, maps += g->in_h * g->in_w) {
        for (int64_t p = 0; p < strip->phases_h; p++) {
            int64_t above, in_rows, first_row;
            /* A strip further down is a map with less padding above it, or with rows cut off. */
            inside(g->in_h, g->pad_h - row * g->stride_h, g->stride_h, p, plane_rows, &above,
                   &in_rows, &first_row);
            for (int64_t q = 0; q < strip->phases_w; q++, destination += plane) {
                struct sl_plane_rows fill = {
                    .source_pitch = g->in_w * g->stride_h,
                    .step = g->stride_w,
                    .rows = in_rows,
                    .width = strip->plane_w,
                    .destination = destination + above * strip->plane_w,
                };
                int64_t first_column;
                inside(g->in_w, g->pad_w, g->stride_w, q, strip->plane_w, &fill.left, &fill.count,
                       &first_column);
                fill.source = maps + first_row * g->in_w + first_column;
                memset(destination, 0, (size_t)(above * strip->plane_w) * sizeof(float));
                if (in_rows > 0)
                    fill_rows(&fill);
                int64_t done = above + in_rows;
                memset(destination + done * strip->plane_w, 0,
                       (size_t)((plane_rows - done) * strip->plane_w) * sizeof(float));
            }
        }
    }
}
