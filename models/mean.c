#include <errno.h>
#include <stdlib.h>

#include "models/blob_index.h"
#include "models/caffe_text.h"
#include "models/wire.h"
#include "runtime/base/cleanup.h"

#define MOST_VALUES (INT64_C(64) << 20)
#define MOST_RUNS   ((size_t)1 << 20) /* bytes of them */
#define MEAN_AXES   3

/* The blob's shape without leading ones, filled up to C x H x W. */
static int mean_shape(const struct sl_wire *wire, const struct sl_blob_index *blob,
                      struct sl_shape *shape)
{
    const struct sl_shape *whole = &blob->shape;
    if (!blob->has_shape)
        return sl_wire_error(wire, 0, "no shape is in it: this is no mean file");
    int first = 0;
    while (whole->axes - first > MEAN_AXES && whole->dim[first] == 1)
        first++;
    char text[SL_SHAPE_TEXT_BYTES];
    int given = whole->axes - first;
    if (given > MEAN_AXES)
        return sl_wire_error(wire, 0, "a mean of the shape %s; one image is wanted",
                             sl_shape_text(whole, text));
    *shape = (struct sl_shape){.axes = MEAN_AXES, .dim = {1, 1, 1}};
    int64_t count = 1;
    for (int i = 0; i < given; i++) {
        int64_t dim = whole->dim[first + i];
        shape->dim[MEAN_AXES - given + i] = dim;
        if (dim <= 0 || dim > MOST_VALUES / count)
            return sl_wire_error(wire, 0, "a mean of the shape %s", sl_shape_text(whole, text));
        count *= dim;
    }
    if ((uint64_t)count != blob->count || blob->element == SL_BLOB_UNSUPPORTED)
        return sl_wire_error(wire, 0, "%llu values for a mean of the shape %s",
                             (unsigned long long)blob->count, sl_shape_text(whole, text));
    return 0;
}

int sl_mean_read(const char *path, float **values, struct sl_shape *shape, struct sl_error *error)
{
    struct sl_wire wire SL_AUTO(sl_wire_close) = {0};
    struct sl_blob_index blob SL_AUTO(sl_blob_index_free) = {0};
    struct sl_shape found = {0};
    size_t budget_bytes = MOST_RUNS;
    int result = sl_wire_open(&wire, path, error);
    if (result == 0)
        result = sl_blob_index_walk(&wire, wire.size, &budget_bytes, &blob);
    if (result == 0)
        result = mean_shape(&wire, &blob, &found);
    if (result)
        return result;
    float *mean SL_AUTO_FREE = malloc((size_t)blob.count * sizeof(float));
    if (!mean)
        return sl_error_set(error, -ENOMEM, "%s: out of memory", path);
    result = sl_blob_index_read(&blob, wire.file, path, 0, blob.count, mean, error);
    if (result < 0)
        return result;
    *values = SL_STEAL(mean);
    *shape = found;
    return 0;
}
