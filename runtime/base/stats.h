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

#endif
