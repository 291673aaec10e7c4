/* The sim loader: a device that does not exist. Each read costs sim_latency_ns before its bytes
 * flow, at most `depth` overlap their latencies, and the bytes of one read after another flow at
 * sim_bytes_per_s (0: at once, and the destination is not touched: what is measured then is the
 * engine alone). Time is real: a timer that expires when the next read is done is the event
 * descriptor. Files must exist but are not read; destinations are filled with zeroes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "iouring/loaders.h"
#include "iouring/requests.h"
#include "runtime/base/clock.h"
#include "runtime/base/units.h"

struct sim_loader {
    struct sl_loader loader; /* first */
    struct sl_requests requests;
    uint64_t bytes_per_s, latency_ns;
    struct sl_request_list flying; /* in order of completion; completed_ns is when they are due */
    uint64_t channel_free_ns;      /* when the bytes of the last of them have flowed */
    int timer_fd; /* an eventfd when the device takes no time: arming a timer takes 10 us */
    bool instant, raised;
    /* A file was found to be at least that long: asking for each read takes a system call. */
    const struct sl_file *known_file;
    uint64_t known_bytes;
};

static struct sim_loader *sim_of(struct sl_loader *loader)
{
    return (struct sim_loader *)loader;
}

static void sim_close(struct sl_loader *loader);

static int sim_open(const struct sl_loader_options *options, struct sl_loader **out,
                    struct sl_error *error)
{
    struct sim_loader *self = calloc(1, sizeof(*self));
    if (!self)
        return sl_error_set(error, ENOMEM, "no memory for the sim loader");
    self->loader.ops = &sl_loader_sim;
    self->bytes_per_s = options->sim_bytes_per_s;
    self->latency_ns = options->sim_latency_ns;
    self->timer_fd = -1;
    self->instant = !options->sim_bytes_per_s && !options->sim_latency_ns;

    /* The file is never read: direct or not makes no difference. */
    struct sl_loader_options buffered = *options;
    buffered.buffered = true;
    int rc = sl_requests_init(&self->requests, &buffered, error);
    if (rc == 0) {
        self->timer_fd = self->instant
                             ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
                             : timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (self->timer_fd < 0)
            rc = sl_error_errno(error, "cannot create a timer for the sim loader");
    }
    if (rc < 0) {
        sim_close(&self->loader);
        return rc;
    }
    *out = &self->loader;
    return 0;
}

static int sim_add_file(struct sl_loader *loader, const char *path, struct sl_error *error)
{
    return sl_requests_add_file(&sim_of(loader)->requests, loader, path, error);
}

static int result_of(struct sim_loader *self, const struct sl_request *request)
{
    struct stat status;
    uint64_t end = request->read.offset + request->read.length;

    if (request->file == self->known_file && end <= self->known_bytes)
        return 0;
    if (fstat(request->file->fd, &status) != 0)
        return -errno;
    self->known_file = request->file;
    self->known_bytes = S_ISREG(status.st_mode)
                            ? sl_align_up((uint64_t)status.st_size, SL_BLOCK_BYTES)
                            : UINT64_MAX;
    return end <= self->known_bytes ? 0 : -ENODATA;
}

/* Starts queued reads while there are places; a place is taken at begin_ns. */
static void start(struct sim_loader *self, uint64_t begin_ns)
{
    struct sl_requests *requests = &self->requests;
    struct sl_request *request;

    while (requests->flying < requests->depth &&
           (request = sl_request_pop(&requests->queued)) != NULL) {
        if (begin_ns < request->submitted_ns)
            begin_ns = request->submitted_ns;
        uint64_t flow_ns = begin_ns + self->latency_ns;
        if (flow_ns < self->channel_free_ns)
            flow_ns = self->channel_free_ns;
        if (self->bytes_per_s > 0)
            flow_ns += (uint64_t)((unsigned __int128)request->read.length * 1000000000u /
                                  self->bytes_per_s);
        self->channel_free_ns = flow_ns;
        request->completed_ns = flow_ns;
        sl_request_push(&self->flying, request);
        requests->flying++;
    }
}

