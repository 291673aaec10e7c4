#include "models/row_scale.h"

#include <errno.h>
#include <math.h>

#include "models/encoding.h"
#include "models/pack_format.h"

int sl_read_weights(struct sl_weight_source *source, const struct sl_layer *layer, int weight,
                    int64_t first, int64_t count, float *destination, struct sl_error *error)
{
    return source->read(source, layer->name, sl_layer_type_name(layer->type), weight,
                        &layer->weights[weight].shape, first, count, destination, error);
}

/* The row may be longer than what can be staged. */
int sl_row_scale(struct sl_weight_source *source, const struct sl_layer *layer, int64_t row,
                 float *staged, float *scale, struct sl_error *error)
{
    const int64_t depth = sl_pack_depth(layer);
    float largest = 0;
    for (int64_t done = 0; done < depth; done += SL_STAGED_VALUES) {
        int64_t taken = depth - done < SL_STAGED_VALUES ? depth - done : SL_STAGED_VALUES;
        int result = sl_read_weights(source, layer, 0, row * depth + done, taken, staged, error);
        if (result)
            return result;
        largest = fmaxf(largest, sl_largest_magnitude(staged, taken));
    }
    if (isinf(largest))
        return sl_error_set(error, ERANGE,
                            "layer '%s': row %lld of the weights holds a value that is not finite, "
                            "which i8 cannot store; import with --encode f32",
                            layer->name, (long long)row);
    *scale = sl_i8_scale(largest);
    return 0;
}
