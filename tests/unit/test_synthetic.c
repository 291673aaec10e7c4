/* Synthetic weights: values of the documented rule, and files that equal the reference files. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/caffe_text.h"
#include "models/import.h"
#include "models/weights.h"
#include "runtime/base/cleanup.h"

static void source_clean(struct sl_weight_source **source)
{
    if (*source)
        (*source)->close(*source);
}

#define AUTO_SOURCE SL_AUTO(source_clean) struct sl_weight_source *

static struct sl_weight_source *open_seed(uint64_t seed)
{
    struct sl_weight_source *source = NULL;
    struct sl_error error = {0};
    int result = sl_synthetic_weights_open(seed, &source, &error);
    cr_assert(result == 0, "%s", error.text);
    return source;
}

static struct sl_shape shape_of(int axes, int64_t d0, int64_t d1, int64_t d2, int64_t d3)
{
    return (struct sl_shape){.axes = axes, .dim = {d0, d1, d2, d3, 1, 1, 1, 1}};
}

struct value {
    const char *layer, *type;
    int blob, axes;
    int64_t dim[4];
    int64_t index;
    float expected;
};

/* Computed with the published generator (numpy, float32). */
static const struct value values[] = {
    {"conv1", "Convolution", 0, 4, {96, 3, 11, 11}, 0, -0x1.de1d98p-4f},
    {"conv1", "Convolution", 0, 4, {96, 3, 11, 11}, 1, -0x1.fa41dep-4f},
    {"conv1", "Convolution", 0, 4, {96, 3, 11, 11}, 2, -0x1.650996p-5f},
    {"conv1", "Convolution", 0, 4, {96, 3, 11, 11}, 34847, 0x1.f435p-4f},
    {"conv1", "Convolution", 1, 1, {96}, 0, 0x1.1c9bcep-7f},
    {"conv1", "Convolution", 1, 1, {96}, 95, 0x1.14e5f6p-4f},
    {"fc6", "InnerProduct", 0, 2, {512, 18816}, 0, -0x1.5c736ep-12f},
    {"fc6", "InnerProduct", 0, 2, {512, 18816}, 1000000, 0x1.4d3a78p-7f},
    {"fc6", "InnerProduct", 0, 2, {512, 18816}, 9633791, 0x1.92bb82p-9f},
    {"up", "Deconvolution", 0, 4, {8, 3, 4, 4}, 0, 0x1.051b5ap-2f},
    {"up", "Deconvolution", 0, 4, {8, 3, 4, 4}, 5, 0x1.487cc8p-3f},
    {"bn", "BatchNorm", 0, 1, {4}, 0, -0x1.38974ep-5f},
    {"bn", "BatchNorm", 0, 1, {4}, 3, 0x1.747a86p-4f},
    {"bn", "BatchNorm", 1, 1, {4}, 0, 0x1.ea357ap-1f},
    {"bn", "BatchNorm", 1, 1, {4}, 3, 0x1.0df9fcp+0f},
    {"bn", "BatchNorm", 2, 1, {1}, 0, 1.0f},
    {"sc", "Scale", 0, 1, {4}, 0, 0x1.d12f3p-1f},
    {"sc", "Scale", 0, 1, {4}, 3, 0x1.2064aep+0f},
    {"sc", "Scale", 1, 1, {4}, 0, 0x1.8b0314p-5f},
    {"sc", "Scale", 1, 1, {4}, 3, 0x1.8cb456p-4f},
    {"pr", "PReLU", 0, 1, {4}, 0, 0x1.8a0ceap-3f},
    {"pr", "PReLU", 0, 1, {4}, 3, 0x1.38f89cp-3f},
};

Test(synthetic, values_follow_the_published_rule)
{
    AUTO_SOURCE source = open_seed(0);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const struct value *row = &values[i];
        struct sl_shape shape =
            shape_of(row->axes, row->dim[0], row->dim[1], row->dim[2], row->dim[3]);
        struct sl_error error = {0};
        float found = 0;
        int result = source->read(source, row->layer, row->type, row->blob, &shape, row->index, 1,
                                  &found, &error);
        cr_assert(result == 0, "%s", error.text);
        cr_expect(found == row->expected, "%s/%d[%lld] = %a instead of %a", row->layer, row->blob,
                  (long long)row->index, (double)found, (double)row->expected);
    }
}

