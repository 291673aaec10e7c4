/* Policies decide what to load, run and drop next. A policy is pure: it sees the view, keeps a
 * small state of its own, does no I/O, reads no clock, has no threads. The engine drives it with
 * real completions, the simulator with virtual time; both check every step
 * (runtime/engine/schedule.h).
 *
 * One new policy = one file here + one line in policies/policy_table.c. */
#ifndef SLUICE_POLICIES_POLICY_H
#define SLUICE_POLICIES_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

enum sl_residency {
    SL_SHARD_ABSENT,
    SL_SHARD_LOADING,
    SL_SHARD_RESIDENT,
    SL_SHARD_RUNNING, /* in use by an executor; resident again after its run */
};

/* What a policy knows of a layer. A layer runs as one unit per shard, in order; a layer without
 * weights is one unit without a shard. Units are numbered through the network from 0. */
struct sl_policy_layer {
    int first_unit, unit_count;   /* unit_count >= 1 */
    int first_shard, shard_count; /* shard_count 0: no weights; else == unit_count */
    bool fully_connected;         /* see sl_layer_is_fully_connected */
    uint64_t bytes;               /* of all its shards, as held in memory */
    uint64_t run_ns;              /* measured or estimated time of one run; 0 = unknown */
};

/* One network of the workload and its request in progress. A network runs one request at a time. */
struct sl_policy_network {
    int layer_count, unit_count, shard_count;
    const struct sl_policy_layer *layers;
    const uint64_t *shard_bytes; /* [shard], as held in memory */
    const int *unit_layer;       /* [unit] */
    const int *unit_shard;       /* [unit], -1: none */
    const int *shard_unit;       /* [shard]: the unit that uses it */
    const uint8_t *residency;    /* [shard], enum sl_residency */
    const uint8_t *ran;          /* [shard]: in memory and has run since it was loaded */
    const uint8_t *pinned;       /* [shard]: planned to stay in memory across requests */
    const int *layer_loading;    /* [layer]: its shards LOADING */
    const int *layer_resident;   /* [layer]: its shards RESIDENT or RUNNING */
    int first_absent;            /* lowest ABSENT shard that next_unit or a later unit needs; -1 */
    int first_absent_behind;     /* lowest ABSENT shard whose unit has run in this request; -1 */
    int first_held;              /* lowest shard that is not ABSENT; -1 = none */
    uint64_t weight_bytes;       /* sum of shard_bytes */
    uint64_t run_ns;             /* sum over the layers */
    uint64_t activation_bytes;   /* activations + scratch of a request */
    bool active;                 /* a request is admitted and not finished */
    int next_unit;               /* first unit not yet run; 0 when no request is active */
    bool running;                /* unit next_unit is on an executor now */
    int waiting;                 /* requests that have arrived and wait behind the active one */
    uint64_t arrival_ns;         /* of the active request, or of the first waiting one */
    uint64_t requests_left;      /* known to come after the active one (UINT64_MAX: unknown) */
};

struct sl_policy_view {
    int network_count;
    const struct sl_policy_network *networks;
    uint64_t now_ns;       /* when it is asked: by the engine's clock or in the simulator's time */
    uint64_t budget_bytes; /* for shards; UINT64_MAX: none given */
    uint64_t memory_bytes; /* the limit, for shards and activations together; UINT64_MAX: none */
    uint64_t used_bytes;   /* shards loading, resident or running, all networks */
    int reads_in_flight;   /* shards LOADING, all networks */
    int reads_most;        /* more reads in flight bring nothing: the loader's lanes */
    int unrun_shards;      /* loading or in memory, and not run since; all networks */
    uint64_t unrun_bytes;  /* of those */
    int depth;             /* --depth: most shards ahead of the run (window); 0 = no bound */
    uint64_t ahead_bytes;  /* most bytes ahead of the run, as planned; 0 = no bound */
    int executors_idle;    /* executors that could take a RUN now */
};

enum sl_step_kind {
    SL_STEP_WAIT,  /* nothing to do before the next event */
    SL_STEP_ADMIT, /* make the waiting request of a network active (allocates activations) */
    SL_STEP_LOAD,  /* shard: ABSENT -> LOADING */
    SL_STEP_RUN,   /* unit next_unit of an active network; its shard must be RESIDENT */
    SL_STEP_DROP,  /* shard: RESIDENT -> ABSENT */
};

struct sl_step {
    enum sl_step_kind kind;
    int network;
    int index; /* shard for LOAD and DROP, unit for RUN */
};

/* Called again and again, the view changed by each step, until it answers WAIT; then again after
 * the next event (a read finished, a run finished, a request arrived). WAIT while nothing is in
 * flight, nothing runs and requests remain is a fault of the policy and ends the run with -EDEADLK.
 */
struct sl_policy {
    const char *name;
    const char *description; /* one line for `sluice list policies` */
    int executors;           /* RUNs that may be in progress at once (deepeye: 2) */
    bool budgeted;           /* keeps used_bytes <= budget_bytes always */
    bool planned;            /* as auto: with the planner's pins (runtime/engine/planner.h) */
    size_t state_bytes;      /* of its state, zero-initialised by the engine; may be 0 */
    struct sl_step (*next)(void *state, const struct sl_policy_view *view);
    /* Optional, budgeted policies: least budget_bytes that can run this view; 0 = any. */
    uint64_t (*least_budget)(const struct sl_policy_view *view);
};

#define SL_POLICIES_MOST         32
#define SL_POLICY_EXECUTORS_MOST 4

/* By name; NULL when unknown. Iterate with index from 0 until NULL, SL_POLICIES_MOST at most. */
const struct sl_policy *sl_policy_find(const char *name);
const struct sl_policy *sl_policy_at(int index);
/* Checks the table's required hooks. */
int sl_policies_check(struct sl_error *error);

#endif
