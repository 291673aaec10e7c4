/* Where every blob of a network lives during a request: one arena, offsets by lifetime. */
#ifndef SLUICE_ENGINE_ACTIVATION_PLAN_H
#define SLUICE_ENGINE_ACTIVATION_PLAN_H

#include <stdint.h>

#include "models/network.h"
#include "runtime/engine/chain.h"

/* Offset of a network input, which lives outside the arena. */
#define SL_PLAN_EXTERNAL UINT64_MAX

struct sl_activation_plan {
    uint64_t bytes;         /* of the arena, multiple of 64 */
    uint64_t *offset_bytes; /* [blob], multiple of 64, or SL_PLAN_EXTERNAL; owned */
    int *input; /* [blob]: number of the input that the blob is (a view of), -1; owned */
    struct sl_chain *chains; /* none overlap; owned. Blobs inside have no memory */
    int chain_count;
};

/* Blobs that are alive together never overlap, but: views share their bottom's memory, and kernels
 * that can run in place do so when nobody reads their bottom later. Outputs live to the end.
 * Placement is first-fit by decreasing size. Deterministic. */
int sl_activation_plan_create(const struct sl_network *network, struct sl_activation_plan *plan,
                              struct sl_error *error);

/* The same with these layers in chains: measured, none overlapping. */
int sl_activation_plan_chained(const struct sl_network *network, const struct sl_chain *chains,
                               int chain_count, struct sl_activation_plan *plan,
                               struct sl_error *error);

/* The same in less memory where it takes more than most_bytes: layers around the peak become chains
 * that compute in row bands, until the arena is small enough or no chain makes it smaller. A chain
 * computes at most a quarter of its operations twice, and its bands need at most scratch_bytes of
 * scratch with so many threads. */
int sl_activation_plan_bounded(const struct sl_pack *pack, uint64_t most_bytes, int threads,
                               uint64_t scratch_bytes, struct sl_activation_plan *plan,
                               struct sl_error *error);

/* The chain that a layer is in; NULL: none. */
const struct sl_chain *sl_activation_plan_chain(const struct sl_activation_plan *plan, int layer);

/* Frees what the plan owns. */
void sl_activation_plan_free(struct sl_activation_plan *plan);

#endif
