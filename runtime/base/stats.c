#include "runtime/base/stats.h"

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
