/* The schedule: the state that policies see and the only place where it changes. Engine (real time)
 * and simulator (virtual time) drive the same schedule, so both refuse the same illegal steps. */
#ifndef SLUICE_ENGINE_SCHEDULE_H
#define SLUICE_ENGINE_SCHEDULE_H

#include "policies/policy.h"

/* Description of a network for scheduling; copied by sl_schedule_create. */
struct sl_schedule_layer {
    int shard_count;
    bool fully_connected;
    uint64_t run_ns; /* estimate, 0 = unknown */
    /* For the simulator, 0: as run_ns. While the device reads as fast as it can; of the first run
     * in a process; of one before which its executor had to wait, under a policy without a budget.
     */
    uint64_t reading_ns, first_ns, waited_ns;
};
struct sl_schedule_network {
    const char *name;
    int layer_count;
    const struct sl_schedule_layer *layers;
    const uint64_t *shard_bytes; /* all shards, in layer order */
    const uint8_t *pinned;       /* [shard]: see struct sl_policy_network; NULL: none */
    uint64_t activation_bytes;
    /* For the simulator: what handling shards takes beside what it knows of the host. Of the first
     * request, more; handling > 0: ns more for each byte loaded, < 0: that share less of it all. */
    uint64_t first_ns;
    double handling;
};

struct sl_schedule_options {
    uint64_t budget_bytes; /* UINT64_MAX: none */
    uint64_t memory_bytes; /* see struct sl_policy_view; 0: no limit */
    int depth;             /* 0: no bound */
    uint64_t ahead_bytes;  /* see struct sl_policy_view; 0: no bound */
    int reads_most;        /* see struct sl_policy_view; 0: no bound */
};

struct sl_schedule;

/* -ENOBUFS with the least budget in bytes in the text when a budgeted policy cannot run. */
int sl_schedule_create(const struct sl_schedule_network *networks, int network_count,
                       const struct sl_policy *policy, const struct sl_schedule_options *options,
                       struct sl_schedule **schedule, struct sl_error *error);
void sl_schedule_free(struct sl_schedule *schedule);

/* Least budget_bytes with which sl_schedule_create succeeds; 0 for policies that take no budget. */
int sl_schedule_least_budget(const struct sl_schedule_network *networks, int network_count,
                             const struct sl_policy *policy, uint64_t *bytes,
                             struct sl_error *error);

/* The view as policies see it; valid until the schedule is freed, changed by the functions below.
 */
const struct sl_policy_view *sl_schedule_view(const struct sl_schedule *schedule);

/* A request of a network arrives; more_to_come: how many will follow (view's requests_left). */
void sl_schedule_arrive(struct sl_schedule *schedule, int network, uint64_t now_ns,
                        uint64_t more_to_come);

/* Asks the policy for its next step, checks it, applies it to the view. WAIT means: come back after
 * the next event. -EPROTO when the policy asked for what cannot be (names policy, step, state);
 * -EDEADLK when it waits and nothing can happen any more while requests remain. */
int sl_schedule_next(struct sl_schedule *schedule, uint64_t now_ns, struct sl_step *step,
                     struct sl_error *error);

/* Events: the load of a shard, or the run of a unit, has ended. sl_schedule_ran returns 1 when the
 * network's active request is finished by it, else 0. -EPROTO for a shard that is not loading, or a
 * unit that is not running; nothing changes then. */
int sl_schedule_loaded(struct sl_schedule *schedule, int network, int shard,
                       struct sl_error *error);
int sl_schedule_ran(struct sl_schedule *schedule, int network, int unit, struct sl_error *error);

/* Replaces the pins of a network between its requests. */
void sl_schedule_pin(struct sl_schedule *schedule, int network, const uint8_t *pinned);
/* Another bound of the bytes ahead of the run; 0: none. */
void sl_schedule_set_ahead(struct sl_schedule *schedule, uint64_t ahead_bytes);
/* Makes one shard of the network absent that ran and is not pinned (after sl_schedule_pin) and
 * returns it; -1 = there is none. */
int sl_schedule_drop_unpinned(struct sl_schedule *schedule, int network);

/* A smaller budget while requests are in progress: forgets all pins, ends every load (no read may
 * be in flight any more, no unit may run) and keeps of what is in memory only what the active
 * requests need next and the budget holds. released is told of every shard that becomes absent.
 * -ENOBUFS as sl_schedule_create; only the pins are forgotten then. */
int sl_schedule_shrink(struct sl_schedule *schedule, uint64_t budget_bytes,
                       void (*released)(void *context, int network, int shard), void *context,
                       struct sl_error *error);

/* No request active or waiting. */
bool sl_schedule_idle(const struct sl_schedule *schedule);

#endif
