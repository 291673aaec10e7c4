/* DetectionOutput (SSD): boxes decoded from priors and offsets, non-maximum suppression per class,
 * the best of all classes kept. Rows that are not needed are 0 (sl_layer_parameters says why). */
#include <stdlib.h>
#include <string.h>

#include "kernels/call.h"
#include "kernels/elements.h"
#include "kernels/scored.h"

enum { XMIN, YMIN, XMAX, YMAX, SIDES };

struct detection {
    const struct sl_layer_parameters *parameters;
    int64_t images, priors, classes, location_classes, rows;
    int64_t most_per_class; /* that suppression may leave */
    const float *locations, *scores, *prior_boxes, *prior_variances; /* of the current image */
    /* In scratch: */
    float *boxes;                 /* location_classes x priors x 4, decoded */
    struct sl_scored *candidates; /* priors for each worker */
    struct sl_scored *kept;       /* classes x most_per_class, best first in each class */
    struct sl_scored *merged;     /* classes x most_per_class */
    int64_t *kept_count;          /* classes */
};

static struct detection detection_of(const struct sl_network *network, const struct sl_layer *layer)
{
    const struct sl_layer_parameters *p = &layer->parameters;
    const int64_t priors = network->blobs[layer->bottoms[2]].shape.dim[2] / SIDES;
    const int64_t limit = p->detection_output.nms_top_k;
    return (struct detection){
        .parameters = p,
        .images = network->blobs[layer->bottoms[0]].shape.dim[0],
        .priors = priors,
        .classes = p->detection_output.num_classes,
        .location_classes =
            p->detection_output.share_location ? 1 : p->detection_output.num_classes,
        .rows = sl_shape_count(&network->blobs[layer->tops[0]].shape) / 7,
        .most_per_class = limit < 0 ? priors : sl_least(priors, limit),
    };
}

/* Corners of a box from its offsets, prior and variances, as Caffe's DecodeBBox. */
static void decode(const struct sl_layer_parameters *p, const float *offset, const float *prior,
                   const float *prior_variance, float box[SIDES])
{
    const float width = prior[XMAX] - prior[XMIN], height = prior[YMAX] - prior[YMIN];
    float scaled[SIDES];
    for (int i = 0; i < SIDES; i++)
        scaled[i] = p->detection_output.variance_encoded_in_target ? offset[i]
                                                                   : offset[i] * prior_variance[i];
    switch (p->detection_output.code) {
    case SL_BOX_CORNER:
        for (int i = 0; i < SIDES; i++)
            box[i] = prior[i] + scaled[i];
        break;
    case SL_BOX_CORNER_SIZE:
        for (int i = 0; i < SIDES; i++)
            box[i] = prior[i] + scaled[i] * (i % 2 == 0 ? width : height);
        break;
    case SL_BOX_CENTER_SIZE: {
        const float centre_x = scaled[0] * width + (prior[XMIN] + prior[XMAX]) / 2.0f;
        const float centre_y = scaled[1] * height + (prior[YMIN] + prior[YMAX]) / 2.0f;
        const float half_width = sl_float_exp(scaled[2]) * width / 2.0f;
        const float half_height = sl_float_exp(scaled[3]) * height / 2.0f;
        box[XMIN] = centre_x - half_width;
        box[YMIN] = centre_y - half_height;
        box[XMAX] = centre_x + half_width;
        box[YMAX] = centre_y + half_height;
        break;
    }
    }
}

static float area(const float box[SIDES])
{
    if (box[XMAX] < box[XMIN] || box[YMAX] < box[YMIN])
        return 0.0f;
    return (box[XMAX] - box[XMIN]) * (box[YMAX] - box[YMIN]);
}

/* Intersection over union. */
static float overlap(const float a[SIDES], const float b[SIDES])
{
    const float xmin = a[XMIN] > b[XMIN] ? a[XMIN] : b[XMIN];
    const float ymin = a[YMIN] > b[YMIN] ? a[YMIN] : b[YMIN];
    const float xmax = a[XMAX] < b[XMAX] ? a[XMAX] : b[XMAX];
    const float ymax = a[YMAX] < b[YMAX] ? a[YMAX] : b[YMAX];
    if (!(xmax > xmin && ymax > ymin))
        return 0.0f;
    const float shared = (xmax - xmin) * (ymax - ymin);
    return shared / (area(a) + area(b) - shared);
}

static const float *boxes_of_class(const struct detection *work, int64_t label)
{
    return work->boxes + (work->location_classes == 1 ? 0 : label) * work->priors * SIDES;
}

/* Keeps the candidates (best first) that overlap none kept before; returns how many. */
static int64_t suppress(const struct detection *work, const float *boxes,
                        const struct sl_scored *candidates, int64_t count, struct sl_scored *kept)
{
    float threshold = work->parameters->detection_output.nms_threshold;
    const float eta = work->parameters->detection_output.nms_eta;
    int64_t kept_count = 0;
    for (int64_t i = 0; i < count; i++) {
        const float *box = boxes + candidates[i].index * SIDES;
        bool keep = true;
        for (int64_t k = 0; keep && k < kept_count; k++)
            keep = overlap(box, boxes + kept[k].index * SIDES) <= threshold;
        if (!keep)
            continue;
        kept[kept_count++] = candidates[i];
        if (eta < 1.0f && threshold > 0.5f)
            threshold *= eta;
    }
    return kept_count;
}

