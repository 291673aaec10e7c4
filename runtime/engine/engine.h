/* The engine: packs, pool, loader, executors, one event loop; a policy decides. */
#ifndef SLUICE_ENGINE_ENGINE_H
#define SLUICE_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "iouring/loader.h"
#include "models/pack.h"
#include "runtime/base/error.h"
#include "runtime/engine/budget.h"
#include "runtime/engine/events.h"

struct sl_engine_options {
    const char *policy;   /* NULL: "auto" */
    const char *loader;   /* NULL: by itself */
    int threads;          /* of each kernel; 0: the CPUs this process may use */
    int depth;            /* shards ahead; 0: the policy's choice */
    uint64_t ahead_bytes; /* the same in bytes */
    /* All that this process may hold; its cgroup's limit where that is lower. UINT64_MAX: that. */
    uint64_t budget_bytes;
    uint64_t device_bytes_per_s; /* raw rate of the storage; 0: not known, there is no bound */
    bool verify; /* checksum every shard after its read, or before its run where reads are lazy */
    struct sl_loader_options reading; /* of the loader; depth 0: 32 */
    struct sl_event_ring *events;     /* what it does is recorded here; NULL: not */
};

/* One row per layer of the last batch. */
struct sl_layer_time {
    uint64_t load_ns; /* first submit to last completion of its shards, for this pass */
    uint64_t run_ns;
    uint64_t stall_ns; /* executor idle before it, waiting for its shards */
    uint64_t read_bytes;
    uint64_t major_faults;  /* of the executor during its run; of its team, too, with events */
    uint64_t start_ns;      /* of its first run, since the batch's start */
    uint64_t end_ns;        /* of its last run, likewise */
    uint64_t load_start_ns; /* first submit, likewise; 0 too when it was before the batch */
};

struct sl_network_result {
    uint64_t latency_ns; /* arrival to result */
    uint64_t load_ns, run_ns, stall_ns, read_bytes;
    uint64_t digest;                    /* XXH3-64 over all output blobs in order */
    const struct sl_layer_time *layers; /* owned by the engine, until the next batch */
};

struct sl_engine;

/* Opens policy and loader by name; -EINVAL names the nearest known one. options are copied, their
 * strings must outlive the engine. Free with sl_engine_free. */
int sl_engine_create(const struct sl_engine_options *options, struct sl_engine **engine,
                     struct sl_error *error);
/* Waits for reads in flight and frees. NULL is fine. */
void sl_engine_free(struct sl_engine *engine);

/* Adds a network of the workload; the pack is borrowed. Before the first batch. Returns its number
 * >= 0 or -errno. */
int sl_engine_add(struct sl_engine *engine, const struct sl_pack *pack, struct sl_error *error);

/* Copies count floats into input blob `input` (index into network->inputs) of the next batch. All
 * zero until set. */
int sl_engine_set_input(struct sl_engine *engine, int network, int input, const float *values,
                        int64_t count, struct sl_error *error);

/* The same for a part of the blob: count values from element `first` on. */
int sl_engine_set_input_part(struct sl_engine *engine, int network, int input, int64_t first,
                             const float *values, int64_t count, struct sl_error *error);

/* Where count values of the blob lie, from element `first` on, to be set in place. -ENOBUFS, here
 * and above, when the policy keeps to a budget and could not run with what inputs and outputs take.
 */
int sl_engine_input(struct sl_engine *engine, int network, int input, int64_t first, int64_t count,
                    float **values, struct sl_error *error);

/* Between batches: makes sure that so many bytes more may be taken for a while, until the next one
 * begins, say to decode an input. Under a policy with a budget, weights that were kept are given up
 * where it leaves less. so_far_bytes: all that are taken meanwhile; once weights had to go, later
 * plans leave as much, where the policy can spare it. -ENOBUFS when there is too little even so. */
int sl_engine_make_room(struct sl_engine *engine, uint64_t bytes, uint64_t so_far_bytes,
                        struct sl_error *error);

/* One request of every network, all arriving now; blocks until all ended. more: batches that will
 * follow, UINT64_MAX when unknown (policies that keep weights across requests use it). results: one
 * per network. */
int sl_engine_run(struct sl_engine *engine, uint64_t more, struct sl_network_result *results,
                  uint64_t *makespan_ns, struct sl_error *error);

/* Another budget from the next batch on, as in struct sl_engine_options. What is in memory is given
 * back and the pins are chosen anew; the same happens by itself when the budget is the limit of the
 * process's group and that changed. A limit that sinks below what is in force also shrinks the
 * batch in progress, which then loads less far ahead and keeps nothing for later ones; one that is
 * lower than the least budget ends it with -ENOBUFS. So does a lower budget that another thread
 * sets meanwhile. */
void sl_engine_set_budget(struct sl_engine *engine, uint64_t budget_bytes);

/* The limit of the process's group is read again at once rather than within some milliseconds: a
 * batch in progress shrinks to a lower one. Async-signal-safe, any thread. */
void sl_engine_reread_limit(struct sl_engine *engine);

/* Output blob `output` (index into network->outputs) of the last batch; NULL when out of range.
 * Valid until the next batch. */
const float *sl_engine_output(const struct sl_engine *engine, int network, int output);

/* Makes a sl_engine_run in another thread, or the one interrupted by a signal, return -EINTR soon.
 * Async-signal-safe. */
void sl_engine_interrupt(struct sl_engine *engine);

/* The last batch as a whole. */
struct sl_batch_facts {
    uint64_t makespan_ns; /* first arrival to last result */
    uint64_t load_ns;     /* some read was in flight */
    /* What no schedule beats with this memory and device, given the least run time that each layer
     * was seen to take (also those kept beside the pack): of a first batch, which finds nothing in
     * memory, or of a later one (bound.h). 0 when the device's rate is not known. */
    uint64_t bound_ns;
};
void sl_engine_last_batch(const struct sl_engine *engine, struct sl_batch_facts *batch);

/* What more memory would bring. */
struct sl_engine_advice {
    double reads_bind; /* share of the last batch in which computing waited for weights */
    double saved;      /* share of a batch's time that the memory would save, predicted */
};
/* For the policy and device of the last batch, with the run times measured so far: of a first batch
 * when only one ran, else of those that follow each other. Simulates for some milliseconds. False
 * when there is no budget, all weights fit it, or too little was read to know the device. */
bool sl_engine_advise(struct sl_engine *engine, uint64_t more_bytes,
                      struct sl_engine_advice *advice);

struct sl_engine_facts {
    const char *policy, *loader;
    const char *loader_reason; /* "" when the first choice worked */
    const char *loader_notes;
    const char *hints; /* to the kernel, of loaders that map; "" else */
    int threads;
    bool direct;
    uint64_t shards_peak_bytes, activation_bytes, scratch_bytes;
    struct sl_budget budget;           /* as divided for the last batch */
    uint64_t slot_bytes, pinned_bytes; /* for shards that pass, and of those that stay */
};
/* What the engine settled on and what it took so far. Strings live as long as the engine. */
void sl_engine_facts(const struct sl_engine *engine, struct sl_engine_facts *facts);

#endif
