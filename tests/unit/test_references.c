/* Whole networks against other engines: the real networks of SLUICE_MODELS with the outputs that
 * BVLC Caffe (else OpenCV) computed, and EdgeCaffe's networks with synthetic weights. Every layer's
 * statistics are compared too, so that a failure names the first layer that is wrong. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_harness.h"
#include "models/caffe_normalize.h"
#include "models/caffe_text.h"
#include "models/fold.h"
#include "models/weights.h"
#include "runtime/base/cleanup.h"

#define MOST_DIFFERENCE  1e-4 /* of an output, relative to max(1, its greatest value) */
#define LAYER_DIFFERENCE 1e-3 /* of a layer's L2 norm */
#define PATH_BYTES       512

static const char *models_path(char path[PATH_BYTES], const char *format, const char *name,
                               const char *file)
{
    const char *models = getenv("SLUICE_MODELS");
    char tail[PATH_BYTES / 2];
    snprintf(tail, sizeof(tail), "%s%s/%s", format, name, file);
    snprintf(path, PATH_BYTES, "%s/%s", models ? models : "../shared/models", tail);
    return path;
}

static void free_json(json_t **json)
{
    json_decref(*json);
}

/* A network ready to run. */
struct subject {
    struct sl_network *network;
    struct sl_fold *fold;
    struct harness harness;
    struct sl_threads *threads;
};

static void subject_free(struct subject *subject)
{
    sl_threads_free(subject->threads);
    harness_free(&subject->harness);
    sl_network_free(subject->network);
    sl_fold_free(subject->fold);
}

static struct sl_weight_source *fold_subject(struct subject *subject,
                                             struct Caffe__NetParameter *message,
                                             struct sl_weight_source *weights)
{
    struct sl_network *unfolded = NULL;
    struct sl_error error = {0};
    int result = sl_caffe_normalize(message, &unfolded, &error);
    cr_assert_eq(result, 0, "%s", error.text);
    result = sl_fold(message, unfolded, weights, &subject->fold, &error);
    sl_network_free(unfolded);
    cr_assert_eq(result, 0, "%s", error.text);
    return sl_fold_weights(subject->fold);
}

static void apply_activations(struct subject *subject)
{
    int count = 0;
    const struct sl_fused_activation *fused = sl_fold_activations(subject->fold, &count);
    for (int i = 0; i < count; i++) {
        subject->network->layers[fused[i].layer].activation = SL_ACTIVATION_RELU;
        subject->network->layers[fused[i].layer].activation_slope = fused[i].slope;
    }
}

static void read_weights(struct subject *subject, struct sl_weight_source *weights)
{
    for (int l = 0; l < subject->network->layer_count; l++) {
        const struct sl_layer *layer = &subject->network->layers[l];
        for (int w = 0; w < layer->weight_count; w++) {
            struct sl_error error = {0};
            int result = weights->read(weights, layer->name, sl_layer_type_name(layer->type), w,
                                       &layer->weights[w].shape, 0, layer->weights[w].count,
                                       subject->harness.weights[l * SL_MAX_WEIGHTS + w], &error);
            cr_assert_eq(result, 0, "%s", error.text);
        }
    }
}

/* caffemodel NULL: synthetic weights. */
static void subject_load(struct subject *subject, const char *prototxt, const char *caffemodel,
                         bool folded)
{
    struct Caffe__NetParameter *message = NULL;
    struct sl_weight_source *weights = NULL, *source;
    const struct sl_network_options options = {.batch = 1};
    struct sl_error error = {0};
    cr_assert_eq(sl_caffe_read(prototxt, &message, &error), 0, "%s", error.text);
    int result = caffemodel ? sl_caffemodel_open(caffemodel, &weights, &error)
                            : sl_synthetic_weights_open(0, &weights, &error);
    cr_assert_eq(result, 0, "%s", error.text);
    source = folded ? fold_subject(subject, message, weights) : weights;
    result = sl_network_build(message, &options, &subject->network, &error);
    cr_assert_eq(result, 0, "%s", error.text);
    sl_caffe_free(message);
    if (folded)
        apply_activations(subject);
    harness_create(&subject->harness, subject->network);
    read_weights(subject, source);
    weights->close(weights);
    cr_assert_eq(sl_threads_create(2, &subject->threads, &error), 0, "%s", error.text);
}

