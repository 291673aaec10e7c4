/* The engine's inside, shared by its parts: engine.c (interface and event loop), engine_budget.c
 * (what shards may take), engine_plan.c (schedule, pins, bound), engine_pace.c (what is in flight),
 * engine_blobs.c (inputs and outputs), engine_events.c (what is recorded). */
#ifndef SLUICE_ENGINE_ENGINE_STATE_H
#define SLUICE_ENGINE_ENGINE_STATE_H

#include "cgroups/limit_watch.h"
#include "policies/policy.h"
#include "runtime/engine/budget.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/executor.h"
#include "runtime/engine/fault_meter.h"
#include "runtime/engine/network_state.h"
#include "runtime/engine/shard_reader.h"
#include "runtime/engine/simulate.h"
#include "runtime/engine/workload.h"

/* A unit runs for some 10 ms at most, and reads are only collected between units: this many shards
 * keep a fast disk busy meanwhile. */
#define SL_ENGINE_QUEUE_DEPTH 32

struct sl_engine {
    struct sl_engine_options options;
    const struct sl_policy *policy;
    int threads;
    struct sl_pool *pool;
    struct sl_shard_reader reader;
    struct sl_network_state **networks;
    int network_count;
    struct sl_executor **executors; /* made with the first batch, policy->executors of them */
    int executor_count;
    int executors_busy;
    uint64_t scratch_bytes; /* of each executor */
    bool whole_pages;       /* activations take sl_pool_whole_bytes: decided with each plan */
    struct sl_budget budget;
    uint64_t batch_shard_bytes; /* what of it was for shards when the batch began */
    struct sl_workload workload;
    struct sl_schedule_options schedule_options;
    uint64_t batches;             /* that ended well */
    struct sl_batch_facts batch;  /* the last one */
    uint64_t seen_bytes_per_s;    /* at which the last one that read much read; 0: none did yet */
    struct sl_schedule *schedule; /* lives across batches, for what stays resident */
    struct sl_step *postponed;    /* loads for which memory is free, but not in one piece */
    int postponed_count;
    int wake_fd;
    /* Set from any thread, or a signal's handler: atomically. */
    int interrupted;
    int limit_asked;             /* sl_engine_reread_limit */
    uint64_t limit_read_ns;      /* when the limit was last read during a batch */
    struct sl_limit_watch watch; /* of the limit in force, under a policy with a budget */
    uint64_t pace_bytes;         /* in flight at once while the compute waits */
    uint64_t room_bytes;         /* weights had to go for so much between batches; 0: none had to */
    bool shrunk;                 /* the budget shrank during a batch: plan again before the next */
    bool planned_once;           /* for a batch after which none was to come */
    uint64_t last_run_end_ns;    /* when the executors last became all idle */
    struct sl_fault_meter meter; /* open when events are recorded */
    struct sl_faults thread_faults; /* of the loop's thread, last seen when there is no ring */
    uint64_t loop_major_faults;     /* of the loop's thread, those of runs in it aside, last seen */
    uint64_t run_major_faults;      /* of runs in the loop's thread */
    uint64_t loop_seen_ns;          /* when they were seen */
};

/* Lets everything in flight end, and gives all memory of requests back. */
void sl_engine_drain(struct sl_engine *engine);

/* Before so many bytes are taken for good: -ENOBUFS as sl_engine_refuse_budget has it when the
 * policy keeps to a budget and that leaves less. */
int sl_engine_check_room(struct sl_engine *engine, uint64_t bytes, struct sl_error *error);

/* The network's inputs and outputs, unless it has them; -ENOBUFS as above. */
int sl_engine_take_blobs(struct sl_engine *engine, struct sl_network_state *state,
                         struct sl_error *error);

/* What the executors that are still to be made will take. */
uint64_t sl_engine_executor_bytes(const struct sl_engine *engine);

/* Makes the workload and sets scratch_bytes, before the executors are made. */
int sl_engine_size_scratch(struct sl_engine *engine, uint64_t more, struct sl_error *error);

/* Decides how activations are laid out, and sets budget. Executors exist. */
int sl_engine_divide_budget(struct sl_engine *engine, uint64_t more, struct sl_error *error);

/* From now on scratch and activations take no whole huge pages: what they have too much goes back
 * to the kernel and counts for shards. No executor runs. */
void sl_engine_take_single_pages(struct sl_engine *engine);

/* -ENOBUFS with the parts of the budget in force and the least that would do. */
int sl_engine_refuse_budget(struct sl_engine *engine, struct sl_error *error);

/* Divides the budget, makes the schedule and, for policies that want them, the pins. Executors
 * exist. -ENOBUFS with the least budget that would do. */
int sl_engine_plan(struct sl_engine *engine, uint64_t more, struct sl_error *error);

/* What shards may take: with a budget no more than that, nor than all weights; else the most that
 * they took. */
uint64_t sl_engine_slot_bytes(const struct sl_engine *engine);

/* The memory budget as it was set, or the limit of this process's group where that is lower;
 * UINT64_MAX: none. */
uint64_t sl_engine_total_bytes(const struct sl_engine *engine);

/* The budget in force is not the one that the schedule was made for: another was set, or the limit
 * of this process's group changed. */
bool sl_engine_budget_changed(const struct sl_engine *engine);

/* Between two units of a batch: when the limit has sunk below what is in force, gives memory back
 * so that the batch goes on within it; every few milliseconds at most, when asked for, or while
 * slots take more memory than ever. -ENOBUFS with the least budget when that cannot be. */
int sl_engine_follow_limit(struct sl_engine *engine, struct sl_error *error);

/* Slots take more memory than ever, and the limit is lower than the one in force. */
bool sl_engine_limit_sank(const struct sl_engine *engine);

/* The device with the rate that was told, else a usual one. */
struct sl_device_model sl_engine_known_device(const struct sl_engine *engine);

/* The rate at which reads of the last batch came in while some were in flight; false when too
 * little was read. */
bool sl_engine_observed_device(const struct sl_engine *engine, struct sl_device_model *device);

/* Bounds what is in flight (engine_pace.c): at the begin of a batch, when reads have arrived, and
 * before the loop runs a unit or waits. */
void sl_engine_pace_begin(struct sl_engine *engine);
void sl_engine_pace_arrived(struct sl_engine *engine);
void sl_engine_pace(struct sl_engine *engine);

/* Records events of the event loop (engine_events.c); nothing when there is no ring. */
void sl_engine_note_begin(struct sl_engine *engine, uint64_t begin_ns);
void sl_engine_note_end(struct sl_engine *engine, uint64_t begin_ns, uint64_t end_ns);
void sl_engine_note_step(struct sl_engine *engine, const struct sl_step *step);
void sl_engine_note_read(struct sl_engine *engine, int network, int shard, uint64_t begin_ns,
                         uint64_t end_ns);
void sl_engine_note_wait(struct sl_engine *engine, uint64_t begin_ns);
void sl_engine_note_run(struct sl_engine *engine, int executor, const struct sl_unit_run *run);
void sl_engine_note_result(struct sl_engine *engine, int network, uint64_t end_ns);
/* Major faults of the loop itself since it was last looked at. Returns those of its thread; when
 * there is no ring, as they were after its last run: what came since counts for the next one. */
struct sl_faults sl_engine_note_loop_faults(struct sl_engine *engine);

/* Takes what a finished batch taught over: run times, the bound, better pins. */
int sl_engine_learn(struct sl_engine *engine, uint64_t more, struct sl_error *error);

#endif