/* Finishes what is due. Times are those of the model, not of the moment when we look. */
static void advance(struct sim_loader *self)
{
    struct sl_requests *requests = &self->requests;
    uint64_t now = sl_now_ns();

    while (self->flying.first && self->flying.first->completed_ns <= now) {
        struct sl_request *request = sl_request_pop(&self->flying);
        requests->flying--;
        request->result = result_of(self, request);
        if (self->bytes_per_s > 0 && request->result == 0)
            memset(request->read.destination, 0, (size_t)request->read.length);
        sl_request_push(&requests->finished, request);
        start(self, request->completed_ns);
    }
}

/* The event of a device that takes no time. It is cleared only when reap was called in vain: one
 * shard after the other takes no system calls. */
static void set_event(struct sim_loader *self, bool in_vain)
{
    bool due = self->requests.finished.first || self->flying.first;
    if (due && !self->raised)
        sl_event_raise(self->timer_fd);
    else if (!due && in_vain && self->raised)
        sl_event_clear(self->timer_fd);
    self->raised = due || (self->raised && !in_vain);
}

/* The timer expires when reap would return something. */
static void set_timer(struct sim_loader *self)
{
    if (self->instant) {
        set_event(self, false);
        return;
    }
    struct itimerspec when = {{0, 0}, {0, 0}};
    uint64_t due = 0;

    if (self->requests.finished.first)
        due = 1;
    else if (self->flying.first)
        due = self->flying.first->completed_ns;
    when.it_value.tv_sec = (time_t)(due / 1000000000u);
    when.it_value.tv_nsec = (long)(due % 1000000000u);
    timerfd_settime(self->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int sim_submit(struct sl_loader *loader, const struct sl_read *read, struct sl_error *error)
{
    struct sim_loader *self = sim_of(loader);
    int rc = sl_requests_take(&self->requests, read, error);

    if (rc < 0)
        return rc;
    start(self, 0);
    set_timer(self);
    return 0;
}

static int sim_reap(struct sl_loader *loader, struct sl_completion *completions, int most,
                    uint64_t timeout_ns, struct sl_error *error)
{
    struct sim_loader *self = sim_of(loader);
    struct sl_requests *requests = &self->requests;
    uint64_t deadline = sl_deadline(timeout_ns);

    for (;;) {
        advance(self);
        int count = sl_requests_hand_out(requests, loader, completions, most);
        if (self->instant)
            set_event(self, count == 0);
        else
            set_timer(self);
        if (count > 0 || !self->flying.first || timeout_ns == 0)
            return count;
        int rc = sl_wait_readable(self->timer_fd, deadline);
        if (rc < 0)
            return sl_error_set(error, rc, "cannot wait for reads: %s", strerror(-rc));
        if (rc == 0)
            return 0;
    }
}

static int sim_event_fd(struct sl_loader *loader)
{
    return sim_of(loader)->timer_fd;
}

static void sim_cancel(struct sl_loader *loader)
{
    struct sim_loader *self = sim_of(loader);
    struct sl_request *request;

    advance(self);
    sl_requests_cancel(&self->requests);
    while ((request = sl_request_pop(&self->flying)) != NULL) {
        self->requests.flying--;
        request->result = -ECANCELED;
        sl_requests_finish(&self->requests, request);
    }
    self->channel_free_ns = 0;
    set_timer(self);
}

static void sim_close(struct sl_loader *loader)
{
    if (!loader)
        return;
    struct sim_loader *self = sim_of(loader);

    sl_requests_free(&self->requests);
    if (self->timer_fd >= 0)
        close(self->timer_fd);
    free(self);
}

const struct sl_loader_ops sl_loader_sim = {
    .name = "sim",
    .description = "for tests: a device of a given rate and latency, without data",
    .for_tests = true,
    .without_data = true,
    .open = sim_open,
    .add_file = sim_add_file,
    .submit = sim_submit,
    .reap = sim_reap,
    .event_fd = sim_event_fd,
    .cancel = sim_cancel,
    .close = sim_close,
};
