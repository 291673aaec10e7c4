/* Normalize (SSD): divided by the Euclidean norm, over the whole image or over the channels of each
 * position, with eps added to the sum of squares; then times a scale per channel or one shared. */
#include <math.h>

#include "kernels/call.h"
#include "kernels/elements.h"

#define SPAN 512 /* positions whose norms go together */

struct work {
    const float *bottom, *scale;
    float *top;
    int64_t images, channels, plane;
    float eps;
    bool across, shared;
};

static struct work work_of(const struct sl_kernel_call *call)
{
    const struct sl_shape *shape = sl_bottom_shape(call, 0);
    return (struct work){
        .bottom = call->bottoms[0],
        .scale = call->weights[0],
        .top = call->tops[0],
        .images = shape->dim[0],
        .channels = shape->axes > 1 ? shape->dim[1] : 1,
        .plane = sl_shape_span(shape, 2, shape->axes),
        .eps = call->layer->parameters.normalize.eps,
        .across = call->layer->parameters.normalize.across_spatial,
        .shared = call->layer->parameters.normalize.channel_shared,
    };
}

static void across_task(void *context, int64_t task, int worker)
{
    const struct work *work = context;
    const int64_t size = work->channels * work->plane;
    const float *bottom = work->bottom + task * size;
    float *top = work->top + task * size;
    const float norm = sqrtf(sl_span_sum_squares(bottom, size, 0.0f) + work->eps);
    (void)worker;
    for (int64_t c = 0; c < work->channels; c++) {
        const float scale = work->scale[work->shared ? 0 : c];
        const int64_t first = c * work->plane, last = first + work->plane;
        SL_INDEPENDENT
        for (int64_t i = first; i < last; i++)
            top[i] = bottom[i] / norm * scale;
    }
}

static void position_task(void *context, int64_t task, int worker)
{
    const struct work *work = context;
    const int64_t spans = sl_divide_up(work->plane, SPAN);
    const int64_t first = task % spans * SPAN, count = sl_least(SPAN, work->plane - first);
    const int64_t offset = task / spans * work->channels * work->plane + first;
    const float *bottom = work->bottom + offset;
    float *top = work->top + offset;
    float norm[SPAN];
    (void)worker;
    for (int64_t i = 0; i < count; i++)
        norm[i] = work->eps;
    for (int64_t c = 0; c < work->channels; c++)
        for (int64_t i = 0; i < count; i++)
            norm[i] += bottom[c * work->plane + i] * bottom[c * work->plane + i];
    for (int64_t i = 0; i < count; i++)
        norm[i] = sqrtf(norm[i]);
    for (int64_t c = 0; c < work->channels; c++) {
        const float scale = work->scale[work->shared ? 0 : c];
        const int64_t plane = c * work->plane;
        SL_INDEPENDENT
        for (int64_t i = 0; i < count; i++)
            top[plane + i] = bottom[plane + i] / norm[i] * scale;
    }
}

static void run(const struct sl_kernel_call *call)
{
    struct work work = work_of(call);
    struct sl_threads *team = sl_call_team(call, work.images * work.channels * work.plane);
    if (work.across)
        sl_parallel_for(team, work.images, across_task, &work);
    else
        sl_parallel_for(team, work.images * sl_divide_up(work.plane, SPAN), position_task, &work);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct work work = work_of(call);
    const int64_t size = work.channels * work.plane;
    for (int64_t i = 0; i < work.images * size; i++) {
        const float *image = work.bottom + i / size * size;
        const int64_t position = i % work.plane;
        double sum = work.eps;
        for (int64_t j = work.across ? 0 : position; j < size; j += work.across ? 1 : work.plane)
            sum += (double)image[j] * image[j];
        const double scale = work.scale[work.shared ? 0 : i / work.plane % work.channels];
        work.top[i] = (float)(work.bottom[i] / sqrt(sum) * scale);
    }
}

const struct sl_kernel sl_kernel_normalize = {
    .type = SL_LAYER_NORMALIZE,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
