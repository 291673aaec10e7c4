/* The io_uring loader. One ring; reads wait in our own queue until there is a place in flight, so
 * neither submission nor completion queue can overflow. Completions wake the eventfd that the
 * kernel signals; they are collected in reap.
 *
 * The ring is not bound to one thread (no IORING_SETUP_SINGLE_ISSUER, hence no DEFER_TASKRUN): a
 * loader may be opened in one thread and used in another, and at a shard per read the saving is
 * below what can be measured. COOP_TASKRUN spares the compute threads the interrupts. */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "iouring/loaders.h"
#include "iouring/requests.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"

#define REGISTERED_FILES_MOST   64
#define REGISTERED_BUFFERS_MOST 64
/* The kernel's own limit for one registered buffer. */
#define REGISTERED_BYTES_MOST (UINT64_C(1) << 30)
/* How soon to try again when the kernel had no memory to take a submission. */
#define REFUSED_RETRY_NS 1000000u

struct registered_buffer {
    char *base;
    uint64_t bytes;
};

struct uring {
    struct sl_loader loader; /* first */
    struct sl_requests requests;
    struct io_uring ring;
    bool ring_open;
    bool fixed_files, fixed_buffers; /* the tables exist */
    int buffer_count;
    struct registered_buffer buffers[REGISTERED_BUFFERS_MOST];
};

static struct uring *uring_of(struct sl_loader *loader)
{
    return (struct uring *)loader;
}

static void uring_close(struct sl_loader *loader);

/* From what we would like to what every io_uring takes (COOP_TASKRUN: 5.19). */
static int open_ring(struct uring *uring, unsigned entries)
{
    static const unsigned flag_sets[] = {IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, 0};
    int rc = -EINVAL;

    for (size_t i = 0; rc == -EINVAL && i < sizeof(flag_sets) / sizeof(flag_sets[0]); i++)
        rc = io_uring_queue_init(entries, &uring->ring, flag_sets[i]);
    uring->ring_open = rc == 0;
    return rc;
}

static int uring_open(const struct sl_loader_options *options, struct sl_loader **out,
                      struct sl_error *error)
{
    struct uring *uring = calloc(1, sizeof(*uring));
    if (!uring)
        return sl_error_set(error, ENOMEM, "no memory for the uring loader");
    uring->loader.ops = &sl_loader_uring;
    uring->loader.direct = !options->buffered;

    int rc = sl_requests_init(&uring->requests, options, error);
    if (rc < 0)
        goto failed;
    /* Room for every read in flight and a cancel. */
    rc = open_ring(uring, (unsigned)options->depth + 1);
    if (rc < 0) {
        sl_error_set(error, rc, "io_uring_setup failed: %s; use --loader pread", strerror(-rc));
        goto failed;
    }
    rc = io_uring_register_eventfd(&uring->ring, uring->requests.event_fd);
    if (rc < 0) {
        sl_error_set(error, rc, "io_uring takes no eventfd: %s; use --loader pread", strerror(-rc));
        goto failed;
    }
    rc = io_uring_register_files_sparse(&uring->ring, REGISTERED_FILES_MOST);
    uring->fixed_files = rc == 0;
    if (rc < 0)
        sl_loader_note(&uring->loader, "files are not registered: %s", strerror(-rc));
    *out = &uring->loader;
    return 0;
failed:
    uring_close(&uring->loader);
    return rc;
}

static int uring_add_file(struct sl_loader *loader, const char *path, struct sl_error *error)
{
    struct uring *uring = uring_of(loader);
    int number = sl_requests_add_file(&uring->requests, loader, path, error);

    if (number < 0 || !uring->fixed_files || number >= REGISTERED_FILES_MOST)
        return number;
    int fd = uring->requests.files[number]->fd;
    if (io_uring_register_files_update(&uring->ring, (unsigned)number, &fd, 1) != 1) {
        /* All or none, so that a file's number says whether it is registered. */
        uring->fixed_files = false;
        sl_loader_note(loader, "files are not registered: the kernel refused one");
    }
    return number;
}

