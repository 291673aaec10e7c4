/* The planner: which shards to keep in memory across requests, or how far to read ahead of a single
 * one, chosen by simulating candidates. */
#ifndef SLUICE_ENGINE_PLANNER_H
#define SLUICE_ENGINE_PLANNER_H

#include "runtime/engine/simulate.h"

struct sl_plan {
    uint8_t **pinned; /* [network][shard], owned */
    int network_count;
    uint64_t pinned_bytes;
    uint64_t ahead_bytes; /* see struct sl_policy_view */
    uint64_t pass_ns;     /* predicted time of the single pass, or of one in the steady state */
    uint64_t read_bytes;  /* predicted to be read in such a pass */
};

/* What the engine plans with, and who predicts what it will do: of the device only the rate, 0 when
 * nobody told; of the host what clearing memory takes. */
struct sl_device_model sl_plan_device(uint64_t bytes_per_s, double clear_ns_per_byte, int depth);

/* The plan of policy auto within options->budget_bytes. When no pass is to come again nothing is
 * pinned, and memory is used as far as reading ahead gains by it, unless the options say how far.
 * Else everything is pinned when everything fits; otherwise candidates (a prefix, a suffix, spread
 * evenly, least computing per byte first; each with several sizes of the window that stays for
 * streaming) are simulated and the least time of a pass in the steady state wins. Deterministic.
 * -ENOBUFS as sl_schedule_create. */
int sl_plan_make(const struct sl_schedule_network *networks, int network_count,
                 const struct sl_schedule_options *options, const struct sl_device_model *device,
                 bool again, struct sl_plan *plan, struct sl_error *error);
void sl_plan_free(struct sl_plan *plan);

/* Time of a pass in the steady state with the pins that networks carry. */
int sl_plan_pass_ns(const struct sl_schedule_network *networks, int network_count,
                    const struct sl_schedule_options *options, const struct sl_device_model *device,
                    uint64_t *pass_ns, struct sl_error *error);

#endif
