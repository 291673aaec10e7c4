#include <criterion/criterion.h>
#include <errno.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "models/caffe.pb-c.h"
#include "models/caffe_text.h"
#include "models/network.h"
#include "models/weights.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/text.h"
#include "tests/unit/caffemodel_fixture.h"

Test(caffemodel, packed_floats_and_errors_of_the_reader)
{
    struct sl_text blob = {0}, content = {0};
    add_shape(&blob, (int64_t[]){2, 3}, 2);
    add_bytes(&blob, 5, six, sizeof(six));
    add_layer(&content, "first", &blob);
    struct sl_weight_source *source = open_content(&content);
    expect_six(source, "first");
    float values[6];
    struct sl_error error = {0};
    cr_expect_eq(read_blob(source, "frist", 0, two_by_three, 0, 6, values, &error), -ENOENT);
    cr_expect_not_null(strstr(error.text, "layer 'frist' (nearest: 'first')"));
    cr_expect_eq(read_blob(source, "first", 1, two_by_three, 0, 6, values, &error), -ENOENT);
    cr_expect_not_null(strstr(error.text, "layer 'first' has 1 blobs, blob 1 is missing"));
    struct sl_shape other = {.axes = 2, .dim = {3, 2}};
    cr_expect_eq(read_blob(source, "first", 0, other, 0, 6, values, &error), -EINVAL);
    cr_expect_not_null(strstr(error.text, "blob 0 has the shape 2x3, the network needs 3x2"));
    cr_expect_eq(read_blob(source, "first", 0, two_by_three, 4, 3, values, &error), -EINVAL);
    struct sl_shape ones = {.axes = 4, .dim = {1, 1, 2, 3}};
    cr_expect_eq(read_blob(source, "first", 0, ones, 0, 6, values, &error), 0);
    source->close(source);
}

Test(caffemodel, every_spelling_of_values)
{
    static const uint16_t halves[] = {0x3c00, 0xc000, 0x4300, 0x4400, 0x4500, 0x4600};
    double doubles[6];
    struct sl_text blob = {0}, content = {0};
    for (int i = 0; i < 6; i++)
        doubles[i] = (double)six[i];

    for (int i = 0; i < 6; i++)
        add_float(&blob, 5, six[i]);
    add_shape(&blob, (int64_t[]){2, 3}, 2);
    add_layer(&content, "unpacked", &blob);

    add_shape(&blob, (int64_t[]){2, 3}, 2);
    add_bytes(&blob, 5, six, 2 * sizeof(float));
    add_float(&blob, 5, six[2]);
    add_number(&blob, 77, 300);
    add_float(&blob, 5, six[3]);
    add_bytes(&blob, 5, NULL, 0);
    add_bytes(&blob, 5, six + 4, 2 * sizeof(float));
    add_layer(&content, "mixed", &blob);

    add_shape(&blob, (int64_t[]){2, 3}, 2);
    add_bytes(&blob, 8, doubles, sizeof(doubles));
    add_layer(&content, "double", &blob);

    add_shape(&blob, (int64_t[]){2, 3}, 2);
    for (int i = 0; i < 6; i++) {
        add_varint(&blob, 8 << 3 | 1);
        sl_text_add_bytes(&blob, &doubles[i], sizeof(double));
    }
    add_bytes(&blob, 5, six, 8);
    add_layer(&content, "unpacked double beside float", &blob);

    add_shape(&blob, (int64_t[]){2, 3}, 2);
    add_bytes(&blob, 12, halves, sizeof(halves));
    add_number(&blob, 10, 2);
    add_bytes(&blob, 5, six, 4);
    add_layer(&content, "half", &blob);

    add_shape(&blob, (int64_t[]){2, 3}, 2);
    add_number(&blob, 10, 1);
    add_bytes(&blob, 12, six, sizeof(six));
    add_layer(&content, "raw float", &blob);

    add_number(&blob, 1, 1);
    add_number(&blob, 2, 1);
    add_number(&blob, 3, 2);
    add_number(&blob, 4, 3);
    add_bytes(&blob, 5, six, sizeof(six));
    add_bytes(&blob, 6, six, sizeof(six)); /* diff */
    add_layer(&content, "legacy", &blob);

    struct sl_weight_source *source = open_content(&content);
    static const char *const layers[] = {
        "unpacked", "mixed",     "double", "unpacked double beside float",
        "half",     "raw float", "legacy"};
    for (size_t i = 0; i < sizeof(layers) / sizeof(*layers); i++)
        expect_six(source, layers[i]);
    source->close(source);
}

