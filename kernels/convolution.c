/* Convolution. The path depends on the layer's shape only:
 *
 *   dots       the kernel covers the whole map: a fully connected layer, row dots
 *   depthwise  one input channel per group (kernels/depthwise.c)
 *   in place   no padding, no stride: the product reads the bottom itself
 *   strips     everything else: padded windows of a few output rows are copied per thread, small
 *              enough for the second-level cache, and the product reads every tap through an offset
 *
 * The input of small maps, whose weights are many, is packed once and kept for all rows. That of
 * large maps is packed again by every task: it costs a few per cent of the product, and scratch
 * stays bounded whatever the map. */
#include "kernels/convolution.h"

#include "kernels/call.h"
#include "kernels/dots.h"
#include "kernels/gemm.h"
#include "kernels/isa.h"

/* Columns of the product per task: enough that weights, read once per task, are not what limits. */
#define TASK_COLUMNS       448
#define LEAST_TASK_COLUMNS 96
/* Output channels of a task: enough that packing, done once per task, is not; fewer when kept. */
#define LEAST_TASK_ROWS 32
#define LEAST_KEPT_ROWS 16
/* Tasks per thread that make the ends of the threads even. */
#define TASKS_PER_THREAD 3
/* Wanted bytes of a strip: a quarter of a second-level cache of 1 MiB. */
#define STRIP_BYTES ((size_t)256 << 10)
/* Maps of at most so many pixels are kept when they take at most so many bytes. */
#define KEPT_COLUMNS 256
#define KEPT_BYTES   ((size_t)4 << 20)

enum path { PATH_DOTS, PATH_DEPTHWISE, PATH_IN_PLACE, PATH_STRIPS };

