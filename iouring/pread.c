/* The pread loader: a few threads that read, for systems that deny io_uring. Same files, same
 * O_DIRECT, same order; a thread per read in flight up to THREADS_MOST. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iouring/loaders.h"
#include "iouring/requests.h"

/* More do not read faster in pieces of a shard, and each costs a stack. */
#define THREADS_MOST       4
#define THREAD_STACK_BYTES (64 * 1024)

struct pread_loader {
    struct sl_loader loader; /* first */
    pthread_mutex_t lock;    /* over requests, stop and the files' state */
    pthread_cond_t work;
    struct sl_requests requests;
    bool stop;
    int thread_count;
    pthread_t threads[THREADS_MOST];
};

static struct pread_loader *pread_of(struct sl_loader *loader)
{
    return (struct pread_loader *)loader;
}

static void pread_close(struct sl_loader *loader);

/* Reads one request to its end; called and returns with the lock held, which is free during the
 * system call. */
static void serve(struct pread_loader *self, struct sl_request *request)
{
    bool finished = false;

    while (!finished) {
        sl_request_attempt(request);
        char *to = (char *)request->read.destination + request->done;
        size_t bytes = (size_t)request->attempt_bytes;
        off_t offset = (off_t)(request->read.offset + request->done);
        int fd = request->file->fd;

        pthread_mutex_unlock(&self->lock);
        ssize_t got = pread(fd, to, bytes, offset);
        ssize_t answer = got < 0 ? -errno : got;
        pthread_mutex_lock(&self->lock);
        finished = sl_requests_advance(&self->requests, request, answer);
    }
}

static void *work(void *argument)
{
    struct pread_loader *self = argument;
    struct sl_requests *requests = &self->requests;

    pthread_mutex_lock(&self->lock);
    for (;;) {
        while (!requests->queued.first && !self->stop)
            pthread_cond_wait(&self->work, &self->lock);
        struct sl_request *request = sl_request_pop(&requests->queued);
        if (!request)
            break;
        requests->flying++;
        serve(self, request);
        requests->flying--;
        bool first = !requests->finished.first;
        sl_requests_finish(requests, request);
        if (first)
            sl_event_raise(requests->event_fd);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* Starts the threads with all signals blocked: those are the program's own threads' business. */
static int start_threads(struct pread_loader *self, int wanted)
{
    pthread_attr_t attributes;
    sigset_t all, before;

    int rc = pthread_attr_init(&attributes);
    if (rc)
        return -rc;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    /* A refusal (large thread-local storage elsewhere in the program) leaves the default size. */
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    for (self->thread_count = 0; self->thread_count < wanted; self->thread_count++) {
        rc = pthread_create(&self->threads[self->thread_count], &attributes, work, self);
        if (rc == EINVAL)
            rc = pthread_create(&self->threads[self->thread_count], NULL, work, self);
        if (rc)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return self->thread_count > 0 ? 0 : -rc;
}

static int pread_open(const struct sl_loader_options *options, struct sl_loader **out,
                      struct sl_error *error)
{
    struct pread_loader *self = calloc(1, sizeof(*self));
    if (!self)
        return sl_error_set(error, ENOMEM, "no memory for the pread loader");
    self->loader.ops = &sl_loader_pread;
    self->loader.direct = !options->buffered;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->work, NULL);

    int rc = sl_requests_init(&self->requests, options, error);
    if (rc < 0)
        goto failed;
    rc = start_threads(self, options->depth < THREADS_MOST ? options->depth : THREADS_MOST);
    if (rc < 0) {
        sl_error_set(error, rc, "cannot start a reading thread: %s", strerror(-rc));
        goto failed;
    }
    *out = &self->loader;
    return 0;
failed:
    pread_close(&self->loader);
    return rc;
}

static int pread_add_file(struct sl_loader *loader, const char *path, struct sl_error *error)
{
    struct pread_loader *self = pread_of(loader);

    pthread_mutex_lock(&self->lock);
    int number = sl_requests_add_file(&self->requests, loader, path, error);
    pthread_mutex_unlock(&self->lock);
    return number;
}

static int pread_submit(struct sl_loader *loader, const struct sl_read *read,
                        struct sl_error *error)
{
    struct pread_loader *self = pread_of(loader);

    pthread_mutex_lock(&self->lock);
    int rc = sl_requests_take(&self->requests, read, error);
    if (rc == 0)
        pthread_cond_signal(&self->work);
    pthread_mutex_unlock(&self->lock);
    return rc;
}

static int pread_reap(struct sl_loader *loader, struct sl_completion *completions, int most,
                      uint64_t timeout_ns, struct sl_error *error)
{
    struct pread_loader *self = pread_of(loader);
    struct sl_requests *requests = &self->requests;
    uint64_t deadline = sl_deadline(timeout_ns);

    for (;;) {
        pthread_mutex_lock(&self->lock);
        bool coming = requests->flying > 0 || requests->queued.first;
        int count = sl_requests_hand_out(requests, loader, completions, most);
        /* Under the lock, so that it is readable exactly while something is finished. */
        if (!requests->finished.first)
            sl_event_clear(requests->event_fd);
        pthread_mutex_unlock(&self->lock);
        if (count > 0 || !coming || timeout_ns == 0)
            return count;

        int rc = sl_wait_readable(requests->event_fd, deadline);
        if (rc < 0)
            return sl_error_set(error, rc, "cannot wait for reads: %s", strerror(-rc));
        if (rc == 0)
            return 0;
    }
}

static int pread_event_fd(struct sl_loader *loader)
{
    return pread_of(loader)->requests.event_fd;
}

static void pread_cancel(struct sl_loader *loader)
{
    struct pread_loader *self = pread_of(loader);

    pthread_mutex_lock(&self->lock);
    sl_requests_cancel(&self->requests);
    if (self->requests.finished.first)
        sl_event_raise(self->requests.event_fd);
    pthread_mutex_unlock(&self->lock);
}

static void pread_close(struct sl_loader *loader)
{
    if (!loader)
        return;
    struct pread_loader *self = pread_of(loader);

    pthread_mutex_lock(&self->lock);
    sl_requests_cancel(&self->requests);
    self->stop = true;
    pthread_cond_broadcast(&self->work);
    pthread_mutex_unlock(&self->lock);
    for (int i = 0; i < self->thread_count; i++)
        pthread_join(self->threads[i], NULL);
    sl_requests_free(&self->requests);
    pthread_cond_destroy(&self->work);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

const struct sl_loader_ops sl_loader_pread = {
    .name = "pread",
    .description = "threads that pread with O_DIRECT, where io_uring is denied",
    .open = pread_open,
    .add_file = pread_add_file,
    .submit = pread_submit,
    .reap = pread_reap,
    .event_fd = pread_event_fd,
    .cancel = pread_cancel,
    .close = pread_close,
};
