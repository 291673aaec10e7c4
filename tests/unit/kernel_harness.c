#include "kernel_harness.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/caffe_text.h"
#include "models/pack.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/text.h"

struct sl_network *harness_network(const char *prototxt)
{
    struct Caffe__NetParameter *message = NULL;
    struct sl_network *network = NULL;
    const struct sl_network_options options = {0};
    struct sl_error error = {0};
    int result = sl_caffe_parse("test", prototxt, strlen(prototxt), &message, &error);
    cr_assert_eq(result, 0, "%s\n%s", error.text, prototxt);
    result = sl_network_build(message, &options, &network, &error);
    sl_caffe_free(message);
    cr_assert_eq(result, 0, "%s\n%s", error.text, prototxt);
    return network;
}

struct sl_network *harness_layer_network(const char *const bottoms[4], const char *layer)
{
    struct sl_text text = {0};
    for (int b = 0; b < 4 && bottoms[b]; b++) {
        sl_text_add(&text, "layer { name: '%c' type: 'Input' top: '%c' input_param { shape {",
                    'a' + b, 'a' + b);
        char *rest;
        for (const char *at = bottoms[b]; *at; at = *rest ? rest + 1 : rest)
            sl_text_add(&text, " dim: %ld", strtol(at, &rest, 10));
        sl_text_add(&text, " } } }\n");
    }
    sl_text_add(&text, "layer { name: 'tested' %s", layer);
    for (int b = 0; b < 4 && bottoms[b]; b++)
        sl_text_add(&text, " bottom: '%c'", 'a' + b);
    sl_text_add(&text, " }\n");
    struct sl_network *network = harness_network(text.bytes);
    sl_text_free(&text);
    return network;
}

float *harness_allocate(int64_t count)
{
    void *memory = NULL;
    size_t bytes = count > 0 ? (size_t)count * sizeof(float) : sizeof(float);
    cr_assert_eq(posix_memalign(&memory, 64, bytes), 0, "no memory for %zu bytes", bytes);
    memset(memory, 0, bytes);
    return memory;
}

void harness_create(struct harness *harness, const struct sl_network *network)
{
    harness->network = network;
    harness->blobs = calloc((size_t)network->blob_count, sizeof(float *));
    harness->weights = calloc((size_t)network->layer_count * SL_MAX_WEIGHTS, sizeof(float *));
    cr_assert(harness->blobs && harness->weights);
    for (int b = 0; b < network->blob_count; b++) {
        int64_t count = sl_shape_count(&network->blobs[b].shape);
        harness->blobs[b] = harness_allocate(count);
        for (int64_t i = 0; i < count; i++)
            harness->blobs[b][i] = NAN;
    }
    for (int l = 0; l < network->layer_count; l++)
        for (int w = 0; w < network->layers[l].weight_count; w++)
            harness->weights[l * SL_MAX_WEIGHTS + w] =
                harness_allocate(network->layers[l].weights[w].count);
}

void harness_free(struct harness *harness)
{
    if (!harness->network)
        return;
    for (int b = 0; b < harness->network->blob_count; b++)
        free(harness->blobs[b]);
    for (int w = 0; w < harness->network->layer_count * SL_MAX_WEIGHTS; w++)
        free(harness->weights[w]);
    free(harness->blobs);
    free(harness->weights);
    *harness = (struct harness){0};
}

/* The part of a weight blob that belongs to the rows from row_begin on. */
static const float *weight_rows(const struct sl_layer *layer, int weight, const float *values,
                                int64_t row_begin)
{
    const struct sl_weight *first = &layer->weights[0], *own = &layer->weights[weight];
    if (own->shape.axes == 0 || own->shape.dim[0] != first->shape.dim[0])
        return values;
    return values + row_begin * (own->count / own->shape.dim[0]);
}

static void run_kernel(const struct sl_kernel *kernel, struct sl_kernel_call *call,
                       float *const *weights, const struct harness_options *options)
{
    const struct sl_layer *layer = call->layer;
    const int64_t rows = layer->weight_count ? layer->weights[0].shape.dim[0] : 0;
    const bool sharded = kernel->row_sharded && options->rows_per_call > 0;
    const int64_t step = sharded ? options->rows_per_call : rows;
    cr_assert(!sharded || step % SL_ROW_QUANTUM == 0);
    do {
        call->row_end = call->row_begin + step < rows ? call->row_begin + step : rows;
        for (int w = 0; w < layer->weight_count; w++)
            call->weights[w] = weight_rows(layer, w, weights[w], call->row_begin);
        if (options->reference || kernel->memory == SL_KERNEL_VIEW)
            kernel->reference(call);
        else
            kernel->run(call);
        call->row_begin = call->row_end;
    } while (call->row_begin < rows);
}

void harness_run(struct harness *harness, int layer_index, const struct harness_options *options,
                 bool in_place)
{
    const struct sl_network *network = harness->network;
    const struct sl_layer *layer = &network->layers[layer_index];
    if (layer->type == SL_LAYER_INPUT)
        return;
    const struct sl_kernel *kernel = sl_kernel_find(layer->type);
    cr_assert_not_null(kernel, "no kernel for %s", sl_layer_type_name(layer->type));

    size_t limit = options->scratch_limit ? options->scratch_limit : SL_SCRATCH_LIMIT;
    size_t scratch_bytes = 0;
    if (kernel->scratch_bytes && !options->reference)
        scratch_bytes =
            kernel->scratch_bytes(network, layer, sl_threads_count(options->threads), limit);
    SL_AUTO_FREE void *scratch = harness_allocate((int64_t)((scratch_bytes + 3) / sizeof(float)));
    SL_AUTO_FREE const float **bottoms = calloc((size_t)layer->bottom_count + 1, sizeof(float *));
    SL_AUTO_FREE float **tops = calloc((size_t)layer->top_count + 1, sizeof(float *));
    cr_assert(bottoms && tops);
    memset(scratch, 0xff, scratch_bytes); /* NaN: kernels must not count on zeros */
    for (int b = 0; b < layer->bottom_count; b++)
        bottoms[b] = harness->blobs[layer->bottoms[b]];
    for (int t = 0; t < layer->top_count; t++)
        tops[t] = harness->blobs[layer->tops[t]];
    if (in_place)
        tops[0] = harness->blobs[layer->bottoms[0]];
    struct sl_kernel_call call = {
        .network = network,
        .layer = layer,
        .bottoms = bottoms,
        .tops = tops,
        .scratch = scratch,
        .threads = options->reference ? NULL : options->threads,
    };
    run_kernel(kernel, &call, harness->weights + layer_index * SL_MAX_WEIGHTS, options);
    if (in_place)
        memcpy(harness->blobs[layer->tops[0]], tops[0],
               (size_t)sl_shape_count(&network->blobs[layer->tops[0]].shape) * sizeof(float));
}

double harness_nmse(const float *a, const float *b, int64_t count)
{
    double error = 0, energy = 0;
    for (int64_t i = 0; i < count; i++) {
        if (a[i] == b[i] || (isnan(a[i]) && isnan(b[i]))) {
            energy += isfinite(b[i]) ? (double)b[i] * b[i] : 0;
            continue;
        }
        error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        energy += (double)b[i] * b[i];
    }
    return error == 0 ? 0 : error / (energy > 0 ? energy : 1e-30);
}
