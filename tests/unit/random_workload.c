#include "tests/unit/random_workload.h"

#include <string.h>

#include "runtime/base/rng.h"

void random_workload_make(uint64_t *rng, struct random_workload *workload)
{
    memset(workload, 0, sizeof(*workload));
    workload->network_count = 1 + (int)sl_rng_below(rng, RANDOM_NETWORKS_MOST);
    for (int n = 0; n < workload->network_count; n++) {
        int layer_count = 1 + (int)sl_rng_below(rng, RANDOM_LAYERS_MOST), shard = 0;
        for (int l = 0; l < layer_count; l++) {
            int shards = (int)sl_rng_below(rng, 6);
            workload->layers[n][l] = (struct sl_schedule_layer){
                .shard_count = shards,
                .fully_connected = l > layer_count / 2,
                .run_ns = sl_rng_below(rng, 2000000),
            };
            for (int s = 0; s < shards; s++, shard++) {
                workload->shard_bytes[n][shard] = 4096 * (1 + sl_rng_below(rng, 512));
                workload->weight_bytes += workload->shard_bytes[n][shard];
            }
            workload->shards += (uint64_t)shards;
            workload->units += shards ? (uint64_t)shards : 1;
        }
        workload->networks[n] = (struct sl_schedule_network){
            .name = "random",
            .activation_bytes = 4096 * sl_rng_below(rng, 256),
            .layer_count = layer_count,
            .layers = workload->layers[n],
            .shard_bytes = workload->shard_bytes[n],
        };
    }
}

void random_workload_pin(uint64_t *rng, struct random_workload *workload, uint64_t bytes)
{
    for (int n = 0; n < workload->network_count; n++) {
        struct sl_schedule_network *network = &workload->networks[n];
        int shard_count = 0;
        for (int l = 0; l < network->layer_count; l++)
            shard_count += network->layers[l].shard_count;
        for (int s = 0; s < shard_count; s++) {
            bool pin = network->shard_bytes[s] <= bytes && sl_rng_below(rng, 2);
            workload->pinned[n][s] = pin;
            bytes -= pin ? network->shard_bytes[s] : 0;
        }
        network->pinned = workload->pinned[n];
    }
}