static void read_floats(const char *path, float *values, int64_t count)
{
    SL_AUTO_FILE FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "cannot open %s", path);
    cr_assert_eq(fread(values, sizeof(float), (size_t)count, file), (size_t)count,
                 "%s is shorter than %lld floats", path, (long long)count);
    cr_assert_eq(fgetc(file), EOF, "%s is longer than %lld floats", path, (long long)count);
}

static int find_layer(const struct sl_network *network, const char *name)
{
    for (int l = 0; l < network->layer_count; l++)
        if (!strcmp(network->layers[l].name, name))
            return l;
    return -1;
}

/* One line of a layers file against the blob that the layer made. */
static bool layer_matches(const struct subject *subject, json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "layer"));
    const char *top = json_string_value(json_object_get(row, "top"));
    const int index = find_layer(subject->network, name);
    cr_assert(index >= 0, "no layer '%s'", name);
    const struct sl_layer *layer = &subject->network->layers[index];
    for (int t = 0; t < layer->top_count; t++) {
        const struct sl_blob *blob = &subject->network->blobs[layer->tops[t]];
        if (strcmp(blob->name, top))
            continue;
        const float *values = subject->harness.blobs[layer->tops[t]];
        double sum = 0, squares = 0, least = INFINITY, greatest = -INFINITY;
        const int64_t count = sl_shape_count(&blob->shape);
        for (int64_t i = 0; i < count; i++) {
            sum += values[i];
            squares += (double)values[i] * values[i];
            least = fmin(least, values[i]);
            greatest = fmax(greatest, values[i]);
        }
        const double l2 = json_number_value(json_object_get(row, "l2"));
        const double mean = json_number_value(json_object_get(row, "mean"));
        const double root = l2 / sqrt((double)count);
        const bool same =
            fabs(sqrt(squares) - l2) <= LAYER_DIFFERENCE * l2 + 1e-6 &&
            fabs(sum / (double)count - mean) <= LAYER_DIFFERENCE * root + 1e-6 &&
            fabs(least - json_number_value(json_object_get(row, "min"))) <= 0.01 * root + 1e-6 &&
            fabs(greatest - json_number_value(json_object_get(row, "max"))) <= 0.01 * root + 1e-6;
        char shape[SL_SHAPE_TEXT_BYTES];
        cr_expect(same,
                  "%s: layer '%s' (%s, top '%s', %s): mean %g, min %g, max %g, L2 %g, but the "
                  "reference has %g, %g, %g, %g",
                  subject->network->name, name, sl_layer_type_name(layer->type), top,
                  sl_shape_text(&blob->shape, shape), sum / (double)count, least, greatest,
                  sqrt(squares), mean, json_number_value(json_object_get(row, "min")),
                  json_number_value(json_object_get(row, "max")), l2);
        return same;
    }
    cr_expect_fail("layer '%s' has no top '%s'", name, top);
    return false;
}

/* Reports the first layer that differs; returns how many rows were compared. */
static int compare_layers(const struct subject *subject, const char *path)
{
    SL_AUTO_FILE FILE *file = fopen(path, "rb");
    int compared = 0;
    if (!file)
        return 0;
    for (;;) {
        json_t *row = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL);
        if (!row)
            return compared;
        const bool same = layer_matches(subject, row);
        json_decref(row);
        compared++;
        if (!same)
            return compared;
    }
}

/* The blob of an output: by its name or, as OpenCV names outputs, by the layer that makes it. */
static int output_blob(const struct sl_network *network, const char *name)
{
    const int layer = find_layer(network, name);
    const int blob = sl_network_find_blob(network, name);
    return blob < 0 && layer >= 0 ? network->layers[layer].tops[0] : blob;
}

