/* Order statistics of samples. */
#ifndef SLUICE_BASE_STATS_H
#define SLUICE_BASE_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Sorts in place, ascending. */
void sl_sort_u64(uint64_t *samples, size_t count);

/* Quantile q in [0, 1] of ascending samples by linear interpolation between closest ranks
 * (Hyndman & Fan 1996, type 7). count >= 1. */
double sl_quantile(const uint64_t *ascending, size_t count, double q);

/* Confidence interval of the median by order statistics: the innermost pair of samples x(j),
 * x(n+1-j) that covers the median of any continuous distribution with a probability of at least
 * 95 %, which is 1 - 2 B(j - 1; n, 1/2) (David & Nagaraja, Order Statistics, 2003, section 7.1).
 * Less than 6 samples cannot reach that: then their whole range, which covers it with 1 - 2^(1-n).
 * count >= 1, samples ascending. */
void sl_median_interval(const uint64_t *ascending, size_t count, uint64_t *low, uint64_t *high);

#endif
