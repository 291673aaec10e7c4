#include "runtime/engine/executor.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "runtime/base/clock.h"

#define EXECUTOR_STACK_BYTES ((size_t)256 << 10)

enum executor_state { EXECUTOR_IDLE, EXECUTOR_STARTED, EXECUTOR_RAN, EXECUTOR_ENDING };

struct sl_executor {
    struct sl_threads *team;
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

static uint64_t thread_major_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_majflt;
}

static void run_unit(struct sl_executor *executor)
{
    struct sl_unit_run *run = &executor->run;
    uint64_t faults = thread_major_faults();
    run->begin_ns = sl_now_ns();
    /* Units of other networks, or of this one on another executor, may have come between. */
    const struct sl_unit_run *last = &executor->last;
    bool scratch_kept =
        last->network == run->network && last->layer == run->layer && last->unit == run->unit - 1;
    sl_network_state_run(run->network, run->layer, run->shard, executor->team, executor->scratch,
                         scratch_kept);
    executor->last = *run;
    run->end_ns = sl_now_ns();
    run->major_faults = thread_major_faults() - faults;
}

static void *executor_main(void *argument)
{
    struct sl_executor *executor = argument;
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
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, EXECUTOR_STACK_BYTES);
    int failed = pthread_create(&executor->thread, &attributes, executor_main, executor);
    pthread_attr_destroy(&attributes);
    if (failed)
        return sl_error_set(error, -failed, "cannot start an executor thread (error %d)", failed);
    executor->own_thread = true;
    return 0;
}

int sl_executor_create(int threads, uint64_t scratch_bytes, struct sl_pool *pool, bool own_thread,
                       int wake_fd, struct sl_executor **created, struct sl_error *error)
{
    struct sl_executor *executor = calloc(1, sizeof(*executor));
    if (!executor)
        return sl_error_set(error, -ENOMEM, "no memory for an executor");
    pthread_mutex_init(&executor->lock, NULL);
    pthread_cond_init(&executor->started, NULL);
    executor->wake_fd = wake_fd;
    executor->scratch_bytes = scratch_bytes;
    int result = sl_threads_create(threads, &executor->team, error);
    if (!result && scratch_bytes) {
        executor->scratch = sl_pool_take(pool, SL_POOL_SCRATCH, scratch_bytes, error);
        result = executor->scratch ? 0 : -ENOMEM;
    }
    if (!result && own_thread)
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
