/* Depthwise convolution: one input channel per group. A channel's padded map stays in the
 * first-level cache while its taps are summed row by row. */
#include "kernels/convolution.h"
#include "kernels/isa.h"

/* Floats of a strip: about the first-level cache together with the output row. */
#define STRIP_FLOATS 8192
/* Output elements of a task, so that small maps do not make tiny tasks. */
#define TASK_ELEMENTS 16384

struct depthwise {
    const struct sl_kernel_call *call;
    const struct sl_convolution_geometry *geometry;
    struct sl_strip strip;
    int64_t task_outputs; /* outputs (channels) of a task */
    int64_t tasks_of_image;
    size_t worker_bytes;
};

static size_t round_up_64(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Output rows of a strip; at least one. */
static int64_t strip_rows(const struct sl_convolution_geometry *g)
{
    struct sl_strip one;
    sl_strip_plan(g, 1, &one);
    int64_t row_floats = one.phases_h * one.phases_w * one.plane_w;
    int64_t rows = 1 + (STRIP_FLOATS - one.channel_floats) / row_floats;
    rows = rows < 1 ? 1 : rows;
    return rows < g->out_h ? rows : g->out_h;
}

static size_t taps_bytes(const struct sl_convolution_geometry *g)
{
    return round_up_64((size_t)g->taps * sizeof(int32_t));
}

static size_t worker_bytes(const struct sl_strip *strip)
{
    return round_up_64(((size_t)strip->channel_floats + SL_ISA_SLACK) * sizeof(float));
}

size_t sl_depthwise_scratch_bytes(const struct sl_convolution_geometry *geometry, int threads)
{
    struct sl_strip strip;
    sl_strip_plan(geometry, strip_rows(geometry), &strip);
    return taps_bytes(geometry) + (size_t)threads * worker_bytes(&strip);
}

static void run_output(const struct depthwise *d, int64_t image, int64_t output, float *buffer)
{
    const struct sl_convolution_geometry *g = d->geometry;
    const struct sl_kernel_call *call = d->call;
    const int64_t local = output - call->row_begin;
    const float *map =
        call->bottoms[0] + (image * g->channels + output / g->group_outputs) * g->in_h * g->in_w;
    float *top = call->tops[0] + (image * g->outputs + output) * g->out_h * g->out_w;
    struct sl_depthwise_rows rows = {
        .w = call->weights[0] + local * g->taps,
        .offset = call->scratch,
        .taps = g->taps,
        .columns = g->out_w,
        .pitch = d->strip.plane_w,
        .b = buffer,
        .bias = g->bias ? call->weights[1][local] : 0.0f,
        .activation = call->layer->activation,
        .slope = call->layer->activation_slope,
    };
    for (int64_t first = 0; first < g->out_h; first += d->strip.rows) {
        rows.rows = g->out_h - first < d->strip.rows ? g->out_h - first : d->strip.rows;
        rows.y = top + first * g->out_w;
        sl_strip_fill(g, &d->strip, map, 1, first, rows.rows, buffer);
        sl_isa()->depthwise_rows(&rows);
    }
}

static void run_task(void *context, int64_t task, int worker)
{
    const struct depthwise *d = context;
    const int64_t image = task / d->tasks_of_image;
    char *scratch = (char *)d->call->scratch + taps_bytes(d->geometry);
    float *buffer = (float *)(scratch + (size_t)worker * d->worker_bytes);
    int64_t output = d->call->row_begin + task % d->tasks_of_image * d->task_outputs;
    int64_t end = output + d->task_outputs;
    end = end < d->call->row_end ? end : d->call->row_end;
    for (; output < end; output++)
        run_output(d, image, output, buffer);
}

void sl_depthwise_run(const struct sl_kernel_call *call,
                      const struct sl_convolution_geometry *geometry)
{
    struct depthwise d = {.call = call, .geometry = geometry};
    sl_strip_plan(geometry, strip_rows(geometry), &d.strip);
    sl_strip_taps(geometry, &d.strip, call->scratch);
    d.worker_bytes = worker_bytes(&d.strip);
    d.task_outputs = 1 + TASK_ELEMENTS / (geometry->out_h * geometry->out_w);
    d.tasks_of_image = (call->row_end - call->row_begin + d.task_outputs - 1) / d.task_outputs;
    sl_parallel_for(call->threads, geometry->batch * d.tasks_of_image, run_task, &d);
}
