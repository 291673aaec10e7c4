/* PriorBox (SSD): for every cell of the map the boxes that detections are relative to, and their
 * variances. Sizes are not truncated to whole pixels (BVLC's SSD fork does that, OpenCV does not;
 * converted networks rely on fractions). The result depends on shapes alone. */
#include <math.h>

#include "kernels/call.h"

struct prior_box {
    const struct sl_layer_parameters *parameters;
    int64_t height, width, boxes; /* of the map; per cell */
};

static struct prior_box prior_box_of(const struct sl_kernel_call *call)
{
    const struct sl_shape *map = sl_bottom_shape(call, 0);
    const struct sl_layer_parameters *p = &call->layer->parameters;
    return (struct prior_box){
        .parameters = p,
        .height = map->dim[2],
        .width = map->dim[3],
        .boxes =
            (int64_t)p->prior_box.min_count * p->prior_box.aspect_count + p->prior_box.max_count,
    };
}

/* One box, corners relative to the image. */
static float *store_box(const struct prior_box *work, float *top, double centre_x, double centre_y,
                        double width, double height)
{
    const double image_w = (double)work->parameters->prior_box.image_w;
    const double image_h = (double)work->parameters->prior_box.image_h;
    const double corner[4] = {
        (centre_x - width / 2) / image_w,
        (centre_y - height / 2) / image_h,
        (centre_x + width / 2) / image_w,
        (centre_y + height / 2) / image_h,
    };
    for (int i = 0; i < 4; i++) {
        float value = (float)corner[i];
        if (work->parameters->prior_box.clip)
            value = value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
        *top++ = value;
    }
    return top;
}

/* All boxes of one cell: for each size the square, the square of the mean size, the rectangles. */
static float *store_cell(const struct prior_box *work, float *top, double x, double y)
{
    const struct sl_layer_parameters *p = work->parameters;
    for (int s = 0; s < p->prior_box.min_count; s++) {
        const double size = p->prior_box.min_sizes[s];
        top = store_box(work, top, x, y, size, size);
        if (s < p->prior_box.max_count) {
            const double mean = sqrt(size * p->prior_box.max_sizes[s]);
            top = store_box(work, top, x, y, mean, mean);
        }
        for (int a = 1; a < p->prior_box.aspect_count; a++) {
            const double root = sqrt((double)p->prior_box.aspect_ratios[a]);
            top = store_box(work, top, x, y, size * root, size / root);
        }
    }
    return top;
}

static void run(const struct sl_kernel_call *call)
{
    const struct prior_box work = prior_box_of(call);
    const struct sl_layer_parameters *p = work.parameters;
    float *top = call->tops[0];
    for (int64_t y = 0; y < work.height; y++)
        for (int64_t x = 0; x < work.width; x++)
            top = store_cell(&work, top, ((double)x + p->prior_box.offset) * p->prior_box.step_w,
                             ((double)y + p->prior_box.offset) * p->prior_box.step_h);
    for (int64_t i = 0; i < work.height * work.width * work.boxes; i++)
        for (int v = 0; v < 4; v++)
            *top++ = p->prior_box.variance[v];
}

/* Width and height of box `box` of a cell. */
static void box_size(const struct sl_layer_parameters *p, int box, double *width, double *height)
{
    const int squares = p->prior_box.max_count > 0 ? 2 : 1;
    const int per_size = p->prior_box.aspect_count - 1 + squares;
    const double size = p->prior_box.min_sizes[box / per_size];
    *width = *height = size;
    if (squares == 2 && box % per_size == 1)
        *width = *height = sqrt(size * p->prior_box.max_sizes[box / per_size]);
    if (box % per_size >= squares) {
        const double ratio = p->prior_box.aspect_ratios[box % per_size - squares + 1];
        *width = size * sqrt(ratio);
        *height = size / sqrt(ratio);
    }
}

static void reference(const struct sl_kernel_call *call)
{
    const struct prior_box work = prior_box_of(call);
    const struct sl_layer_parameters *p = work.parameters;
    const int64_t count = work.height * work.width * work.boxes * 4;
    for (int64_t i = 0; i < count; i++) {
        const int side = (int)(i % 4);
        const int64_t cell = i / 4 / work.boxes;
        const int64_t row = cell / work.width, column = cell % work.width;
        double size[2], value;
        box_size(p, (int)(i / 4 % work.boxes), &size[0], &size[1]);
        if (side % 2 == 0)
            value = ((double)column + p->prior_box.offset) * p->prior_box.step_w;
        else
            value = ((double)row + p->prior_box.offset) * p->prior_box.step_h;
        value += (side < 2 ? -0.5 : 0.5) * size[side % 2];
        value /= (double)(side % 2 == 0 ? p->prior_box.image_w : p->prior_box.image_h);
        call->tops[0][i] = (float)(p->prior_box.clip ? fmin(fmax(value, 0), 1) : value);
        call->tops[0][count + i] = p->prior_box.variance[side];
    }
}

const struct sl_kernel sl_kernel_prior_box = {
    .type = SL_LAYER_PRIOR_BOX,
    .memory = SL_KERNEL_SEPARATE,
    .run = run,
    .reference = reference,
};
