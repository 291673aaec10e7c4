/* The engine's networks as schedule, planner and bound see them. */
#ifndef SLUICE_ENGINE_WORKLOAD_H
#define SLUICE_ENGINE_WORKLOAD_H

#include "runtime/engine/bound.h"
#include "runtime/engine/contents.h"
#include "runtime/engine/network_state.h"
#include "runtime/engine/schedule.h"
#include "runtime/engine/simulate.h"
#include "runtime/engine/times.h"

struct sl_workload {
    struct sl_schedule_network *networks; /* [network_count] */
    int network_count;
    struct sl_schedule_layer *layers; /* of all networks in order */
    size_t layer_count;
    struct sl_run_times *times;   /* of all layers in order; all 0 of unmeasured ones */
    struct sl_pass_times *passes; /* [network_count], 0: never measured */
    uint64_t *shard_bytes;        /* of all networks in order */
    uint64_t weight_bytes;        /* their sum */
    struct sl_contents *contents;
    bool estimated; /* some layer's run time was never seen */
};

/* Time of so many operations on so many threads, before any run was measured. */
double sl_workload_estimate_ns(double flops, int threads);

/* Run times are those kept beside the packs (times.h), which also go into the states' least_run_ns;
 * layers without one are estimated from their FLOPs until sl_workload_learn. */
int sl_workload_create(struct sl_network_state *const *states, int count, int threads,
                       struct sl_workload *workload, struct sl_error *error);
void sl_workload_free(struct sl_workload *workload);

/* Plans the activations of every network anew (sl_network_state_bound). */
int sl_workload_bound_activations(struct sl_workload *workload,
                                  struct sl_network_state *const *states, uint64_t most_bytes,
                                  int threads, struct sl_error *error);

/* What activations are brought down to for the sake of pins. */
#define SL_BANDED_ARENA_SHARE 4
/* Whether row bands that leave shards banded_bytes instead of whole_bytes (of the plans now made)
 * pay in later passes: reading what they let stay takes longer than twice what their halos cost. */
bool sl_workload_bands_pay(const struct sl_workload *workload,
                           struct sl_network_state *const *states, int threads,
                           uint64_t whole_bytes, uint64_t banded_bytes, double bytes_per_s);

/* Bytes that inputs and outputs of all will still take; of the largest arena; of the largest
 * scratch of one executor. */
uint64_t sl_missing_blob_bytes(struct sl_network_state *const *states, int count);
uint64_t sl_largest_arena(struct sl_network_state *const *states, int count);
uint64_t sl_largest_scratch(struct sl_network_state *const *states, int count, int threads);

/* Takes the least run times seen so far over. */
void sl_workload_learn(struct sl_workload *workload, struct sl_network_state *const *states);

/* The bound (bound.h) of one pass over all networks, and the time of the runs alone. Shards that
 * repeat the content of another count only once; layers that were never measured count nothing in
 * the bound and their estimate in compute_ns. */
int sl_workload_bound(const struct sl_workload *workload, const struct sl_bound_of *of,
                      uint64_t *bound_ns, uint64_t *compute_ns, struct sl_error *error);

#endif
