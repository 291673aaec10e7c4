/* The table of kernels: one line per layer type, in the order of enum sl_layer_type. A kernel's
 * file defines `const struct sl_kernel sl_kernel_<name>`. */
#include <errno.h>

#include "kernels/kernel.h"

#define KERNELS(ROW)

#define DECLARE(type, name) extern const struct sl_kernel sl_kernel_##name;
KERNELS(DECLARE)

#define ENTRY(type, name) [type] = &sl_kernel_##name,
static const struct sl_kernel *const kernels[SL_LAYER_TYPES] = {KERNELS(ENTRY)};

const struct sl_kernel *sl_kernel_find(enum sl_layer_type type)
{
    return (unsigned)type < SL_LAYER_TYPES ? kernels[type] : NULL;
}

int sl_kernels_check(struct sl_error *error)
{
    for (int type = 0; type < SL_LAYER_TYPES; type++) {
        if (type == SL_LAYER_INPUT)
            continue;
        const struct sl_kernel *kernel = kernels[type];
        const char *name = sl_layer_type_name((enum sl_layer_type)type);
        if (!kernel)
            return sl_error_set(error, -EINVAL, "layer type %s has no kernel", name);
        if ((int)kernel->type != type)
            return sl_error_set(error, -EINVAL, "the kernel of layer type %s says it is for %s",
                                name, sl_layer_type_name(kernel->type));
        if (kernel->memory != SL_KERNEL_VIEW && (!kernel->run || !kernel->reference))
            return sl_error_set(error, -EINVAL, "the kernel of layer type %s lacks a hook", name);
    }
    return 0;
}
