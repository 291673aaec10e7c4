#include "models/row_scale.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "models/encoding.h"
#include "models/lossless.h"
#include "models/pack_format.h"
#include "runtime/base/cleanup.h"

_Static_assert(SL_STAGED_VALUES % SL_LOSSLESS_BLOCK == 0, "blocks do not lie across two portions");

int sl_read_weights(struct sl_weight_source *source, const struct sl_layer *layer, int weight,
                    int64_t first, int64_t count, float *destination, struct sl_error *error)
{
    return source->read(source, layer->name, sl_layer_type_name(layer->type), weight,
                        &layer->weights[weight].shape, first, count, destination, error);
}

/* What scales follow from. */
struct row_summary {
    float largest; /* magnitude */
    int64_t exponents[SL_EXPONENTS];
};

/* The row may be longer than what can be staged. */
static int summarise(struct sl_weight_source *source, const struct sl_layer *layer, int64_t row,
                     float *staged, struct row_summary *summary, struct sl_error *error)
{
    const int64_t depth = sl_pack_depth(layer);
    *summary = (struct row_summary){0};
    for (int64_t done = 0; done < depth; done += SL_STAGED_VALUES) {
        int64_t taken = depth - done < SL_STAGED_VALUES ? depth - done : SL_STAGED_VALUES;
        int result = sl_read_weights(source, layer, 0, row * depth + done, taken, staged, error);
        if (result)
            return result;
        summary->largest = fmaxf(summary->largest, sl_largest_magnitude(staged, taken));
        sl_count_exponents(staged, taken, summary->exponents);
    }
    return 0;
}

int sl_row_scale(struct sl_weight_source *source, const struct sl_layer *layer, int64_t row,
                 float *staged, float *scale, struct sl_error *error)
{
    struct row_summary summary;
    int64_t exceptions;
    int result = summarise(source, layer, row, staged, &summary, error);
    if (result)
        return result;
    if (layer->encoding == SL_ENCODING_LOSSLESS) {
        *scale = sl_lossless_scale(summary.exponents, &exceptions);
        return 0;
    }
    if (isinf(summary.largest))
        return sl_error_set(error, ERANGE,
                            "layer '%s': row %lld of the weights holds a value that is not finite, "
                            "which i8 cannot store; import with --encode f32 or lossless",
                            layer->name, (long long)row);
    *scale = sl_i8_scale(summary.largest);
    return 0;
}

/* The most exceptions that a row of the layer has. */
static int count_exceptions(struct sl_weight_source *source, const struct sl_layer *layer,
                            int64_t *most, struct sl_error *error)
{
    SL_AUTO_FREE float *staged = malloc((size_t)SL_STAGED_VALUES * sizeof(*staged));
    if (!staged)
        return sl_error_set(error, ENOMEM, "import: no memory");
    *most = 0;
    for (int64_t row = 0; row < sl_pack_rows(layer); row++) {
        struct row_summary summary;
        int64_t exceptions;
        int result = summarise(source, layer, row, staged, &summary, error);
        if (result)
            return result;
        sl_lossless_scale(summary.exponents, &exceptions);
        *most = exceptions > *most ? exceptions : *most;
    }
    return 0;
}

static int encode_lossless(struct sl_weight_source *source, struct sl_layer *layer,
                           struct sl_error *error)
{
    if (sl_pack_depth(layer) > SL_LOSSLESS_DEPTH_MOST)
        return 0;
    struct sl_layer encoded = *layer;
    encoded.encoding = SL_ENCODING_LOSSLESS;
    int result = count_exceptions(source, layer, &encoded.exceptions, error);
    if (result)
        return result;
    /* What may lie between the scales and the rows, and behind them. */
    uint64_t padding = 2 * SL_SEGMENT_ALIGNMENT;
    if (sl_pack_layer_bytes(&encoded) + padding < sl_pack_layer_bytes(layer))
        *layer = encoded;
    return 0;
}

int sl_layer_encode(struct sl_weight_source *source, struct sl_layer *layer,
                    enum sl_encoding encoding, struct sl_error *error)
{
    if (!sl_pack_takes_encoding(layer))
        return 0;
    if (encoding == SL_ENCODING_LOSSLESS)
        return encode_lossless(source, layer, error);
    layer->encoding = encoding;
    return 0;
}
