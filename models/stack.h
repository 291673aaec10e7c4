/* Stacked requests: a network opened with a larger batch computes several requests at once, each
 * over its own part of every blob. */
#ifndef SLUICE_MODELS_STACK_H
#define SLUICE_MODELS_STACK_H

#include <stdint.h>

#include "models/network.h"

#define SL_STACK_MOST 1024

/* First dimension of all inputs of a network, for struct sl_network_options.batch of a stack.
 * -EINVAL when they differ. */
int sl_stack_batch(const struct sl_network *one, int64_t requests, int64_t *batch,
                   struct sl_error *error);

/* Whether `stacked`, the network `one` with that batch, gives every request what `one` gives it:
 * every blob is `requests` times as long in its first axis, and no layer works across that axis.
 * -EINVAL names the first layer or blob for which this is not so. */
int sl_stack_check(const struct sl_network *one, const struct sl_network *stacked, int64_t requests,
                   struct sl_error *error);

#endif
