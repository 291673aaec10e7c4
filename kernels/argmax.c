/* ArgMax: the top_k greatest values along one axis (or of each whole image): their indices, their
 * values, or both. Of equal values the one with the greater index comes first, as in Caffe; NaN
 * counts as -infinity. */
#include <math.h>

#include "kernels/call.h"
#include "kernels/scored.h"

struct argmax {
    int64_t vectors, length, inner, top_k;
    bool has_axis, values;
    const float *bottom;
    float *top;
    struct sl_scored *scratch; /* length items for each worker */
};

static struct argmax argmax_of(const struct sl_network *network, const struct sl_layer *layer)
{
    const struct sl_shape *shape = &network->blobs[layer->bottoms[0]].shape;
    const bool has_axis = layer->parameters.argmax.has_axis;
    const int axis = layer->parameters.argmax.axis;
    const int64_t inner = has_axis ? sl_shape_span(shape, axis + 1, shape->axes) : 1;
    return (struct argmax){
        .vectors = sl_shape_span(shape, 0, has_axis ? axis : 1) * inner,
        .length = has_axis ? shape->dim[axis] : sl_shape_span(shape, 1, shape->axes),
        .inner = inner,
        .top_k = layer->parameters.argmax.top_k,
        .has_axis = has_axis,
        .values = layer->parameters.argmax.out_max_value,
    };
}

static inline const float *vector_at(const struct argmax *work, int64_t vector)
{
    return work->bottom + vector / work->inner * work->length * work->inner + vector % work->inner;
}

static inline float comparable(float value)
{
    return value > -INFINITY ? value : -INFINITY;
}

/* The rank-th greatest value of a vector is at `index`. */
static void store(const struct argmax *work, int64_t vector, int64_t rank, int64_t index)
{
    const float value = comparable(vector_at(work, vector)[index * work->inner]);
    if (!work->has_axis) {
        float *top = work->top + vector * work->top_k * (work->values ? 2 : 1) + rank;
        *top = (float)index;
        if (work->values)
            top[work->top_k] = value;
        return;
    }
    const int64_t outer = vector / work->inner;
    work->top[(outer * work->top_k + rank) * work->inner + vector % work->inner] =
        work->values ? value : (float)index;
}

#define SPAN 1024 /* positions beside the axis that go together */

/* The greatest only: `count` vectors side by side. */
static void run_greatest(void *context, int64_t task, int worker)
{
    const struct argmax *work = context;
    const int64_t spans = sl_divide_up(work->inner, SPAN);
    const int64_t first = task / spans * work->inner + task % spans * SPAN;
    const int64_t count = sl_least(SPAN, work->inner - task % spans * SPAN);
    const float *values = vector_at(work, first);
    /* Without an axis count is 1, and the value follows the index. */
    float *top = work->top + first * (work->values && !work->has_axis ? 2 : 1);
    float greatest[SPAN];
    float index[SPAN] = {0}; /* as in the top; of the same width as what is compared */
    (void)worker;
    for (int64_t i = 0; i < SPAN; i++)
        greatest[i] = -INFINITY;
    /* In two passes: simple enough for the compiler to make vectors of. */
    for (int64_t c = 0; c < work->length; c++)
        for (int64_t i = 0; i < count; i++) {
            const float value = values[c * work->inner + i];
            greatest[i] = value > greatest[i] ? value : greatest[i];
        }
    for (int64_t c = 0; c < work->length; c++)
        for (int64_t i = 0; i < count; i++) {
            const float value = comparable(values[c * work->inner + i]), former = index[i];
            index[i] = value >= greatest[i] ? (float)c : former;
        }
    const bool both = work->values && !work->has_axis;
    const float *result = work->values && work->has_axis ? greatest : index;
    for (int64_t i = 0; i < count; i++)
        top[i] = result[i];
    if (both)
        top[1] = greatest[0];
}

static void run_task(void *context, int64_t vector, int worker)
{
    const struct argmax *work = context;
    const float *values = vector_at(work, vector);
    struct sl_scored *items = work->scratch + worker * work->length;
    for (int64_t i = 0; i < work->length; i++) {
        float value = values[i * work->inner];
        /* Negative indices: selection prefers the smaller one among equals. */
        items[i] = (struct sl_scored){comparable(value), -i};
    }
    sl_scored_select(items, work->length, work->top_k);
    for (int64_t rank = 0; rank < work->top_k; rank++)
        store(work, vector, rank, -items[rank].index);
}

static size_t scratch_bytes(const struct sl_network *network, const struct sl_layer *layer,
                            int threads, size_t scratch_limit)
{
    const struct argmax work = argmax_of(network, layer);
    (void)scratch_limit;
    if (work.top_k == 1)
        return 0;
    return (size_t)threads * (size_t)work.length * sizeof(*work.scratch);
}

static void run(const struct sl_kernel_call *call)
{
    struct argmax work = argmax_of(call->network, call->layer);
    work.bottom = call->bottoms[0];
    work.top = call->tops[0];
    work.scratch = call->scratch;
    struct sl_threads *team = sl_call_team(call, work.vectors * work.length);
    if (work.top_k == 1)
        sl_parallel_for(team, work.vectors / work.inner * sl_divide_up(work.inner, SPAN),
                        run_greatest, &work);
    else
        sl_parallel_for(team, work.vectors, run_task, &work);
}

/* How many elements of a vector come before element `index`. */
static int64_t rank_of(const struct argmax *work, const float *values, int64_t index)
{
    const float value = values[index * work->inner];
    const float own = comparable(value);
    int64_t rank = 0;
    for (int64_t i = 0; i < work->length; i++) {
        const float other = comparable(values[i * work->inner]);
        rank += other > own || (other == own && i > index);
    }
    return rank;
}

static void reference(const struct sl_kernel_call *call)
{
    struct argmax work = argmax_of(call->network, call->layer);
    work.bottom = call->bottoms[0];
    work.top = call->tops[0];
    for (int64_t vector = 0; vector < work.vectors; vector++)
        for (int64_t i = 0; i < work.length; i++) {
            const int64_t rank = rank_of(&work, vector_at(&work, vector), i);
            if (rank < work.top_k)
                store(&work, vector, rank, i);
        }
}

const struct sl_kernel sl_kernel_argmax = {
    .type = SL_LAYER_ARGMAX,
    .memory = SL_KERNEL_SEPARATE,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .reference = reference,
};