static void class_task(void *context, int64_t label, int worker)
{
    const struct detection *work = context;
    const float least = work->parameters->detection_output.confidence_threshold;
    struct sl_scored *candidates = work->candidates + worker * work->priors;
    int64_t count = 0;

    work->kept_count[label] = 0;
    if (label == work->parameters->detection_output.background_label_id)
        return;
    for (int64_t i = 0; i < work->priors; i++) {
        const float score = work->scores[i * work->classes + label];
        if (score > least)
            candidates[count++] = (struct sl_scored){score, i};
    }
    const int64_t wanted = sl_least(count, work->most_per_class);
    sl_scored_select(candidates, count, wanted);
    work->kept_count[label] = suppress(work, boxes_of_class(work, label), candidates, wanted,
                                       work->kept + label * work->most_per_class);
}

static void decode_all(const struct detection *work)
{
    float *box = work->boxes;
    for (int64_t label = 0; label < work->location_classes; label++)
        for (int64_t i = 0; i < work->priors; i++, box += SIDES)
            decode(work->parameters, work->locations + (i * work->location_classes + label) * SIDES,
                   work->prior_boxes + i * SIDES, work->prior_variances + i * SIDES, box);
}

/* Leaves the best keep_top_k of all classes: a beginning of every class, as they are sorted. */
static void keep_best(const struct detection *work)
{
    const int64_t limit = work->parameters->detection_output.keep_top_k;
    int64_t count = 0;
    for (int64_t label = 0; label < work->classes; label++)
        for (int64_t k = 0; k < work->kept_count[label]; k++) {
            const int64_t position = label * work->most_per_class + k;
            work->merged[count++] = (struct sl_scored){work->kept[position].score, position};
        }
    if (limit < 0 || count <= limit)
        return;
    sl_scored_select(work->merged, count, limit);
    memset(work->kept_count, 0, (size_t)work->classes * sizeof(*work->kept_count));
    for (int64_t i = 0; i < limit; i++)
        work->kept_count[work->merged[i].index / work->most_per_class]++;
}

static int64_t store_image(const struct detection *work, int64_t image, float *top, int64_t row)
{
    for (int64_t label = 0; label < work->classes; label++)
        for (int64_t k = 0; k < work->kept_count[label] && row < work->rows; k++, row++) {
            const struct sl_scored *kept = &work->kept[label * work->most_per_class + k];
            float *values = top + row * 7;
            values[0] = (float)image;
            values[1] = (float)label;
            values[2] = kept->score;
            memcpy(values + 3, boxes_of_class(work, label) + kept->index * SIDES,
                   SIDES * sizeof(float));
        }
    return row;
}

static void clear_unused(float *top, int64_t row, int64_t rows)
{
    memset(top + row * 7, 0, (size_t)(rows - row) * 7 * sizeof(float));
}

/* Points the parts of scratch into it (NULL: only measures); returns its bytes. */
static size_t lay_out(struct detection *work, int threads, char *scratch)
{
    const size_t slots = (size_t)(work->classes * work->most_per_class);
    const size_t candidates = (size_t)threads * (size_t)work->priors;
    size_t bytes = 0;
#define PLACE(field, count)                                                                        \
    do {                                                                                           \
        work->field = scratch ? (void *)(scratch + bytes) : NULL;                                  \
        bytes += (count) * sizeof(*work->field);                                                   \
    } while (0)
    PLACE(candidates, candidates);
    PLACE(kept, slots);
    PLACE(merged, slots);
    PLACE(kept_count, (size_t)work->classes);
    PLACE(boxes, (size_t)(work->location_classes * work->priors * SIDES));
#undef PLACE
    return bytes;
}

static size_t scratch_bytes(const struct sl_network *network, const struct sl_layer *layer,
                            int threads, size_t scratch_limit)
{
    struct detection work = detection_of(network, layer);
    (void)scratch_limit;
    return lay_out(&work, threads, NULL);
}

/* Points to the inputs of one image. */
static void select_image(struct detection *work, const struct sl_kernel_call *call, int64_t image)
{
    work->locations = call->bottoms[0] + image * work->priors * work->location_classes * SIDES;
    work->scores = call->bottoms[1] + image * work->priors * work->classes;
    work->prior_boxes = call->bottoms[2];
    work->prior_variances = call->bottoms[2] + work->priors * SIDES;
}

static void run(const struct sl_kernel_call *call)
{
    struct detection work = detection_of(call->network, call->layer);
    int64_t row = 0;
    lay_out(&work, sl_threads_count(call->threads), call->scratch);
    for (int64_t image = 0; image < work.images; image++) {
        select_image(&work, call, image);
        decode_all(&work);
        sl_parallel_for(sl_call_team(call, work.priors * work.classes), work.classes, class_task,
                        &work);
        keep_best(&work);
        row = store_image(&work, image, call->tops[0], row);
    }
    clear_unused(call->tops[0], row, work.rows);
}

