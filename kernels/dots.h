/* Rows of weights times whole inputs: InnerProduct, and Convolution whose kernel covers the map. */
#ifndef SLUICE_KERNELS_DOTS_H
#define SLUICE_KERNELS_DOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/kernel.h"

/* Top row of sample s, output o: the dot of weight row o (depth values) with the depth values of
 * the sample's group o / group_outputs, plus bias, activated. For the rows of the call.
 * Encoded weights are decoded by the thread that uses them, a task's rows at a time. */
void sl_dots_run(const struct sl_kernel_call *call, int64_t samples, int64_t group,
                 int64_t group_outputs, int64_t depth, bool bias);

/* Scratch for that: none unless the layer is encoded. */
size_t sl_dots_scratch_bytes(const struct sl_layer *layer, int64_t depth, int threads);

#endif
