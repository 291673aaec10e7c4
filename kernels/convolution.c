/* Convolution. The path depends on the layer's shape only:
 *
 *   dots       the kernel covers the whole map: a fully connected layer, row dots
 *   depthwise  one input channel per group (kernels/depthwise.c)
 *   in place   no padding, no stride: the product reads the bottom itself
 *   strips     everything else: padded windows of a few output rows are copied per thread, small
 *              enough for the second-level cache, and the product reads every tap through an offset
 *
 * Scratch is per thread and bounded whatever the map; nothing is kept between calls, because
 * filling a strip costs a few per cent of even one 16-row slice. */
#include "kernels/convolution.h"

#include "kernels/call.h"
#include "kernels/dots.h"
#include "kernels/gemm.h"
#include "kernels/isa.h"

/* Columns of the product per task: enough that weights, read once per task, are not what limits. */
#define TASK_COLUMNS       448
#define LEAST_TASK_COLUMNS 96
#define LEAST_TASK_ROWS    32
/* Tasks per thread that make the ends of the threads even. */
#define TASKS_PER_THREAD 3
/* Wanted bytes of a strip: a quarter of a second-level cache of 1 MiB. */
#define STRIP_BYTES ((size_t)256 << 10)

enum path { PATH_DOTS, PATH_DEPTHWISE, PATH_IN_PLACE, PATH_STRIPS };

struct convolution {
    const struct sl_kernel_call *call;
    struct sl_convolution_geometry geometry;
    enum path path;
    struct sl_strip strip;  /* PATH_STRIPS; strip.rows = output rows of a task */
    int64_t strip_channels; /* channels copied at a time */
    bool flat;              /* rows of the bottom need not be told apart: 1 x 1 in place */
    int64_t unit_columns;   /* columns of a unit: of an output row, 1 when flat */
    int64_t units, task_units, unit_tasks;
    int64_t task_rows, row_tasks; /* output channels of a task; how many such tasks */
    size_t gemm_bytes, worker_bytes;
};