Test(caffemodel, half_precision_is_exact)
{
    static const uint16_t halves[] = {0x0000, 0x8000, 0x0001, 0x83ff, 0x0400,
                                      0x7bff, 0x7c00, 0xfc00, 0x7e00, 0x3555};
    static const float expected[] = {0,        -0.0f,    0x1p-24f,  -0x1.ff8p-15f, 0x1p-14f,
                                     65504.0f, INFINITY, -INFINITY, NAN,           0x1.554p-2f};
    enum { COUNT = sizeof(halves) / sizeof(*halves) };
    struct sl_text blob = {0}, content = {0};
    add_shape(&blob, (int64_t[]){COUNT}, 1);
    add_number(&blob, 10, 2);
    add_bytes(&blob, 12, halves, sizeof(halves));
    add_layer(&content, "h", &blob);
    struct sl_weight_source *source = open_content(&content);
    float values[COUNT];
    struct sl_error error = {0};
    struct sl_shape shape = {.axes = 1, .dim = {COUNT}};
    cr_assert_eq(read_blob(source, "h", 0, shape, 0, COUNT, values, &error), 0, "%s", error.text);
    for (int i = 0; i < COUNT; i++) {
        if (isnan(expected[i]))
            cr_expect(isnan(values[i]));
        else
            cr_expect(values[i] == expected[i] && signbit(values[i]) == signbit(expected[i]),
                      "%04x became %a", halves[i], (double)values[i]);
    }
    source->close(source);
}

Test(caffemodel, many_values_of_every_kind)
{
    enum { COUNT = 10007 };
    struct sl_text blob = {0}, content = {0};
    const int64_t dims[] = {COUNT};
    for (int i = 0; i < COUNT; i++)
        add_float(&blob, 5, (float)i);
    add_shape(&blob, dims, 1);
    add_layer(&content, "unpacked", &blob);
    double *doubles SL_AUTO_FREE = malloc(COUNT * sizeof(double));
    for (int i = 0; i < COUNT; i++)
        doubles[i] = i;
    add_shape(&blob, dims, 1);
    add_bytes(&blob, 8, doubles, COUNT * sizeof(double));
    add_layer(&content, "double", &blob);
    struct sl_weight_source *source = open_content(&content);
    float *values SL_AUTO_FREE = malloc(COUNT * sizeof(float));
    struct sl_shape shape = {.axes = 1, .dim = {COUNT}};
    static const char *const layers[] = {"unpacked", "double"};
    for (size_t kind = 0; kind < 2; kind++) {
        struct sl_error error = {0};
        cr_assert_eq(read_blob(source, layers[kind], 0, shape, 7, COUNT - 7, values, &error), 0);
        for (int i = 7; i < COUNT; i++)
            cr_assert_eq(values[i - 7], (float)i);
    }
    source->close(source);
}

static void add_v1_layers(struct sl_text *content)
{
    struct sl_text blob = {0}, layer = {0}, nested = {0};
    add_number(&blob, 3, 2);
    add_number(&blob, 4, 3);
    add_bytes(&blob, 5, six, sizeof(six));
    add_bytes(&layer, 4, "v1", 2);
    add_number(&layer, 5, 14);
    struct sl_text copy = {0};
    sl_text_add_bytes(&copy, blob.bytes, blob.length);
    add_message(&layer, 6, &copy);
    add_message(content, 2, &layer);

    add_bytes(&nested, 1, "v0", 2);
    add_bytes(&nested, 2, "innerproduct", 12);
    add_number(&nested, 3, 2);
    add_message(&nested, 50, &blob);
    add_message(&layer, 1, &nested);
    add_bytes(&layer, 2, "v1", 2);
    add_message(content, 2, &layer);
}

