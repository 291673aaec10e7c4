#include "runtime/engine/chain.h"

#include <string.h>

#include "runtime/base/units.h"

#define CHAIN_ALIGNMENT 64

struct rows {
    int64_t begin, end;
};

static bool spatial(const struct sl_network *network, const struct sl_layer *layer)
{
    return layer->bottom_count == 1 && layer->top_count == 1 &&
           network->blobs[layer->bottoms[0]].shape.axes == 4 &&
           network->blobs[layer->tops[0]].shape.axes == 4;
}

/* A row of the top depends on a window of rows of the bottom alone. */
static bool row_local(const struct sl_network *network, const struct sl_layer *layer)
{
    const struct sl_convolution_parameters *c = &layer->parameters.convolution;
    const struct sl_pooling_parameters *p = &layer->parameters.pooling;
    if (!spatial(network, layer))
        return false;
    switch (layer->type) {
    case SL_LAYER_CONVOLUTION:
        /* The kernel of whole maps sums in another order; rows alone are padded only in strips. */
        return c->kernel_w < network->blobs[layer->bottoms[0]].shape.dim[3] &&
               (c->pad_h == 0 || c->pad_w > 0);
    case SL_LAYER_POOLING:
        /* Averages count the padding below the map, which a band does not know. Global pooling
         * sums in another order. */
        return network->blobs[layer->tops[0]].shape.dim[3] > 1 &&
               (p->method == SL_POOLING_MAX || p->pad_h == 0);
    case SL_LAYER_LRN:
        return !layer->parameters.lrn.within_channel;
    case SL_LAYER_SCALE:
    case SL_LAYER_BIAS:
        return layer->parameters.scale.axis == 1 && layer->parameters.scale.num_axes == 1;
    case SL_LAYER_RELU:
    case SL_LAYER_PRELU:
    case SL_LAYER_ABSVAL:
    case SL_LAYER_BATCH_NORM:
        return true;
    default:
        return false;
    }
}

bool sl_chain_links(const struct sl_network *network, int layer)
{
    if (layer < 0 || layer + 1 >= network->layer_count)
        return false;
    const struct sl_layer *a = &network->layers[layer], *b = &network->layers[layer + 1];
    return row_local(network, a) && row_local(network, b) && a->tops[0] == b->bottoms[0] &&
           network->blobs[a->tops[0]].last_consumer == layer + 1;
}

/* Rows of the bottom that rows of the top read, and the padding above them. */
static struct rows rows_read(const struct sl_network *network, const struct sl_layer *layer,
                             struct rows top, int64_t *padding)
{
    int64_t kernel, stride, pad, height = network->blobs[layer->bottoms[0]].shape.dim[2];
    *padding = 0;
    if (layer->type == SL_LAYER_CONVOLUTION) {
        const struct sl_convolution_parameters *p = &layer->parameters.convolution;
        kernel = (p->kernel_h - 1) * p->dilation_h + 1;
        stride = p->stride_h;
        pad = p->pad_h;
    } else if (layer->type == SL_LAYER_POOLING) {
        const struct sl_pooling_parameters *p = &layer->parameters.pooling;
        kernel = p->kernel_h;
        stride = p->stride_h;
        pad = p->pad_h;
    } else {
        return top;
    }
    struct rows read = {top.begin * stride - pad, (top.end - 1) * stride - pad + kernel};
    *padding = read.begin < 0 ? -read.begin : 0;
    read.begin = read.begin < 0 ? 0 : read.begin;
    read.end = read.end > height ? height : read.end;
    return read;
}

int64_t sl_chain_height(const struct sl_network *network, const struct sl_chain *chain)
{
    return network->blobs[network->layers[chain->last_layer].tops[0]].shape.dim[2];
}

/* rows[n], padding[n]: of the bottom of the chain's layer n; rows[layers]: of the last top. */
static void trace_rows(const struct sl_network *network, const struct sl_chain *chain, int64_t row,
                       struct rows *rows, int64_t *padding)
{
    const int count = chain->last_layer - chain->first_layer + 1;
    const int64_t height = sl_chain_height(network, chain);
    rows[count].begin = row;
    rows[count].end = row + chain->rows < height ? row + chain->rows : height;
    for (int n = count - 1; n >= 0; n--)
        rows[n] =
            rows_read(network, &network->layers[chain->first_layer + n], rows[n + 1], &padding[n]);
}

uint64_t sl_chain_bytes(const struct sl_chain *chain)
{
    return chain->shard_bytes + chain->buffer_bytes[0] + chain->buffer_bytes[1];
}

static uint64_t rows_bytes(const struct sl_network *network, int blob, struct rows rows)
{
    const struct sl_shape *shape = &network->blobs[blob].shape;
    uint64_t row_floats = (uint64_t)(sl_shape_count(shape) / shape->dim[2]);
    return sl_align_up(row_floats * (uint64_t)(rows.end - rows.begin) * sizeof(float),
                       CHAIN_ALIGNMENT);
}

