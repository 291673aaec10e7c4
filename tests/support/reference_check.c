#include "tests/support/reference_check.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/sluice.h"

#define MOST_DIFFERENCE 1e-4 /* relative to max(1, the greatest value of the reference) */
#define PATH_BYTES      1024

const struct reference_network reference_networks[] = {
    {"cifar10_m7_arm", NULL, false},
    {"cifar10_nin", NULL, false},
    {"deep_landmark_1_F", NULL, true},
    {"faceapi_age_gender", NULL, false},
    {"hyperlpr_charrec", NULL, false},
    {"hyperlpr_mininet_ssd", NULL, false},
    {"inception_v3", NULL, false},
    {"lenet_mnist", NULL, true},
    {"lenet_mnist_arm", NULL, false},
    {"mobilenetv2_yolov3_nano_voc", NULL, true},
    {"squeezenet_v1.0", NULL, false},
    {"ultraface_slim320", NULL, false},
    {"AgeNet", "agenet", false},
    {"FaceNet", "facenet", false},
    {"GenderNet", "gendernet", false},
    {"SoS_GoogleNet", "sos_googlenet", false},
    {NULL, NULL, false},
};

/* One network under check. */
struct check {
    const struct reference_network *network;
    char folder[PATH_BYTES]; /* of its references */
    char pack[PATH_BYTES];
    json_t *manifest;
    struct sl_model *model;
    struct sl_session *session;
    struct reference_row row;
    reference_visit *visit;
    void *context;
    int64_t images; /* that the network takes at once */
    int compared;
};

static void check_free(struct check *check)
{
    sl_session_free(check->session);
    sl_model_close(check->model);
    json_decref(check->manifest);
    if (check->pack[0])
        unlink(check->pack);
}

const char *reference_models(void)
{
    const char *models = getenv("SLUICE_MODELS");
    return models && models[0] ? models : "../shared/models";
}

static bool trained(enum reference_source source)
{
    return source == REFERENCE_TRAINED || source == REFERENCE_PUBLISHED;
}

bool reference_has(const struct reference_network *network, enum reference_source source)
{
    if (!trained(source))
        return network->topology;
    return !network->topology && (source == REFERENCE_TRAINED || network->changed);
}

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static int read_manifest(struct check *check, struct sl_error *error)
{
    char path[PATH_BYTES + 32];
    json_error_t reason;
    snprintf(path, sizeof(path), "%s/manifest.json", check->folder);
    check->manifest = json_load_file(path, 0, &reason);
    if (!check->manifest && json_error_code(&reason) == json_error_cannot_open_file)
        return sl_error_set(error, -ENOENT, "no reference data at %s; set SLUICE_MODELS", path);
    return check->manifest ? 0 : sl_error_set(error, -EINVAL, "%s: %s", path, reason.text);
}

static int import_pack(struct check *check, enum reference_source source, bool folded,
                       const char *work, struct sl_error *error)
{
    char prototxt[PATH_BYTES], caffemodel[PATH_BYTES];
    if (source == REFERENCE_PUBLISHED)
        snprintf(prototxt, sizeof(prototxt), "%s/caffe/%s/deploy.prototxt", reference_models(),
                 check->network->name);
    else
        snprintf(prototxt, sizeof(prototxt), "%s/%s", reference_models(),
                 text_of(check->manifest, "prototxt"));
    snprintf(caffemodel, sizeof(caffemodel), "%s/%s", reference_models(),
             text_of(check->manifest, "caffemodel"));
    snprintf(check->pack, sizeof(check->pack), "%s/%s-%d.sluice", work, check->network->name,
             (int)getpid());
    const struct sl_import_request request = {
        .prototxt = source == REFERENCE_TOPOLOGY ? NULL : prototxt,
        .caffemodel = trained(source) ? caffemodel : NULL,
        .topology = source == REFERENCE_TOPOLOGY ? check->network->topology : NULL,
        .output = check->pack,
        .keep_layers = !folded,
    };
    return sl_import(&request, NULL, error);
}

static int open_session(struct check *check, const char *policy, struct sl_error *error)
{
    const struct sl_session_options options = {.policy = policy};
    int result = sl_model_open(check->pack, &check->model, error);
    if (!result)
        result = sl_session_create(&options, &check->session, error);
    if (!result)
        result = sl_session_add(check->session, check->model, error);
    return result < 0 ? result : 0;
}

/* The name of the blob that a layer makes: OpenCV names outputs by their layers. */
static const char *blob_of_layer(const struct sl_model *model, const char *name)
{
    struct sl_layer_info layer;
    for (int l = 0; !sl_model_layer(model, l, &layer, NULL); l++)
        if (!strcmp(layer.name, name))
            return layer.output.name;
    return name;
}

static int find_output(const struct sl_model *model, const char *name, struct sl_blob_info *blob,
                       struct sl_error *error)
{
    const char *const names[] = {name, blob_of_layer(model, name)};
    for (int n = 0; n < 2; n++)
        for (int output = 0; !sl_model_output(model, output, blob, NULL); output++)
            if (!strcmp(blob->name, names[n]))
                return output;
    return sl_error_set(error, -ENOENT, "no output '%s'", name);
}

