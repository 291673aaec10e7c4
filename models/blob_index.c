#include "models/blob_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"

/* Values are copied from the file as they are. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "caffemodels are little-endian");

#define CHUNK_BYTES    8192
#define LONGEST_STRIDE 32 /* a value, its tag and what a writer may put around it */
#define LARGEST_DIM    INT32_MAX
#define LEGACY_AXES    4

enum { /* field numbers of BlobProto */
       FIELD_NUM = 1,
       FIELD_WIDTH = 4,
       FIELD_DATA = 5,
       FIELD_SHAPE = 7,
       FIELD_DOUBLE_DATA = 8,
       FIELD_RAW_DATA_TYPE = 10,
       FIELD_RAW_DATA = 12,
};

enum { RAW_DOUBLE = 0, RAW_FLOAT = 1, RAW_FLOAT16 = 2 }; /* BlobProto.Type */

/* What a BlobProto says while it is walked. */
struct walk {
    struct sl_wire *wire;
    size_t *budget_bytes;
    struct sl_blob_index *blob;
    bool has_double, has_raw;
    uint64_t raw_type, raw_begin, raw_end;
    struct sl_shape legacy;
    bool has_legacy;
};

int sl_blob_index_charge(const struct sl_wire *wire, size_t *budget_bytes, size_t bytes)
{
    if (bytes > *budget_bytes)
        return sl_wire_error(wire, wire->position,
                             "more layers, blobs or pieces of blobs than any network has");
    *budget_bytes -= bytes;
    return 0;
}

static size_t element_bytes(enum sl_blob_element element)
{
    return element == SL_BLOB_FLOAT64 ? 8 : element == SL_BLOB_FLOAT16 ? 2 : 4;
}

/* Values that are not packed stand alone, each behind its tag, mostly at equal distances: they
 * become one run. */
static bool extend_run(struct sl_blob_run *last, const struct sl_blob_run *next)
{
    if (next->count != 1 || last->element != next->element)
        return false;
    uint64_t distance = next->offset - (last->offset + (last->count - 1) * last->stride);
    if (last->count == 1 && distance <= LONGEST_STRIDE)
        last->stride = (uint32_t)distance;
    else if (distance != last->stride)
        return false;
    last->count++;
    return true;
}

static int add_run(struct walk *walk, uint64_t begin, uint64_t end, enum sl_blob_element element)
{
    struct sl_blob_index *blob = walk->blob;
    uint32_t size = (uint32_t)element_bytes(element);
    struct sl_blob_run run = {
        .offset = begin, .count = (end - begin) / size, .stride = size, .element = element};
    if ((end - begin) % size)
        return sl_wire_error(walk->wire, begin, "%llu bytes of values of %u bytes each",
                             (unsigned long long)(end - begin), size);
    if (run.count == 0)
        return 0;
    if (blob->run_count && extend_run(&blob->runs[blob->run_count - 1], &run))
        return 0;
    if ((blob->run_count & (blob->run_count - 1)) == 0) {
        size_t capacity = blob->run_count ? 2 * blob->run_count : 1;
        int result = sl_blob_index_charge(walk->wire, walk->budget_bytes,
                                          (capacity - blob->run_count) * sizeof(run));
        if (result < 0)
            return result;
        struct sl_blob_run *runs = realloc(blob->runs, capacity * sizeof(run));
        if (!runs)
            return sl_error_set(walk->wire->error, -ENOMEM, "%s: out of memory", walk->wire->path);
        blob->runs = runs;
    }
    blob->runs[blob->run_count++] = run;
    return 0;
}

static int add_dim(struct walk *walk, struct sl_shape *shape, uint64_t offset, uint64_t dim)
{
    if (dim > LARGEST_DIM)
        return sl_wire_error(walk->wire, offset, "a blob with a dimension of %lld", (long long)dim);
    if (shape->axes == SL_MAX_AXES)
        return sl_wire_error(walk->wire, offset, "a blob with more than %d dimensions",
                             SL_MAX_AXES);
    shape->dim[shape->axes++] = (int64_t)dim;
    return 0;
}

/* A BlobShape: dim = 1, packed or not. */
static int walk_shape(struct walk *walk, uint64_t end)
{
    struct sl_wire *wire = walk->wire;
    walk->blob->has_shape = true;
    while (wire->position < end) {
        struct sl_wire_field field;
        int result = sl_wire_field(wire, end, &field);
        if (result < 0)
            return result;
        if (field.number == 1 && field.type == SL_WIRE_VARINT) {
            result = add_dim(walk, &walk->blob->shape, field.begin, field.value);
        } else if (field.number == 1 && field.type == SL_WIRE_LENGTH) {
            while (wire->position < field.end && result == 0) {
                uint64_t dim, offset = wire->position;
                result = sl_wire_varint(wire, field.end, &dim);
                if (result == 0)
                    result = add_dim(walk, &walk->blob->shape, offset, dim);
            }
        }
        if (result < 0)
            return result;
        wire->position = field.end;
    }
    return 0;
}

static int walk_field(struct walk *walk, const struct sl_wire_field *field)
{
    bool packed = field->type == SL_WIRE_LENGTH;
    if (field->number >= FIELD_NUM && field->number <= FIELD_WIDTH &&
        field->type == SL_WIRE_VARINT) {
        if (field->value > LARGEST_DIM)
            return sl_wire_error(walk->wire, field->begin, "a blob with a dimension of %lld",
                                 (long long)field->value);
        walk->has_legacy = true;
        walk->legacy.dim[field->number - FIELD_NUM] = (int64_t)field->value;
    } else if (field->number == FIELD_DATA && (packed || field->type == SL_WIRE_FIXED32)) {
        return add_run(walk, field->begin, field->end, SL_BLOB_FLOAT32);
    } else if (field->number == FIELD_DOUBLE_DATA && (packed || field->type == SL_WIRE_FIXED64)) {
        walk->has_double |= field->end > field->begin;
        return add_run(walk, field->begin, field->end, SL_BLOB_FLOAT64);
    } else if (field->number == FIELD_SHAPE && packed) {
        return walk_shape(walk, field->end);
    } else if (field->number == FIELD_RAW_DATA_TYPE && field->type == SL_WIRE_VARINT) {
        walk->raw_type = field->value;
    } else if (field->number == FIELD_RAW_DATA && packed) {
        walk->has_raw = true;
        walk->raw_begin = field->begin;
        walk->raw_end = field->end;
    }
    return 0;
}

