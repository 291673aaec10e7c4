#include "models/pack_format.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "models/encoding.h"
#include "runtime/base/checksum.h"
#include "runtime/base/units.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packs hold little-endian numbers");

/* The first byte keeps text tools away and the line ends show transfers in text mode, as in PNG. */
static const unsigned char magic[8] = {0x89, 'S', 'L', 'U', '\r', '\n', 0x1a, '\n'};

enum header_offset {
    OFFSET_MAGIC = 0,
    OFFSET_VERSION = 8,
    OFFSET_INDEX_BYTES = 16,
    OFFSET_INDEX_CHECKSUM = 24,
    OFFSET_FILE_BYTES = 32,
    OFFSET_BLOCK_CHECKSUM = SL_PACK_ALIGNMENT - 8, /* of all bytes before it */
};

void sl_pack_header_encode(const struct sl_pack_header *header,
                           unsigned char block[SL_PACK_ALIGNMENT])
{
    memset(block, 0, SL_PACK_ALIGNMENT);
    memcpy(block + OFFSET_MAGIC, magic, sizeof(magic));
    memcpy(block + OFFSET_VERSION, &header->version, sizeof(header->version));
    memcpy(block + OFFSET_INDEX_BYTES, &header->index_bytes, sizeof(header->index_bytes));
    memcpy(block + OFFSET_INDEX_CHECKSUM, &header->index_checksum, sizeof(header->index_checksum));
    memcpy(block + OFFSET_FILE_BYTES, &header->file_bytes, sizeof(header->file_bytes));
    uint64_t checksum = sl_checksum(block, OFFSET_BLOCK_CHECKSUM);
    memcpy(block + OFFSET_BLOCK_CHECKSUM, &checksum, sizeof(checksum));
}

int sl_pack_header_decode(const unsigned char block[SL_PACK_ALIGNMENT],
                          struct sl_pack_header *header, struct sl_error *error)
{
    if (memcmp(block + OFFSET_MAGIC, magic, sizeof(magic)) != 0)
        return sl_error_set(error, EBADMSG,
                            "not a sluice pack; make one with `sluice import` or `sluice synth`");
    uint64_t checksum;
    memcpy(&checksum, block + OFFSET_BLOCK_CHECKSUM, sizeof(checksum));
    if (checksum != sl_checksum(block, OFFSET_BLOCK_CHECKSUM))
        return sl_error_set(error, EBADMSG, "block 0 is damaged; import the network again");
    memcpy(&header->version, block + OFFSET_VERSION, sizeof(header->version));
    memcpy(&header->index_bytes, block + OFFSET_INDEX_BYTES, sizeof(header->index_bytes));
    memcpy(&header->index_checksum, block + OFFSET_INDEX_CHECKSUM, sizeof(header->index_checksum));
    memcpy(&header->file_bytes, block + OFFSET_FILE_BYTES, sizeof(header->file_bytes));
    if (header->version > SL_PACK_VERSION)
        return sl_error_set(error, EPROTO,
                            "the pack has format version %u, this sluice reads version %d; update "
                            "sluice, or import the network again with this one",
                            header->version, SL_PACK_VERSION);
    if (header->version == 0)
        return sl_error_set(error, EBADMSG,
                            "format version 0 does not exist; import the network again");
    return 0;
}

int64_t sl_pack_rows(const struct sl_layer *layer)
{
    if (layer->weight_count == 0)
        return 0;
    return layer->weights[0].shape.axes > 0 ? layer->weights[0].shape.dim[0] : 1;
}

int64_t sl_pack_depth(const struct sl_layer *layer)
{
    int64_t rows = sl_pack_rows(layer);
    return rows > 0 ? layer->weights[0].count / rows : 0;
}

bool sl_pack_row_sharded(const struct sl_layer *layer)
{
    if (layer->weight_count == 0)
        return false;
    return layer->type == SL_LAYER_CONVOLUTION ||
           (layer->type == SL_LAYER_INNER_PRODUCT && !layer->parameters.inner_product.transpose);
}

/* Elements of a weight blob that rows [row_begin, row_end) hold. */
static int64_t segment_count(const struct sl_layer *layer, int weight, int64_t row_begin,
                             int64_t row_end)
{
    const struct sl_weight *blob = &layer->weights[weight];
    int64_t rows = sl_pack_rows(layer);
    if (weight > 0 && (blob->shape.axes == 0 || blob->shape.dim[0] != rows))
        return row_begin == 0 && row_end > 0 ? blob->count : 0;
    return rows > 0 ? blob->count / rows * (row_end - row_begin) : 0;
}

bool sl_pack_takes_encoding(const struct sl_layer *layer)
{
    if (layer->weight_count == 0 ||
        (layer->type != SL_LAYER_CONVOLUTION && layer->type != SL_LAYER_DECONVOLUTION &&
         layer->type != SL_LAYER_INNER_PRODUCT))
        return false;
    return sl_pack_row_sharded(layer) ||
           (uint64_t)layer->weights[0].count <= SL_DECODED_BYTES / sizeof(float);
}

/* Bytes of rows of weight 0, without their scales. */
static uint64_t rows_bytes(const struct sl_layer *layer, int64_t rows)
{
    return (uint64_t)rows *
           sl_encoding_row_bytes(layer->encoding, sl_pack_depth(layer), layer->exceptions);
}

