/* LRN (local response normalisation): x * (k + alpha / size * sum of x^2 over `size` channels
 * around)^-beta; within a channel: x * (1 + alpha / size^2 * sum over size x size positions
 * around)^-beta, where Caffe leaves k out. Outside the map everything is 0. */
#include <math.h>

#include "kernels/call.h"

#define SPAN 512 /* positions that share one buffer on the stack */

struct lrn {
    int64_t images, channels, height, width, size;
    float alpha, beta, k; /* alpha already divided by the size of the window */
    const float *bottom;
    float *top, *scratch;
};

static struct lrn lrn_of(const struct sl_network *network, const struct sl_layer *layer)
{
    const struct sl_shape *shape = &network->blobs[layer->bottoms[0]].shape;
    const int64_t size = layer->parameters.lrn.local_size;
    const bool within = layer->parameters.lrn.within_channel;
    return (struct lrn){
        .images = shape->dim[0],
        .channels = shape->axes > 1 ? shape->dim[1] : 1,
        .height = shape->axes > 2 ? shape->dim[2] : 1,
        .width = shape->axes > 3 ? sl_shape_span(shape, 3, shape->axes) : 1,
        .size = size,
        .alpha = layer->parameters.lrn.alpha / (float)(within ? size * size : size),
        .beta = layer->parameters.lrn.beta,
        .k = within ? 1.0f : layer->parameters.lrn.k,
    };
}

/* top = x * (k + alpha * sum)^-beta. The usual exponents by square roots: 0.75 = 1/2 + 1/4. */
SL_INLINE_ALWAYS void normalise(const struct lrn *work, const float *bottom,
                                const float *restrict sums, float *restrict top, int64_t count)
{
    const float k = work->k, alpha = work->alpha;
    if (work->beta == 0.75f) {
        for (int64_t i = 0; i < count; i++) {
            float root = sqrtf(k + alpha * sums[i]);
            top[i] = bottom[i] / (root * sqrtf(root));
        }
    } else if (work->beta == 0.5f) {
        for (int64_t i = 0; i < count; i++)
            top[i] = bottom[i] / sqrtf(k + alpha * sums[i]);
    } else if (work->beta == 1.0f) {
        for (int64_t i = 0; i < count; i++)
            top[i] = bottom[i] / (k + alpha * sums[i]);
    } else {
        for (int64_t i = 0; i < count; i++)
            top[i] = bottom[i] * powf(k + alpha * sums[i], -work->beta);
    }
}

/* sums = sum of squares over `rows` rows, `stride` apart. Inlined with a constant number of rows
 * for the usual windows. */
SL_INLINE_ALWAYS void sum_squares(float *restrict sums, const float *restrict first, int64_t stride,
                                  int64_t rows, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        float sum = first[i] * first[i];
        for (int64_t r = 1; r < rows; r++)
            sum += first[r * stride + i] * first[r * stride + i];
        sums[i] = sum;
    }
}

SL_INLINE_ALWAYS void sum_many_squares(float *restrict sums, const float *restrict first,
                                       int64_t stride, int64_t rows, int64_t count)
{
    sum_squares(sums, first, stride, 1, count);
    for (int64_t r = 1; r < rows; r++)
        for (int64_t i = 0; i < count; i++)
            sums[i] += first[r * stride + i] * first[r * stride + i];
}

/* SPAN positions of all channels of one image. */
SL_PER_ISA static void across_task(void *context, int64_t task, int worker)
{
    const struct lrn *work = context;
    const int64_t plane = work->height * work->width;
    const int64_t spans = sl_divide_up(plane, SPAN);
    const int64_t first = task % spans * SPAN, count = sl_least(SPAN, plane - first);
    const int64_t image = task / spans * work->channels * plane + first;
    const int64_t before = (work->size - 1) / 2;
    float sums[SPAN];
    (void)worker;
    for (int64_t c = 0; c < work->channels; c++) {
        const int64_t begin = sl_most(0, c - before);
        const int64_t rows = sl_least(c - before + work->size, work->channels) - begin;
        const float *window = work->bottom + image + begin * plane;
        if (rows == 5)
            sum_squares(sums, window, plane, 5, count);
        else if (rows == 3)
            sum_squares(sums, window, plane, 3, count);
        else
            sum_many_squares(sums, window, plane, rows, count);
        normalise(work, work->bottom + image + c * plane, sums, work->top + image + c * plane,
                  count);
    }
}

