/* The index of a caffemodel: layer names and where the values of their blobs lie. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/blob_index.h"
#include "models/weights.h"
#include "models/wire.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"

#define LARGEST_INDEX_BYTES ((size_t)24 << 20)
#define LONGEST_LAYER_NAME  1023
#define LEAST_TEXT_BYTES    64

enum { FIELD_V1_LAYERS = 2, FIELD_LAYER = 100 }; /* of NetParameter */

/* Field numbers of the name, the blobs and the nested older layer of each version's layer. */
struct layer_fields {
    uint32_t name, blobs, nested;
};
static const struct layer_fields v2_fields = {.name = 1, .blobs = 7};
static const struct layer_fields v1_fields = {.name = 4, .blobs = 6, .nested = 1};
static const struct layer_fields v0_fields = {.name = 1, .blobs = 50};

struct indexed_layer {
    char *name;
    size_t order; /* in the file */
    size_t blob_count;
    struct sl_blob_index *blobs;
};

struct caffemodel {
    struct sl_weight_source base;
    char *path;
    int file;
    size_t layer_count;
    struct indexed_layer *layers; /* those with blobs, by name, then by order */
};

/* What is needed while the file is walked. */
struct scan {
    struct sl_wire *wire;
    struct caffemodel *model;
    size_t budget_bytes;
    size_t layers_seen;
};

/* Makes room for one more element where count is the number there are. Arrays double at powers of
 * two. */
static int grow(struct scan *scan, void *array, size_t count, size_t bytes)
{
    if (count & (count - 1))
        return 0;
    size_t capacity = count ? 2 * count : 1;
    int result = sl_blob_index_charge(scan->wire, &scan->budget_bytes, (capacity - count) * bytes);
    if (result < 0)
        return result;
    void *old;
    memcpy(&old, array, sizeof(old));
    void *grown = realloc(old, capacity * bytes);
    if (!grown)
        return sl_error_set(scan->wire->error, -ENOMEM, "%s: out of memory", scan->wire->path);
    memcpy(array, &grown, sizeof(grown));
    return 0;
}

static int scan_name(struct scan *scan, const struct sl_wire_field *field,
                     struct indexed_layer *layer)
{
    uint64_t length = field->end - field->begin;
    if (length > LONGEST_LAYER_NAME)
        return sl_wire_error(scan->wire, field->begin, "a layer name of %llu bytes",
                             (unsigned long long)length);
    int result = sl_blob_index_charge(scan->wire, &scan->budget_bytes, length + 1);
    if (result < 0)
        return result;
    char *name SL_AUTO_FREE = malloc(length + 1);
    if (!name)
        return sl_error_set(scan->wire->error, -ENOMEM, "%s: out of memory", scan->wire->path);
    result = sl_wire_bytes(scan->wire, name, length);
    if (result < 0)
        return result;
    name[length] = '\0';
    free(layer->name);
    layer->name = SL_STEAL(name);
    return 0;
}

static int scan_blob(struct scan *scan, const struct sl_wire_field *field,
                     struct indexed_layer *layer)
{
    int result = grow(scan, &layer->blobs, layer->blob_count, sizeof(*layer->blobs));
    if (result < 0)
        return result;
    struct sl_blob_index *blob = &layer->blobs[layer->blob_count++];
    *blob = (struct sl_blob_index){0};
    return sl_blob_index_walk(scan->wire, field->end, &scan->budget_bytes, blob);
}

static int scan_layer_fields(struct scan *scan, uint64_t end, const struct layer_fields *numbers,
                             struct indexed_layer *layer)
{
    while (scan->wire->position < end) {
        struct sl_wire_field field;
        int result = sl_wire_field(scan->wire, end, &field);
        if (result < 0)
            return result;
        if (field.type == SL_WIRE_LENGTH) {
            if (field.number == numbers->name)
                result = scan_name(scan, &field, layer);
            else if (field.number == numbers->blobs)
                result = scan_blob(scan, &field, layer);
            else if (field.number == numbers->nested)
                result = scan_layer_fields(scan, field.end, &v0_fields, layer);
        }
        if (result < 0)
            return result;
        scan->wire->position = field.end;
    }
    return 0;
}

static void free_layer(struct indexed_layer *layer)
{
    for (size_t i = 0; i < layer->blob_count; i++)
        sl_blob_index_free(&layer->blobs[i]);
    free(layer->blobs);
    free(layer->name);
    *layer = (struct indexed_layer){0};
}