static uint64_t scales_bytes(const struct sl_layer *layer, int64_t rows)
{
    return sl_encoding_has_scales(layer->encoding) ? (uint64_t)rows * sizeof(float) : 0;
}

uint64_t sl_pack_layer_bytes(const struct sl_layer *layer)
{
    const int64_t rows = sl_pack_rows(layer);
    uint64_t bytes = rows_bytes(layer, rows) + scales_bytes(layer, rows);
    for (int weight = 1; weight < layer->weight_count; weight++)
        bytes += (uint64_t)layer->weights[weight].count * sizeof(float);
    return bytes;
}

/* The blob's part of a shard that begins `end` bytes into it or, for alignment, a little later. */
static void lay_out(const struct sl_layer *layer, int weight, int64_t row_begin, int64_t row_end,
                    uint64_t end, struct sl_segment *segment)
{
    *segment = (struct sl_segment){
        .encoding = weight == 0 ? layer->encoding : SL_ENCODING_F32,
        .count = segment_count(layer, weight, row_begin, row_end),
        .offset_bytes = sl_align_up(end, SL_SEGMENT_ALIGNMENT),
    };
    segment->bytes = weight == 0 ? rows_bytes(layer, row_end - row_begin)
                                 : (uint64_t)segment->count * sizeof(float);
    if (!sl_encoding_has_scales(segment->encoding))
        return;
    segment->scale_offset_bytes = segment->offset_bytes;
    segment->offset_bytes =
        sl_align_up(segment->scale_offset_bytes + scales_bytes(layer, row_end - row_begin),
                    SL_SEGMENT_ALIGNMENT);
}

int sl_pack_shard_bytes(const struct sl_layer *layer, int64_t row_begin, int64_t row_end,
                        uint64_t *bytes)
{
    uint64_t end = 0;
    for (int weight = 0; weight < layer->weight_count; weight++) {
        struct sl_segment segment;
        int64_t count = segment_count(layer, weight, row_begin, row_end);
        if (count < 0 || (uint64_t)count > SL_PACK_SHARD_MOST_BYTES)
            return -EOVERFLOW;
        lay_out(layer, weight, row_begin, row_end, end, &segment);
        if (segment.count > 0)
            end = segment.offset_bytes + segment.bytes;
    }
    if (end > SL_PACK_SHARD_MOST_BYTES)
        return -EOVERFLOW;
    *bytes = end;
    return 0;
}

void sl_shard_segment(const struct sl_network *network, const struct sl_shard *shard, int weight,
                      struct sl_segment *segment)
{
    const struct sl_layer *layer = &network->layers[shard->layer];
    uint64_t end = 0;
    for (int before = 0; before < weight; before++) {
        lay_out(layer, before, shard->row_begin, shard->row_end, end, segment);
        if (segment->count > 0)
            end = segment->offset_bytes + segment->bytes;
    }
    lay_out(layer, weight, shard->row_begin, shard->row_end, end, segment);
}

bool sl_pack_takes_activation(enum sl_layer_type type)
{
    return type == SL_LAYER_CONVOLUTION || type == SL_LAYER_INNER_PRODUCT ||
           type == SL_LAYER_ELTWISE || type == SL_LAYER_SCALE || type == SL_LAYER_BATCH_NORM;
}

int sl_pack_check_preprocessing(const struct sl_preprocessing *preprocessing,
                                const struct sl_network *network, struct sl_error *error)
{
    if (preprocessing->resize_short < 0 || preprocessing->resize_short > INT32_MAX ||
        preprocessing->crop < 0 || preprocessing->crop > INT32_MAX)
        return sl_error_set(error, EINVAL, "preprocessing: resize and crop must be positive sizes");
    if (!isfinite(preprocessing->scale))
        return sl_error_set(error, EINVAL, "preprocessing: scale is not a finite number");
    if (preprocessing->mean_count == 0)
        return 0;
    for (int i = 0; i < preprocessing->mean_count; i++)
        if (!isfinite(preprocessing->mean[i]))
            return sl_error_set(error, EINVAL, "preprocessing: mean value %d is not finite", i);
    const struct sl_shape *input =
        network->input_count > 0 ? &network->blobs[network->inputs[0]].shape : NULL;
    int64_t channels = input && input->axes > 1 ? input->dim[1] : 0;
    const struct sl_shape *shape = &preprocessing->mean_shape;
    char text[SL_SHAPE_TEXT_BYTES];
    if (shape->axes == 0) {
        if (preprocessing->mean_count != channels)
            return sl_error_set(error, EINVAL,
                                "preprocessing: %d mean values, but the input has %lld channels; "
                                "give one value per channel",
                                preprocessing->mean_count, (long long)channels);
        return 0;
    }
    int64_t count = 1;
    for (int axis = 0; axis < shape->axes && axis < SL_MAX_AXES; axis++)
        if (shape->dim[axis] < 1 || __builtin_mul_overflow(count, shape->dim[axis], &count))
            return sl_error_set(error, EINVAL, "preprocessing: the mean has an impossible shape");
    if (shape->axes != 3 || shape->dim[0] != channels || count != preprocessing->mean_count)
        return sl_error_set(error, EINVAL,
                            "preprocessing: a mean of shape %s with %d values does not fit an "
                            "input of %lld channels; give the mean file of this network",
                            sl_shape_text(shape, text), preprocessing->mean_count,
                            (long long)channels);
    return 0;
}
