/* Successive halving: which of many arms (settings) gives the least samples, at a fraction of what
 * measuring all of them well would cost (Jamieson & Talwalkar, Non-stochastic best arm
 * identification and hyperparameter optimization, AISTATS 2016). Pure: it runs nothing itself. */
#ifndef SLUICE_CLI_HALVING_H
#define SLUICE_CLI_HALVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

/* So few are told apart by more samples, not by halving at once. */
#define HALVING_FINALISTS 4
/* Samples of each of them before the next halving, and at most. */
#define HALVING_CONFIRM 5
#define HALVING_MOST    7
/* So many samples are enough when all of them, of all that are left, are within the tolerance. */
#define HALVING_ALIKE 3
/* What is this close counts as one. */
#define HALVING_TOLERANCE 0.01

/* Zero-initialise; free samples. */
struct halving_arm {
    uint64_t *samples; /* ascending; owned */
    size_t count;
    bool out; /* failed, or was not in the better half */
};

/* Takes one more sample of an arm: 0 and *sample; HALVING_FAILED when the arm is not to be measured
 * again; -errno ends the search. */
#define HALVING_FAILED 1
typedef int halving_measure(void *context, int arm, uint64_t *sample, struct sl_error *error);

/* Rungs: every arm that is left is measured once more, one after the other (against drift), in
 * turns from either end; the better half by median goes on. Of HALVING_FINALISTS or less, every one
 * gets HALVING_CONFIRM samples first; the last two go on until the confidence intervals of their
 * medians are apart, lie within HALVING_TOLERANCE together, or both have HALVING_MOST. Finalists
 * whose HALVING_ALIKE samples are all within the tolerance end it at once. Returns the winner;
 * -ENOENT (no message) when all failed; what measure returned. */
int halving_search(struct halving_arm *arms, int count, halving_measure *measure, void *context,
                   struct sl_error *error);

/* The arm with the least median among those that are not out; of equals the first. -1: none has
 * samples. */
int halving_best(const struct halving_arm *arms, int count);
/* Median of its samples, of which it needs one. */
double halving_median(const struct halving_arm *arm);

#endif
