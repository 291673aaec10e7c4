#include "pack_fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/caffe_text.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"

const char lenet_text[] = "name: 'LeNet' layer { name: 'data' type: 'Input' top: 'data'"
                          "  input_param { shape { dim: 1 dim: 1 dim: 28 dim: 28 } } }"
                          "layer { name: 'conv1' type: 'Convolution' bottom: 'data' top: 'conv1'"
                          "  convolution_param { num_output: 20 kernel_size: 5 } }"
                          "layer { name: 'pool1' type: 'Pooling' bottom: 'conv1' top: 'pool1'"
                          "  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }"
                          "layer { name: 'conv2' type: 'Convolution' bottom: 'pool1' top: 'conv2'"
                          "  convolution_param { num_output: 50 kernel_size: 5 } }"
                          "layer { name: 'pool2' type: 'Pooling' bottom: 'conv2' top: 'pool2'"
                          "  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }"
                          "layer { name: 'ip1' type: 'InnerProduct' bottom: 'pool2' top: 'ip1'"
                          "  inner_product_param { num_output: 500 } }"
                          "layer { name: 'relu1' type: 'ReLU' bottom: 'ip1' top: 'ip1' }"
                          "layer { name: 'ip2' type: 'InnerProduct' bottom: 'ip1' top: 'ip2'"
                          "  inner_product_param { num_output: 10 } }"
                          "layer { name: 'prob' type: 'Softmax' bottom: 'ip2' top: 'prob' }";

/* Every way in which weights are stored: groups, no bias, a scale factor, a scalar, rows across. */
const char residual_text[] =
    "name: 'Residual' layer { name: 'data' type: 'Input' top: 'data'"
    "  input_param { shape { dim: 2 dim: 4 dim: 9 dim: 9 } } }"
    "layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv' convolution_param {"
    "  num_output: 40 kernel_size: 3 pad: 1 group: 2 bias_term: false } }"
    "layer { name: 'bn' type: 'BatchNorm' bottom: 'conv' top: 'bn' }"
    "layer { name: 'scale' type: 'Scale' bottom: 'bn' top: 'bn' scale_param { bias_term: true } }"
    "layer { name: 'relu' type: 'ReLU' bottom: 'bn' top: 'relu'"
    "  relu_param { negative_slope: 0.25 } }"
    "layer { name: 'drop' type: 'Dropout' bottom: 'relu' top: 'drop' }"
    "layer { name: 'up' type: 'Deconvolution' bottom: 'drop' top: 'up' convolution_param {"
    "  num_output: 40 kernel_size: 3 pad: 1 group: 4 } }"
    "layer { name: 'up_bn' type: 'BatchNorm' bottom: 'up' top: 'up' }"
    "layer { name: 'slope' type: 'PReLU' bottom: 'up' top: 'slope'"
    "  prelu_param { channel_shared: true } }"
    "layer { name: 'sum' type: 'Eltwise' bottom: 'drop' bottom: 'slope' top: 'sum'"
    "  eltwise_param { operation: SUM coeff: 1 coeff: -0.5 } }"
    "layer { name: 'sum_relu' type: 'ReLU' bottom: 'sum' top: 'sum' }"
    "layer { name: 'fc' type: 'InnerProduct' bottom: 'sum' top: 'fc'"
    "  inner_product_param { num_output: 33 transpose: true } }"
    "layer { name: 'fc_scale' type: 'Scale' bottom: 'fc' top: 'fc_scale' }"
    "layer { name: 'fc_bias' type: 'Bias' bottom: 'fc_scale' top: 'fc_bias' }"
    "layer { name: 'fc_drop' type: 'Dropout' bottom: 'fc_bias' top: 'features' }";

static uint64_t rule_key(const char *layer, int blob)
{
    char name[256];
    snprintf(name, sizeof(name), "%s/%d", layer, blob);
    return sl_fnv1a(name);
}

static float rule_value(uint64_t key, const char *type, int blob, int64_t element)
{
    float unit = sl_rng_signed_unit(key, (uint64_t)element + 1);
    if (strcmp(type, "BatchNorm") == 0)
        return blob == 0 ? unit : blob == 1 ? 4 + 3 * unit : 2;
    return strcmp(type, "Scale") == 0 && blob == 0 ? 1 + unit / 2 : unit / 4;
}

