#include "runtime/base/two_samples.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"

/* Two-sided p by trying every way to choose which of the values belong to the first sample. */
static double brute_force(const double *first, int m, const double *second, int n)
{
    double all[16];
    double u_seen = 0;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            u_seen += first[i] > second[j];
    for (int i = 0; i < m + n; i++)
        all[i] = i < m ? first[i] : second[i - m];
    double distance = fabs(u_seen - m * n / 2.0);
    double choices = 0, as_far = 0;
    for (unsigned set = 0; set < 1u << (m + n); set++) {
        if (__builtin_popcount(set) != m)
            continue;
        double u = 0;
        for (int i = 0; i < m + n; i++)
            for (int j = 0; j < m + n; j++)
                u += (set >> i & 1) && !(set >> j & 1) && all[i] > all[j];
        choices++;
        as_far += fabs(u - m * n / 2.0) >= distance;
    }
    return as_far / choices;
}

Test(two_samples, mann_whitney_is_the_brute_force)
{
    uint64_t state = 7;
    for (int trial = 0; trial < 40; trial++) {
        double first[6], second[7];
        int m = 1 + (int)sl_rng_below(&state, 6), n = 1 + (int)sl_rng_below(&state, 7);
        for (int i = 0; i < m; i++)
            first[i] = sl_rng_unit(&state) + 0.4 * (trial % 3);
        for (int i = 0; i < n; i++)
            second[i] = sl_rng_unit(&state);
        cr_expect_float_eq(sl_mann_whitney(first, (size_t)m, second, (size_t)n),
                           brute_force(first, m, second, n), 1e-12, "m %d n %d", m, n);
    }
}

/* Critical values of U for a two-sided 5 % (Mann & Whitney's table as extended by Auble, 1953): the
 * greatest U with p <= 0.05. */
Test(two_samples, mann_whitney_published_critical_values)
{
    static const struct {
        size_t m, n;
        int critical;
    } table[] = {{4, 4, 0},    {5, 5, 2},    {5, 8, 6},    {8, 8, 13},
                 {10, 10, 23}, {12, 15, 49}, {15, 20, 90}, {20, 20, 127}};
    for (size_t t = 0; t < sizeof(table) / sizeof(table[0]); t++) {
        for (int u = table[t].critical; u <= table[t].critical + 1; u++) {
            /* Second is 1..n; the first exceeds u of its values in all. */
            double first[20], second[20];
            int left = u, n = (int)table[t].n;
            for (int j = 0; j < n; j++)
                second[j] = j + 1;
            for (size_t i = 0; i < table[t].m; i++) {
                int exceeds = left > n ? n : left;
                left -= exceeds;
                first[i] = exceeds + 0.5 + 0.01 * (double)i;
            }
            double p = sl_mann_whitney(first, table[t].m, second, table[t].n);
            cr_expect_eq(p <= 0.05, u == table[t].critical, "%zu %zu U %d: p %g", table[t].m,
                         table[t].n, u, p);
        }
    }
}

/* By hand: U = 6.5, ties 6 + 6 + 24 + 24 + 6 = 66. */
Test(two_samples, mann_whitney_with_ties)
{
    const double first[] = {1, 2, 2, 3, 4, 4, 5}, second[] = {3, 4, 5, 5, 6, 7, 7, 8};
    double z = (28 - 6.5 - 0.5) / sqrt(56.0 / 12 * (16 - 66.0 / (15 * 14)));
    cr_expect_float_eq(sl_mann_whitney(first, 7, second, 8), erfc(z / sqrt(2)), 1e-12);
    const double same[] = {2, 2, 2};
    cr_expect_float_eq(sl_mann_whitney(same, 3, same, 3), 1, 1e-12);
    cr_expect_float_eq(sl_mann_whitney(same, 0, same, 3), 1, 1e-12);
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

Test(two_samples, median_is_that_of_sorting)
{
    uint64_t state = 3;
    for (size_t count = 1; count < 200; count++) {
        double values[200], sorted[200];
        for (size_t i = 0; i < count; i++)
            sorted[i] = values[i] = (double)sl_rng_below(&state, count % 7 ? 1000 : 3);
        qsort(sorted, count, sizeof(*sorted), compare);
        double expected = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
        cr_expect_float_eq(sl_median(values, count), expected, 1e-12, "count %zu", count);
    }
}

Test(two_samples, interval_covers_the_ratio)
{
    uint64_t state = 11;
    int covered = 0;
    for (int trial = 0; trial < 100; trial++) {
        double first[15], second[15], low, high;
        for (int i = 0; i < 15; i++) {
            first[i] = 100 + 10 * sl_rng_unit(&state);
            second[i] = 1.3 * (100 + 10 * sl_rng_unit(&state));
        }
        cr_assert_eq(sl_ratio_interval(first, 15, second, 15, 1, &low, &high), 0);
        covered += low <= 1.3 && high >= 1.3;
        cr_expect(low > 1.2 && high < 1.4);
    }
    cr_expect(covered >= 88, "%d of 100", covered);
}

Test(two_samples, interval_is_deterministic_and_knows_zero)
{
    const double first[] = {1, 2, 3, 4, 5}, second[] = {2, 3, 4, 5, 9}, zero[] = {0, 0, 0};
    double low, high, again_low, again_high;
    sl_ratio_interval(first, 5, second, 5, 42, &low, &high);
    sl_ratio_interval(first, 5, second, 5, 42, &again_low, &again_high);
    cr_expect(low <= again_low && low >= again_low && high <= again_high && high >= again_high);
    sl_ratio_interval(zero, 3, zero, 3, 42, &low, &high);
    cr_expect_float_eq(low, 1, 1e-12);
    cr_expect_float_eq(high, 1, 1e-12);
    sl_ratio_interval(zero, 3, first, 5, 42, &low, &high);
    cr_expect(isinf(low) && isinf(high));
}

Test(two_samples, modified_z)
{
    cr_expect_float_eq(sl_modified_z(20, 10, 2), 3.3725, 1e-9);
    cr_expect(isinf(sl_modified_z(11, 10, 0)));
    cr_expect_float_eq(sl_modified_z(10, 10, 0), 0, 1e-12);
}
