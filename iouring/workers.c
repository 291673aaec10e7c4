#include "iouring/workers.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/thread.h"

#define THREAD_STACK_BYTES (64 * 1024)

/* Serves one request to its end; called and returns with the lock held, which is free during the
 * attempts. */
static void serve(struct sl_workers *workers, struct sl_request *request)
{
    bool finished = false;

    while (!finished) {
        sl_request_attempt(request);
        pthread_mutex_unlock(&workers->lock);
        ssize_t answer = workers->attempt(workers->context, request);
        pthread_mutex_lock(&workers->lock);
        finished = sl_requests_advance(&workers->requests, request, answer);
    }
}

/* Raises the event with the first finished read. */
static void finish(struct sl_requests *requests, struct sl_request *request)
{
    bool first = !requests->finished.first;

    sl_requests_finish(requests, request);
    if (first)
        sl_event_raise(requests->event_fd);
}

static void *work(void *argument)
{
    struct sl_workers *workers = argument;
    struct sl_requests *requests = &workers->requests;

    pthread_mutex_lock(&workers->lock);
    for (;;) {
        while (!requests->queued.first && !workers->stop)
            pthread_cond_wait(&workers->work, &workers->lock);
        struct sl_request *request = sl_request_pop(&requests->queued);
        if (!request)
            break;
        requests->flying++;
        serve(workers, request);
        requests->flying--;
        finish(requests, request);
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

static int start_threads(struct sl_workers *workers, int wanted)
{
    int code = 0;
    for (workers->thread_count = 0; workers->thread_count < wanted; workers->thread_count++) {
        code = sl_thread_start(&workers->threads[workers->thread_count], THREAD_STACK_BYTES, work,
                               workers);
        if (code)
            break;
    }
    return workers->thread_count > 0 ? 0 : code;
}

int sl_workers_open(struct sl_workers *workers, const struct sl_loader_options *options,
                    sl_worker_attempt *attempt, void *context, struct sl_error *error)
{
    *workers = (struct sl_workers){.attempt = attempt, .context = context};
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->work, NULL);

    int rc = sl_requests_init(&workers->requests, options, error);
    if (rc < 0)
        return rc;
    rc =
        start_threads(workers, options->depth < SL_WORKERS_MOST ? options->depth : SL_WORKERS_MOST);
    if (rc < 0)
        sl_error_set(error, rc, "cannot start a reading thread: %s", strerror(-rc));
    return rc;
}

void sl_workers_close(struct sl_workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    sl_requests_cancel(&workers->requests);
    workers->stop = true;
    pthread_cond_broadcast(&workers->work);
    pthread_mutex_unlock(&workers->lock);
    for (int i = 0; i < workers->thread_count; i++)
        pthread_join(workers->threads[i], NULL);
    sl_requests_free(&workers->requests);
    pthread_cond_destroy(&workers->work);
    pthread_mutex_destroy(&workers->lock);
}

int sl_workers_add_file(struct sl_workers *workers, struct sl_loader *loader, const char *path,
                        struct sl_error *error)
{
    pthread_mutex_lock(&workers->lock);
    int number = sl_requests_add_file(&workers->requests, loader, path, error);
    pthread_mutex_unlock(&workers->lock);
    return number;
}

int sl_workers_submit(struct sl_workers *workers, const struct sl_read *read,
                      struct sl_error *error)
{
    pthread_mutex_lock(&workers->lock);
    int rc = sl_requests_take(&workers->requests, read, error);
    if (rc == 0)
        pthread_cond_signal(&workers->work);
    pthread_mutex_unlock(&workers->lock);
    return rc;
}

int sl_workers_finish(struct sl_workers *workers, const struct sl_read *read, int result,
                      struct sl_error *error)
{
    pthread_mutex_lock(&workers->lock);
    int rc = sl_requests_take(&workers->requests, read, error);
    if (rc == 0) {
        /* No thread saw it: nothing else is queued where reads are finished like this. */
        struct sl_request *request = sl_request_pop(&workers->requests.queued);
        request->result = result;
        finish(&workers->requests, request);
    }
    pthread_mutex_unlock(&workers->lock);
    return rc;
}

int sl_workers_reap(struct sl_workers *workers, struct sl_loader *loader,
                    struct sl_completion *completions, int most, uint64_t timeout_ns,
                    struct sl_error *error)
{
    struct sl_requests *requests = &workers->requests;
    uint64_t deadline = sl_deadline(timeout_ns);

    for (;;) {
        pthread_mutex_lock(&workers->lock);
        bool coming = requests->flying > 0 || requests->queued.first;
        int count = sl_requests_hand_out(requests, loader, completions, most);
        /* Under the lock, so that it is readable exactly while something is finished. */
        if (!requests->finished.first)
            sl_event_clear(requests->event_fd);
        pthread_mutex_unlock(&workers->lock);
        if (count > 0 || !coming || timeout_ns == 0)
            return count;

        int rc = sl_wait_readable(requests->event_fd, deadline);
        if (rc < 0)
            return sl_error_set(error, rc, "cannot wait for reads: %s", strerror(-rc));
        if (rc == 0)
            return 0;
    }
}

void sl_workers_cancel(struct sl_workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    sl_requests_cancel(&workers->requests);
    if (workers->requests.finished.first)
        sl_event_raise(workers->requests.event_fd);
    pthread_mutex_unlock(&workers->lock);
}
