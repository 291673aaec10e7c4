/* A network of one layer in memory, to run one kernel on random values in different ways. */
#ifndef SLUICE_TESTS_KERNEL_CASE_H
#define SLUICE_TESTS_KERNEL_CASE_H

#include "kernels/kernel.h"
#include "models/network.h"

struct kernel_case {
    struct sl_network network;
    struct sl_layer layer;
    struct sl_blob blobs[2]; /* bottom, top */
    int ids[2];
    float *bottom, *weights[SL_MAX_WEIGHTS], *top;
    char description[160];
};

/* Convolution or deconvolution of a batch x channels x in_h x in_w bottom; random values. */
void kernel_case_convolution(struct kernel_case *test, enum sl_layer_type type,
                             const struct sl_convolution_parameters *parameters, int64_t batch,
                             int64_t channels, int64_t in_h, int64_t in_w, uint64_t seed);
void kernel_case_inner_product(struct kernel_case *test, int64_t batch, int64_t inputs,
                               int64_t outputs, bool bias, bool transpose, uint64_t seed);
void kernel_case_free(struct kernel_case *test);

/* Runs the kernel over the rows in calls of row_step rows (0: one call) with so many threads and
 * exactly the scratch it asks for, kept between the calls or spoilt; the result is in test->top. */
void kernel_case_run(struct kernel_case *test, int64_t row_step, int threads, size_t scratch_limit,
                     bool keep_scratch);

/* Asserts that the result of the plain run is within NMSE 1e-7 of the reference, and that row
 * ranges, threads, scratch limits and instruction sets give the same bits. */
void kernel_case_check(struct kernel_case *test);

#endif