/* Keeps the layer when it has blobs and a name. */
static int scan_layer(struct scan *scan, uint64_t end, const struct layer_fields *numbers)
{
    struct indexed_layer layer SL_AUTO(free_layer) = {.order = scan->layers_seen++};
    int result = scan_layer_fields(scan, end, numbers, &layer);
    if (result < 0) {
        if (layer.name && result == -EBADMSG)
            sl_error_wrap(scan->wire->error, "layer '%s'", layer.name);
        return result;
    }
    if (!layer.blob_count || !layer.name)
        return 0;
    struct caffemodel *model = scan->model;
    result = grow(scan, &model->layers, model->layer_count, sizeof(*model->layers));
    if (result < 0)
        return result;
    model->layers[model->layer_count++] = layer;
    layer = (struct indexed_layer){0};
    return 0;
}

/* Whether these are bytes that people write: none that only binary files have, and more than the
 * name that a caffemodel begins with. */
static bool is_text(const unsigned char *bytes, size_t length)
{
    if (length < LEAST_TEXT_BYTES)
        return false;
    for (size_t i = 0; i < length; i++) {
        const bool blank = bytes[i] == '\t' || bytes[i] == '\n' || bytes[i] == '\r';
        if ((bytes[i] < ' ' && !blank) || bytes[i] == 127)
            return false;
    }
    return true;
}

int sl_caffemodel_check_start(struct sl_wire *wire)
{
    static const char hdf5[] = "\x89HDF\r\n\x1a\n";
    unsigned char start[512];
    size_t length = wire->size < sizeof(start) ? (size_t)wire->size : sizeof(start);
    if (length == 0)
        return sl_wire_error(wire, 0, "the file is empty");
    int result = sl_wire_bytes(wire, start, length);
    if (result < 0)
        return result;
    wire->position = 0;
    if (length >= sizeof(hdf5) - 1 && memcmp(start, hdf5, sizeof(hdf5) - 1) == 0)
        return sl_error_set(wire->error, -EBADMSG,
                            "%s: an HDF5 file; sluice reads binary caffemodels: save it with "
                            "Caffe's snapshot_format: BINARYPROTO",
                            wire->path);
    if (is_text(start, length))
        return sl_error_set(wire->error, -EBADMSG,
                            "%s: this is text, as a prototxt is, and no caffemodel; give the "
                            "prototxt first, then the caffemodel",
                            wire->path);
    return 0;
}

static int scan_file(struct scan *scan)
{
    struct sl_wire *wire = scan->wire;
    int result = sl_caffemodel_check_start(wire);
    while (result == 0 && wire->position < wire->size) {
        struct sl_wire_field field;
        result = sl_wire_field(wire, wire->size, &field);
        if (result < 0)
            break;
        if (field.type == SL_WIRE_LENGTH && field.number == FIELD_LAYER)
            result = scan_layer(scan, field.end, &v2_fields);
        else if (field.type == SL_WIRE_LENGTH && field.number == FIELD_V1_LAYERS)
            result = scan_layer(scan, field.end, &v1_fields);
        wire->position = field.end;
    }
    if (result == 0 && scan->layers_seen == 0)
        return sl_wire_error(wire, 0, "no layer is in it: this is no caffemodel");
    return result;
}

