/* The planner: which shards to keep in memory across requests, chosen by simulating candidates. */
#ifndef SLUICE_ENGINE_PLANNER_H
#define SLUICE_ENGINE_PLANNER_H

#include "runtime/engine/simulate.h"

struct sl_plan {
    uint8_t **pinned; /* [network][shard], owned */
    int network_count;
    uint64_t pinned_bytes;
    uint64_t pass_ns;    /* predicted time of a pass over all networks, in the steady state */
    uint64_t read_bytes; /* predicted to be read in such a pass */
    int simulations;     /* how many candidates were tried */
};

/* Pins for policy auto within options->budget_bytes. Everything is pinned when everything fits;
 * nothing when passes is 1. Otherwise candidates (a prefix, a suffix, spread evenly, least
 * computing per byte first; each with several sizes of the window that stays for streaming) are
 * simulated over `passes` passes and the least time of the last pass wins. Deterministic. -ENOBUFS
 * as sl_schedule_create. */
int sl_plan_make(const struct sl_schedule_network *networks, int network_count,
                 const struct sl_schedule_options *options, const struct sl_device_model *device,
                 uint64_t passes, struct sl_plan *plan, struct sl_error *error);
void sl_plan_free(struct sl_plan *plan);

/* Time of a pass in the steady state with the pins that networks carry. */
int sl_plan_pass_ns(const struct sl_schedule_network *networks, int network_count,
                    const struct sl_schedule_options *options, const struct sl_device_model *device,
                    uint64_t *pass_ns, struct sl_error *error);

#endif
