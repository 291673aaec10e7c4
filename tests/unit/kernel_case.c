#include "kernel_case.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/isa.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"

/* The smallest multiple of 64 bytes; the rest behind the values is left as it is. */
static float *allocate(int64_t count)
{
    float *values = aligned_alloc(64, ((size_t)count * sizeof(float) + 63) / 64 * 64);
    cr_assert_not_null(values);
    return values;
}

static float *random_values(int64_t count, float scale, uint64_t key)
{
    float *values = allocate(count);
    for (int64_t i = 0; i < count; i++)
        values[i] = scale * sl_rng_signed_unit(key, (uint64_t)i + 1);
    return values;
}

static void set_up(struct kernel_case *test, enum sl_layer_type type, uint64_t seed)
{
    test->ids[1] = 1;
    test->layer.name = "test";
    test->layer.type = type;
    test->layer.bottom_count = test->layer.top_count = 1;
    test->layer.bottoms = &test->ids[0];
    test->layer.tops = &test->ids[1];
    test->network.layers = &test->layer;
    test->network.blobs = test->blobs;
    test->network.layer_count = 1;
    test->network.blob_count = 2;
    if (seed % 3 == 0)
        test->layer.activation = SL_ACTIVATION_RELU;
    test->layer.activation_slope = seed % 2 ? 0.1f : 0.0f;
    test->bottom = random_values(sl_shape_count(&test->blobs[0].shape), 1.0f, seed);
    test->top = allocate(sl_shape_count(&test->blobs[1].shape));
    for (int w = 0; w < test->layer.weight_count; w++) {
        struct sl_weight *weight = &test->layer.weights[w];
        weight->count = sl_shape_count(&weight->shape);
        test->weights[w] = random_values(weight->count, 0.5f, seed + 77 + (uint64_t)w);
    }
}

void kernel_case_convolution(struct kernel_case *test, enum sl_layer_type type,
                             const struct sl_convolution_parameters *parameters, int64_t batch,
                             int64_t channels, int64_t in_h, int64_t in_w, uint64_t seed)
{
    const struct sl_convolution_parameters *p = parameters;
    int64_t extent_h = (p->kernel_h - 1) * p->dilation_h + 1;
    int64_t extent_w = (p->kernel_w - 1) * p->dilation_w + 1;
    int64_t out_h = (in_h + 2 * p->pad_h - extent_h) / p->stride_h + 1;
    int64_t out_w = (in_w + 2 * p->pad_w - extent_w) / p->stride_w + 1;
    *test = (struct kernel_case){.layer.parameters.convolution = *p};
    test->layer.weights[0].shape =
        (struct sl_shape){4, {p->num_output, channels / p->group, p->kernel_h, p->kernel_w}};
    if (type == SL_LAYER_DECONVOLUTION) {
        out_h = (in_h - 1) * p->stride_h + extent_h - 2 * p->pad_h;
        out_w = (in_w - 1) * p->stride_w + extent_w - 2 * p->pad_w;
        test->layer.weights[0].shape =
            (struct sl_shape){4, {channels, p->num_output / p->group, p->kernel_h, p->kernel_w}};
    }
    test->layer.weights[1].shape = (struct sl_shape){1, {p->num_output}};
    test->layer.weight_count = p->bias ? 2 : 1;
    test->blobs[0].shape = (struct sl_shape){4, {batch, channels, in_h, in_w}};
    test->blobs[1].shape = (struct sl_shape){4, {batch, p->num_output, out_h, out_w}};
    snprintf(test->description, sizeof test->description,
             "%lldx%lldx%lldx%lld, %lld outputs, group %lld, kernel %lldx%lld, stride %lldx%lld, "
             "pad %lldx%lld, dilation %lldx%lld",
             (long long)batch, (long long)channels, (long long)in_h, (long long)in_w,
             (long long)p->num_output, (long long)p->group, (long long)p->kernel_h,
             (long long)p->kernel_w, (long long)p->stride_h, (long long)p->stride_w,
             (long long)p->pad_h, (long long)p->pad_w, (long long)p->dilation_h,
             (long long)p->dilation_w);
    cr_assert(out_h > 0 && out_w > 0, "%s has no output", test->description);
    set_up(test, type, seed);
}

void kernel_case_inner_product(struct kernel_case *test, int64_t batch, int64_t inputs,
                               int64_t outputs, bool bias, bool transpose, uint64_t seed)
{
    *test = (struct kernel_case){0};
    test->layer.parameters.inner_product = (struct sl_inner_product_parameters){
        .num_output = outputs, .inputs = inputs, .axis = 1, .bias = bias, .transpose = transpose};
    test->layer.weights[0].shape = transpose ? (struct sl_shape){2, {inputs, outputs}}
                                             : (struct sl_shape){2, {outputs, inputs}};
    test->layer.weights[1].shape = (struct sl_shape){1, {outputs}};
    test->layer.weight_count = bias ? 2 : 1;
    test->blobs[0].shape = (struct sl_shape){2, {batch, inputs}};
    test->blobs[1].shape = (struct sl_shape){2, {batch, outputs}};
    snprintf(test->description, sizeof test->description, "%lld x %lld -> %lld%s", (long long)batch,
             (long long)inputs, (long long)outputs, transpose ? ", transposed" : "");
    set_up(test, SL_LAYER_INNER_PRODUCT, seed);
}

void kernel_case_free(struct kernel_case *test)
{
    free(test->bottom);
    free(test->top);
    for (int w = 0; w < SL_MAX_WEIGHTS; w++)
        free(test->weights[w]);
}

