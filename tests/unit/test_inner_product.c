/* InnerProduct against its reference, row by row and transposed. */
#include <criterion/criterion.h>

#include "kernel_case.h"
#include "runtime/base/rng.h"

static void check(int64_t batch, int64_t inputs, int64_t outputs, bool bias, bool transpose,
                  uint64_t seed)
{
    struct kernel_case test;
    kernel_case_inner_product(&test, batch, inputs, outputs, bias, transpose, seed);
    kernel_case_check(&test);
    kernel_case_free(&test);
}

Test(inner_product, shapes_of_networks)
{
    check(1, 9216, 64, true, false, 1);
    check(1, 800, 500, true, false, 2);
    check(1, 500, 10, true, false, 3);
    check(4, 1024, 1000, true, false, 4);
}

Test(inner_product, every_tail)
{
    for (int64_t inputs = 1; inputs <= 70; inputs++)
        check(1 + inputs % 2, inputs, 1 + inputs % 37, inputs % 2, false, (uint64_t)inputs);
}

Test(inner_product, transposed)
{
    check(1, 800, 500, true, true, 1);
    check(3, 17, 1, false, true, 2);
    check(9, 300, 401, true, true, 3);
}

/* A sample's result does not depend on how many others are computed with it. */
Test(inner_product, batch_does_not_change_bits)
{
    struct kernel_case batch, one;
    kernel_case_inner_product(&batch, 5, 777, 90, true, false, 1);
    kernel_case_inner_product(&one, 1, 777, 90, true, false, 1);
    kernel_case_run(&batch, 0, 1, SL_SCRATCH_LIMIT, true);
    kernel_case_run(&one, 0, 1, SL_SCRATCH_LIMIT, true);
    for (int i = 0; i < 90; i++)
        cr_assert_eq(one.top[i], batch.top[i]);
    kernel_case_free(&batch);
    kernel_case_free(&one);
}
