/* The product behind its seam: each back-end against the plain definition, and the promise of the
 * native one that bits depend on nothing but the values. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/gemm.h"
#include "kernels/isa.h"
#include "kernels/kernel.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"

static float *values(int64_t count, uint64_t key)
{
    float *v = malloc((size_t)count * sizeof *v);
    cr_assert_not_null(v);
    for (int64_t i = 0; i < count; i++)
        v[i] = sl_rng_signed_unit(key, (uint64_t)i + 1);
    return v;
}

static void run(const struct sl_gemm *gemm)
{
    SL_AUTO_FREE void *scratch =
        aligned_alloc(64, (sl_gemm_scratch_bytes(gemm->columns) + 63) / 64 * 64);
    cr_assert_not_null(scratch);
    sl_gemm_run(gemm, scratch);
}

static void expect_near(const float *got, const float *expected, int64_t count, const char *what)
{
    double error = 0, power = 1e-30;
    for (int64_t i = 0; i < count; i++) {
        double difference = (double)got[i] - (double)expected[i];
        error += difference * difference;
        power += (double)expected[i] * (double)expected[i];
    }
    cr_assert(error / power <= 1e-7, "%s: NMSE %g", what, error / power);
}

/* A plain product of random size with bias and activation, accumulated on what C holds. */
static void check_plain(uint64_t *rng, const char *what)
{
    static const int32_t no_offset = 0;
    const int64_t rows = 1 + (int64_t)sl_rng_below(rng, 40);
    const int64_t depth = 1 + (int64_t)sl_rng_below(rng, 700);
    const int64_t columns = 1 + (int64_t)sl_rng_below(rng, 130);
    SL_AUTO_FREE float *a = values(rows * depth, 1), *b = values(depth * columns, 2);
    SL_AUTO_FREE float *c = values(rows * columns, 3), *expected = values(rows * columns, 3);
    SL_AUTO_FREE float *bias = values(rows, 4);
    struct sl_gemm gemm = {
        .a = a,
        .a_stride = depth,
        .rows = rows,
        .depth = depth,
        .b = b,
        .b_end = b + depth * columns,
        .taps = 1,
        .channel_stride = columns,
        .tap_offset = &no_offset,
        .columns = columns,
        .run = columns,
        .pitch = columns,
        .c = c,
        .c_stride = columns,
        .accumulate = sl_rng_below(rng, 2),
        .finish = sl_rng_below(rng, 2),
        .bias = sl_rng_below(rng, 2) ? bias : NULL,
        .activation = sl_rng_below(rng, 2) ? SL_ACTIVATION_RELU : SL_ACTIVATION_NONE,
        .slope = 0.25f,
    };
    run(&gemm);
    gemm.c = expected;
    sl_gemm_reference(&gemm);
    expect_near(c, expected, rows * columns, what);
}

Test(gemm, native_on_every_instruction_set)
{
    static const char *const sets[] = {"avx512", "avx2", "neon", "generic"};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        uint64_t rng = 5;
        if (sl_kernels_force_isa(sets[i], NULL) < 0)
            continue;
        cr_assert_str_eq(sl_kernels_isa(), sets[i]);
        for (int n = 0; n < 200; n++)
            check_plain(&rng, sets[i]);
    }
    sl_kernels_force_isa(NULL, NULL);
}

Test(gemm, openblas)
{
    struct sl_error error = {0};
    uint64_t rng = 6;
    if (sl_gemm_select("openblas", &error) < 0)
        cr_skip_test("skipped: %s", error.text);
    cr_assert_str_eq(sl_gemm_backend(), "openblas");
    for (int n = 0; n < 100; n++)
        check_plain(&rng, "openblas");
    cr_assert_eq(sl_gemm_select("native", NULL), 0);
}

/* Every element is one chain of fused multiply-adds in the order of k. */
Test(gemm, elements_are_chains_in_order)
{
    static const int32_t no_offset = 0;
    enum { ROWS = 9, DEPTH = 1000, COLUMNS = 50 };
    if (strcmp(sl_kernels_isa(), "generic") == 0)
        cr_skip_test("skipped: baseline x86-64 has no fused multiply-add");
    SL_AUTO_FREE float *a = values(ROWS * DEPTH, 1), *b = values(DEPTH * COLUMNS, 2);
    SL_AUTO_FREE float *c = values(ROWS * COLUMNS, 3);
    run(&(struct sl_gemm){.a = a,
                          .a_stride = DEPTH,
                          .rows = ROWS,
                          .depth = DEPTH,
                          .b = b,
                          .b_end = b + DEPTH * COLUMNS,
                          .taps = 1,
                          .channel_stride = COLUMNS,
                          .tap_offset = &no_offset,
                          .columns = COLUMNS,
                          .run = COLUMNS,
                          .pitch = COLUMNS,
                          .c = c,
                          .c_stride = COLUMNS,
                          .finish = true});
    for (int m = 0; m < ROWS; m++) {
        for (int n = 0; n < COLUMNS; n++) {
            float sum = 0;
            for (int k = 0; k < DEPTH; k++)
                sum = __builtin_fmaf(a[m * DEPTH + k], b[k * COLUMNS + n], sum);
            cr_assert_eq(c[m * COLUMNS + n], sum, "element %d, %d", m, n);
        }
    }
}

Test(gemm, unknown_names_are_refused)
{
    struct sl_error error = {0};
    cr_assert_eq(sl_gemm_select("mkl", &error), -EINVAL);
    cr_assert(strstr(error.text, "native"), "%s", error.text);
    cr_assert_eq(sl_kernels_force_isa("avx1024", &error), -EINVAL);
    cr_assert(strstr(error.text, "avx1024"), "%s", error.text);
}
