#include <criterion/criterion.h>

#include "kernels/compute_ceiling.h"
#include "runtime/base/units.h"

Test(compute_ceiling, is_measured_for_any_number_of_threads)
{
    struct sl_compute_ceiling ceiling = {-1, -1};
    struct sl_error error = {0};
    cr_expect(sl_compute_ceiling_measure(0, SL_MIB, 0, &ceiling, &error) < 0);
    cr_expect_eq(ceiling.flops_per_s, -1, "untouched on failure");
    for (int threads = 1; threads <= 3; threads++) {
        cr_assert_eq(sl_compute_ceiling_measure(threads, SL_MIB, 0, &ceiling, &error), 0, "%s",
                     error.text);
        /* No processor is slower than 10 MFLOP/s, or faster than 100 TFLOP/s. */
        cr_expect(ceiling.flops_per_s > 1e7 && ceiling.flops_per_s < 1e14, "%g",
                  ceiling.flops_per_s);
        cr_expect(ceiling.bytes_per_s > 1e6 && ceiling.bytes_per_s < 1e14, "%g",
                  ceiling.bytes_per_s);
    }
}
