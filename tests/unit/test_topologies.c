/* The topologies that ship build, and are as large as published. */
#include <criterion/criterion.h>
#include <string.h>

#include "models/caffe_text.h"
#include "models/import.h"
#include "models/network.h"

struct expected_topology {
    const char *name;
    double megabytes; /* of weights, 10^6 bytes */
    const char *input, *output;
};

static const struct expected_topology expected[] = {
    {"lenet", 1.7, "1x1x28x28", "1x10"},
    {"alexnet", 243.9, "1x3x227x227", "1x1000"},
    {"caffenet", 243.9, "1x3x227x227", "1x1000"},
    {"agenet", 45.7, "1x3x227x227", "1x8"},
    {"gendernet", 45.6, "1x3x227x227", "1x2"},
    {"facenet", 227.5, "1x3x227x227", "1x2x1x1"},
    {"googlenet", 28.0, "1x3x224x224", "1x1000"},
    {"squeezenet", 4.9, "1x3x224x224", "1x1000x1x1"},
    {"vgg16", 553.4, "1x3x224x224", "1x1000"},
    {"vgg19", 574.7, "1x3x224x224", "1x1000"},
    {"resnet50", 102.4, "1x3x224x224", "1x1000"},
    {"mobilenet", 17.0, "1x3x224x224", "1x1000"},
    {"inception_v3", 95.5, "1x3x299x299", "1x1000"},
    {"sos", 227.6, "1x3x227x227", "1x5"},
    {"sos_googlenet", 23.9, "1x3x224x224", "1x5"},
    {"emotionnet", 395.4, "1x3x224x224", "1x7"},
    {"memnet", 227.5, "1x3x227x227", "1x1"},
    {"scenenet", 230.8, "1x3x227x227", "1x205"},
    {"tinyyolo", 64.7, "1x3x416x416", "1x425x12x12"},
};

#define EXPECTED ((int)(sizeof(expected) / sizeof(expected[0])))

static struct sl_network *build(const struct sl_topology *topology)
{
    struct Caffe__NetParameter *message = NULL;
    struct sl_network *network = NULL;
    struct sl_error error = {0};
    struct sl_network_options options = {0};
    int result = sl_caffe_parse(topology->name, topology->prototxt, strlen(topology->prototxt),
                                &message, &error);
    cr_assert(result == 0, "%s", error.text);
    result = sl_network_build(message, &options, &network, &error);
    sl_caffe_free(message);
    cr_assert(result == 0, "%s: %s", topology->name, error.text);
    return network;
}

Test(topologies, each_builds_with_its_published_size)
{
    for (int i = 0; i < EXPECTED; i++) {
        const struct sl_topology *topology = sl_topology_find(expected[i].name);
        cr_assert(topology, "%s", expected[i].name);
        struct sl_network *network = build(topology);
        char text[SL_SHAPE_TEXT_BYTES];
        double megabytes = (double)network->weight_count * 4e-6;
        cr_expect(megabytes > expected[i].megabytes - 0.06 &&
                      megabytes < expected[i].megabytes + 0.06,
                  "%s: %.2f MB", topology->name, megabytes);
        cr_expect(network->input_count == 1 && network->output_count == 1, "%s", topology->name);
        cr_expect_str_eq(sl_shape_text(&network->blobs[network->inputs[0]].shape, text),
                         expected[i].input, "%s", topology->name);
        cr_expect_str_eq(sl_shape_text(&network->blobs[network->outputs[0]].shape, text),
                         expected[i].output, "%s: %s", topology->name, text);
        cr_expect(network->flops > 2 * (double)network->weight_count, "%s", topology->name);
        sl_network_free(network);
    }
}

Test(topologies, are_listed_found_and_described)
{
    int count = 0;
    for (; sl_topology_at(count); count++) {
        const struct sl_topology *topology = sl_topology_at(count);
        cr_expect(sl_topology_find(topology->name) == topology);
        cr_expect(strlen(topology->description) > 10 && topology->description[0] != '#');
        cr_expect(!strchr(topology->description, '\n'));
    }
    cr_expect_eq(count, EXPECTED);
    cr_expect_null(sl_topology_at(-1));
    cr_expect_null(sl_topology_find("lenett"));
}

Test(topologies, inception_v3_has_94_convolutions_and_mobilenet_13_depthwise)
{
    struct sl_network *inception = build(sl_topology_find("inception_v3"));
    int convolutions = 0;
    for (int i = 0; i < inception->layer_count; i++)
        convolutions += inception->layers[i].type == SL_LAYER_CONVOLUTION;
    cr_expect_eq(convolutions, 94);
    sl_network_free(inception);

    struct sl_network *mobilenet = build(sl_topology_find("mobilenet"));
    int depthwise = 0;
    for (int i = 0; i < mobilenet->layer_count; i++) {
        const struct sl_layer *layer = &mobilenet->layers[i];
        if (layer->type == SL_LAYER_CONVOLUTION)
            depthwise +=
                layer->parameters.convolution.group > 1 &&
                layer->parameters.convolution.group == layer->parameters.convolution.num_output;
    }
    cr_expect_eq(depthwise, 13);
    sl_network_free(mobilenet);
}