bool sl_chain_measure(const struct sl_pack *pack, struct sl_chain *chain)
{
    const struct sl_network *network = pack->network;
    const int count = chain->last_layer - chain->first_layer + 1;
    struct rows rows[SL_CHAIN_MOST_LAYERS + 1];
    int64_t padding[SL_CHAIN_MOST_LAYERS];
    if (count < 2 || count > SL_CHAIN_MOST_LAYERS)
        return false;
    struct sl_chain made = {
        .first_layer = chain->first_layer, .last_layer = chain->last_layer, .rows = chain->rows};
    for (int s = pack->layer_first_shard[chain->first_layer];
         s < pack->layer_first_shard[chain->last_layer + 1]; s++)
        made.shard_bytes += sl_align_up(pack->shards[s].bytes, SL_PACK_ALIGNMENT);
    double computed = 0, whole = 0;
    for (int64_t row = 0; row < sl_chain_height(network, chain); row += chain->rows) {
        trace_rows(network, chain, row, rows, padding);
        for (int n = 0; n <= count; n++) {
            const struct sl_layer *layer = &network->layers[chain->first_layer + (n ? n - 1 : 0)];
            int blob = n ? layer->tops[0] : layer->bottoms[0];
            uint64_t bytes = rows_bytes(network, blob, rows[n]);
            if (rows[n].begin >= rows[n].end)
                return false; /* a window that lies wholly in the padding */
            if (bytes > made.buffer_bytes[n % 2])
                made.buffer_bytes[n % 2] = bytes;
            if (n)
                computed += layer->flops * (double)(rows[n].end - rows[n].begin) /
                            (double)network->blobs[blob].shape.dim[2];
        }
    }
    for (int l = chain->first_layer; l <= chain->last_layer; l++)
        whole += network->layers[l].flops;
    made.recomputed_flops = computed - whole;
    *chain = made;
    return true;
}

void sl_band_make(const struct sl_network *network, const struct sl_chain *chain, int64_t row,
                  struct sl_band *band)
{
    const int count = chain->last_layer - chain->first_layer + 1;
    struct rows rows[SL_CHAIN_MOST_LAYERS + 1];
    int64_t padding[SL_CHAIN_MOST_LAYERS];
    trace_rows(network, chain, row, rows, padding);
    band->network = (struct sl_network){.name = network->name,
                                        .layer_count = count,
                                        .blob_count = count + 1,
                                        .layers = band->layers,
                                        .blobs = band->blobs};
    for (int n = 0; n <= count; n++) {
        const struct sl_layer *layer = &network->layers[chain->first_layer + (n ? n - 1 : 0)];
        band->blobs[n] = network->blobs[n ? layer->tops[0] : layer->bottoms[0]];
        band->blobs[n].shape.dim[2] = rows[n].end - rows[n].begin;
        band->ids[n] = n;
        band->first_row[n] = rows[n].begin;
    }
    for (int n = 0; n < count; n++) {
        struct sl_layer *layer = &band->layers[n];
        *layer = network->layers[chain->first_layer + n];
        layer->bottoms = &band->ids[n];
        layer->tops = &band->ids[n + 1];
        if (layer->type == SL_LAYER_CONVOLUTION)
            layer->parameters.convolution.pad_h = padding[n];
        else if (layer->type == SL_LAYER_POOLING)
            layer->parameters.pooling.pad_h = padding[n];
    }
}

struct row_copy {
    int64_t planes, whole_plane, band_plane, first; /* floats */
};

static struct row_copy row_copy_of(const struct sl_network *network, int blob,
                                   const struct sl_band *band, int n)
{
    const struct sl_shape *whole = &network->blobs[blob].shape;
    return (struct row_copy){.planes = sl_shape_span(whole, 0, 2),
                             .whole_plane = whole->dim[2] * whole->dim[3],
                             .band_plane = band->blobs[n].shape.dim[2] * whole->dim[3],
                             .first = band->first_row[n] * whole->dim[3]};
}

void sl_band_gather(const struct sl_network *network, const struct sl_chain *chain,
                    const struct sl_band *band, const float *whole, float *rows)
{
    int blob = network->layers[chain->first_layer].bottoms[0];
    struct row_copy copy = row_copy_of(network, blob, band, 0);
    for (int64_t p = 0; p < copy.planes; p++)
        memcpy(rows + p * copy.band_plane, whole + p * copy.whole_plane + copy.first,
               (size_t)copy.band_plane * sizeof(float));
}

void sl_band_scatter(const struct sl_network *network, const struct sl_chain *chain,
                     const struct sl_band *band, const float *rows, float *whole)
{
    int blob = network->layers[chain->last_layer].tops[0];
    struct row_copy copy = row_copy_of(network, blob, band, band->network.layer_count);
    for (int64_t p = 0; p < copy.planes; p++)
        memcpy(whole + p * copy.whole_plane + copy.first, rows + p * copy.band_plane,
               (size_t)copy.band_plane * sizeof(float));
}