/* Decides which of data, double_data and raw_data holds the values and keeps its runs. */
static int choose_values(struct walk *walk)
{
    struct sl_blob_index *blob = walk->blob;
    blob->element = walk->has_double ? SL_BLOB_FLOAT64 : SL_BLOB_FLOAT32;
    if (walk->has_raw) {
        blob->run_count = 0;
        blob->element = walk->raw_type == RAW_DOUBLE    ? SL_BLOB_FLOAT64
                        : walk->raw_type == RAW_FLOAT   ? SL_BLOB_FLOAT32
                        : walk->raw_type == RAW_FLOAT16 ? SL_BLOB_FLOAT16
                                                        : SL_BLOB_UNSUPPORTED;
        if (blob->element == SL_BLOB_UNSUPPORTED)
            return 0;
        free(blob->runs);
        blob->runs = NULL;
        int result = add_run(walk, walk->raw_begin, walk->raw_end, blob->element);
        if (result < 0)
            return result;
    }
    size_t kept = 0;
    for (size_t i = 0; i < blob->run_count; i++) {
        if (blob->runs[i].element != blob->element)
            continue;
        blob->count += blob->runs[i].count;
        blob->runs[kept++] = blob->runs[i];
    }
    blob->run_count = kept;
    return 0;
}

int sl_blob_index_walk(struct sl_wire *wire, uint64_t end, size_t *budget_bytes,
                       struct sl_blob_index *blob)
{
    struct walk walk = {
        .wire = wire,
        .budget_bytes = budget_bytes,
        .blob = blob,
        .legacy = {.axes = LEGACY_AXES},
    };
    blob->offset = wire->position;
    while (wire->position < end) {
        struct sl_wire_field field;
        int result = sl_wire_field(wire, end, &field);
        if (result == 0)
            result = walk_field(&walk, &field);
        if (result < 0)
            return result;
        wire->position = field.end;
    }
    /* Caffe goes by the legacy dimensions when any of them is there. */
    if (walk.has_legacy) {
        blob->has_shape = blob->legacy_shape = true;
        blob->shape = walk.legacy;
    }
    return choose_values(&walk);
}

void sl_blob_index_free(struct sl_blob_index *blob)
{
    free(blob->runs);
    blob->runs = NULL;
    blob->run_count = 0;
}

static float float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 0x1f;
    uint32_t fraction = half & 0x3ff, bits;
    float value;
    if (exponent == 0) {
        value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    if (exponent == 0x1f)
        bits = sign | 0x7f800000u | fraction << 13;
    else
        bits = sign | (exponent + 127 - 15) << 23 | fraction << 13;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static float value_at(const unsigned char *bytes, enum sl_blob_element element)
{
    float real32;
    double real64;
    uint16_t half;
    switch (element) {
    case SL_BLOB_FLOAT64:
        memcpy(&real64, bytes, sizeof(real64));
        return (float)real64;
    case SL_BLOB_FLOAT16:
        memcpy(&half, bytes, sizeof(half));
        return float_of_half(half);
    default:
        memcpy(&real32, bytes, sizeof(real32));
        return real32;
    }
}

static int read_bytes(int file, const char *path, uint64_t offset, void *bytes, size_t length,
                      struct sl_error *error)
{
    int result = sl_fd_read_exactly(file, bytes, length, offset, error);
    if (result)
        sl_error_wrap(error, "%s", path);
    return result;
}

static int read_run(const struct sl_blob_run *run, int file, const char *path, uint64_t first,
                    uint64_t count, float *destination, struct sl_error *error)
{
    uint64_t offset = run->offset + first * run->stride;
    if (run->element == SL_BLOB_FLOAT32 && run->stride == sizeof(float))
        return read_bytes(file, path, offset, destination, count * sizeof(float), error);
    unsigned char chunk[CHUNK_BYTES];
    size_t size = element_bytes(run->element);
    uint64_t most = (CHUNK_BYTES - size) / run->stride + 1;
    while (count > 0) {
        uint64_t part = count < most ? count : most;
        size_t bytes = (size_t)(part - 1) * run->stride + size;
        int result = read_bytes(file, path, offset, chunk, bytes, error);
        if (result < 0)
            return result;
        for (uint64_t i = 0; i < part; i++)
            destination[i] = value_at(chunk + i * run->stride, run->element);
        destination += part;
        offset += part * run->stride;
        count -= part;
    }
    return 0;
}

int sl_blob_index_read(const struct sl_blob_index *blob, int file, const char *path, uint64_t first,
                       uint64_t count, float *destination, struct sl_error *error)
{
    for (size_t i = 0; i < blob->run_count && count > 0; i++) {
        const struct sl_blob_run *run = &blob->runs[i];
        if (first >= run->count) {
            first -= run->count;
            continue;
        }
        uint64_t part = run->count - first < count ? run->count - first : count;
        int result = read_run(run, file, path, first, part, destination, error);
        if (result < 0)
            return result;
        destination += part;
        count -= part;
        first = 0;
    }
    return 0;
}
