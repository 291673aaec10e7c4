#include "runtime/base/stats.h"

#include <math.h>
#include <stdlib.h>

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

void sl_sort_u64(uint64_t *samples, size_t count)
{
    if (count > 1)
        qsort(samples, count, sizeof(*samples), compare_u64);
}

double sl_quantile(const uint64_t *ascending, size_t count, double q)
{
    double position = q * (double)(count - 1);
    size_t below = (size_t)position;
    if (below + 1 >= count)
        return (double)ascending[count - 1];
    double fraction = position - (double)below;
    return (double)ascending[below] * (1 - fraction) + (double)ascending[below + 1] * fraction;
}

void sl_median_interval(const uint64_t *ascending, size_t count, uint64_t *low, uint64_t *high)
{
    size_t inset = 0; /* j - 1 */
    /* In logarithms, because 2^-n leaves the range of a double: below = ln B(inset; n, 1/2). */
    double n = (double)count, term = -n * log(2), sum = exp(term);
    for (size_t k = 0; sum <= 0.025 && k + 1 < count - k; k++) {
        inset = k;
        term += log((n - (double)k) / ((double)k + 1));
        sum += exp(term);
    }
    *low = ascending[inset];
    *high = ascending[count - 1 - inset];
}
