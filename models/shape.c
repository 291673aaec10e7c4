#include <stdio.h>

#include "models/network.h"

int64_t sl_shape_span(const struct sl_shape *shape, int first, int last)
{
    int64_t product = 1;
    for (int i = first; i < last; i++)
        product *= shape->dim[i];
    return product;
}

int64_t sl_shape_count(const struct sl_shape *shape)
{
    return sl_shape_span(shape, 0, shape->axes);
}

bool sl_shape_equal(const struct sl_shape *a, const struct sl_shape *b)
{
    if (a->axes != b->axes)
        return false;
    for (int i = 0; i < a->axes; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

bool sl_shape_equal_but_leading_ones(const struct sl_shape *a, const struct sl_shape *b)
{
    int i = 0, j = 0;
    while (i < a->axes && a->dim[i] == 1)
        i++;
    while (j < b->axes && b->dim[j] == 1)
        j++;
    if (a->axes - i != b->axes - j)
        return false;
    for (; i < a->axes; i++, j++) {
        if (a->dim[i] != b->dim[j])
            return false;
    }
    return true;
}

const char *sl_shape_text(const struct sl_shape *shape, char buffer[SL_SHAPE_TEXT_BYTES])
{
    if (!shape->axes) {
        snprintf(buffer, SL_SHAPE_TEXT_BYTES, "scalar");
        return buffer;
    }
    size_t used = 0;
    for (int i = 0; i < shape->axes && used < SL_SHAPE_TEXT_BYTES; i++)
        used += (size_t)snprintf(buffer + used, SL_SHAPE_TEXT_BYTES - used, "%s%lld", i ? "x" : "",
                                 (long long)shape->dim[i]);
    return buffer;
}
