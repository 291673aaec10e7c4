/* An executor runs units, one at a time, with a team of kernel threads of its own. The only
 * executor of an engine runs in the event loop's own thread: handing units over would cost more
 * than small layers do. Several executors (deepeye) each have a thread, so that the loop can serve
 * them all. */
#ifndef SLUICE_ENGINE_EXECUTOR_H
#define SLUICE_ENGINE_EXECUTOR_H

#include "runtime/engine/fault_meter.h"
#include "runtime/engine/network_state.h"

/* A unit and how its run went; filled by the executor. */
struct sl_unit_run {
    int network_index, layer, shard, unit;
    struct sl_network_state *network;
    struct sl_faults loop_faults; /* of the thread that starts it, until then */
    uint64_t begin_ns, end_ns;
    struct sl_faults faults;     /* of its team; without a meter, of the executor's thread alone */
    uint64_t own_major_faults;   /* of them, the executor's thread's */
    struct sl_faults own_faults; /* of the executor's thread in all its life */
    /* With a meter, when there were major faults: swapped in by them, and the part of its time that
     * went into them. */
    uint64_t swap_in_bytes, faulting_ns;
};

struct sl_executor;

struct sl_executor_options {
    int threads;            /* of its team */
    uint64_t scratch_bytes; /* taken from the pool */
    bool own_thread;        /* runs in a thread that writes 1 to wake_fd after each unit */
    int wake_fd;
    struct sl_fault_meter *meter; /* borrowed; NULL: faults are not looked into */
};

/* -ENOMEM, or why no thread could be started. */
int sl_executor_create(const struct sl_executor_options *options, struct sl_pool *pool,
                       struct sl_executor **executor, struct sl_error *error);
/* Ends its thread after the unit it runs. */
void sl_executor_free(struct sl_executor *executor, struct sl_pool *pool);

/* Gives back what its scratch has beyond so many bytes. It is idle. */
void sl_executor_trim(struct sl_executor *executor, struct sl_pool *pool, uint64_t scratch_bytes);

/* Its team, for the thread that starts it to use between units; NULL with an own thread. */
struct sl_threads *sl_executor_team(const struct sl_executor *executor);

/* Starts an idle executor on the unit; without an own thread, returns when the unit has run. */
void sl_executor_start(struct sl_executor *executor, const struct sl_unit_run *run);
/* True when a started unit has run and was not collected yet; fills *run and is idle again. */
bool sl_executor_collect(struct sl_executor *executor, struct sl_unit_run *run);
/* Neither running nor waiting to be collected. */
bool sl_executor_idle(struct sl_executor *executor);

#endif
