/* Random networks for the schedule: what policies are tested with. */
#ifndef SLUICE_TESTS_RANDOM_WORKLOAD_H
#define SLUICE_TESTS_RANDOM_WORKLOAD_H

#include "runtime/engine/schedule.h"

#define RANDOM_NETWORKS_MOST 3
#define RANDOM_LAYERS_MOST   12
#define RANDOM_SHARDS_MOST   64
#define RANDOM_SHARD_MOST    (4096 * 512) /* bytes of a shard */

struct random_workload {
    struct sl_schedule_network networks[RANDOM_NETWORKS_MOST];
    struct sl_schedule_layer layers[RANDOM_NETWORKS_MOST][RANDOM_LAYERS_MOST];
    uint64_t shard_bytes[RANDOM_NETWORKS_MOST][RANDOM_SHARDS_MOST];
    uint8_t pinned[RANDOM_NETWORKS_MOST][RANDOM_SHARDS_MOST];
    int network_count;
    uint64_t weight_bytes, shards, units;
};

/* The networks point into the workload. */
void random_workload_make(uint64_t *rng, struct random_workload *workload);
/* Pins shards at random within bytes. */
void random_workload_pin(uint64_t *rng, struct random_workload *workload, uint64_t bytes);

#endif
