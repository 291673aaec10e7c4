/* Layers that map each element on its own: one function over a span, one plain one in double. */
#ifndef SLUICE_KERNELS_ELEMENTWISE_H
#define SLUICE_KERNELS_ELEMENTWISE_H

#include "kernels/call.h"

/* top may be bottom itself. */
typedef void sl_span_function(const struct sl_layer *layer, const float *bottom, float *top,
                              int64_t count);
typedef double sl_value_function(const struct sl_layer *layer, double value);

/* Runs span over the whole of bottom 0, shared out in pieces of a fixed size. */
void sl_elementwise_run(const struct sl_kernel_call *call, sl_span_function *span);
void sl_elementwise_reference(const struct sl_kernel_call *call, sl_value_function *value);

/* Copies count elements, shared out among the call's team; nothing when they are the same. */
void sl_copy_elements(const struct sl_kernel_call *call, float *top, const float *bottom,
                      int64_t count);

#endif
