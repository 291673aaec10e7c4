#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "models/caffe.pb-c.h"
#include "models/caffe_text.h"
#include "models/network.h"
#include "models/weights.h"
#include "runtime/base/cleanup.h"
#include "tests/fuzz/fuzz.h"

/* Reads every blob that a network of that structure could ask for, in shapes that fit the seeds. */
static void read_blobs(const Caffe__NetParameter *network, struct sl_weight_source *source)
{
    static const struct sl_shape shapes[] = {
        {.axes = 2, .dim = {2, 3}}, {.axes = 1, .dim = {2}}, {.axes = 1, .dim = {6}}};
    for (size_t i = 0; i < network->n_layer; i++) {
        for (int blob = 0; blob < 2 && network->layer[i]->name; blob++) {
            for (size_t j = 0; j < sizeof(shapes) / sizeof(*shapes); j++) {
                struct sl_error error = {0};
                float values[6];
                source->read(source, network->layer[i]->name, "", blob, &shapes[j], 0,
                             sl_shape_count(&shapes[j]), values, &error);
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int file SL_AUTO_FD = memfd_create("caffemodel", MFD_CLOEXEC);
    if (file < 0 || write(file, data, size) != (ssize_t)size)
        abort();
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);

    struct sl_error error = {0};
    struct sl_weight_source *source = NULL;
    Caffe__NetParameter *network = NULL;
    int opened = sl_caffemodel_open(path, &source, &error);
    if ((opened == 0) != (source != NULL) || (opened < 0 && !error.text[0]))
        abort();
    error = (struct sl_error){0};
    int structured = sl_caffemodel_structure(path, &network, &error);
    if ((structured == 0) != (network != NULL) || (structured < 0 && !error.text[0]))
        abort();
    if (source && network)
        read_blobs(network, source);
    if (source)
        source->close(source);
    sl_caffe_free(network);

    float *mean SL_AUTO_FREE = NULL;
    struct sl_shape shape;
    sl_mean_read(path, &mean, &shape, &error);
    return 0;
}