static size_t round_up_64(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static enum path choose_path(const struct sl_convolution_geometry *g)
{
    bool no_padding = g->pad_h == 0 && g->pad_w == 0;
    if (no_padding && g->kernel_h == g->in_h && g->kernel_w == g->in_w && g->dilation_h == 1 &&
        g->dilation_w == 1)
        return PATH_DOTS;
    if (g->group_inputs == 1 && g->group > 1)
        return PATH_DEPTHWISE;
    if (no_padding && g->stride_h == 1 && g->stride_w == 1)
        return PATH_IN_PLACE;
    return PATH_STRIPS;
}

/* Units of a task of about `columns` columns, all tasks about equal; whole panels when flat. */
static int64_t task_units(const struct convolution *c, int64_t columns)
{
    int64_t units = columns / c->unit_columns > 1 ? columns / c->unit_columns : 1;
    units = sl_divide_up(c->units, sl_divide_up(c->units, units));
    return c->flat ? sl_divide_up(units, SL_GEMM_PANEL_COLUMNS) * SL_GEMM_PANEL_COLUMNS : units;
}

/* Channels copied at a time so that a strip takes about STRIP_BYTES; at least one. */
static int64_t strip_channels(const struct sl_convolution_geometry *g, const struct sl_strip *strip)
{
    int64_t channels = (int64_t)(STRIP_BYTES / ((size_t)strip->channel_floats * sizeof(float)));
    channels = sl_least(channels > 1 ? channels : 1, g->group_inputs);
    return sl_divide_up(g->group_inputs, sl_divide_up(g->group_inputs, channels));
}

static size_t strip_bytes(const struct sl_strip *strip, int64_t channels)
{
    return round_up_64(((size_t)(strip->channel_floats * channels) + SL_ISA_SLACK) * sizeof(float));
}

static size_t taps_bytes(const struct sl_convolution_geometry *g)
{
    return round_up_64((size_t)g->taps * sizeof(int32_t));
}

/* Sets what depends on the layer alone, for the widest tasks; threads and rows of a call may make
 * the tasks smaller, never larger. */
static void plan_layer(const struct sl_network *network, const struct sl_layer *layer,
                       struct convolution *c)
{
    struct sl_convolution_geometry *g = &c->geometry;
    sl_convolution_geometry(network, layer, g);
    c->path = choose_path(g);
    c->flat = c->path == PATH_IN_PLACE && g->taps == 1;
    c->unit_columns = c->flat ? 1 : g->out_w;
    c->units = g->out_h * g->out_w / c->unit_columns;
    c->task_units = task_units(c, TASK_COLUMNS);
    c->gemm_bytes = round_up_64(sl_gemm_scratch_bytes(c->task_units * c->unit_columns));
    c->worker_bytes = c->gemm_bytes;
    if (c->path == PATH_STRIPS) {
        sl_strip_plan(g, c->task_units, &c->strip);
        c->strip_channels = strip_channels(g, &c->strip);
        c->worker_bytes += strip_bytes(&c->strip, c->strip_channels);
    }
}

static size_t scratch_bytes(const struct sl_network *network, const struct sl_layer *layer,
                            int threads, size_t scratch_limit)
{
    struct convolution c;
    (void)scratch_limit; /* nothing is kept between calls */
    plan_layer(network, layer, &c);
    if (c.path == PATH_DOTS)
        return 0;
    if (c.path == PATH_DEPTHWISE)
        return sl_depthwise_scratch_bytes(&c.geometry, threads);
    return taps_bytes(&c.geometry) + (size_t)threads * c.worker_bytes;
}

/* Makes enough tasks for the threads: first by output channels, which copies strips again, then by
 * fewer columns, which reads weights again. */
static void plan_tasks(struct convolution *c, int64_t rows)
{
    const int threads = sl_threads_count(c->call->threads);
    const int64_t wanted = threads > 1 ? threads * TASKS_PER_THREAD : 1;
    int64_t columns = TASK_COLUMNS, fixed = c->geometry.batch * c->geometry.group;
    for (;;) {
        c->task_units = task_units(c, columns);
        c->unit_tasks = sl_divide_up(c->units, c->task_units);
        int64_t tasks = fixed * c->unit_tasks;
        c->row_tasks = sl_least(sl_divide_up(wanted, tasks), sl_divide_up(rows, LEAST_TASK_ROWS));
        if (tasks * c->row_tasks >= wanted || columns / 2 < LEAST_TASK_COLUMNS)
            break;
        columns /= 2;
    }
    c->task_rows = sl_divide_up(sl_divide_up(rows, c->row_tasks), 8) * 8;
    c->row_tasks = sl_divide_up(rows, c->task_rows);
    if (c->path == PATH_STRIPS)
        sl_strip_plan(&c->geometry, c->task_units, &c->strip);
}

/* The part of the product that a task computes, and where its input lies. */
struct part {
    struct sl_gemm gemm;
    const float *maps; /* first channel of image and group */
    int64_t first_unit, units;
};

static void multiply_in_place(const struct convolution *c, struct part *part, void *scratch)
{
    const struct sl_convolution_geometry *g = &c->geometry;
    part->gemm.b = part->maps + part->first_unit * (c->flat ? 1 : g->in_w);
    part->gemm.b_end = c->call->bottoms[0] + g->batch * g->channels * g->in_h * g->in_w;
    part->gemm.channel_stride = g->in_h * g->in_w;
    part->gemm.run = c->flat ? part->gemm.columns : g->out_w;
    part->gemm.pitch = g->in_w;
    part->gemm.depth = g->depth;
    part->gemm.finish = true;
    sl_gemm_run(&part->gemm, scratch);
}

static void multiply_strips(const struct convolution *c, struct part *part, void *scratch)
{
    const struct sl_convolution_geometry *g = &c->geometry;
    const float *a = part->gemm.a;
    float *strip = (float *)((char *)scratch + c->gemm_bytes);
    part->gemm.b = strip;
    part->gemm.channel_stride = c->strip.channel_floats;
    part->gemm.run = g->out_w;
    part->gemm.pitch = c->strip.plane_w;
    for (int64_t channel = 0; channel < g->group_inputs; channel += c->strip_channels) {
        int64_t channels = sl_least(c->strip_channels, g->group_inputs - channel);
        sl_strip_fill(g, &c->strip, part->maps + channel * g->in_h * g->in_w, channels,
                      part->first_unit, part->units, strip);
        part->gemm.b_end = strip + channels * c->strip.channel_floats + SL_ISA_SLACK;
        part->gemm.a = a + channel * g->taps;
        part->gemm.depth = channels * g->taps;
        part->gemm.accumulate = channel > 0;
        part->gemm.finish = channel + channels == g->group_inputs;
        sl_gemm_run(&part->gemm, scratch);
    }
}

static void run_task(void *context, int64_t task, int worker)
{
    const struct convolution *c = context;
    const struct sl_convolution_geometry *g = &c->geometry;
    const struct sl_kernel_call *call = c->call;
    const int64_t row_task = task % c->row_tasks, unit_task = task / c->row_tasks % c->unit_tasks;
    const int64_t image_group = task / c->row_tasks / c->unit_tasks;
    const int64_t image = image_group / g->group, group = image_group % g->group;

    int64_t row = group * g->group_outputs;
    int64_t row_end = sl_least(row + g->group_outputs, call->row_end);
    row = (row > call->row_begin ? row : call->row_begin) + row_task * c->task_rows;
    row_end = sl_least(row_end, row + c->task_rows);
    if (row >= row_end)
        return;
    struct part part = {.first_unit = unit_task * c->task_units};
    part.units = sl_least(c->task_units, c->units - part.first_unit);
    part.maps =
        call->bottoms[0] + (image * g->channels + group * g->group_inputs) * g->in_h * g->in_w;
    part.gemm = (struct sl_gemm){
        .a = call->weights[0] + (row - call->row_begin) * g->depth,
        .a_stride = g->depth,
        .rows = row_end - row,
        .taps = g->taps,
        .tap_offset = call->scratch,
        .columns = part.units * c->unit_columns,
        .c = call->tops[0] + (image * g->outputs + row) * g->out_h * g->out_w +
             part.first_unit * c->unit_columns,
        .c_stride = g->out_h * g->out_w,
        .bias = g->bias ? call->weights[1] + (row - call->row_begin) : NULL,
        .activation = call->layer->activation,
        .slope = call->layer->activation_slope,
    };
    char *scratch = (char *)call->scratch + taps_bytes(g) + (size_t)worker * c->worker_bytes;
    if (c->path == PATH_STRIPS)
        multiply_strips(c, &part, scratch);
    else
        multiply_in_place(c, &part, scratch);
}

static void taps_in_place(const struct sl_convolution_geometry *g, int32_t *tap_offset)
{
    for (int64_t i = 0; i < g->kernel_h; i++)
        for (int64_t j = 0; j < g->kernel_w; j++)
            *tap_offset++ = (int32_t)(i * g->dilation_h * g->in_w + j * g->dilation_w);
}

static void run(const struct sl_kernel_call *call)
{
    struct convolution c = {.call = call};
    struct sl_convolution_geometry *g = &c.geometry;
    plan_layer(call->network, call->layer, &c);
    if (c.path == PATH_DOTS) {
        sl_dots_run(call, g->batch, g->group, g->group_outputs, g->depth, g->bias);
    } else if (c.path == PATH_DEPTHWISE) {
        sl_depthwise_run(call, g);
    } else {
        plan_tasks(&c, sl_least(call->row_end - call->row_begin, g->group_outputs));
        if (c.path == PATH_STRIPS)
            sl_strip_taps(g, &c.strip, call->scratch);
        else
            taps_in_place(g, call->scratch);
        sl_parallel_for(call->threads, g->batch * g->group * c.unit_tasks * c.row_tasks, run_task,
                        &c);
    }
}

/* One output element, in double precision. */
static double reference_element(const struct sl_convolution_geometry *g, const float *maps,
                                const float *w, int64_t y, int64_t x)
{
    double sum = 0;
    for (int64_t c = 0; c < g->group_inputs; c++) {
        for (int64_t i = 0; i < g->kernel_h; i++) {
            int64_t in_y = y * g->stride_h - g->pad_h + i * g->dilation_h;
            for (int64_t j = 0; j < g->kernel_w; j++) {
                int64_t in_x = x * g->stride_w - g->pad_w + j * g->dilation_w;
                if (in_y >= 0 && in_y < g->in_h && in_x >= 0 && in_x < g->in_w)
                    sum += (double)w[(c * g->kernel_h + i) * g->kernel_w + j] *
                           (double)maps[(c * g->in_h + in_y) * g->in_w + in_x];
            }
        }
    }
    return sum;
}

static void reference(const struct sl_kernel_call *call)
{
    struct sl_convolution_geometry g;
    sl_convolution_geometry(call->network, call->layer, &g);
    for (int64_t image = 0; image < g.batch; image++) {
        for (int64_t row = call->row_begin; row < call->row_end; row++) {
            const int64_t local = row - call->row_begin, group = row / g.group_outputs;
            const float *maps =
                call->bottoms[0] + (image * g.channels + group * g.group_inputs) * g.in_h * g.in_w;
            float *top = call->tops[0] + (image * g.outputs + row) * g.out_h * g.out_w;
            for (int64_t y = 0; y < g.out_h; y++) {
                for (int64_t x = 0; x < g.out_w; x++) {
                    double sum =
                        reference_element(&g, maps, call->weights[0] + local * g.depth, y, x);
                    sum += g.bias ? (double)call->weights[1][local] : 0.0;
                    if (call->layer->activation == SL_ACTIVATION_RELU && !(sum > 0))
                        sum *= (double)call->layer->activation_slope;
                    *top++ = (float)sum;
                }
            }
        }
    }
}

extern const struct sl_kernel sl_kernel_convolution;
const struct sl_kernel sl_kernel_convolution = {
    .type = SL_LAYER_CONVOLUTION,
    .memory = SL_KERNEL_SEPARATE,
    .row_sharded = true,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .reference = reference,
};