static int compare_layers(const void *left, const void *right)
{
    const struct indexed_layer *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* The last layer of that name: each overwrites the ones before when Caffe copies weights. */
static const struct indexed_layer *find_layer(const struct caffemodel *model, const char *name)
{
    size_t low = 0, high = model->layer_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(model->layers[middle].name, name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct indexed_layer *found = low ? &model->layers[low - 1] : NULL;
    return found && strcmp(found->name, name) == 0 ? found : NULL;
}

static int unknown_layer(const struct caffemodel *model, const char *name, struct sl_error *error)
{
    struct sl_suggestion suggestion = {.wanted = name};
    for (size_t i = 0; i < model->layer_count; i++)
        sl_suggest(&suggestion, model->layers[i].name);
    return sl_error_set(error, -ENOENT,
                        "%s has no weights for layer '%s'%s%s%s: the prototxt and the caffemodel "
                        "do not belong together",
                        model->path, name, suggestion.best ? " (nearest: '" : "",
                        suggestion.best ? suggestion.best : "", suggestion.best ? "')" : "");
}

static int check_blob(const struct caffemodel *model, const char *layer, int number,
                      const struct sl_blob_index *blob, const struct sl_shape *shape,
                      struct sl_error *error)
{
    char expected[SL_SHAPE_TEXT_BYTES], found[SL_SHAPE_TEXT_BYTES];
    if (!blob->has_shape || !sl_shape_equal_but_leading_ones(&blob->shape, shape))
        return sl_error_set(error, -EINVAL,
                            "%s: layer '%s', blob %d has the shape %s, the network needs %s",
                            model->path, layer, number,
                            blob->has_shape ? sl_shape_text(&blob->shape, found) : "of no axes",
                            sl_shape_text(shape, expected));
    if (blob->element == SL_BLOB_UNSUPPORTED)
        return sl_error_set(error, -EINVAL,
                            "%s: layer '%s', blob %d holds integers; only float, double and half "
                            "precision are read",
                            model->path, layer, number);
    if (blob->count != (uint64_t)sl_shape_count(shape))
        return sl_error_set(error, -EBADMSG,
                            "%s: offset %llu: layer '%s', blob %d holds %llu values, its shape %s "
                            "needs %lld",
                            model->path, (unsigned long long)blob->offset, layer, number,
                            (unsigned long long)blob->count, sl_shape_text(shape, expected),
                            (long long)sl_shape_count(shape));
    return 0;
}

static int caffemodel_read(struct sl_weight_source *source, const char *layer, const char *type,
                           int blob, const struct sl_shape *shape, int64_t first, int64_t count,
                           float *destination, struct sl_error *error)
{
    (void)type;
    const struct caffemodel *model = (const struct caffemodel *)source;
    const struct indexed_layer *found = find_layer(model, layer);
    if (!found)
        return unknown_layer(model, layer, error);
    if (blob < 0 || (size_t)blob >= found->blob_count)
        return sl_error_set(error, -ENOENT, "%s: layer '%s' has %zu blobs, blob %d is missing",
                            model->path, layer, found->blob_count, blob);
    const struct sl_blob_index *index = &found->blobs[blob];
    int result = check_blob(model, layer, blob, index, shape, error);
    if (result < 0)
        return result;
    if (first < 0 || count < 0 || (uint64_t)first > index->count ||
        (uint64_t)count > index->count - (uint64_t)first)
        return sl_error_set(error, -EINVAL, "%s: layer '%s', blob %d: no values %lld to %lld",
                            model->path, layer, blob, (long long)first, (long long)(first + count));
    return sl_blob_index_read(index, model->file, model->path, (uint64_t)first, (uint64_t)count,
                              destination, error);
}

static void caffemodel_close(struct sl_weight_source *source)
{
    struct caffemodel *model = (struct caffemodel *)source;
    if (!model)
        return;
    for (size_t i = 0; i < model->layer_count; i++)
        free_layer(&model->layers[i]);
    free(model->layers);
    free(model->path);
    if (model->file >= 0)
        close(model->file);
    free(model);
}

static struct caffemodel *create(const char *path, int file)
{
    struct caffemodel *model = calloc(1, sizeof(*model));
    if (!model)
        return NULL;
    model->base = (struct sl_weight_source){.read = caffemodel_read, .close = caffemodel_close};
    model->path = strdup(path);
    model->file = fcntl(file, F_DUPFD_CLOEXEC, 0);
    if (model->path && model->file >= 0)
        return model;
    caffemodel_close(&model->base);
    return NULL;
}

int sl_caffemodel_open(const char *path, struct sl_weight_source **source, struct sl_error *error)
{
    struct sl_wire wire SL_AUTO(sl_wire_close) = {0};
    int result = sl_wire_open(&wire, path, error);
    if (result < 0)
        return result;
    struct caffemodel *model = create(path, wire.file);
    if (!model)
        return sl_error_set(error, -ENOMEM, "%s: out of memory or file descriptors", path);
    struct scan scan = {.wire = &wire, .model = model, .budget_bytes = LARGEST_INDEX_BYTES};
    result = scan_file(&scan);
    if (result < 0) {
        caffemodel_close(&model->base);
        return result;
    }
    if (model->layer_count)
        qsort(model->layers, model->layer_count, sizeof(*model->layers), compare_layers);
    *source = &model->base;
    return 0;
}
