/* The best of many scored items, for ArgMax and DetectionOutput. */
#ifndef SLUICE_KERNELS_SCORED_H
#define SLUICE_KERNELS_SCORED_H

#include <stdint.h>

struct sl_scored {
    float score; /* not NaN */
    int64_t index;
};

/* Moves the `wanted` (0..count) best items to the front, best first: greater score, then smaller
 * index. The order of the rest is not defined. O(count log wanted), no memory. */
void sl_scored_select(struct sl_scored *items, int64_t count, int64_t wanted);

#endif
