/* Every layer of real networks has the shape that Caffe itself computed for it. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/caffe_text.h"
#include "models/network.h"
#include "runtime/base/cleanup.h"

static void network_clean(struct sl_network **network)
{
    sl_network_free(*network);
}

static void json_clean(json_t **value)
{
    json_decref(*value);
}

static void directory_clean(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

static const char *models_folder(void)
{
    const char *folder = getenv("SLUICE_MODELS");
    return folder ? folder : "../shared/models";
}

#define PATH_BYTES 1024

static json_t *read_manifest(const char *references)
{
    char path[PATH_BYTES + sizeof("/manifest.json")];
    snprintf(path, sizeof(path), "%s/manifest.json", references);
    return json_load_file(path, 0, NULL);
}

static struct sl_network *read_network(const char *prototxt)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/%s", models_folder(), prototxt);
    struct Caffe__NetParameter *message = NULL;
    struct sl_network *network = NULL;
    struct sl_error error = {0};
    /* The references were made with one image. */
    struct sl_network_options options = {.batch = 1};
    int result = sl_caffe_read(path, &message, &error);
    cr_assert(result == 0, "%s", error.text);
    result = sl_network_build(message, &options, &network, &error);
    sl_caffe_free(message);
    cr_assert(result == 0, "%s: %s", path, error.text);
    return network;
}

static bool shape_matches(const struct sl_shape *shape, const json_t *expected)
{
    if ((size_t)shape->axes != json_array_size(expected))
        return false;
    for (int i = 0; i < shape->axes; i++)
        if (shape->dim[i] != json_integer_value(json_array_get(expected, (size_t)i)))
            return false;
    return true;
}

/* The layer of that name and its top of that name; NULL when there is none. */
static const struct sl_blob *find_top(const struct sl_network *network, const char *layer_name,
                                      const char *type, const char *top)
{
    for (int i = 0; i < network->layer_count; i++) {
        const struct sl_layer *layer = &network->layers[i];
        if (strcmp(layer->name, layer_name) || strcmp(sl_layer_type_name(layer->type), type))
            continue;
        for (int j = 0; j < layer->top_count; j++)
            if (!strcmp(network->blobs[layer->tops[j]].name, top))
                return &network->blobs[layer->tops[j]];
    }
    return NULL;
}

/* Compares every line of one <case>.layers.caffe.jsonl and returns their number. */
static int compare_layers(const struct sl_network *network, const char *path)
{
    SL_AUTO_FILE FILE *file = fopen(path, "r");
    cr_assert(file, "%s", path);
    SL_AUTO_FREE char *line = NULL;
    size_t capacity = 0;
    int count = 0;
    while (getline(&line, &capacity, file) > 0) {
        SL_AUTO(json_clean) json_t *row = json_loads(line, 0, NULL);
        cr_assert(row, "%s: %s", path, line);
        const char *layer = json_string_value(json_object_get(row, "layer"));
        const char *type = json_string_value(json_object_get(row, "type"));
        const char *top = json_string_value(json_object_get(row, "top"));
        const struct sl_blob *blob = find_top(network, layer, type, top);
        char text[SL_SHAPE_TEXT_BYTES] = "missing";
        if (blob)
            sl_shape_text(&blob->shape, text);
        cr_expect(blob && shape_matches(&blob->shape, json_object_get(row, "shape")),
                  "%s: layer %s (%s) top %s: %s", path, layer, type, top, text);
        count++;
    }
    return count;
}

static int compare_all_layers(const struct sl_network *network, const char *references)
{
    static const char suffix[] = "layers.caffe.jsonl";
    SL_AUTO(directory_clean) DIR *directory = opendir(references);
    cr_assert(directory, "%s", references);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        size_t length = strlen(entry->d_name), end = strlen(suffix);
        if (length < end || strcmp(entry->d_name + length - end, suffix))
            continue;
        char path[PATH_BYTES + sizeof(entry->d_name)];
        snprintf(path, sizeof(path), "%s/%s", references, entry->d_name);
        count += compare_layers(network, path);
    }
    return count;
}

