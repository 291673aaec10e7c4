/* Writes a caffemodel as protobuf wire format, a piece at a time: lengths are known before the
 * values, so nothing larger than a buffer is held. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/import.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/output_file.h"
#include "runtime/base/text.h"

/* Protobuf readers, Caffe's included, take no message longer than this. */
#define LONGEST_FILE INT32_MAX

#define PIECE_ELEMENTS 65536

/* Field numbers of caffe.proto. */
enum {
    NET_NAME = 1,
    NET_LAYER = 100,
    LAYER_NAME = 1,
    LAYER_TYPE = 2,
    LAYER_BLOBS = 7,
    BLOB_SHAPE = 7,
    BLOB_DATA = 5,
    SHAPE_DIM = 1,
};

#define LENGTH_DELIMITED 2

struct writer {
    struct sl_output_file file;
    struct sl_text pending; /* bytes not yet written, which end at `offset` */
    uint64_t offset;        /* where the next byte of pending's start goes */
    float *values;
    struct sl_error *error;
};

static void writer_clean(struct writer *writer)
{
    sl_output_file_close(&writer->file);
    sl_text_free(&writer->pending);
    free(writer->values);
}

static void network_clean(struct sl_network **network)
{
    sl_network_free(*network);
}

static uint64_t varint_bytes(uint64_t value)
{
    uint64_t bytes = 1;
    for (; value >= 0x80; value >>= 7)
        bytes++;
    return bytes;
}

static uint64_t field_bytes(unsigned field, uint64_t length)
{
    return varint_bytes((uint64_t)field << 3) + varint_bytes(length) + length;
}

static void add_varint(struct writer *writer, uint64_t value)
{
    do {
        unsigned char byte = (unsigned char)((value & 0x7f) | (value >= 0x80 ? 0x80 : 0));
        sl_text_add_bytes(&writer->pending, &byte, 1);
        value >>= 7;
    } while (value);
}

static void add_header(struct writer *writer, unsigned field, uint64_t length)
{
    add_varint(writer, (uint64_t)field << 3 | LENGTH_DELIMITED);
    add_varint(writer, length);
}

static void add_string(struct writer *writer, unsigned field, const char *text)
{
    add_header(writer, field, strlen(text));
    sl_text_add_bytes(&writer->pending, text, strlen(text));
}

static int write_bytes(struct writer *writer, const void *bytes, size_t length)
{
    int result = sl_output_file_write(&writer->file, bytes, length, writer->offset, writer->error);
    if (!result)
        writer->offset += length;
    return result;
}

static int flush(struct writer *writer)
{
    if (writer->pending.failed)
        return sl_error_set(writer->error, -ENOMEM, "%s: out of memory", writer->file.path);
    int result = write_bytes(writer, writer->pending.bytes, writer->pending.length);
    writer->pending.length = 0;
    return result;
}

static uint64_t dims_bytes(const struct sl_shape *shape)
{
    uint64_t bytes = 0;
    for (int i = 0; i < shape->axes; i++)
        bytes += varint_bytes((uint64_t)shape->dim[i]);
    return bytes;
}

static uint64_t blob_bytes(const struct sl_weight *weight)
{
    return field_bytes(BLOB_SHAPE, field_bytes(SHAPE_DIM, dims_bytes(&weight->shape))) +
           field_bytes(BLOB_DATA, (uint64_t)weight->count * sizeof(float));
}

static uint64_t layer_bytes(const struct sl_layer *layer)
{
    uint64_t bytes = field_bytes(LAYER_NAME, strlen(layer->name)) +
                     field_bytes(LAYER_TYPE, strlen(sl_layer_type_name(layer->type)));
    for (int i = 0; i < layer->weight_count; i++)
        bytes += field_bytes(LAYER_BLOBS, blob_bytes(&layer->weights[i]));
    return bytes;
}

/* Floats in memory are the file's little-endian floats on every machine that sluice builds for. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "float data is written as it is");

static int write_blob(struct writer *writer, const struct sl_layer *layer, int blob,
                      struct sl_weight_source *weights)
{
    const struct sl_weight *weight = &layer->weights[blob];
    uint64_t dims = dims_bytes(&weight->shape);
    add_header(writer, LAYER_BLOBS, blob_bytes(weight));
    add_header(writer, BLOB_SHAPE, field_bytes(SHAPE_DIM, dims));
    add_header(writer, SHAPE_DIM, dims);
    for (int i = 0; i < weight->shape.axes; i++)
        add_varint(writer, (uint64_t)weight->shape.dim[i]);
    add_header(writer, BLOB_DATA, (uint64_t)weight->count * sizeof(float));
    int result = flush(writer);
    for (int64_t first = 0; first < weight->count && !result; first += PIECE_ELEMENTS) {
        int64_t count = weight->count - first;
        if (count > PIECE_ELEMENTS)
            count = PIECE_ELEMENTS;
        result = weights->read(weights, layer->name, sl_layer_type_name(layer->type), blob,
                               &weight->shape, first, count, writer->values, writer->error);
        if (!result)
            result = write_bytes(writer, writer->values, (size_t)count * sizeof(float));
    }
    return result;
}

static int write_layer(struct writer *writer, const struct sl_layer *layer,
                       struct sl_weight_source *weights)
{
    add_header(writer, NET_LAYER, layer_bytes(layer));
    add_string(writer, LAYER_NAME, layer->name);
    add_string(writer, LAYER_TYPE, sl_layer_type_name(layer->type));
    int result = 0;
    for (int blob = 0; blob < layer->weight_count && !result; blob++)
        result = write_blob(writer, layer, blob, weights);
    return result;
}

int sl_caffemodel_write(const struct Caffe__NetParameter *message, struct sl_weight_source *weights,
                        const char *output, struct sl_error *error)
{
    static const char name[] = "synthetic";
    SL_AUTO(network_clean) struct sl_network *network = NULL;
    struct sl_network_options options = {0};
    int result = sl_network_build(message, &options, &network, error);
    if (result)
        return result;
    uint64_t bytes = field_bytes(NET_NAME, strlen(name));
    for (int i = 0; i < network->layer_count; i++)
        if (network->layers[i].weight_count)
            bytes += field_bytes(NET_LAYER, layer_bytes(&network->layers[i]));
    if (bytes > LONGEST_FILE)
        return sl_error_set(error, -EFBIG,
                            "%s: %llu bytes would be needed, and no protobuf reader takes 2 GiB or "
                            "more; write a pack instead",
                            output, (unsigned long long)bytes);

    SL_AUTO(writer_clean) struct writer writer = {.file = SL_OUTPUT_FILE_NONE, .error = error};
    writer.values = malloc(PIECE_ELEMENTS * sizeof(float));
    if (!writer.values)
        return sl_error_set(error, -ENOMEM, "%s: out of memory", output);
    result = sl_output_file_open(&writer.file, output, bytes, error);
    if (result)
        return result;
    add_string(&writer, NET_NAME, name);
    for (int i = 0; i < network->layer_count && !result; i++)
        if (network->layers[i].weight_count)
            result = write_layer(&writer, &network->layers[i], weights);
    if (!result)
        result = flush(&writer);
    return result ? result : sl_output_file_commit(&writer.file, error);
}
