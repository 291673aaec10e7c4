/* A team of threads that shares the tasks of one loop at a time.
 *
 * A task is taken by lowering `remaining`; whoever holds a task keeps the loop from ending, so body
 * and context may be read after taking one, and a thread that wakes late simply finds nothing or
 * helps with the next loop. The caller never waits for a thread that holds no task: a descheduled
 * worker costs nothing but its help. */
#include "kernels/threads.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/thread.h"

#define MOST_THREADS 64
#define STACK_BYTES  ((size_t)256 << 10)
#define CACHE_LINE   64

/* How long a thread looks for work before it sleeps: about the time from the end of one layer's
 * loop to the start of the next, well below a scheduler tick. */
#define SPIN_NS          50000u
#define PAUSES_PER_CLOCK 32

struct worker {
    struct sl_threads *threads;
    int index;
    pthread_t handle;
    _Atomic uint64_t major_faults, minor_faults; /* at the end of its last task, when counted */
};

struct sl_threads {
    int count;
    int started; /* workers[0, started) run */
    bool counts_faults;

    void (*body)(void *context, int64_t task, int worker);
    void *context;
    int64_t tasks;

    _Alignas(CACHE_LINE) _Atomic int64_t remaining; /* tasks nobody has taken */
    _Alignas(CACHE_LINE) _Atomic int64_t unfinished;
    _Atomic uint32_t ended; /* futex: changes when a sleeping caller's loop has ended */
    _Atomic bool caller_sleeps;
    _Alignas(CACHE_LINE) _Atomic uint32_t begun; /* futex: changes with every loop */
    _Atomic int sleepers;
    _Atomic bool stop;

    struct worker workers[MOST_THREADS - 1];
};

static void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int most)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, most, NULL, NULL, 0);
}

static void cpu_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void count_faults(struct worker *worker)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    atomic_store_explicit(&worker->major_faults, (uint64_t)usage.ru_majflt, memory_order_relaxed);
    atomic_store_explicit(&worker->minor_faults, (uint64_t)usage.ru_minflt, memory_order_relaxed);
}

static bool take_task(struct sl_threads *threads, int64_t *task)
{
    int64_t remaining = atomic_load(&threads->remaining);
    while (remaining > 0) {
        if (!atomic_compare_exchange_weak(&threads->remaining, &remaining, remaining - 1))
            continue;
        *task = threads->tasks - remaining;
        return true;
    }
    return false;
}

/* Takes tasks until none is left. The next one is taken before the last one counts as finished: so
 * faults are counted while the loop cannot end. */
static void take_tasks(struct sl_threads *threads, int worker)
{
    int64_t task;
    bool more = take_task(threads, &task);
    while (more) {
        threads->body(threads->context, task, worker);
        more = take_task(threads, &task);
        if (!more && worker > 0 && threads->counts_faults)
            count_faults(&threads->workers[worker - 1]);
        if (atomic_fetch_sub(&threads->unfinished, 1) == 1 &&
            atomic_load(&threads->caller_sleeps)) {
            atomic_fetch_add(&threads->ended, 1);
            futex_wake(&threads->ended, 1);
        }
    }
}

/* Looks at *word for SPIN_NS at most; true when it differs from seen. */
static bool spin_while_equal(_Atomic uint32_t *word, uint32_t seen)
{
    uint64_t give_up = sl_now_ns() + SPIN_NS;
    do {
        for (int i = 0; i < PAUSES_PER_CLOCK; i++) {
            if (atomic_load_explicit(word, memory_order_relaxed) != seen)
                return true;
            cpu_pause();
        }
    } while (sl_now_ns() < give_up);
    return false;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct sl_threads *threads = worker->threads;
    uint32_t seen = 0;
    for (;;) {
        if (!spin_while_equal(&threads->begun, seen)) {
            atomic_fetch_add(&threads->sleepers, 1);
            while (atomic_load(&threads->begun) == seen)
                futex_wait(&threads->begun, seen);
            atomic_fetch_sub(&threads->sleepers, 1);
        }
        /* Read before the tasks: a loop that begins later is seen in the next round. */
        seen = atomic_load(&threads->begun);
        if (atomic_load(&threads->stop))
            return NULL;
        take_tasks(threads, worker->index);
    }
}

