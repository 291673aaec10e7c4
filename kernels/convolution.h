/* What the convolution kernels share: the geometry of a layer and strips, the padded windows of a
 * few output rows from which every tap is a plain two-dimensional view. */
#ifndef SLUICE_KERNELS_CONVOLUTION_H
#define SLUICE_KERNELS_CONVOLUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernel.h"

struct sl_convolution_geometry {
    int64_t batch, channels, in_h, in_w;
    int64_t outputs, out_h, out_w;
    int64_t group, group_inputs, group_outputs; /* channels and outputs of one group */
    int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    int64_t taps;  /* kernel_h * kernel_w */
    int64_t depth; /* weights of one output: group_inputs * taps */
    bool bias;
};

/* The numbers of a convolution or deconvolution layer, from its parameters and blobs. */
void sl_convolution_geometry(const struct sl_network *network, const struct sl_layer *layer,
                             struct sl_convolution_geometry *geometry);

/* A strip holds, for each of some input channels, phases_h x phases_w planes: plane (p, q) has the
 * padded input's rows p, p + stride_h, ... and columns q, q + stride_w, ... So tap (i, j) of output
 * row y, column x lies at tap_offset + y * plane_w + x whatever stride and dilation are. */
struct sl_strip {
    int64_t rows; /* most output rows */
    int64_t plane_h, plane_w;
    int64_t phases_h, phases_w;
    int64_t channel_floats; /* all planes of a channel */
};

/* The strip that holds what `rows` output rows read. */
void sl_strip_plan(const struct sl_convolution_geometry *geometry, int64_t rows,
                   struct sl_strip *strip);
/* Offsets of all taps within a channel; tap_offset has geometry->taps entries. */
void sl_strip_taps(const struct sl_convolution_geometry *geometry, const struct sl_strip *strip,
                   int32_t *tap_offset);
/* Fills the strip for output rows [row, row + rows) from `channels` consecutive channel maps. */
void sl_strip_fill(const struct sl_convolution_geometry *geometry, const struct sl_strip *strip,
                   const float *maps, int64_t channels, int64_t row, int64_t rows,
                   float *destination);

/* Depthwise (one input channel per group): scratch and run. */
size_t sl_depthwise_scratch_bytes(const struct sl_convolution_geometry *geometry, int threads);
void sl_depthwise_run(const struct sl_kernel_call *call,
                      const struct sl_convolution_geometry *geometry);

#endif