float rule_weight(const char *layer, const char *type, int blob, int64_t element)
{
    return rule_value(rule_key(layer, blob), type, blob, element);
}

void rule_values(const char *layer, const char *type, int blob, int64_t first, int64_t count,
                 float *values)
{
    uint64_t key = rule_key(layer, blob);
    for (int64_t i = 0; i < count; i++)
        values[i] = rule_value(key, type, blob, first + i);
}

static int rule_read(struct sl_weight_source *source, const char *layer, const char *type, int blob,
                     const struct sl_shape *shape, int64_t first, int64_t count, float *destination,
                     struct sl_error *error)
{
    struct rule_weights *weights = (struct rule_weights *)source;
    if (weights->missing && strcmp(weights->missing, layer) == 0)
        return sl_error_set(error, -ENOENT, "layer '%s' has no blob %d", layer, blob);
    cr_assert(first >= 0 && count > 0 && first + count <= sl_shape_count(shape));
    if (count > weights->longest_read)
        weights->longest_read = count;
    rule_values(layer, type, blob, first, count, destination);
    return 0;
}

static void rule_close(struct sl_weight_source *source)
{
    (void)source;
}

void rule_weights_init(struct rule_weights *weights)
{
    *weights = (struct rule_weights){.source = {.read = rule_read, .close = rule_close}};
}

Caffe__NetParameter *parse_network(const char *text)
{
    Caffe__NetParameter *message = NULL;
    struct sl_error error = {0};
    cr_assert_eq(sl_caffe_parse("test", text, strlen(text), &message, &error), 0, "%s", error.text);
    return message;
}

void scratch_begin(struct scratch *scratch)
{
    const char *base = getenv("TMPDIR");
    int length = snprintf(scratch->directory, sizeof(scratch->directory), "%s/pack-test-XXXXXX",
                          base ? base : "/tmp");
    cr_assert((size_t)length < sizeof(scratch->directory));
    cr_assert(mkdtemp(scratch->directory));
    snprintf(scratch->pack, sizeof(scratch->pack), "%s/net.sluice", scratch->directory);
}

static int for_each_name(const char *directory, bool remove_them)
{
    DIR *stream = opendir(directory);
    cr_assert(stream);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (remove_them)
            unlinkat(dirfd(stream), entry->d_name, 0);
    }
    closedir(stream);
    return count;
}

int scratch_count(const struct scratch *scratch)
{
    return for_each_name(scratch->directory, false);
}

void scratch_end(struct scratch *scratch)
{
    for_each_name(scratch->directory, true);
    rmdir(scratch->directory);
}

struct sl_import_report write_pack(const struct scratch *scratch, const char *text, bool fold,
                                   uint64_t shard_bytes)
{
    Caffe__NetParameter *message = parse_network(text);
    struct rule_weights weights;
    rule_weights_init(&weights);
    struct sl_import_options options = {
        .output = scratch->pack,
        .fold = fold,
        .shard_bytes = shard_bytes,
    };
    struct sl_import_report report;
    struct sl_error error = {0};
    int result = sl_pack_write(message, &weights.source, &options, &report, &error);
    cr_assert_eq(result, 0, "%s", error.text);
    sl_caffe_free(message);
    return report;
}

struct sl_pack *scratch_pack(struct scratch *scratch, const char *text, uint64_t shard_bytes)
{
    struct sl_error error = {0};
    struct sl_pack *pack = NULL;
    scratch_begin(scratch);
    write_pack(scratch, text, true, shard_bytes);
    cr_assert_eq(sl_pack_open(scratch->pack, NULL, &pack, &error), 0, "%s", error.text);
    return pack;
}

unsigned char *read_file(const char *path, size_t *length)
{
    SL_AUTO_FILE FILE *file = fopen(path, "rb");
    cr_assert(file);
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*length + 1);
    cr_assert(bytes && fread(bytes, 1, *length, file) == *length);
    return bytes;
}

void write_file(const char *path, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    cr_assert(file && fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
}

void expect_pack_refused(const char *path, int code, int other_code, const char *words)
{
    struct sl_pack *pack = NULL;
    struct sl_error error = {0};
    int result = sl_pack_open(path, NULL, &pack, &error);
    cr_assert(result == code || result == other_code, "%d: %s", result, error.text);
    cr_assert_null(pack);
    cr_assert(strstr(error.text, path), "%s", error.text);
    cr_assert(!words || strstr(error.text, words), "%s", error.text);
}