static int uring_add_memory(struct sl_loader *loader, void *base, size_t bytes)
{
    struct uring *uring = uring_of(loader);
    char *from = base;

    if (!uring->fixed_buffers) {
        if (uring->buffer_count > 0 || !uring->ring_open)
            return 0;
        int rc = io_uring_register_buffers_sparse(&uring->ring, REGISTERED_BUFFERS_MOST);
        if (rc < 0) {
            sl_loader_note(loader, "buffers are not registered: %s", strerror(-rc));
            return 0;
        }
        uring->fixed_buffers = true;
    }
    while (bytes > 0 && uring->buffer_count < REGISTERED_BUFFERS_MOST) {
        size_t piece = bytes < REGISTERED_BYTES_MOST ? bytes : REGISTERED_BYTES_MOST;
        struct iovec span = {.iov_base = from, .iov_len = piece};
        __u64 no_tag = 0;
        int rc = io_uring_register_buffers_update_tag(&uring->ring, (unsigned)uring->buffer_count,
                                                      &span, &no_tag, 1);
        if (rc < 0) {
            sl_loader_note(loader, "buffers are not registered: %s%s", strerror(-rc),
                           rc == -ENOMEM ? " (ulimit -l limits pinned memory)" : "");
            return 0;
        }
        uring->buffers[uring->buffer_count++] =
            (struct registered_buffer){.base = from, .bytes = piece};
        from += piece;
        bytes -= piece;
    }
    return 0;
}

/* The registered buffer that holds a span, or -1. */
static int find_buffer(const struct uring *uring, const char *from, uint64_t bytes)
{
    for (int i = 0; i < uring->buffer_count; i++) {
        const struct registered_buffer *buffer = &uring->buffers[i];
        if (from >= buffer->base && bytes <= buffer->bytes &&
            (uint64_t)(from - buffer->base) <= buffer->bytes - bytes)
            return i;
    }
    return -1;
}

/* Puts the next attempt of a read on the submission queue; false when that is full, which happens
 * only while the kernel refuses submissions. */
static bool issue(struct uring *uring, struct sl_request *request)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    if (!sqe)
        return false;

    sl_request_attempt(request);
    bool fixed_file = uring->fixed_files && request->read.file < REGISTERED_FILES_MOST;
    int fd = fixed_file ? request->read.file : request->file->fd;
    char *to = (char *)request->read.destination + request->done;
    uint64_t offset = request->read.offset + request->done;
    unsigned bytes = (unsigned)request->attempt_bytes;
    int buffer = find_buffer(uring, to, bytes);

    if (buffer >= 0)
        io_uring_prep_read_fixed(sqe, fd, to, bytes, offset, buffer);
    else
        io_uring_prep_read(sqe, fd, to, bytes, offset);
    if (fixed_file)
        io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
    io_uring_sqe_set_data(sqe, request);
    return true;
}

/* A read that found no place on the submission queue waits in ours. */
static void put_back(struct uring *uring, struct sl_request *request)
{
    sl_requests_land(&uring->requests, request);
    sl_request_push_front(&uring->requests.queued, request);
}

/* Fills the places in flight from the queue and hands everything to the kernel. A refusal for want
 * of memory leaves the reads on the submission queue for the next time. */
static int pump(struct uring *uring)
{
    struct sl_requests *requests = &uring->requests;

    struct sl_request *request;
    while ((request = sl_requests_launch(requests))) {
        if (issue(uring, request))
            continue;
        put_back(uring, request);
        break;
    }
    if (io_uring_sq_ready(&uring->ring) == 0)
        return 0;
    int rc = io_uring_submit(&uring->ring);
    return rc < 0 && rc != -EAGAIN && rc != -EBUSY && rc != -EINTR && rc != -ENOMEM ? rc : 0;
}

/* Takes every completion that is there; short reads go on. */
static void harvest(struct uring *uring)
{
    struct sl_requests *requests = &uring->requests;
    struct io_uring_cqe *cqe;

    while (io_uring_peek_cqe(&uring->ring, &cqe) == 0) {
        struct sl_request *request = io_uring_cqe_get_data(cqe);
        int answer = cqe->res;
        io_uring_cqe_seen(&uring->ring, cqe);
        if (!request) /* a cancel's own completion */
            continue;
        if (sl_requests_advance(requests, request, answer)) {
            sl_requests_land(requests, request);
            sl_requests_finish(requests, request);
        } else if (!issue(uring, request)) {
            put_back(uring, request);
        }
    }
}

