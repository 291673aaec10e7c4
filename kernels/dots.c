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
    bool bias;
};

/* Rows [row, end) of one group for all samples. */
static void run_rows(const struct dots *d, int64_t row, int64_t end)
{
    const struct sl_kernel_call *call = d->call;
    const int64_t outputs = d->group * d->group_outputs, local = row - call->row_begin;
    const float slope = call->layer->activation_slope;
    struct sl_row_dots dots = {
        .w = call->weights[0] + local * d->depth,
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
    (void)worker;
    while (row < end) {
        int64_t group_end = (row / d->group_outputs + 1) * d->group_outputs;
        run_rows(d, row, sl_least(end, group_end));
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
    };
    int64_t rows = call->row_end - call->row_begin;
    d.task_rows = TASK_BYTES / ((int64_t)sizeof(float) * depth);
    d.task_rows = d.task_rows > MOST_ROWS ? MOST_ROWS : d.task_rows;
    d.task_rows = d.task_rows < LEAST_ROWS ? LEAST_ROWS : d.task_rows;
    sl_parallel_for(call->threads, (rows + d.task_rows - 1) / d.task_rows, run_task, &d);
}
