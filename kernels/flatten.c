/* Flatten: every top is the bottom itself. */
#include <string.h>

#include "kernels/call.h"

static void reference(const struct sl_kernel_call *call)
{
    size_t bytes = (size_t)sl_shape_count(sl_bottom_shape(call, 0)) * sizeof(float);
    for (int t = 0; t < call->layer->top_count; t++)
        memmove(call->tops[t], call->bottoms[0], bytes);
}

const struct sl_kernel sl_kernel_flatten = {
    .type = SL_LAYER_FLATTEN,
    .memory = SL_KERNEL_VIEW,
    .reference = reference,
};