Test(synthetic, any_piece_is_the_same_as_the_whole_and_seeds_differ)
{
    AUTO_SOURCE source = open_seed(0);
    AUTO_SOURCE other = open_seed(1);
    struct sl_shape shape = shape_of(2, 10, 10, 1, 1);
    struct sl_error error = {0};
    float whole[100], pieces[100], seeded[100];
    cr_assert_eq(source->read(source, "a", "InnerProduct", 0, &shape, 0, 100, whole, &error), 0);
    cr_assert_eq(source->read(source, "a", "InnerProduct", 0, &shape, 0, 33, pieces, &error), 0);
    cr_assert_eq(source->read(source, "a", "InnerProduct", 0, &shape, 33, 67, pieces + 33, &error),
                 0);
    cr_assert_eq(other->read(other, "a", "InnerProduct", 0, &shape, 0, 100, seeded, &error), 0);
    cr_expect(memcmp(whole, pieces, sizeof(whole)) == 0);
    cr_expect(memcmp(whole, seeded, sizeof(whole)) != 0);
}

Test(synthetic, what_cannot_be_read_is_refused)
{
    AUTO_SOURCE source = open_seed(0);
    struct sl_shape shape = shape_of(1, 10, 1, 1, 1);
    float value = 7;
    struct sl_error error = {0};
    cr_expect_eq(source->read(source, "a", "Scale", 0, &shape, 10, 1, &value, &error), -EINVAL);
    cr_expect_eq(source->read(source, "a", "Scale", 0, &shape, -1, 1, &value, &error), -EINVAL);
    cr_expect_eq(source->read(source, "a", "Scale", 0, &shape, 1, INT64_MAX, &value, &error),
                 -EINVAL);
    cr_expect_eq(source->read(source, "a", "LSTM", 0, &shape, 0, 1, &value, &error), -ENOENT);
    cr_expect(strstr(error.text, "'a'") && strstr(error.text, "LSTM"), "%s", error.text);
    cr_expect_eq(value, 7.0f);
}

/* ---- caffemodel files ---- */

static int write_caffemodel(const char *text, const char *output, struct sl_error *error)
{
    AUTO_SOURCE source = open_seed(0);
    struct Caffe__NetParameter *message = NULL;
    int result = sl_caffe_parse("test", text, strlen(text), &message, error);
    cr_assert(result == 0, "%s", error->text);
    result = sl_caffemodel_write(message, source, output, error);
    sl_caffe_free(message);
    return result;
}

#define PATH_BYTES 512

struct folder {
    char path[PATH_BYTES];
};

static struct folder make_folder(void)
{
    struct folder folder;
    const char *base = getenv("TMPDIR");
    snprintf(folder.path, sizeof(folder.path), "%s/sluice-test-XXXXXX", base ? base : "/tmp");
    cr_assert(mkdtemp(folder.path));
    return folder;
}

static void sha256_of(const char *path, char digest[65])
{
    char command[PATH_BYTES + 64];
    snprintf(command, sizeof(command), "sha256sum '%s'", path);
    FILE *stream = popen(command, "r");
    cr_assert(stream);
    cr_assert(fscanf(stream, "%64s", digest) == 1);
    cr_assert(pclose(stream) == 0);
}

static bool reference_digest(const char *network, char digest[65])
{
    const char *models = getenv("SLUICE_MODELS");
    char path[2 * PATH_BYTES];
    snprintf(path, sizeof(path), "%s/edgecaffe_refs/%s/manifest.json",
             models ? models : "../shared/models", network);
    json_t *manifest = json_load_file(path, 0, NULL);
    if (!manifest)
        return false;
    const char *text = json_string_value(json_object_get(manifest, "caffemodel_sha256"));
    snprintf(digest, 65, "%s", text ? text : "missing");
    json_decref(manifest);
    return true;
}

Test(synthetic, files_of_edgecaffe_networks_equal_the_reference_files, .timeout = 60)
{
    static const char *const names[][2] = {
        {"agenet", "AgeNet"},
        {"gendernet", "GenderNet"},
        {"facenet", "FaceNet"},
        {"sos_googlenet", "SoS_GoogleNet"},
    };
    char expected[65], found[65], path[PATH_BYTES + 32];
    if (!reference_digest(names[0][1], expected))
        cr_skip_test("skipped: no edgecaffe_refs; set SLUICE_MODELS");
    struct folder folder = make_folder();
    snprintf(path, sizeof(path), "%s/out.caffemodel", folder.path);
    for (int i = 0; i < 4; i++) {
        struct sl_error error = {0};
        int result = write_caffemodel(sl_topology_find(names[i][0])->prototxt, path, &error);
        cr_assert(result == 0, "%s", error.text);
        cr_assert(reference_digest(names[i][1], expected));
        sha256_of(path, found);
        cr_expect_str_eq(found, expected, "%s", names[i][0]);
    }
    cr_expect(unlink(path) == 0);
    cr_expect(rmdir(folder.path) == 0, "only the output was in the folder");
}

