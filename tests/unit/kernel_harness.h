/* Networks in memory, run kernel by kernel: for tests of kernels, without the engine. */
#ifndef SLUICE_TESTS_KERNEL_HARNESS_H
#define SLUICE_TESTS_KERNEL_HARNESS_H

#include <stdbool.h>

#include "kernels/kernel.h"
#include "models/network.h"

/* Every blob and weight of a network, each in memory of its own and exact size (so that the address
 * sanitiser sees every step outside), 64-byte aligned. */
struct harness {
    const struct sl_network *network;
    float **blobs;   /* blob_count */
    float **weights; /* layer_count x SL_MAX_WEIGHTS */
};

struct harness_options {
    struct sl_threads *threads;
    int64_t rows_per_call; /* of row-sharded kernels; 0: all at once */
    size_t scratch_limit;  /* 0: SL_SCRATCH_LIMIT */
    bool reference;
};

/* Builds the network of a prototxt text; fails the test when that is not possible. */
struct sl_network *harness_network(const char *prototxt);

/* The network of one layer: the shapes of its bottoms ("2x3x5x7", named a, b, c, d; NULL: no more)
 * and its text, without name and bottoms. It is the last layer. */
struct sl_network *harness_layer_network(const char *const bottoms[4], const char *layer);

/* Allocates without filling: blobs hold NaN, weights 0. Released by harness_free. */
void harness_create(struct harness *harness, const struct sl_network *network);
void harness_free(struct harness *harness);

/* Runs one layer from its bottoms to its tops; Input layers are left alone, views copied. With
 * in_place, top 0 is written over bottom 0 (and copied from there). */
void harness_run(struct harness *harness, int layer, const struct harness_options *options,
                 bool in_place);

/* 64-byte aligned; the test fails when there is no memory. */
float *harness_allocate(int64_t count);

/* sum (a - b)^2 / sum b^2; values that are equal (infinities) or both NaN do not differ. */
double harness_nmse(const float *a, const float *b, int64_t count);

#endif
