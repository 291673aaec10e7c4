/* One network of the engine's workload: its plan, memory and times. Used by the engine's event loop
 * and, for the unit that it runs, by one executor. */
#ifndef SLUICE_ENGINE_NETWORK_STATE_H
#define SLUICE_ENGINE_NETWORK_STATE_H

#include "kernels/kernel.h"
#include "models/pack.h"
#include "runtime/engine/activation_plan.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/pool.h"

struct sl_network_state {
    const struct sl_pack *pack;
    const struct sl_network *network;
    struct sl_activation_plan plan;
    const struct sl_kernel **kernels; /* [layer] */
    const float **bottoms;            /* as many as the layer with most bottoms */
    float **tops;
    int file;                    /* in the loader */
    float *arena;                /* activations while a request is active */
    uint64_t arena_bytes;        /* taken from the pool, at least plan.bytes */
    float **inputs;              /* [input]: NULL until it is set, or the first batch begins */
    float **outputs;             /* [output]: copies that outlive the request; likewise */
    void **slots;                /* [shard]: memory of shards that are not absent */
    bool *unverified;            /* [shard]: not compared with its checksum since it was read */
    struct sl_layer_time *times; /* [layer] */
    uint64_t *least_run_ns;      /* [layer]: of all batches without faults; UINT64_MAX: unknown */
    uint64_t *load_begin_ns;     /* [layer]: first submit of its shards, 0 = none yet */
    int shards_ran;              /* that ran in this pass: a read of one is for the next pass */
    int reads_in_flight;
    uint64_t reading_since_ns; /* reads in flight count from here: they or the request began */
    struct sl_network_result result;
    uint64_t arrival_ns;
};

/* Plans the network. */
int sl_network_state_create(const struct sl_pack *pack, struct sl_network_state **state,
                            struct sl_error *error);
/* pool: the one that memory was taken from, NULL when none was. */
void sl_network_state_free(struct sl_network_state *state, struct sl_pool *pool);

/* Takes memory for inputs (zeroed) and outputs, as far as they have none. */
int sl_network_state_take_blobs(struct sl_network_state *state, struct sl_pool *pool,
                                struct sl_error *error);
/* What that would take. */
uint64_t sl_network_state_missing_bytes(const struct sl_network_state *state);

/* Plans the activations anew, in row bands where they would take more than most_bytes (UINT64_MAX:
 * whole blobs). No request is active and the arena was given back. */
int sl_network_state_bound(struct sl_network_state *state, uint64_t most_bytes, int threads,
                           struct sl_error *error);

/* Activations of a request; whole_pages: sl_pool_whole_bytes of them. */
int sl_network_state_admit(struct sl_network_state *state, bool whole_pages, struct sl_pool *pool,
                           struct sl_error *error);
/* Copies the outputs, sets digest and latency, gives activations back unless keep_arena. */
void sl_network_state_finish(struct sl_network_state *state, struct sl_pool *pool, uint64_t now_ns,
                             bool keep_arena);
/* Gives back what the activations have beyond their plan: the rest of a huge page. */
void sl_network_state_trim_arena(struct sl_network_state *state, struct sl_pool *pool);
void sl_network_state_give_arena(struct sl_network_state *state, struct sl_pool *pool);

/* Takes the run times of a finished batch over into least_run_ns. */
void sl_network_state_learn(struct sl_network_state *state);

/* Forgets the times of the last batch. */
void sl_network_state_begin(struct sl_network_state *state, uint64_t now_ns);

/* Accounting of a read's begin and end; well: it brought its bytes. */
void sl_network_state_read_begins(struct sl_network_state *state, int shard, uint64_t now_ns);
void sl_network_state_read_ends(struct sl_network_state *state, int shard, bool well,
                                uint64_t now_ns);
/* All that were in flight are given up. */
void sl_network_state_reads_dropped(struct sl_network_state *state, uint64_t now_ns);

/* Runs the unit (layer, shard or -1) in the calling thread. scratch_kept: what ran last with this
 * scratch was the unit before, of the same layer. */
void sl_network_state_run(struct sl_network_state *state, int layer, int shard,
                          struct sl_threads *threads, void *scratch, bool scratch_kept);

/* Scratch that any of its layers wants. */
uint64_t sl_network_state_scratch(const struct sl_network_state *state, int threads);

/* Memory that a shard takes: its read length. */
uint64_t sl_shard_memory(const struct sl_shard *shard);

#endif