/* Copies of the rows, so that a read beyond them is a read beyond an allocation. */
static void run_rows(struct kernel_case *test, struct sl_kernel_call *call, int64_t begin,
                     int64_t end)
{
    float *copies[SL_MAX_WEIGHTS] = {NULL};
    for (int w = 0; w < test->layer.weight_count; w++) {
        const struct sl_weight *weight = &test->layer.weights[w];
        int64_t row = weight->count / weight->shape.dim[0];
        int64_t rows =
            end - begin == test->layer.weights[0].shape.dim[0] ? weight->shape.dim[0] : end - begin;
        copies[w] = allocate(rows * row);
        memcpy(copies[w], test->weights[w] + begin * row, (size_t)(rows * row) * sizeof(float));
        call->weights[w] = copies[w];
    }
    call->row_begin = begin;
    call->row_end = end;
    sl_kernel_find(test->layer.type)->run(call);
    for (int w = 0; w < SL_MAX_WEIGHTS; w++)
        free(copies[w]);
}

void kernel_case_run(struct kernel_case *test, int64_t row_step, int threads, size_t scratch_limit,
                     bool keep_scratch)
{
    const struct sl_kernel *kernel = sl_kernel_find(test->layer.type);
    const int64_t rows = test->layer.weights[0].shape.dim[0];
    size_t bytes = kernel->scratch_bytes
                       ? kernel->scratch_bytes(&test->network, &test->layer, threads, scratch_limit)
                       : 0;
    SL_AUTO_FREE char *scratch = aligned_alloc(64, (bytes + 127) / 64 * 64);
    cr_assert_not_null(scratch);
    memset(test->top, 0xff, (size_t)sl_shape_count(&test->blobs[1].shape) * sizeof(float));
    struct sl_kernel_call call = {
        .network = &test->network,
        .layer = &test->layer,
        .bottoms = (const float *const[]){test->bottom},
        .tops = (float *const[]){test->top},
        .scratch = scratch,
    };
    cr_assert_eq(sl_threads_create(threads, &call.threads, NULL), 0);
    /* Transposed weights come in one shard: their first axis is the inputs. */
    bool whole = test->layer.type == SL_LAYER_INNER_PRODUCT &&
                 test->layer.parameters.inner_product.transpose;
    row_step = row_step > 0 && kernel->row_sharded && !whole ? row_step : rows;
    for (int64_t row = 0; row < rows; row += row_step) {
        call.scratch_kept = row > 0 && keep_scratch;
        if (!call.scratch_kept)
            memset(scratch, 0xff, bytes); /* not numbers */
        run_rows(test, &call, row, row + row_step < rows ? row + row_step : rows);
    }
    sl_threads_free(call.threads);
}

static double normalized_error(const float *values, const float *reference, int64_t count)
{
    double error = 0, power = 0;
    for (int64_t i = 0; i < count; i++) {
        double difference = (double)values[i] - (double)reference[i];
        error += difference * difference;
        power += (double)reference[i] * (double)reference[i];
    }
    return power > 0 ? error / power : error;
}

static float *reference_result(struct kernel_case *test)
{
    float *result = allocate(sl_shape_count(&test->blobs[1].shape));
    struct sl_kernel_call call = {
        .network = &test->network,
        .layer = &test->layer,
        .bottoms = (const float *const[]){test->bottom},
        .tops = (float *const[]){result},
        .weights = {test->weights[0], test->weights[1]},
        .row_end = test->layer.weights[0].shape.dim[0],
    };
    sl_kernel_find(test->layer.type)->reference(&call);
    return result;
}

static void check_bits(struct kernel_case *test, const float *expected, const char *how)
{
    size_t bytes = (size_t)sl_shape_count(&test->blobs[1].shape) * sizeof(float);
    cr_assert(memcmp(test->top, expected, bytes) == 0, "%s: other bits with %s", test->description,
              how);
}

void kernel_case_check(struct kernel_case *test)
{
    const int64_t count = sl_shape_count(&test->blobs[1].shape);
    SL_AUTO_FREE float *reference = reference_result(test);
    SL_AUTO_FREE float *first = allocate(count);
    kernel_case_run(test, 0, 1, SL_SCRATCH_LIMIT, true);
    double error = normalized_error(test->top, reference, count);
    cr_assert(error <= 1e-7, "%s: NMSE %g", test->description, error);
    memcpy(first, test->top, (size_t)count * sizeof(float));

    kernel_case_run(test, 16, 1, SL_SCRATCH_LIMIT, true);
    check_bits(test, first, "slices of 16 rows");
    kernel_case_run(test, 32, 2, SL_SCRATCH_LIMIT, false);
    check_bits(test, first, "slices of 32 rows and spoilt scratch");
    kernel_case_run(test, 0, 2, SL_SCRATCH_LIMIT, true);
    check_bits(test, first, "2 threads");
    kernel_case_run(test, 48, 3, 0, true);
    check_bits(test, first, "slices of 48 rows, 3 threads and no scratch to keep");
    static const char *const sets[] = {"avx512", "avx2", "neon", "generic"};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        if (sl_kernels_force_isa(sets[i], NULL) < 0)
            continue;
        kernel_case_run(test, 0, 1, SL_SCRATCH_LIMIT, true);
        error = normalized_error(test->top, reference, count);
        cr_assert(error <= 1e-7, "%s: NMSE %g with %s", test->description, error, sets[i]);
        /* Baseline x86-64 cannot fuse multiply and add. */
        if (strcmp(sets[i], "generic") != 0)
            check_bits(test, first, sets[i]);
    }
    sl_kernels_force_isa(NULL, NULL);
}
