/* Eltwise: product, weighted sum or maximum of several bottoms, element by element. */
#include <math.h>
#include <string.h>

#include "kernels/call.h"
#include "kernels/elements.h"

/* All bottoms of a piece are read before its top is written, so the top may be bottom 0, even when
 * that bottom is given twice. */
#define PIECE           1024
#define PIECES_PER_TASK 16

struct work {
    const struct sl_kernel_call *call;
    int64_t count;
};

SL_PER_ISA static void combine(const struct sl_kernel_call *call, int64_t first, int64_t count)
{
    const struct sl_layer *layer = call->layer;
    const bool sum = layer->parameters.eltwise.operation == SL_ELTWISE_SUM;
    const float *coefficients = sum ? layer->parameters.eltwise.coefficients : NULL;
    float result[PIECE];

    const float scale = coefficients ? coefficients[0] : 1.0f;
    for (int64_t i = 0; i < count; i++)
        result[i] = scale * call->bottoms[0][first + i];
    for (int b = 1; b < layer->bottom_count; b++) {
        const float *x = call->bottoms[b] + first;
        const float coefficient = coefficients ? coefficients[b] : 1.0f;
        if (sum) {
            for (int64_t i = 0; i < count; i++)
                result[i] += coefficient * x[i];
        } else if (layer->parameters.eltwise.operation == SL_ELTWISE_PRODUCT) {
            for (int64_t i = 0; i < count; i++)
                result[i] *= x[i];
        } else {
            for (int64_t i = 0; i < count; i++)
                result[i] = result[i] > x[i] ? result[i] : x[i];
        }
    }
    sl_activate(layer, result, count);
    memcpy(call->tops[0] + first, result, (size_t)count * sizeof(float));
}

static void run_task(void *context, int64_t task, int worker)
{
    const struct work *work = context;
    int64_t first = task * PIECE * PIECES_PER_TASK;
    const int64_t last = sl_least(first + PIECE * PIECES_PER_TASK, work->count);
    (void)worker;
    for (; first < last; first += PIECE)
        combine(work->call, first, sl_least(PIECE, last - first));
}

static void run(const struct sl_kernel_call *call)
{
    struct work work = {.call = call, .count = sl_shape_count(sl_top_shape(call, 0))};
    sl_parallel_for(sl_call_team(call, work.count * call->layer->bottom_count),
                    sl_divide_up(work.count, PIECE * PIECES_PER_TASK), run_task, &work);
}

static void reference(const struct sl_kernel_call *call)
{
    const struct sl_layer *layer = call->layer;
    const float *coefficients = layer->parameters.eltwise.coefficients;
    for (int64_t i = 0; i < sl_shape_count(sl_top_shape(call, 0)); i++) {
        double value = call->bottoms[0][i];
        if (layer->parameters.eltwise.operation == SL_ELTWISE_SUM && coefficients)
            value *= coefficients[0];
        for (int b = 1; b < layer->bottom_count; b++) {
            double x = call->bottoms[b][i];
            if (layer->parameters.eltwise.operation == SL_ELTWISE_PRODUCT)
                value *= x;
            else if (layer->parameters.eltwise.operation == SL_ELTWISE_SUM)
                value += coefficients ? coefficients[b] * x : x;
            else
                value = fmax(value, x);
        }
        call->tops[0][i] = (float)sl_activate_one(layer, value);
    }
}

const struct sl_kernel sl_kernel_eltwise = {
    .type = SL_LAYER_ELTWISE,
    .memory = SL_KERNEL_IN_PLACE,
    .run = run,
    .reference = reference,
};