/* Keeps the promise of event_fd. Also when the kernel took no submission and has nothing else of
 * ours, for then no completion would ever call the owner back to try again. */
static void raise_when_due(struct uring *uring)
{
    const struct sl_requests *requests = &uring->requests;
    unsigned refused = io_uring_sq_ready(&uring->ring);

    if (requests->finished.first || (refused > 0 && refused >= (unsigned)requests->flying))
        sl_event_raise(requests->event_fd);
}

static void uring_pace(struct sl_loader *loader, uint64_t most_bytes)
{
    struct uring *uring = uring_of(loader);

    uring->requests.flying_most = most_bytes;
    pump(uring);
    raise_when_due(uring);
}

static int uring_submit(struct sl_loader *loader, const struct sl_read *read,
                        struct sl_error *error)
{
    struct uring *uring = uring_of(loader);
    int rc = sl_requests_take(&uring->requests, read, error);

    if (rc < 0)
        return rc;
    /* Taken now: what the kernel refuses is tried again, and at last reported, by reap. */
    pump(uring);
    raise_when_due(uring);
    return 0;
}

static int uring_reap(struct sl_loader *loader, struct sl_completion *completions, int most,
                      uint64_t timeout_ns, struct sl_error *error)
{
    struct uring *uring = uring_of(loader);
    struct sl_requests *requests = &uring->requests;
    uint64_t deadline = sl_deadline(timeout_ns);

    for (;;) {
        /* Before the harvest: what completes after it signals anew. */
        sl_event_clear(requests->event_fd);
        harvest(uring);
        int rc = pump(uring);
        if (rc < 0)
            return sl_error_set(error, rc, "io_uring_enter failed: %s", strerror(-rc));
        if (requests->finished.first || timeout_ns == 0 || requests->flying == 0)
            break;

        uint64_t until = deadline;
        if (io_uring_sq_ready(&uring->ring) > 0 && sl_deadline(REFUSED_RETRY_NS) < deadline)
            until = sl_deadline(REFUSED_RETRY_NS);
        rc = sl_wait_readable(requests->event_fd, until);
        if (rc < 0)
            return sl_error_set(error, rc, "cannot wait for reads: %s", strerror(-rc));
        if (rc == 0 && until == deadline)
            break;
    }
    int count = sl_requests_hand_out(requests, loader, completions, most);
    raise_when_due(uring);
    return count;
}

static int uring_event_fd(struct sl_loader *loader)
{
    return uring_of(loader)->requests.event_fd;
}

static void uring_cancel(struct sl_loader *loader)
{
    struct uring *uring = uring_of(loader);
    struct sl_requests *requests = &uring->requests;

    sl_requests_cancel(requests);
    if (requests->flying > 0) {
        /* What the device works on cannot be stopped and completes; what waits in the kernel can.
         * A kernel without CANCEL_ANY (before 5.19) answers EINVAL: then all of it completes. */
        struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
        if (sqe) {
            io_uring_prep_cancel(sqe, NULL, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
            io_uring_sqe_set_data(sqe, NULL);
        }
        pump(uring);
    }
    raise_when_due(uring);
}

static void uring_close(struct sl_loader *loader)
{
    if (!loader)
        return;
    struct uring *uring = uring_of(loader);

    if (uring->ring_open) {
        struct sl_completion completions[8];
        uring_cancel(loader);
        /* The device writes into the caller's memory until the last completion. */
        while (uring->requests.flying > 0 || uring->requests.finished.first)
            if (uring_reap(loader, completions, 8, UINT64_MAX, NULL) < 0)
                break;
        io_uring_queue_exit(&uring->ring);
    }
    sl_requests_free(&uring->requests);
    free(uring);
}

const struct sl_loader_ops sl_loader_uring = {
    .name = "uring",
    .description = "io_uring: O_DIRECT reads at a queue depth, one thread",
    .open = uring_open,
    .add_file = uring_add_file,
    .add_memory = uring_add_memory,
    .pace = uring_pace,
    .submit = uring_submit,
    .reap = uring_reap,
    .event_fd = uring_event_fd,
    .cancel = uring_cancel,
    .close = uring_close,
};
