/* The most that this processor computes with our kernels: what results are compared with. */
#ifndef SLUICE_KERNELS_COMPUTE_CEILING_H
#define SLUICE_KERNELS_COMPUTE_CEILING_H

#include <stdint.h>

#include "runtime/base/error.h"

struct sl_compute_ceiling {
    double flops_per_s; /* of the matrix product; multiply and add count as two */
    double bytes_per_s; /* weights of a fully connected layer that flow through the row dots */
};

/* Runs a product of large matrices, and the dots of a matrix of memory_bytes (more than any cache
 * holds, to be of use) with one vector, for about half of budget_ns each, and keeps the fastest
 * pass of both. threads: 1..64. -ENOMEM. Blocks; starts and ends its own threads. */
int sl_compute_ceiling_measure(int threads, uint64_t memory_bytes, uint64_t budget_ns,
                               struct sl_compute_ceiling *ceiling, struct sl_error *error);

#endif
