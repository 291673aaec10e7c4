#include "runtime/base/stats.h"

#include <criterion/criterion.h>

static void expect_inset(size_t count, size_t inset)
{
    uint64_t samples[1000], low, high;
    for (size_t i = 0; i < count; i++)
        samples[i] = i;
    sl_median_interval(samples, count, &low, &high);
    cr_expect_eq(low, inset, "of %zu: from %lu, expected %zu", count, (unsigned long)low, inset);
    cr_expect_eq(high, count - 1 - inset, "of %zu: to %lu", count, (unsigned long)high);
}

/* j - 1 as tabulated for 95 % (for example Conover, Practical Nonparametric Statistics, table A3):
 * n = 9: the second, 20: the sixth, 25: the eighth, 100: the fortieth of either end. */
Test(stats, median_interval_by_order_statistics)
{
    expect_inset(1, 0);
    expect_inset(3, 0);
    expect_inset(5, 0);
    expect_inset(6, 0);
    expect_inset(8, 0);
    expect_inset(9, 1);
    expect_inset(20, 5);
    expect_inset(25, 7);
    expect_inset(100, 39);
    expect_inset(1000, 468);
}

Test(stats, quantile_interpolates)
{
    const uint64_t samples[] = {10, 20, 40};
    cr_expect_eq(sl_quantile(samples, 3, 0.5), 20);
    cr_expect_eq(sl_quantile(samples, 3, 0.75), 30);
    cr_expect_eq(sl_quantile(samples, 3, 1), 40);
}