/* Plain version: every prior of every class has a flag, and each step looks through all of them. */
struct plain_state {
    const struct detection *work;
    float *boxes;         /* classes x priors x 4 */
    unsigned char *alive; /* classes x priors: passed suppression */
};

static void plain_suppress(const struct plain_state *state, int64_t label)
{
    const struct detection *work = state->work;
    const struct sl_layer_parameters *p = work->parameters;
    const float *boxes = state->boxes + label * work->priors * SIDES;
    unsigned char *alive = state->alive + label * work->priors; /* 1 candidate, 2 kept, 0 out */
    float threshold = p->detection_output.nms_threshold;

    for (int64_t step = 0; step < work->most_per_class; step++) {
        int64_t best = -1;
        for (int64_t i = 0; i < work->priors; i++)
            if (alive[i] == 1 && (best < 0 || work->scores[i * work->classes + label] >
                                                  work->scores[best * work->classes + label]))
                best = i;
        if (best < 0)
            break;
        alive[best] = 2;
        for (int64_t i = 0; i < work->priors; i++)
            if (i != best && alive[i] == 2 &&
                overlap(boxes + best * SIDES, boxes + i * SIDES) > threshold)
                alive[best] = 0;
        if (alive[best] == 2 && p->detection_output.nms_eta < 1 && threshold > 0.5f)
            threshold *= p->detection_output.nms_eta;
    }
    for (int64_t i = 0; i < work->priors; i++)
        alive[i] = alive[i] == 2;
}

/* The place of a detection among all of its image: greater score first, then class, then prior. */
static int64_t plain_rank(const struct plain_state *state, int64_t label, int64_t prior,
                          bool same_class)
{
    const struct detection *work = state->work;
    const float own = work->scores[prior * work->classes + label];
    int64_t rank = 0;
    for (int64_t i = 0; i < work->classes * work->priors; i++) {
        const int64_t other_class = i / work->priors, other_prior = i % work->priors;
        const float score = work->scores[other_prior * work->classes + other_class];
        if (!state->alive[i] || (same_class && other_class != label))
            continue;
        rank += score > own || (score == own && i < label * work->priors + prior);
    }
    return rank;
}

static int64_t plain_image(const struct plain_state *state, int64_t image, float *top, int64_t row)
{
    const struct detection *work = state->work;
    const struct sl_layer_parameters *p = work->parameters;
    const int64_t limit = p->detection_output.keep_top_k;
    for (int64_t label = 0; label < work->classes; label++)
        for (int64_t i = 0; i < work->priors; i++) {
            const int64_t location = work->location_classes == 1 ? 0 : label;
            decode(p, work->locations + (i * work->location_classes + location) * SIDES,
                   work->prior_boxes + i * SIDES, work->prior_variances + i * SIDES,
                   state->boxes + (label * work->priors + i) * SIDES);
            state->alive[label * work->priors + i] =
                label != p->detection_output.background_label_id &&
                work->scores[i * work->classes + label] > p->detection_output.confidence_threshold;
        }
    for (int64_t label = 0; label < work->classes; label++)
        plain_suppress(state, label);
    for (int64_t label = 0; label < work->classes; label++) {
        int64_t stored = 0;
        for (int64_t i = 0; i < work->priors; i++) {
            if (!state->alive[label * work->priors + i] ||
                (limit >= 0 && plain_rank(state, label, i, false) >= limit))
                continue;
            const int64_t at = row + plain_rank(state, label, i, true);
            stored++;
            if (at >= work->rows)
                continue;
            float *values = top + at * 7;
            values[0] = (float)image;
            values[1] = (float)label;
            values[2] = work->scores[i * work->classes + label];
            memcpy(values + 3, state->boxes + (label * work->priors + i) * SIDES,
                   SIDES * sizeof(float));
        }
        row = sl_least(row + stored, work->rows);
    }
    return row;
}

static void reference(const struct sl_kernel_call *call)
{
    struct detection work = detection_of(call->network, call->layer);
    const size_t places = (size_t)(work.classes * work.priors);
    float *boxes = calloc(places, SIDES * sizeof(float));
    unsigned char *alive = calloc(places, 1);
    const struct plain_state state = {.work = &work, .boxes = boxes, .alive = alive};
    int64_t row = 0;
    for (int64_t image = 0; boxes && alive && image < work.images; image++) {
        select_image(&work, call, image);
        row = plain_image(&state, image, call->tops[0], row);
    }
    free(boxes);
    free(alive);
    clear_unused(call->tops[0], row, work.rows);
}

const struct sl_kernel sl_kernel_detection_output = {
    .type = SL_LAYER_DETECTION_OUTPUT,
    .memory = SL_KERNEL_SEPARATE,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .reference = reference,
};
