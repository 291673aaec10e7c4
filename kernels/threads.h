/* A fixed team of threads for data-parallel loops. */
#ifndef SLUICE_KERNELS_THREADS_H
#define SLUICE_KERNELS_THREADS_H

#include <stdint.h>

#include "runtime/base/error.h"

struct sl_threads;

/* A team of `count` threads (1..64), the caller of sl_parallel_for included: count - 1 are started,
 * with small stacks. */
int sl_threads_create(int count, struct sl_threads **threads, struct sl_error *error);
void sl_threads_free(struct sl_threads *threads);
/* 1 for NULL. */
int sl_threads_count(const struct sl_threads *threads);

/* Runs body(context, task, worker) for every task in [0, tasks); worker in [0, count) identifies
 * the thread (for its part of the scratch). Returns when all are done. Tasks are taken dynamically,
 * so bodies must not depend on which worker runs them. One caller at a time; not reentrant. With
 * NULL threads the caller runs all tasks. */
void sl_parallel_for(struct sl_threads *threads, int64_t tasks,
                     void (*body)(void *context, int64_t task, int worker), void *context);

/* From now on the started threads count their page faults; before the first loop. */
void sl_threads_count_faults(struct sl_threads *threads);
/* Page faults of the started threads in loops that have ended; the caller's own are not in it. NULL
 * threads have none. */
void sl_threads_faults(const struct sl_threads *threads, uint64_t *major, uint64_t *minor);

#endif