static void announce(struct sl_threads *threads)
{
    atomic_fetch_add(&threads->begun, 1);
    if (atomic_load(&threads->sleepers) > 0)
        futex_wake(&threads->begun, INT_MAX);
}

static void wait_for_end(struct sl_threads *threads)
{
    uint64_t give_up = sl_now_ns() + SPIN_NS;
    do {
        for (int i = 0; i < PAUSES_PER_CLOCK; i++) {
            if (atomic_load(&threads->unfinished) == 0)
                return;
            cpu_pause();
        }
    } while (sl_now_ns() < give_up);
    atomic_store(&threads->caller_sleeps, true);
    for (;;) {
        uint32_t seen = atomic_load(&threads->ended);
        if (atomic_load(&threads->unfinished) == 0)
            break;
        futex_wait(&threads->ended, seen);
    }
    atomic_store(&threads->caller_sleeps, false);
}

static int start_worker(struct sl_threads *threads)
{
    struct worker *worker = &threads->workers[threads->started];
    worker->threads = threads;
    worker->index = threads->started + 1;
    int code = sl_thread_start(&worker->handle, STACK_BYTES, worker_main, worker);
    if (code == 0)
        threads->started++;
    return code;
}

int sl_threads_create(int count, struct sl_threads **threads, struct sl_error *error)
{
    if (count < 1 || count > MOST_THREADS)
        return sl_error_set(error, -EINVAL, "%d threads: must be 1 to %d", count, MOST_THREADS);
    struct sl_threads *team = NULL;
    size_t bytes = (sizeof *team + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    team = aligned_alloc(CACHE_LINE, bytes);
    if (!team)
        return sl_error_set(error, -ENOMEM, "no memory for a team of %d threads", count);
    *team = (struct sl_threads){.count = count};
    int code = 0;
    while (code == 0 && team->started < count - 1)
        code = start_worker(team);
    if (code < 0) {
        sl_threads_free(team);
        return sl_error_set(error, code, "cannot start %d threads (limit: ulimit -u, pids.max)",
                            count);
    }
    *threads = team;
    return 0;
}

void sl_threads_free(struct sl_threads *threads)
{
    if (!threads)
        return;
    atomic_store(&threads->stop, true);
    announce(threads);
    for (int i = 0; i < threads->started; i++)
        pthread_join(threads->workers[i].handle, NULL);
    free(threads);
}

int sl_threads_count(const struct sl_threads *threads)
{
    return threads ? threads->count : 1;
}

void sl_parallel_for(struct sl_threads *threads, int64_t tasks,
                     void (*body)(void *context, int64_t task, int worker), void *context)
{
    if (!threads || threads->count == 1 || tasks <= 1) {
        for (int64_t task = 0; task < tasks; task++)
            body(context, task, 0);
        return;
    }
    threads->body = body;
    threads->context = context;
    threads->tasks = tasks;
    atomic_store(&threads->unfinished, tasks);
    atomic_store(&threads->remaining, tasks);
    announce(threads);
    take_tasks(threads, 0);
    wait_for_end(threads);
}

void sl_threads_count_faults(struct sl_threads *threads)
{
    if (threads)
        threads->counts_faults = true;
}

void sl_threads_faults(const struct sl_threads *threads, uint64_t *major, uint64_t *minor)
{
    *major = *minor = 0;
    for (int i = 0; threads && i < threads->started; i++) {
        *major += atomic_load_explicit(&threads->workers[i].major_faults, memory_order_relaxed);
        *minor += atomic_load_explicit(&threads->workers[i].minor_faults, memory_order_relaxed);
    }
}
