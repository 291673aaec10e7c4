#include "kernels/affine.h"

#include "kernels/elements.h"

#define PIECE 16384 /* elements that one task covers, in whole rows */

struct affine_work {
    const struct sl_affine *affine;
    const float *bottom;
    float *top;
    float slope; /* of the activation; 1: none */
    int64_t rows, rows_per_task;
};

static inline float activated(float value, float slope)
{
    return value > 0.0f ? value : slope * value;
}

/* One channel: the same three numbers for every element. */
SL_PER_ISA static void run_plane(const struct affine_work *work, int64_t plane)
{
    const struct sl_affine *affine = work->affine;
    const int64_t channel = plane % affine->channels;
    const float centre = affine->centre ? affine->centre[channel] : 0.0f;
    const float factor = affine->factor ? affine->factor[channel] : 1.0f;
    const float addend = affine->addend ? affine->addend[channel] : 0.0f;
    const float *bottom = work->bottom + plane * affine->inner;
    float *top = work->top + plane * affine->inner;
    const float slope = work->slope;
    const int64_t inner = affine->inner; /* the compiler cannot know that top is not part of it */
    if (slope == 1.0f) {
        SL_INDEPENDENT
        for (int64_t i = 0; i < inner; i++)
            top[i] = (bottom[i] - centre) * factor + addend;
        return;
    }
    SL_INDEPENDENT
    for (int64_t i = 0; i < inner; i++)
        top[i] = activated((bottom[i] - centre) * factor + addend, slope);
}

/* Channels side by side (inner = 1): a number of each for every element. */
static void run_row(const struct affine_work *work, int64_t row)
{
    const struct sl_affine *affine = work->affine;
    const float *bottom = work->bottom + row * affine->channels;
    float *top = work->top + row * affine->channels;
    const float slope = work->slope;
    for (int64_t i = 0; i < affine->channels; i++) {
        float value = bottom[i];
        if (affine->centre)
            value -= affine->centre[i];
        if (affine->factor)
            value *= affine->factor[i];
        if (affine->addend)
            value += affine->addend[i];
        top[i] = activated(value, slope);
    }
}

static void run_task(void *context, int64_t task, int worker)
{
    const struct affine_work *work = context;
    int64_t first = task * work->rows_per_task;
    int64_t last = sl_least(first + work->rows_per_task, work->rows);
    (void)worker;
    for (int64_t row = first; row < last; row++) {
        if (work->affine->inner == 1)
            run_row(work, row);
        else
            run_plane(work, row);
    }
}

void sl_affine_run(const struct sl_kernel_call *call, const struct sl_affine *affine)
{
    const struct sl_layer *layer = call->layer;
    int64_t width = affine->inner == 1 ? affine->channels : affine->inner;
    struct affine_work work = {
        .affine = affine,
        .bottom = call->bottoms[0],
        .top = call->tops[0],
        .slope = layer->activation == SL_ACTIVATION_RELU ? layer->activation_slope : 1.0f,
        .rows = affine->inner == 1 ? affine->outer : affine->outer * affine->channels,
        .rows_per_task = sl_most(1, PIECE / sl_most(1, width)),
    };
    sl_parallel_for(sl_call_team(call, work.rows * width),
                    sl_divide_up(work.rows, work.rows_per_task), run_task, &work);
}

void sl_affine_reference(const struct sl_kernel_call *call, const struct sl_affine *affine)
{
    int64_t count = affine->outer * affine->channels * affine->inner;
    for (int64_t i = 0; i < count; i++) {
        int64_t channel = i / affine->inner % affine->channels;
        double value = call->bottoms[0][i];
        if (affine->centre)
            value -= affine->centre[channel];
        if (affine->factor)
            value *= affine->factor[channel];
        if (affine->addend)
            value += affine->addend[channel];
        call->tops[0][i] = (float)sl_activate_one(call->layer, value);
    }
}

struct sl_affine sl_affine_of_axis(const struct sl_kernel_call *call)
{
    const struct sl_shape *bottom = sl_bottom_shape(call, 0);
    const int axis = call->layer->parameters.scale.axis;
    const struct sl_shape *factor =
        call->layer->bottom_count > 1 ? sl_bottom_shape(call, 1) : &call->layer->weights[0].shape;
    return (struct sl_affine){
        .outer = sl_shape_span(bottom, 0, axis),
        .channels = sl_shape_count(factor),
        .inner = sl_shape_span(bottom, axis + factor->axes, bottom->axes),
    };
}
