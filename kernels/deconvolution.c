/* Deconvolution (transposed convolution): for one output channel, the product of its weights
 * (taps x channels) with some rows of the input gives what every input pixel adds to each tap's
 * place; these are then added into the map, in a fixed order. */
#include <string.h>

#include "kernels/convolution.h"
#include "kernels/gemm.h"

/* Wanted input pixels of a product: bounds the scratch. */
#define TILE_COLUMNS 448

struct deconvolution {
    const struct sl_kernel_call *call;
    int64_t batch, channels, in_h, in_w, outputs, out_h, out_w;
    int64_t group_channels, group_outputs, taps;
    const struct sl_convolution_parameters *parameters;
    int64_t tile_rows;
    size_t weights_bytes, tile_bytes, worker_bytes;
};

static size_t round_up_64(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static void plan(const struct sl_network *network, const struct sl_layer *layer,
                 struct deconvolution *d)
{
    const struct sl_convolution_parameters *p = &layer->parameters.convolution;
    const int64_t *bottom = network->blobs[layer->bottoms[0]].shape.dim;
    const int64_t *top = network->blobs[layer->tops[0]].shape.dim;
    *d = (struct deconvolution){
        .batch = bottom[0],
        .channels = bottom[1],
        .in_h = bottom[2],
        .in_w = bottom[3],
        .outputs = p->num_output,
        .out_h = top[2],
        .out_w = top[3],
        .group_channels = bottom[1] / p->group,
        .group_outputs = p->num_output / p->group,
        .taps = p->kernel_h * p->kernel_w,
        .parameters = p,
    };
    d->tile_rows = TILE_COLUMNS / d->in_w > 1 ? TILE_COLUMNS / d->in_w : 1;
    d->tile_rows = d->tile_rows < d->in_h ? d->tile_rows : d->in_h;
    int64_t columns = d->tile_rows * d->in_w;
    d->weights_bytes = round_up_64((size_t)(d->taps * d->group_channels) * sizeof(float));
    d->tile_bytes = round_up_64((size_t)(d->taps * columns) * sizeof(float));
    d->worker_bytes =
        d->weights_bytes + d->tile_bytes + round_up_64(sl_gemm_scratch_bytes(columns));
}

static size_t scratch_bytes(const struct sl_network *network, const struct sl_layer *layer,
                            int threads, size_t scratch_limit)
{
    struct deconvolution d;
    (void)scratch_limit; /* nothing is kept between calls */
    plan(network, layer, &d);
    return (size_t)threads * d.worker_bytes;
}

/* The weights of one output channel as taps x channels of its group. */
static void transpose_weights(const struct deconvolution *d, int64_t output, float *transposed)
{
    const int64_t group = output / d->group_outputs, local = output % d->group_outputs;
    for (int64_t c = 0; c < d->group_channels; c++) {
        const float *w = d->call->weights[0] +
                         ((group * d->group_channels + c) * d->group_outputs + local) * d->taps;
        for (int64_t t = 0; t < d->taps; t++)
            transposed[t * d->group_channels + c] = w[t];
    }
}

/* Adds tap (i, j) of input rows [row, row + rows) into the map. */
static void add_tap(const struct deconvolution *d, const float *values, int64_t i, int64_t j,
                    int64_t row, int64_t rows, float *top)
{
    const struct sl_convolution_parameters *p = d->parameters;
    for (int64_t y = row; y < row + rows; y++, values += d->in_w) {
        int64_t out_y = y * p->stride_h - p->pad_h + i * p->dilation_h;
        if (out_y < 0 || out_y >= d->out_h)
            continue;
        int64_t out_x = j * p->dilation_w - p->pad_w;
        for (int64_t x = 0; x < d->in_w; x++, out_x += p->stride_w)
            if (out_x >= 0 && out_x < d->out_w)
                top[out_y * d->out_w + out_x] += values[x];
    }
}

static void finish_map(const struct deconvolution *d, int64_t output, float *top)
{
    const struct sl_layer *layer = d->call->layer;
    const float bias = d->parameters->bias ? d->call->weights[1][output] : 0.0f;
    for (int64_t i = 0; i < d->out_h * d->out_w; i++) {
        float value = top[i] + bias;
        top[i] = layer->activation == SL_ACTIVATION_RELU && !(value > 0.0f)
                     ? value * layer->activation_slope
                     : value;
    }
}

static void run_task(void *context, int64_t task, int worker)
{
    static const int32_t no_offset = 0;
    const struct deconvolution *d = context;
    const int64_t image = task / d->outputs, output = task % d->outputs;
    const int64_t group = output / d->group_outputs, in_map = d->in_h * d->in_w;
    char *scratch = (char *)d->call->scratch + (size_t)worker * d->worker_bytes;
    float *weights = (float *)scratch, *tile = (float *)(scratch + d->weights_bytes);
    float *top = d->call->tops[0] + task * d->out_h * d->out_w;
    const float *maps =
        d->call->bottoms[0] + (image * d->channels + group * d->group_channels) * in_map;

    transpose_weights(d, output, weights);
    memset(top, 0, (size_t)(d->out_h * d->out_w) * sizeof *top);
    for (int64_t row = 0; row < d->in_h; row += d->tile_rows) {
        int64_t rows = d->in_h - row < d->tile_rows ? d->in_h - row : d->tile_rows;
        int64_t columns = rows * d->in_w;
        struct sl_gemm gemm = {
            .a = weights,
            .a_stride = d->group_channels,
            .rows = d->taps,
            .depth = d->group_channels,
            .b = maps + row * d->in_w,
            .b_end = d->call->bottoms[0] + d->batch * d->channels * in_map,
            .taps = 1,
            .channel_stride = in_map,
            .tap_offset = &no_offset,
            .columns = columns,
            .run = columns,
            .pitch = columns,
            .c = tile,
            .c_stride = columns,
            .finish = true,
        };
        sl_gemm_run(&gemm, scratch + d->weights_bytes + d->tile_bytes);
        for (int64_t t = 0; t < d->taps; t++)
            add_tap(d, tile + t * columns, t / d->parameters->kernel_w, t % d->parameters->kernel_w,
                    row, rows, top);
    }
    finish_map(d, output, top);
}

static void run(const struct sl_kernel_call *call)
{
    struct deconvolution d;
    plan(call->network, call->layer, &d);
    d.call = call;
    sl_parallel_for(call->threads, d.batch * d.outputs, run_task, &d);
}

/* Adds what one input channel gives to one map. */
static void reference_channel(const struct deconvolution *d, const float *map, const float *w,
                              float *top)
{
    const struct sl_convolution_parameters *p = d->parameters;
    for (int64_t y = 0; y < d->in_h; y++) {
        for (int64_t x = 0; x < d->in_w; x++) {
            for (int64_t t = 0; t < d->taps; t++) {
                int64_t i = t / p->kernel_w, j = t % p->kernel_w;
                int64_t out_y = y * p->stride_h - p->pad_h + i * p->dilation_h;
                int64_t out_x = x * p->stride_w - p->pad_w + j * p->dilation_w;
                if (out_y >= 0 && out_y < d->out_h && out_x >= 0 && out_x < d->out_w)
                    top[out_y * d->out_w + out_x] += w[t] * map[y * d->in_w + x];
            }
        }
    }
}

static void reference(const struct sl_kernel_call *call)
{
    struct deconvolution d;
    plan(call->network, call->layer, &d);
    d.call = call;
    for (int64_t task = 0; task < d.batch * d.outputs; task++) {
        const int64_t image = task / d.outputs, output = task % d.outputs;
        const int64_t group = output / d.group_outputs, local = output % d.group_outputs;
        float *top = call->tops[0] + task * d.out_h * d.out_w;
        memset(top, 0, (size_t)(d.out_h * d.out_w) * sizeof *top);
        for (int64_t c = group * d.group_channels; c < (group + 1) * d.group_channels; c++)
            reference_channel(&d, call->bottoms[0] + (image * d.channels + c) * d.in_h * d.in_w,
                              call->weights[0] + (c * d.group_outputs + local) * d.taps, top);
        finish_map(&d, output, top);
    }
}

extern const struct sl_kernel sl_kernel_deconvolution;
const struct sl_kernel sl_kernel_deconvolution = {
    .type = SL_LAYER_DECONVOLUTION,
    .memory = SL_KERNEL_SEPARATE,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .reference = reference,
};