Test(synthetic, a_file_that_cannot_be_written_leaves_nothing_behind)
{
    struct folder folder = make_folder();
    char path[PATH_BYTES + 32];
    struct sl_error error = {0};
    snprintf(path, sizeof(path), "%s/no/such/out.caffemodel", folder.path);
    cr_expect(write_caffemodel(sl_topology_find("lenet")->prototxt, path, &error) < 0);
    cr_expect(strstr(error.text, path), "%s", error.text);

    /* 3.6 GB: beyond what protobuf readers take. */
    snprintf(path, sizeof(path), "%s/out.caffemodel", folder.path);
    int result = write_caffemodel("input:'x' input_shape{dim:1 dim:30000} layer{name:'f' "
                                  "type:'InnerProduct' bottom:'x' top:'y' "
                                  "inner_product_param{num_output:30000}}",
                                  path, &error);
    cr_expect_eq(result, -EFBIG);
    cr_expect(strstr(error.text, "2 GiB"), "%s", error.text);
    cr_expect(rmdir(folder.path) == 0, "the folder is empty");
}

/* What is written is read back, blob by blob, by our own index. */
Test(synthetic, a_written_file_reads_back)
{
    struct folder folder = make_folder();
    char path[PATH_BYTES + 32];
    struct sl_error error = {0};
    snprintf(path, sizeof(path), "%s/out.caffemodel", folder.path);
    const char *text = "input:'x' input_shape{dim:1 dim:4 dim:5 dim:5} "
                       "layer{name:'c' type:'Convolution' bottom:'x' top:'c' "
                       "convolution_param{num_output:8 kernel_size:3 group:2}} "
                       "layer{name:'p' type:'PReLU' bottom:'c' top:'c' "
                       "prelu_param{channel_shared:true}} "
                       "layer{name:'b' type:'BatchNorm' bottom:'c' top:'c'} "
                       "layer{name:'f' type:'InnerProduct' bottom:'c' top:'f' "
                       "inner_product_param{num_output:300}}";
    int result = write_caffemodel(text, path, &error);
    cr_assert(result == 0, "%s", error.text);
    struct Caffe__NetParameter *message = NULL;
    struct sl_network *network = NULL;
    struct sl_network_options options = {0};
    cr_assert_eq(sl_caffe_parse("test", text, strlen(text), &message, &error), 0);
    cr_assert_eq(sl_network_build(message, &options, &network, &error), 0);
    sl_caffe_free(message);

    AUTO_SOURCE rule = open_seed(0);
    AUTO_SOURCE file = NULL;
    result = sl_caffemodel_open(path, &file, &error);
    cr_assert(result == 0, "%s", error.text);
    int blobs = 0;
    for (int i = 0; i < network->layer_count; i++) {
        const struct sl_layer *layer = &network->layers[i];
        const char *type = sl_layer_type_name(layer->type);
        for (int w = 0; w < layer->weight_count; w++, blobs++) {
            int64_t count = layer->weights[w].count;
            const struct sl_shape *shape = &layer->weights[w].shape;
            SL_AUTO_FREE float *expected = calloc((size_t)count, sizeof(float));
            SL_AUTO_FREE float *found = calloc((size_t)count, sizeof(float));
            cr_assert(expected && found);
            cr_assert_eq(rule->read(rule, layer->name, type, w, shape, 0, count, expected, &error),
                         0);
            result = file->read(file, layer->name, type, w, shape, 0, count, found, &error);
            cr_assert(result == 0, "%s", error.text);
            cr_expect(memcmp(expected, found, (size_t)count * sizeof(float)) == 0, "%s/%d",
                      layer->name, w);
        }
    }
    cr_expect_eq(blobs, 8);
    sl_network_free(network);
    cr_expect(unlink(path) == 0 && rmdir(folder.path) == 0);
}