/* The file's floats, `images` times over: count in all; free them. */
static float *read_images(const char *path, int64_t count, int64_t images, struct sl_error *error)
{
    SL_AUTO_FILE FILE *file = fopen(path, "rb");
    SL_AUTO_FREE float *values = calloc((size_t)count, sizeof(float));
    const size_t one = (size_t)(count / images);
    if (!file || !values)
        return sl_error_errno(error, "%s", path), NULL;
    if (fread(values, sizeof(float), one, file) != one || fgetc(file) != EOF)
        return sl_error_set(error, -EBADMSG, "%s is not of %zu floats", path, one), NULL;
    for (int64_t i = 1; i < images; i++)
        memcpy(values + (size_t)i * one, values, one * sizeof(float));
    return SL_STEAL(values);
}

/* Networks as they were published may take many images at once: each gets the same one. */
static int set_input(struct check *check, json_t *input, struct sl_error *error)
{
    char path[PATH_BYTES * 2];
    struct sl_blob_info blob;
    const int64_t referred = json_integer_value(json_array_get(json_object_get(input, "shape"), 0));
    int result = sl_model_input(check->model, 0, &blob, error);
    if (result)
        return result;
    check->images = referred > 0 && blob.shape[0] % referred == 0 ? blob.shape[0] / referred : 1;
    snprintf(path, sizeof(path), "%s/%s", check->folder, text_of(input, "file"));
    SL_AUTO_FREE float *values = read_images(path, blob.count, check->images, error);
    return values ? sl_session_input(check->session, 0, 0, values, blob.count, error) : -EBADMSG;
}

static void measure(const float *values, const float *expected, int64_t count,
                    struct reference_row *row)
{
    row->greatest = row->difference = 0;
    for (int64_t i = 0; i < count; i++) {
        const double difference = fabs((double)values[i] - expected[i]);
        row->greatest = fmax(row->greatest, fabs((double)expected[i]));
        row->difference = isfinite(difference) ? fmax(row->difference, difference) : INFINITY;
        if (row->difference == INFINITY)
            break;
    }
    row->tolerance = MOST_DIFFERENCE * fmax(1, row->greatest);
}

static int compare_output(struct check *check, json_t *reference, struct sl_error *error)
{
    char path[PATH_BYTES * 2];
    struct sl_blob_info blob;
    const char *name = text_of(reference, "name");
    const int output = find_output(check->model, name, &blob, error);
    if (output < 0)
        return output;
    snprintf(path, sizeof(path), "%s/%s", check->folder, text_of(reference, "file"));
    SL_AUTO_FREE float *expected = read_images(path, blob.count, check->images, error);
    if (!expected)
        return -EBADMSG;
    measure(sl_session_output(check->session, 0, output), expected, blob.count, &check->row);
    check->row.output = name;
    check->row.engine = strstr(path, ".caffe.f32") ? "caffe" : "opencv";
    check->visit(check->context, &check->row);
    check->compared++;
    return 0;
}

static int run_case(struct check *check, const char *name, json_t *input, json_t *outputs,
                    struct sl_error *error)
{
    struct sl_result result;
    size_t index;
    json_t *output;
    int failed = set_input(check, input, error);
    if (!failed)
        failed = sl_session_run(check->session, 0, &result, NULL, error);
    check->row.input = name;
    json_array_foreach(outputs, index, output)
    {
        if (!failed)
            failed = compare_output(check, output, error);
    }
    return failed;
}

/* Caffe's outputs of a case where it ran the network, else OpenCV's. */
static json_t *outputs_of(json_t *reference)
{
    json_t *caffe = json_object_get(reference, "bvlc_caffe");
    return caffe ? caffe : json_object_get(reference, "outputs");
}

static int run_cases(struct check *check, struct sl_error *error)
{
    json_t *cases = json_object_get(check->manifest, "cases");
    int failed = 0;
    if (!cases) { /* one input: the manifest is the case */
        json_t *input = json_object_get(check->manifest, "input");
        return run_case(check, text_of(input, "image"), input, outputs_of(check->manifest), error);
    }
    for (size_t i = 0; i < json_array_size(cases) && !failed; i++) {
        json_t *reference = json_array_get(cases, i);
        failed = run_case(check, text_of(reference, "image"), json_object_get(reference, "input"),
                          outputs_of(reference), error);
    }
    return failed;
}

int reference_check(const struct reference_network *network, enum reference_source source,
                    bool folded, const char *policy, const char *work, reference_visit *visit,
                    void *context, struct sl_error *error)
{
    SL_AUTO(check_free)
    struct check check = {
        .network = network,
        .row = {.network = network->name, .source = source, .folded = folded},
        .visit = visit,
        .context = context,
    };
    snprintf(check.folder, sizeof(check.folder), "%s/%s/%s", reference_models(),
             trained(source) ? "refs" : "edgecaffe_refs", network->name);
    int result = read_manifest(&check, error);
    if (!result)
        result = import_pack(&check, source, folded, work, error);
    if (!result)
        result = open_session(&check, policy, error);
    if (!result)
        result = run_cases(&check, error);
    return result ? result : check.compared;
}