Test(caffemodel, v1_and_v0_layers)
{
    struct sl_text content = {0};
    add_v1_layers(&content);
    struct sl_weight_source *source = open_content(&content);
    float values[6];
    struct sl_error error = {0};
    struct sl_shape legacy = {.axes = 2, .dim = {2, 3}};
    /* num and channels are absent: 0 x 0 x 2 x 3 is not 2 x 3. */
    cr_expect_eq(read_blob(source, "v1", 0, legacy, 0, 6, values, &error), -EINVAL);
    legacy = (struct sl_shape){.axes = 4, .dim = {0, 0, 2, 3}};
    cr_expect_eq(read_blob(source, "v0", 0, legacy, 0, 6, values, &error), -EBADMSG);
    source->close(source);

    struct temporary_file file;
    add_v1_layers(&content);
    file = write_content(&content);
    sl_text_free(&content);
    Caffe__NetParameter *network = NULL;
    cr_assert_eq(sl_caffemodel_structure(file.path, &network, &error), 0, "%s", error.text);
    unlink(file.path);
    cr_assert_eq(network->n_layer, 2);
    cr_expect_str_eq(network->layer[0]->type, "InnerProduct");
    cr_expect_str_eq(network->layer[1]->name, "v0");
    cr_expect_eq(network->layer[1]->inner_product_param->num_output, 2);
    cr_expect_str_eq(network->layer[1]->bottom[0], "v1");
    cr_expect_eq(network->layer[0]->n_blobs + network->layer[1]->n_blobs, 0);
    sl_caffe_free(network);
}

Test(caffemodel, the_last_layer_of_a_name_counts)
{
    struct sl_text blob = {0}, content = {0};
    static const float older[] = {9, 9, 9, 9, 9, 9};
    add_shape(&blob, (int64_t[]){2, 3}, 2);
    add_bytes(&blob, 5, older, sizeof(older));
    add_layer(&content, "a", &blob);
    add_shape(&blob, (int64_t[]){2, 3}, 2);
    add_bytes(&blob, 5, six, sizeof(six));
    add_layer(&content, "a", &blob);
    struct sl_text layer = {0};
    add_bytes(&layer, 1, "a", 1);
    add_message(&content, 100, &layer);
    struct sl_weight_source *source = open_content(&content);
    expect_six(source, "a");
    source->close(source);
}

Test(caffemodel, every_real_file_gives_all_its_blobs)
{
    char pattern[4096];
    glob_t found = {0};
    snprintf(pattern, sizeof(pattern), "%s/caffe/*/*.caffemodel", models_folder());
    if (glob(pattern, 0, NULL, &found) != 0)
        cr_skip_test("skipped: no caffemodels in SLUICE_MODELS");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        struct sl_error error = {0};
        struct sl_weight_source *source = NULL;
        Caffe__NetParameter *structure = NULL;
        cr_assert_eq(sl_caffemodel_open(path, &source, &error), 0, "%s", error.text);
        cr_assert_eq(sl_caffemodel_structure(path, &structure, &error), 0, "%s", error.text);

        /* protobuf-c's own reading of the whole file is the reference. */
        FILE *file SL_AUTO_FILE = fopen(path, "rb");
        fseek(file, 0, SEEK_END);
        size_t size = (size_t)ftell(file);
        rewind(file);
        unsigned char *bytes SL_AUTO_FREE = malloc(size);
        cr_assert_eq(fread(bytes, 1, size, file), size);
        Caffe__NetParameter *whole = caffe__net_parameter__unpack(NULL, size, bytes);
        cr_assert_not_null(whole);
        cr_assert_eq(sl_caffe_upgrade(whole, &error), 0, "%s", error.text);
        cr_assert_eq(structure->n_layer, whole->n_layer, "%s", path);
        size_t blobs = 0;
        for (size_t l = 0; l < whole->n_layer; l++) {
            const Caffe__LayerParameter *layer = whole->layer[l];
            cr_expect_str_eq(structure->layer[l]->name, layer->name);
            cr_expect_str_eq(structure->layer[l]->type, layer->type);
            cr_expect_eq(structure->layer[l]->n_blobs, 0);
            for (size_t b = 0; b < layer->n_blobs; b++, blobs++) {
                const Caffe__BlobProto *blob = layer->blobs[b];
                struct sl_shape shape = {
                    .axes = 4, .dim = {blob->num, blob->channels, blob->height, blob->width}};
                if (blob->shape) {
                    shape.axes = (int)blob->shape->n_dim;
                    memcpy(shape.dim, blob->shape->dim, blob->shape->n_dim * sizeof(int64_t));
                }
                float *values SL_AUTO_FREE = malloc(blob->n_data * sizeof(float) + 1);
                int result = read_blob(source, layer->name, (int)b, shape, 0, (int64_t)blob->n_data,
                                       values, &error);
                cr_assert_eq(result, 0, "%s", error.text);
                cr_expect_eq(memcmp(values, blob->data, blob->n_data * sizeof(float)), 0,
                             "%s %s %zu", path, layer->name, b);
            }
        }
        cr_expect_gt(blobs, 0, "%s", path);
        sl_caffe_free(whole);
        sl_caffe_free(structure);
        source->close(source);
    }
    globfree(&found);
}