/* One plane, row by row: squares of the window's rows added up into one row with zeros at both
 * ends, then along it. */
SL_PER_ISA static void within_task(void *context, int64_t task, int worker)
{
    const struct lrn *work = context;
    const int64_t width = work->width, around = (work->size - 1) / 2;
    const float *bottom = work->bottom + task * work->height * width;
    float *top = work->top + task * work->height * width;
    float *columns = work->scratch + worker * (2 * width + 2 * around);
    float *sums = columns + width + 2 * around;

    for (int64_t x = 0; x < width + 2 * around; x++)
        columns[x] = 0.0f;
    for (int64_t y = 0; y < work->height; y++) {
        const int64_t begin = sl_most(0, y - around);
        const int64_t rows = sl_least(y + around + 1, work->height) - begin;
        sum_many_squares(columns + around, bottom + begin * width, width, rows, width);
        for (int64_t x = 0; x < width; x++)
            sums[x] = columns[x];
        for (int64_t k = 1; k < work->size; k++)
            for (int64_t x = 0; x < width; x++)
                sums[x] += columns[x + k];
        normalise(work, bottom + y * width, sums, top + y * width, width);
    }
}

static size_t scratch_bytes(const struct sl_network *network, const struct sl_layer *layer,
                            int threads, size_t scratch_limit)
{
    const struct lrn work = lrn_of(network, layer);
    (void)scratch_limit;
    if (!layer->parameters.lrn.within_channel)
        return 0;
    return (size_t)threads * (size_t)(2 * work.width + work.size - 1) * sizeof(*work.scratch);
}

static void run(const struct sl_kernel_call *call)
{
    struct lrn work = lrn_of(call->network, call->layer);
    const int64_t plane = work.height * work.width;
    work.bottom = call->bottoms[0];
    work.top = call->tops[0];
    work.scratch = call->scratch;
    struct sl_threads *team = sl_call_team(call, work.images * work.channels * plane);
    if (call->layer->parameters.lrn.within_channel)
        sl_parallel_for(team, work.images * work.channels, within_task, &work);
    else
        sl_parallel_for(team, work.images * sl_divide_up(plane, SPAN), across_task, &work);
}

static double square_at(const struct lrn *work, const float *image, int64_t c, int64_t y, int64_t x)
{
    if (c < 0 || c >= work->channels || y < 0 || y >= work->height || x < 0 || x >= work->width)
        return 0;
    double value = image[(c * work->height + y) * work->width + x];
    return value * value;
}

static double window_sum(const struct lrn *work, bool within, const float *image, int64_t c,
                         int64_t y, int64_t x)
{
    const int64_t before = (work->size - 1) / 2;
    double sum = 0;
    for (int64_t i = 0; i < work->size; i++) {
        if (!within)
            sum += square_at(work, image, c + i - before, y, x);
        for (int64_t j = 0; within && j < work->size; j++)
            sum += square_at(work, image, c, y + i - before, x + j - before);
    }
    return sum;
}

static void reference(const struct sl_kernel_call *call)
{
    const struct lrn work = lrn_of(call->network, call->layer);
    const bool within = call->layer->parameters.lrn.within_channel;
    const int64_t image_size = work.channels * work.height * work.width;
    for (int64_t i = 0; i < work.images * image_size; i++) {
        const float *image = call->bottoms[0] + i / image_size * image_size;
        int64_t x = i % work.width, y = i / work.width % work.height;
        int64_t c = i / work.width / work.height % work.channels;
        double scale = work.k + (double)work.alpha * window_sum(&work, within, image, c, y, x);
        call->tops[0][i] = (float)(call->bottoms[0][i] * pow(scale, -(double)work.beta));
    }
}

const struct sl_kernel sl_kernel_lrn = {
    .type = SL_LAYER_LRN,
    .memory = SL_KERNEL_SEPARATE,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .reference = reference,
};