static void compare_output(const struct subject *subject, const char *folder, const char *name,
                           json_t *output)
{
    char path[PATH_BYTES];
    const char *blob_name = json_string_value(json_object_get(output, "name"));
    const int blob = output_blob(subject->network, blob_name);
    cr_assert(blob >= 0, "%s: no output '%s'", name, blob_name);
    const int64_t count = sl_shape_count(&subject->network->blobs[blob].shape);
    const float *values = subject->harness.blobs[blob];
    SL_AUTO_FREE float *expected = harness_allocate(count);
    read_floats(models_path(path, folder, name, json_string_value(json_object_get(output, "file"))),
                expected, count);
    double greatest = 1, difference = 0;
    for (int64_t i = 0; i < count; i++) {
        cr_assert(isfinite(values[i]), "%s: output '%s' has %g at %lld", name, blob_name,
                  (double)values[i], (long long)i);
        greatest = fmax(greatest, fabs(expected[i]));
        difference = fmax(difference, fabs((double)values[i] - expected[i]));
    }
    cr_expect(difference <= MOST_DIFFERENCE * greatest,
              "%s: output '%s' of %s differs by %g (greatest value %g)%s", name, blob_name, path,
              difference, greatest, subject->fold ? ", folded" : "");
}

static void run_layers(struct subject *subject, const struct harness_options *options)
{
    for (int l = 0; l < subject->network->layer_count; l++)
        harness_run(&subject->harness, l, options, false);
}

static void run_input(struct subject *subject, const char *path)
{
    const int input = subject->network->inputs[0];
    read_floats(path, subject->harness.blobs[input],
                sl_shape_count(&subject->network->blobs[input].shape));
    run_layers(subject, &(struct harness_options){.threads = subject->threads});
}

static void check_case(struct subject *subject, const char *name, json_t *reference)
{
    char path[PATH_BYTES], file[PATH_BYTES / 4];
    size_t index;
    json_t *output;
    json_t *outputs = json_object_get(reference, "bvlc_caffe");
    if (!outputs)
        outputs = json_object_get(reference, "outputs");
    const char *image = json_string_value(json_object_get(reference, "image"));
    json_t *input = json_object_get(reference, "input");
    run_input(subject,
              models_path(path, "refs/", name, json_string_value(json_object_get(input, "file"))));
    if (!subject->fold) {
        snprintf(file, sizeof(file), "%s.layers.caffe.jsonl", image);
        const int compared = compare_layers(subject, models_path(path, "refs/", name, file));
        cr_expect(compared > 0 || !json_object_get(reference, "bvlc_caffe"), "no %s", path);
    }
    json_array_foreach(outputs, index, output) compare_output(subject, "refs/", name, output);
}

static json_t *read_manifest(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    json_error_t error;
    json_t *manifest = json_load_file(models_path(path, folder, name, "manifest.json"), 0, &error);
    if (!manifest && json_error_code(&error) == json_error_cannot_open_file)
        cr_skip_test("skipped: no reference data at %s; set SLUICE_MODELS", path);
    cr_assert_not_null(manifest, "%s: %s", path, error.text);
    return manifest;
}

static void check_prototxt(const char *name, json_t *manifest, const char *prototxt, bool folded)
{
    char prototxt_path[PATH_BYTES], caffemodel_path[PATH_BYTES];
    const char *caffemodel = json_string_value(json_object_get(manifest, "caffemodel"));
    size_t index;
    json_t *reference;
    SL_AUTO(subject_free) struct subject subject = {0};
    models_path(prototxt_path, "", ".", prototxt);
    models_path(caffemodel_path, "", ".", caffemodel);
    subject_load(&subject, prototxt_path, caffemodel_path, folded);
    json_array_foreach(json_object_get(manifest, "cases"), index, reference)
        check_case(&subject, name, reference);
    cr_expect(index > 0);
}

