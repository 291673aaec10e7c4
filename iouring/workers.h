/* A few threads that serve reads by blocking calls: what loaders without a ring are made of. Calls
 * follow the contract of iouring/loader.h: one thread at a time. */
#ifndef SLUICE_IOURING_WORKERS_H
#define SLUICE_IOURING_WORKERS_H

#include <pthread.h>

#include "iouring/requests.h"

/* More do not read faster in pieces of a shard, and each costs a stack. */
#define SL_WORKERS_MOST 4

/* Carries out the attempt that the request describes (sl_request_attempt) and returns its bytes, 0
 * at the end of the file, or -errno. Called by any of the threads, several at once. */
typedef ssize_t sl_worker_attempt(void *context, const struct sl_request *request);

struct sl_workers {
    pthread_mutex_t lock; /* over requests, stop and the files' state */
    pthread_cond_t work;
    struct sl_requests requests;
    sl_worker_attempt *attempt;
    void *context;
    bool stop;
    int thread_count;
    pthread_t threads[SL_WORKERS_MOST];
};

/* Starts as many threads as reads may be in flight, at most SL_WORKERS_MOST. Close also after a
 * failure. */
int sl_workers_open(struct sl_workers *workers, const struct sl_loader_options *options,
                    sl_worker_attempt *attempt, void *context, struct sl_error *error);
/* Cancels, waits for what is under way, frees. */
void sl_workers_close(struct sl_workers *workers);

/* The loader's hooks of the same names. */
int sl_workers_add_file(struct sl_workers *workers, struct sl_loader *loader, const char *path,
                        struct sl_error *error);
int sl_workers_submit(struct sl_workers *workers, const struct sl_read *read,
                      struct sl_error *error);
int sl_workers_reap(struct sl_workers *workers, struct sl_loader *loader,
                    struct sl_completion *completions, int most, uint64_t timeout_ns,
                    struct sl_error *error);
void sl_workers_cancel(struct sl_workers *workers);

/* Takes a read that is finished already, with this result. */
int sl_workers_finish(struct sl_workers *workers, const struct sl_read *read, int result,
                      struct sl_error *error);

#endif