/* OpenCV's outputs are named by layer, Caffe's by blob. */
static const struct sl_blob *find_output(const struct sl_network *network, const char *name)
{
    int blob = sl_network_find_blob(network, name);
    if (blob >= 0)
        return &network->blobs[blob];
    for (int i = 0; i < network->layer_count; i++)
        if (!strcmp(network->layers[i].name, name))
            return &network->blobs[network->layers[i].tops[0]];
    return NULL;
}

static void compare_outputs(const struct sl_network *network, const char *name,
                            const json_t *manifest)
{
    const json_t *run = json_array_get(json_object_get(manifest, "cases"), 0);
    const json_t *outputs = json_object_get(run, "outputs");
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        const json_t *output = json_array_get(outputs, i);
        const json_t *shape = json_object_get(output, "shape");
        if (!shape)
            continue;
        const char *blob_name = json_string_value(json_object_get(output, "name"));
        const struct sl_blob *blob = find_output(network, blob_name);
        cr_expect(blob && shape_matches(&blob->shape, shape), "%s: output %s", name, blob_name);
    }
}

/* Compares one folder of references, <models>/<kind>/<name>; returns the layers compared. */
static int compare_references(const char *kind, const char *name)
{
    char references[PATH_BYTES];
    snprintf(references, sizeof(references), "%s/%s/%s", models_folder(), kind, name);
    SL_AUTO(json_clean) json_t *manifest = read_manifest(references);
    cr_assert(manifest, "%s has no manifest", references);
    const char *prototxt = json_string_value(json_object_get(manifest, "prototxt"));
    cr_assert(prototxt, "%s names no prototxt", references);
    SL_AUTO(network_clean) struct sl_network *network = read_network(prototxt);
    compare_outputs(network, name, manifest);
    return compare_all_layers(network, references);
}

static int compare_kind(const char *kind, int *networks)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/%s", models_folder(), kind);
    SL_AUTO(directory_clean) DIR *directory = opendir(path);
    if (!directory)
        cr_skip_test("skipped: no reference networks in %s; set SLUICE_MODELS", path);
    int layers = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.')
            continue;
        layers += compare_references(kind, entry->d_name);
        (*networks)++;
    }
    return layers;
}

Test(network_models, every_layer_has_the_shape_that_caffe_gives_it)
{
    int networks = 0;
    int layers = compare_kind("refs", &networks);
    cr_expect(networks >= 12 && layers >= 600, "only %d networks and %d layers", networks, layers);
}

Test(network_models, every_layer_of_edgecaffe_has_the_shape_that_caffe_gives_it)
{
    int networks = 0;
    int layers = compare_kind("edgecaffe_refs", &networks);
    cr_expect(networks >= 4 && layers >= 190, "only %d networks and %d layers", networks, layers);
}

/* The networks without references at least build, and have the size that is known of them. */
Test(network_models, edgecaffe_networks_without_references)
{
    static const struct {
        const char *prototxt;
        int64_t weight_megabytes;
    } rows[] = {
        {"edgecaffe/EmotionNet/deploy.prototxt", 395},
        {"edgecaffe/MemNet/deploy.prototxt", 227},
        {"edgecaffe/SceneNet/places205CNN_deploy_upgraded.prototxt", 231},
        {"edgecaffe/SoS/alexnet_sos_deploy.prototxt", 228},
        {"edgecaffe/TinyYolo/tiny_yolo_deploy.prototxt", 65},
        {"edgecaffe/ObjectNet/VGG_ILSVRC_19_layers_deploy.prototxt", 575},
        {"caffe/mobilenetv2_yolov3_nano_voc/deploy.prototxt", 3},
        {"caffe/deep_landmark_1_F/deploy.prototxt", 1},
    };
    char folder[PATH_BYTES];
    snprintf(folder, sizeof(folder), "%s/edgecaffe", models_folder());
    if (access(folder, R_OK))
        cr_skip_test("skipped: no networks in %s; set SLUICE_MODELS", folder);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        SL_AUTO(network_clean) struct sl_network *network = read_network(rows[i].prototxt);
        int64_t megabytes = (network->weight_count * 4 + 500000) / 1000000;
        cr_expect_eq(megabytes, rows[i].weight_megabytes, "%s: %lld MB", rows[i].prototxt,
                     (long long)megabytes);
    }
}
