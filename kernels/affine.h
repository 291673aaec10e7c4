/* Layers that shift and stretch each channel: Scale, Bias, BatchNorm. */
#ifndef SLUICE_KERNELS_AFFINE_H
#define SLUICE_KERNELS_AFFINE_H

#include "kernels/call.h"

/* top = activation((x - centre[c]) * factor[c] + addend[c]) over outer x channels x inner elements;
 * NULL: no centre, a factor of 1, no addend. */
struct sl_affine {
    int64_t outer, channels, inner;
    const float *centre, *factor, *addend;
};

/* Bottom 0 to top 0, which may be the same. */
void sl_affine_run(const struct sl_kernel_call *call, const struct sl_affine *affine);
void sl_affine_reference(const struct sl_kernel_call *call, const struct sl_affine *affine);

/* The extents of Scale and Bias, whose factor covers the bottom's axes from `axis` on: it has the
 * shape of bottom 1 or, with one bottom, of weight 0. */
struct sl_affine sl_affine_of_axis(const struct sl_kernel_call *call);

#endif
