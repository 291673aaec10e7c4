/* Inside of cgroups/: starting a worker process that waits at a gate until it is in its group. */
#ifndef SLUICE_CGROUPS_WORKER_H
#define SLUICE_CGROUPS_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "cgroups/version.h"
#include "runtime/base/error.h"

struct sl_worker {
    pid_t pid; /* also its process group; 0: not started or reaped */
    int pidfd; /* -1 where the kernel has none */
    int gate;  /* written to: let it execute its program */
    /* Read from: errno when the program could not be executed, -errno when an entry could not be
     * taken, else its end. */
    int start_error;
    int output, diagnostics; /* read from, without blocking */
    uint64_t forked_bytes;   /* resident memory of this process when it was forked */
};
#define SL_WORKER_NONE                                                                             \
    {                                                                                              \
        .pidfd = -1, .gate = -1, .start_error = -1, .output = -1, .diagnostics = -1                \
    }

/* Forks a child that waits at the gate. Its standard input is /dev/null, it has its own process
 * group and it is killed when the calling thread ends. */
int sl_worker_fork(char *const *argv, const struct sl_entries *entries, struct sl_worker *worker,
                   struct sl_error *error);
/* Opens the gate: the child enters its groups through the entries and executes argv. */
int sl_worker_release(struct sl_worker *worker, struct sl_error *error);
/* True once the worker has ended; it stays to be reaped. */
bool sl_worker_ended(const struct sl_worker *worker);
/* SIGTERM to the worker. */
void sl_worker_ask(const struct sl_worker *worker);
/* SIGKILL to the worker and its process group. */
void sl_worker_kill(const struct sl_worker *worker);
/* Kills what is left, reaps, and fills status and usage (both may be NULL). */
void sl_worker_reap(struct sl_worker *worker, int *status, struct rusage *usage);
/* Kills, reaps and closes everything; for SL_AUTO. */
void sl_worker_cleanup(struct sl_worker *worker);

#endif
