/* InnerProduct: row dots; with transposed weights (inputs x outputs) the product, whose rows are
 * the samples. */
#include "kernels/dots.h"
#include "kernels/gemm.h"

/* Columns of a task of the transposed product. */
#define TASK_COLUMNS 192

struct transposed {
    const struct sl_kernel_call *call;
    const struct sl_inner_product_parameters *parameters;
    int64_t samples;
    size_t worker_bytes;
};

static int64_t sample_count(const struct sl_kernel_call *call)
{
    const struct sl_shape *bottom = &call->network->blobs[call->layer->bottoms[0]].shape;
    return sl_shape_span(bottom, 0, call->layer->parameters.inner_product.axis);
}

static size_t transposed_worker_bytes(void)
{
    return (sl_gemm_scratch_bytes(TASK_COLUMNS) + 63) / 64 * 64;
}

static size_t scratch_bytes(const struct sl_network *network, const struct sl_layer *layer,
                            int threads, size_t scratch_limit)
{
    (void)network;
    (void)scratch_limit;
    const struct sl_inner_product_parameters *p = &layer->parameters.inner_product;
    return p->transpose ? (size_t)threads * transposed_worker_bytes()
                        : sl_dots_scratch_bytes(layer, p->inputs, threads);
}

static bool decodes(const struct sl_network *network, const struct sl_layer *layer)
{
    (void)network;
    return !layer->parameters.inner_product.transpose;
}

static void run_transposed_task(void *context, int64_t task, int worker)
{
    static const int32_t no_offset = 0;
    const struct transposed *t = context;
    const struct sl_kernel_call *call = t->call;
    const int64_t outputs = t->parameters->num_output, depth = t->parameters->inputs;
    const int64_t column = task * TASK_COLUMNS;
    const int64_t columns = outputs - column < TASK_COLUMNS ? outputs - column : TASK_COLUMNS;
    struct sl_gemm gemm = {
        .a = call->bottoms[0],
        .a_stride = depth,
        .rows = t->samples,
        .depth = depth,
        .b = call->weights[0] + column,
        .b_end = call->weights[0] + depth * outputs,
        .taps = 1,
        .channel_stride = outputs,
        .tap_offset = &no_offset,
        .columns = columns,
        .run = columns,
        .pitch = columns,
        .c = call->tops[0] + column,
        .c_stride = outputs,
        .finish = true,
    };
    sl_gemm_run(&gemm, (char *)call->scratch + (size_t)worker * t->worker_bytes);
    for (int64_t sample = 0; sample < t->samples; sample++) {
        float *top = gemm.c + sample * outputs;
        for (int64_t i = 0; i < columns; i++) {
            float value = top[i] + (t->parameters->bias ? call->weights[1][column + i] : 0.0f);
            top[i] = call->layer->activation == SL_ACTIVATION_RELU && !(value > 0.0f)
                         ? value * call->layer->activation_slope
                         : value;
        }
    }
}

static void run(const struct sl_kernel_call *call)
{
    const struct sl_inner_product_parameters *p = &call->layer->parameters.inner_product;
    if (!p->transpose) {
        sl_dots_run(call, sample_count(call), 1, p->num_output, p->inputs, p->bias);
        return;
    }
    struct transposed t = {
        .call = call,
        .parameters = p,
        .samples = sample_count(call),
        .worker_bytes = transposed_worker_bytes(),
    };
    sl_parallel_for(call->threads, (p->num_output + TASK_COLUMNS - 1) / TASK_COLUMNS,
                    run_transposed_task, &t);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct sl_inner_product_parameters *p = &call->layer->parameters.inner_product;
    const int64_t samples = sample_count(call);
    const int64_t begin = p->transpose ? 0 : call->row_begin;
    const int64_t end = p->transpose ? p->num_output : call->row_end;
    const int64_t output_step = p->transpose ? 1 : p->inputs;
    const int64_t input_step = p->transpose ? p->num_output : 1;
    for (int64_t sample = 0; sample < samples; sample++) {
        for (int64_t output = begin; output < end; output++) {
            const float *w = call->weights[0] + (output - begin) * output_step;
            double sum = p->bias ? (double)call->weights[1][output - begin] : 0.0;
            for (int64_t k = 0; k < p->inputs; k++)
                sum += (double)w[k * input_step] * (double)call->bottoms[0][sample * p->inputs + k];
            if (call->layer->activation == SL_ACTIVATION_RELU && !(sum > 0))
                sum *= (double)call->layer->activation_slope;
            call->tops[0][sample * p->num_output + output] = (float)sum;
        }
    }
}

extern const struct sl_kernel sl_kernel_inner_product;
const struct sl_kernel sl_kernel_inner_product = {
    .type = SL_LAYER_INNER_PRODUCT,
    .memory = SL_KERNEL_SEPARATE,
    .row_sharded = true,
    .decodes = decodes,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .reference = reference,
};
