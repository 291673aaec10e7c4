/* The engine's networks as schedule and planner see them. */
#ifndef SLUICE_ENGINE_WORKLOAD_H
#define SLUICE_ENGINE_WORKLOAD_H

#include "runtime/engine/network_state.h"
#include "runtime/engine/schedule.h"
#include "runtime/engine/simulate.h"

struct sl_workload {
    struct sl_schedule_network *networks; /* [network_count] */
    int network_count;
    struct sl_schedule_layer *layers; /* of all networks */
    uint64_t *shard_bytes;            /* of all networks */
};

/* Run times are estimated from the layers' FLOPs until sl_workload_measure. */
int sl_workload_create(struct sl_network_state *const *states, int count, int threads,
                       struct sl_workload *workload, struct sl_error *error);
void sl_workload_free(struct sl_workload *workload);

/* Takes the run times of the last batch over, and sets *device to the rate at which its reads came
 * in while any was in flight. False when the batch read too little to tell. */
bool sl_workload_measure(struct sl_workload *workload, struct sl_network_state *const *states,
                         struct sl_device_model *device);

#endif