Test(caffemodel, memory_does_not_grow_with_the_file)
{
    enum { LAYERS = 16, MEGABYTES = 40 };
    struct sl_text blob = {0}, head = {0};
    struct temporary_file file = write_content(&head);
    FILE *out = fopen(file.path, "wb");
    cr_assert_not_null(out);
    for (int i = 0; i < LAYERS; i++) {
        /* The head of a layer whose packed data of 40 MB is a hole in the file. */
        const uint64_t data = (uint64_t)MEGABYTES << 20;
        char name[16];
        struct sl_text layer = {0}, sizes = {0};
        snprintf(name, sizeof(name), "l%d", i);
        add_shape(&blob, (int64_t[]){(int64_t)(data / 4)}, 1);
        add_varint(&blob, 5 << 3 | 2);
        add_varint(&blob, data);
        add_bytes(&layer, 1, name, strlen(name));
        add_varint(&layer, 7 << 3 | 2);
        add_varint(&layer, blob.length + data);
        add_varint(&sizes, 100 << 3 | 2);
        add_varint(&sizes, layer.length + blob.length + data);
        fwrite(sizes.bytes, 1, sizes.length, out);
        fwrite(layer.bytes, 1, layer.length, out);
        fwrite(blob.bytes, 1, blob.length, out);
        cr_assert_eq(fseeko(out, (off_t)data, SEEK_CUR), 0);
        sl_text_free(&layer);
        sl_text_free(&sizes);
        sl_text_free(&blob);
    }
    cr_assert_eq(ftruncate(fileno(out), ftello(out)), 0);
    fclose(out);
    struct rusage before, after;
    struct sl_error error = {0};
    struct sl_weight_source *source = NULL;
    Caffe__NetParameter *structure = NULL;
    getrusage(RUSAGE_SELF, &before);
    cr_assert_eq(sl_caffemodel_open(file.path, &source, &error), 0, "%s", error.text);
    cr_assert_eq(sl_caffemodel_structure(file.path, &structure, &error), 0, "%s", error.text);
    float values[1000];
    struct sl_shape shape = {.axes = 1, .dim = {(int64_t)MEGABYTES << 18}};
    cr_assert_eq(read_blob(source, "l15", 0, shape, 5000000, 1000, values, &error), 0, "%s",
                 error.text);
    getrusage(RUSAGE_SELF, &after);
    cr_expect_lt(after.ru_maxrss - before.ru_maxrss, 4096, "%ld KiB more",
                 after.ru_maxrss - before.ru_maxrss);
    cr_expect_eq(structure->n_layer, LAYERS);
    sl_caffe_free(structure);
    source->close(source);
    unlink(file.path);
}