struct convolution {
    const struct sl_kernel_call *call;
    struct sl_convolution_geometry geometry;
    enum path path;
    bool kept;              /* the packed input stays in scratch between calls */
    struct sl_strip strip;  /* PATH_STRIPS; strip.rows = output rows of a task */
    int64_t block_channels; /* input channels of one product: copied or packed at a time */
    int64_t blocks;
    bool flat;            /* rows of the bottom need not be told apart: 1 x 1 in place */
    int64_t unit_columns; /* columns of a unit: of an output row, 1 when flat */
    int64_t units, task_units, unit_tasks;
    int64_t task_rows, row_tasks; /* output channels of a task; how many such tasks */
    /* Scratch: tap offsets; kept blocks; for each worker the product's and a strip. */
    size_t taps_bytes, packed_bytes, kept_bytes, gemm_bytes, worker_bytes;
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

/* Units of a task when they are divided among so many; whole panels when flat. */
static int64_t units_of_task(const struct convolution *c, int64_t tasks)
{
    int64_t units = sl_divide_up(c->units, tasks > 1 ? tasks : 1);
    return c->flat ? sl_divide_up(units, SL_GEMM_PANEL_COLUMNS) * SL_GEMM_PANEL_COLUMNS : units;
}

/* The group's channels in equal blocks of at most `most`. */
static void divide_channels(struct convolution *c, int64_t most)
{
    const int64_t channels = c->geometry.group_inputs;
    most = most < 1 ? 1 : sl_least(most, channels);
    c->blocks = sl_divide_up(channels, most);
    c->block_channels = sl_divide_up(channels, c->blocks);
    c->blocks = sl_divide_up(channels, c->block_channels);
}

/* Keeps the packed input when the map is small enough; blocks are then what packing threads share
 * and what a tile works through. */
static void plan_kept(struct convolution *c)
{
    const struct sl_convolution_geometry *g = &c->geometry;
    const int64_t columns = g->out_h * g->out_w;
    if (columns > KEPT_COLUMNS)
        return;
    struct convolution kept = *c;
    divide_channels(&kept, sl_least(SL_GEMM_BLOCK_DEPTH / g->taps, c->block_channels));
    kept.kept = true;
    kept.task_units = c->units;
    kept.packed_bytes = round_up_64(sl_gemm_packed_bytes(kept.block_channels * g->taps, columns));
    /* Bounded before they are multiplied: every factor is at least 1. */
    int64_t packs = KEPT_BYTES / kept.packed_bytes;
    if (packs / g->batch / g->group / kept.blocks < 1)
        return;
    kept.kept_bytes = (size_t)(g->batch * g->group * kept.blocks) * kept.packed_bytes;
    *c = kept;
}

/* Sets what depends on the layer alone, for the widest tasks; threads and rows of a call may make
 * the tasks smaller, never larger. */
static void plan_layer(const struct sl_network *network, const struct sl_layer *layer,
                       struct convolution *c)
{
    struct sl_convolution_geometry *g = &c->geometry;
    sl_convolution_geometry(network, layer, g);
    c->path = choose_path(g);
    if (c->path == PATH_DOTS || c->path == PATH_DEPTHWISE)
        return;
    c->flat = c->path == PATH_IN_PLACE && g->taps == 1;
    c->unit_columns = c->flat ? 1 : g->out_w;
    c->units = g->out_h * g->out_w / c->unit_columns;
    c->task_units = units_of_task(c, sl_divide_up(c->units * c->unit_columns, TASK_COLUMNS));
    divide_channels(c, g->group_inputs);
    if (c->path == PATH_STRIPS) {
        sl_strip_plan(g, c->task_units, &c->strip);
        divide_channels(c,
                        (int64_t)(STRIP_BYTES / ((size_t)c->strip.channel_floats * sizeof(float))));
    }
    plan_kept(c);
    c->taps_bytes = round_up_64((size_t)g->taps * sizeof(int32_t));
    c->gemm_bytes = round_up_64(sl_gemm_scratch_bytes(c->task_units * c->unit_columns));
    c->worker_bytes = c->gemm_bytes;
    if (c->path == PATH_STRIPS)
        c->worker_bytes += round_up_64(
            ((size_t)(c->strip.channel_floats * c->block_channels) + SL_ISA_SLACK) * sizeof(float));
}

static size_t scratch_bytes(const struct sl_network *network, const struct sl_layer *layer,
                            int threads, size_t scratch_limit)
{
    struct convolution c = {0};
    (void)scratch_limit; /* what is kept is within the least this kernel runs with */
    plan_layer(network, layer, &c);
    if (c.path == PATH_DOTS)
        return sl_dots_scratch_bytes(layer, c.geometry.depth, threads);
    if (c.path == PATH_DEPTHWISE)
        return sl_depthwise_scratch_bytes(&c.geometry, threads);
    return c.taps_bytes + c.kept_bytes + (size_t)threads * c.worker_bytes;
}

static bool decodes(const struct sl_network *network, const struct sl_layer *layer)
{
    struct sl_convolution_geometry geometry;
    sl_convolution_geometry(network, layer, &geometry);
    return choose_path(&geometry) == PATH_DOTS;
}

/* Makes enough tasks for the threads: by fewer columns, which reads weights again, then by fewer
 * output channels, which copies and packs the input again unless it is kept. */
static void plan_tasks(struct convolution *c, int64_t rows)
{
    const int threads = sl_threads_count(c->call->threads);
    const int64_t fixed = c->geometry.batch * c->geometry.group;
    const int64_t wanted = threads > 1 ? sl_divide_up(threads * TASKS_PER_THREAD, fixed) : 1;
    c->unit_tasks = sl_divide_up(c->units, c->task_units);
    if (!c->kept && threads > 1 && c->unit_tasks < wanted * 4) {
        /* The same number of tasks for each thread, when they are few. */
        int64_t tasks = c->unit_tasks > wanted ? c->unit_tasks : wanted;
        tasks = sl_divide_up(tasks, threads) * threads;
        int64_t most = c->units * c->unit_columns / LEAST_TASK_COLUMNS;
        c->task_units = sl_least(c->task_units, units_of_task(c, sl_least(tasks, most)));
        c->unit_tasks = sl_divide_up(c->units, c->task_units);
    }
    int64_t least_rows = c->kept ? LEAST_KEPT_ROWS : LEAST_TASK_ROWS;
    c->row_tasks = sl_least(sl_divide_up(wanted, c->unit_tasks), sl_divide_up(rows, least_rows));
    c->task_rows = sl_divide_up(sl_divide_up(rows, c->row_tasks), 8) * 8;
    c->row_tasks = sl_divide_up(rows, c->task_rows);
    if (c->path == PATH_STRIPS)
        sl_strip_plan(&c->geometry, c->task_units, &c->strip);
}

/* Points the product at the input of one block of channels for some output units; strip: where it
 * is copied to when it cannot be read in place. */
static void set_input(const struct convolution *c, int64_t image_group, int64_t block,
                      int64_t first_unit, int64_t units, float *strip, struct sl_gemm *gemm)
{
    const struct sl_convolution_geometry *g = &c->geometry;
    const int64_t map = g->in_h * g->in_w, channel = block * c->block_channels;
    const int64_t channels = sl_least(c->block_channels, g->group_inputs - channel);
    const float *maps = c->call->bottoms[0] + (image_group * g->group_inputs + channel) * map;
    gemm->depth = channels * g->taps;
    gemm->taps = g->taps;
    gemm->tap_offset = c->call->scratch;
    gemm->columns = units * c->unit_columns;
    if (c->path == PATH_STRIPS) {
        sl_strip_fill(g, &c->strip, maps, channels, first_unit, units, strip);
        gemm->b = strip;
        gemm->b_end = strip + channels * c->strip.channel_floats + SL_ISA_SLACK;
        gemm->channel_stride = c->strip.channel_floats;
        gemm->run = g->out_w;
        gemm->pitch = c->strip.plane_w;
    } else {
        gemm->b = maps + first_unit * (c->flat ? 1 : g->in_w);
        gemm->b_end = c->call->bottoms[0] + g->batch * g->channels * map;
        gemm->channel_stride = map;
        gemm->run = c->flat ? gemm->columns : g->out_w;
        gemm->pitch = g->in_w;
    }
}

static float *kept_block(const struct convolution *c, int64_t image_group, int64_t block)
{
    char *kept = (char *)c->call->scratch + c->taps_bytes;
    return (float *)(kept + (size_t)(image_group * c->blocks + block) * c->packed_bytes);
}

static char *worker_scratch(const struct convolution *c, int worker)
{
    return (char *)c->call->scratch + c->taps_bytes + c->kept_bytes +
           (size_t)worker * c->worker_bytes;
}

static void pack_task(void *context, int64_t task, int worker)
{
    const struct convolution *c = context;
    const int64_t image_group = task / c->blocks, block = task % c->blocks;
    float *strip = (float *)(worker_scratch(c, worker) + c->gemm_bytes);
    struct sl_gemm gemm = {.finish = true};
    set_input(c, image_group, block, 0, c->units, strip, &gemm);
    sl_gemm_pack(&gemm, kept_block(c, image_group, block));
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
    const int64_t first_unit = unit_task * c->task_units, local = row - call->row_begin;
    const int64_t units = sl_least(c->task_units, c->units - first_unit);
    char *scratch = worker_scratch(c, worker);
    struct sl_gemm gemm = {
        .a_stride = g->depth,
        .rows = row_end - row,
        .c = call->tops[0] + (image * g->outputs + row) * g->out_h * g->out_w +
             first_unit * c->unit_columns,
        .c_stride = g->out_h * g->out_w,
        .bias = g->bias ? call->weights[1] + local : NULL,
        .activation = call->layer->activation,
        .slope = call->layer->activation_slope,
    };
    for (int64_t block = 0; block < c->blocks; block++) {
        gemm.a = call->weights[0] + local * g->depth + block * c->block_channels * g->taps;
        gemm.accumulate = block > 0;
        gemm.finish = block == c->blocks - 1;
        if (c->kept) {
            gemm.packed = kept_block(c, image_group, block);
            gemm.columns = units * c->unit_columns;
            gemm.depth =
                sl_least(c->block_channels, g->group_inputs - block * c->block_channels) * g->taps;
        } else {
            set_input(c, image_group, block, first_unit, units, (float *)(scratch + c->gemm_bytes),
                      &gemm);
        }
        sl_gemm_run(&gemm, scratch);
    }
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
        return;
    }
    if (c.path == PATH_DEPTHWISE) {
        sl_depthwise_run(call, g);
        return;
    }
    plan_tasks(&c, sl_least(call->row_end - call->row_begin, g->group_outputs));
    if (c.path == PATH_STRIPS)
        sl_strip_taps(g, &c.strip, call->scratch);
    else
        taps_in_place(g, call->scratch);
    if (c.kept && !call->scratch_kept)
        sl_parallel_for(call->threads, g->batch * g->group * c.blocks, pack_task, &c);
    sl_parallel_for(call->threads, g->batch * g->group * c.unit_tasks * c.row_tasks, run_task, &c);
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
    .decodes = decodes,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .reference = reference,
};