/* A real network: as the reference read it and, where that was a variant, as it was published. */
static void check_real(const char *name)
{
    char published[PATH_BYTES / 4];
    SL_AUTO(free_json) json_t *manifest = read_manifest("refs/", name);
    const char *prototxt = json_string_value(json_object_get(manifest, "prototxt"));
    check_prototxt(name, manifest, prototxt, false);
    check_prototxt(name, manifest, prototxt, true);
    snprintf(published, sizeof(published), "caffe/%s/deploy.prototxt", name);
    if (strcmp(published, prototxt))
        check_prototxt(name, manifest, published, false);
}

static void check_synthetic(const char *name)
{
    char path[PATH_BYTES];
    SL_AUTO(free_json) json_t *manifest = read_manifest("edgecaffe_refs/", name);
    const char *prototxt = json_string_value(json_object_get(manifest, "prototxt"));
    for (int folded = 0; folded <= 1; folded++) {
        SL_AUTO(subject_free) struct subject subject = {0};
        subject_load(&subject, models_path(path, "", ".", prototxt), NULL, folded);
        run_input(&subject, models_path(path, "edgecaffe_refs/", name, "input.f32"));
        if (!folded)
            cr_expect(compare_layers(&subject, models_path(path, "edgecaffe_refs/", name,
                                                           "layers.caffe.jsonl")) > 0);
        size_t index;
        json_t *output;
        json_array_foreach(json_object_get(manifest, "outputs"), index, output)
            compare_output(&subject, "edgecaffe_refs/", name, output);
    }
}

#define REAL(test, folder)                                                                         \
    Test(references, test)                                                                         \
    {                                                                                              \
        check_real(folder);                                                                        \
    }
#define SYNTHETIC(test, folder)                                                                    \
    Test(references, test)                                                                         \
    {                                                                                              \
        check_synthetic(folder);                                                                   \
    }

REAL(cifar10_m7_arm, "cifar10_m7_arm")
REAL(cifar10_nin, "cifar10_nin")
REAL(deep_landmark_1_F, "deep_landmark_1_F")
REAL(faceapi_age_gender, "faceapi_age_gender")
REAL(hyperlpr_charrec, "hyperlpr_charrec")
REAL(hyperlpr_mininet_ssd, "hyperlpr_mininet_ssd")
REAL(inception_v3, "inception_v3")
REAL(lenet_mnist, "lenet_mnist")
REAL(lenet_mnist_arm, "lenet_mnist_arm")
REAL(mobilenetv2_yolov3_nano_voc, "mobilenetv2_yolov3_nano_voc")
REAL(squeezenet_v1_0, "squeezenet_v1.0")
REAL(ultraface_slim320, "ultraface_slim320")
SYNTHETIC(AgeNet, "AgeNet")
SYNTHETIC(FaceNet, "FaceNet")
SYNTHETIC(GenderNet, "GenderNet")
SYNTHETIC(SoS_GoogleNet, "SoS_GoogleNet")

/* One digest for a network and its input: shards of 16 rows, scratch at its least and one thread
 * give the bits of whole layers, roomy scratch and two threads. */
Test(references, bits_do_not_depend_on_shards_scratch_or_threads)
{
    const char *const names[] = {"AgeNet", "SoS_GoogleNet"};
    for (int n = 0; n < 2; n++) {
        char path[PATH_BYTES];
        SL_AUTO(free_json) json_t *manifest = read_manifest("edgecaffe_refs/", names[n]);
        const char *prototxt = json_string_value(json_object_get(manifest, "prototxt"));
        SL_AUTO(subject_free) struct subject subject = {0};
        subject_load(&subject, models_path(path, "", ".", prototxt), NULL, true);
        run_input(&subject, models_path(path, "edgecaffe_refs/", names[n], "input.f32"));
        const int output = subject.network->outputs[0];
        const int64_t count = sl_shape_count(&subject.network->blobs[output].shape);
        SL_AUTO_FREE float *whole = harness_allocate(count);
        memcpy(whole, subject.harness.blobs[output], (size_t)count * sizeof(float));
        run_layers(&subject, &(struct harness_options){.rows_per_call = 16, .scratch_limit = 1});
        cr_expect_arr_eq(subject.harness.blobs[output], whole, (size_t)count * sizeof(float),
                         "%s: other bits", names[n]);
    }
}
