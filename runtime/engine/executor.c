#include "runtime/engine/executor.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "runtime/base/clock.h"
#include "runtime/base/thread.h"

#define EXECUTOR_STACK_BYTES ((size_t)256 << 10)

enum executor_state { EXECUTOR_IDLE, EXECUTOR_STARTED, EXECUTOR_RAN, EXECUTOR_ENDING };

struct sl_executor {
    struct sl_threads *team;
    struct sl_fault_meter *meter; /* NULL: none */
    uint64_t user_carried_ns;
    struct sl_faults
        team_faults; /* of the team but for the executor's thread, after its last run */
    void *scratch;
    uint64_t scratch_bytes;
    struct sl_unit_run run;
    struct sl_unit_run last;   /* the run before: the scratch is as it left it */
    enum executor_state state; /* under lock when there is an own thread */
    bool own_thread;
    int wake_fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t started;
};

/* A fault takes time in the kernel, finding memory for the page among others, and the thread sleeps
 * while the page is read; a team's caller sleeps, too, when it waits for a member that faults. What
 * is left is computing, which needs no kernel: the thread's time in user mode. Where that is
 * sampled at clock ticks, one tick may say more than the unit took: the rest is of the units around
 * it. */
static void look_into_faults(struct sl_executor *executor, uint64_t user_ns)
{
    struct sl_unit_run *run = &executor->run;
    uint64_t wall_ns = run->end_ns - run->begin_ns;
    user_ns += executor->user_carried_ns;
    uint64_t computing_ns = user_ns < wall_ns ? user_ns : wall_ns;
    executor->user_carried_ns = user_ns - computing_ns;
    run->faulting_ns = wall_ns - computing_ns;
    run->swap_in_bytes = sl_fault_meter_swapped_in(executor->meter);
}

static void run_unit(struct sl_executor *executor)
{
    struct sl_unit_run *run = &executor->run;
    struct sl_faults team = executor->team_faults;
    /* Units of other networks, or of this one on another executor, may have come between. */
    const struct sl_unit_run *last = &executor->last;
    struct sl_faults own = executor->own_thread ? last->own_faults : run->loop_faults;
    run->begin_ns = sl_now_ns();
    bool scratch_kept =
        last->network == run->network && last->layer == run->layer && last->unit == run->unit - 1;
    sl_network_state_run(run->network, run->layer, run->shard, executor->team, executor->scratch,
                         scratch_kept);
    run->end_ns = sl_now_ns();
    run->own_faults = sl_faults_of_thread();
    if (executor->meter)
        sl_threads_faults(executor->team, &executor->team_faults.major,
                          &executor->team_faults.minor);
    run->own_major_faults = run->own_faults.major - own.major;
    run->faults.major = run->own_major_faults + executor->team_faults.major - team.major;
    run->faults.minor =
        run->own_faults.minor - own.minor + executor->team_faults.minor - team.minor;
    if (executor->meter && run->faults.major)
        look_into_faults(executor, run->own_faults.user_ns - own.user_ns);
    executor->last = *run;
}

static void *executor_main(void *argument)
{
    struct sl_executor *executor = argument;
    executor->last.own_faults = sl_faults_of_thread();
    pthread_mutex_lock(&executor->lock);
    for (;;) {
        while (executor->state == EXECUTOR_IDLE || executor->state == EXECUTOR_RAN)
            pthread_cond_wait(&executor->started, &executor->lock);
        if (executor->state == EXECUTOR_ENDING)
            break;
        pthread_mutex_unlock(&executor->lock);
        run_unit(executor);
        pthread_mutex_lock(&executor->lock);
        if (executor->state == EXECUTOR_STARTED)
            executor->state = EXECUTOR_RAN;
        eventfd_write(executor->wake_fd, 1);
    }
    pthread_mutex_unlock(&executor->lock);
    return NULL;
}

static int start_thread(struct sl_executor *executor, struct sl_error *error)
{
    int code = sl_thread_start(&executor->thread, EXECUTOR_STACK_BYTES, executor_main, executor);
    if (code)
        return sl_error_set(error, code, "cannot start an executor thread (error %d)", -code);
    executor->own_thread = true;
    return 0;
}

int sl_executor_create(const struct sl_executor_options *options, struct sl_pool *pool,
                       struct sl_executor **created, struct sl_error *error)
{
    struct sl_executor *executor = calloc(1, sizeof(*executor));
    if (!executor)
        return sl_error_set(error, -ENOMEM, "no memory for an executor");
    pthread_mutex_init(&executor->lock, NULL);
    pthread_cond_init(&executor->started, NULL);
    executor->wake_fd = options->wake_fd;
    executor->meter = options->meter;
    executor->scratch_bytes = options->scratch_bytes;
    int result = sl_threads_create(options->threads, &executor->team, error);
    if (!result && executor->meter)
        sl_threads_count_faults(executor->team);
    if (!result && executor->scratch_bytes) {
        executor->scratch = sl_pool_take(pool, SL_POOL_SCRATCH, executor->scratch_bytes, error);
        result = executor->scratch ? 0 : -ENOMEM;
    }
    if (!result && options->own_thread)
        result = start_thread(executor, error);
    if (result) {
        sl_executor_free(executor, pool);
        return result;
    }
    *created = executor;
    return 0;
}

void sl_executor_free(struct sl_executor *executor, struct sl_pool *pool)
{
    if (!executor)
        return;
    if (executor->own_thread) {
        pthread_mutex_lock(&executor->lock);
        executor->state = EXECUTOR_ENDING;
        pthread_cond_signal(&executor->started);
        pthread_mutex_unlock(&executor->lock);
        pthread_join(executor->thread, NULL);
    }
    sl_threads_free(executor->team);
    sl_pool_give(pool, SL_POOL_SCRATCH, executor->scratch, executor->scratch_bytes);
    pthread_cond_destroy(&executor->started);
    pthread_mutex_destroy(&executor->lock);
    free(executor);
}

void sl_executor_trim(struct sl_executor *executor, struct sl_pool *pool, uint64_t scratch_bytes)
{
    if (scratch_bytes >= executor->scratch_bytes)
        return;
    sl_pool_trim(pool, SL_POOL_SCRATCH, executor->scratch, executor->scratch_bytes, scratch_bytes);
    executor->scratch_bytes = scratch_bytes;
}

struct sl_threads *sl_executor_team(const struct sl_executor *executor)
{
    return executor->own_thread ? NULL : executor->team;
}

void sl_executor_start(struct sl_executor *executor, const struct sl_unit_run *run)
{
    pthread_mutex_lock(&executor->lock);
    executor->run = *run;
    executor->state = EXECUTOR_STARTED;
    pthread_cond_signal(&executor->started);
    pthread_mutex_unlock(&executor->lock);
    if (executor->own_thread)
        return;
    run_unit(executor);
    executor->state = EXECUTOR_RAN;
}

bool sl_executor_collect(struct sl_executor *executor, struct sl_unit_run *run)
{
    pthread_mutex_lock(&executor->lock);
    bool ran = executor->state == EXECUTOR_RAN;
    if (ran) {
        *run = executor->run;
        executor->state = EXECUTOR_IDLE;
    }
    pthread_mutex_unlock(&executor->lock);
    return ran;
}

bool sl_executor_idle(struct sl_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    bool idle = executor->state == EXECUTOR_IDLE;
    pthread_mutex_unlock(&executor->lock);
    return idle;
}
