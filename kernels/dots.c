/* Row dots over the threads (kernels/dots.h). Bound by memory: each weight is used once per sample,
 * so a task takes a block of rows that the cache holds for all samples. */
#include "kernels/dots.h"

#include "kernels/call.h"
#include "kernels/isa.h"

#define TASK_BYTES (256 << 10)
#define MOST_ROWS  256
#define LEAST_ROWS 4

struct dots {
    const struct sl_kernel_call *call;
    int64_t samples, group, group_outputs, depth, task_rows;
    size_t worker_bytes; /* of scratch: the decoded rows of a task */
    bool bias;
};

static int64_t task_rows(int64_t depth)
{
    int64_t rows = TASK_BYTES / ((int64_t)sizeof(float) * depth);
    rows = rows > MOST_ROWS ? MOST_ROWS : rows;
    return rows < LEAST_ROWS ? LEAST_ROWS : rows;
}

static size_t worker_bytes(int64_t depth)
{
    return ((size_t)(task_rows(depth) * depth) * sizeof(float) + 63) / 64 * 64;
}

size_t sl_dots_scratch_bytes(const struct sl_layer *layer, int64_t depth, int threads)
{
    return layer->encoding == SL_ENCODING_F32 ? 0 : (size_t)threads * worker_bytes(depth);
}

/* The weights of rows [row, end); encoded ones decoded into the worker's scratch. */
static const float *weight_rows(const struct dots *d, int64_t row, int64_t end, int worker)
{
    const struct sl_kernel_call *call = d->call;
    const int64_t local = row - call->row_begin;
    if (!call->encoded)
        return call->weights[0] + local * d->depth;
    float *decoded = (float *)((char *)call->scratch + (size_t)worker * d->worker_bytes);
    sl_decode_rows(call->encoded, local, end - row, decoded, NULL);
    return decoded;
}

/* Rows [row, end) of one group for all samples. */
static void run_rows(const struct dots *d, int64_t row, int64_t end, int worker)
{
    const struct sl_kernel_call *call = d->call;
    const int64_t outputs = d->group * d->group_outputs, local = row - call->row_begin;
    const float slope = call->layer->activation_slope;
    struct sl_row_dots dots = {
        .w = weight_rows(d, row, end, worker),
        .w_stride = d->depth,
        .rows = end - row,
        .depth = d->depth,
    };
    for (int64_t sample = 0; sample < d->samples; sample++) {
        dots.x = call->bottoms[0] + (sample * d->group + row / d->group_outputs) * d->depth;
        dots.y = call->tops[0] + sample * outputs + row;
        sl_isa()->row_dots(&dots);
        for (int64_t r = 0; r < end - row; r++) {
            float value = dots.y[r] + (d->bias ? call->weights[1][local + r] : 0.0f);
            dots.y[r] = call->layer->activation == SL_ACTIVATION_RELU && !(value > 0.0f)
                            ? value * slope
                            : value;
        }
    }
}

static void run_task(void *context, int64_t task, int worker)
{
    const struct dots *d = context;
    int64_t row = d->call->row_begin + task * d->task_rows;
    int64_t end = sl_least(row + d->task_rows, d->call->row_end);
    while (row < end) {
        int64_t group_end = (row / d->group_outputs + 1) * d->group_outputs;
        run_rows(d, row, sl_least(end, group_end), worker);
        row = group_end;
    }
}

void sl_dots_run(const struct sl_kernel_call *call, int64_t samples, int64_t group,
                 int64_t group_outputs, int64_t depth, bool bias)
{
    struct dots d = {
        .call = call,
        .samples = samples,
        .group = group,
        .group_outputs = group_outputs,
        .depth = depth,
        .bias = bias,
        .task_rows = task_rows(depth),
        .worker_bytes = worker_bytes(depth),
    };
    int64_t rows = call->row_end - call->row_begin;
    sl_parallel_for(call->threads, (rows + d.task_rows - 1) / d.task_rows, run_task, &d);
}
