#include "iouring/requests.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/base/clock.h"

/* Requests are allocated by the page: bulk policies submit thousands, most callers a few. */
#define BLOCK_REQUESTS 32

struct sl_request_block {
    struct sl_request_block *next;
    struct sl_request requests[BLOCK_REQUESTS];
};

void sl_request_push(struct sl_request_list *list, struct sl_request *request)
{
    request->next = NULL;
    if (list->last)
        list->last->next = request;
    else
        list->first = request;
    list->last = request;
}

void sl_request_push_front(struct sl_request_list *list, struct sl_request *request)
{
    request->next = list->first;
    list->first = request;
    if (!list->last)
        list->last = request;
}

struct sl_request *sl_request_pop(struct sl_request_list *list)
{
    struct sl_request *request = list->first;

    if (request) {
        list->first = request->next;
        if (!list->first)
            list->last = NULL;
    }
    return request;
}

int sl_requests_init(struct sl_requests *requests, const struct sl_loader_options *options,
                     struct sl_error *error)
{
    *requests = (struct sl_requests){.event_fd = -1, .flying_most = UINT64_MAX};
    if (options->depth < 1 || options->depth > 256)
        return sl_error_set(error, EINVAL, "queue depth %d is not within 1..256", options->depth);
    requests->depth = options->depth;
    requests->buffered = options->buffered;
    requests->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (requests->event_fd < 0)
        return sl_error_errno(error, "cannot create an eventfd for the loader");
    return 0;
}

void sl_requests_free(struct sl_requests *requests)
{
    for (int i = 0; i < requests->file_count; i++)
        sl_file_close(requests->files[i]);
    free(requests->files);
    while (requests->blocks) {
        struct sl_request_block *block = requests->blocks;
        requests->blocks = block->next;
        free(block);
    }
    if (requests->event_fd >= 0)
        close(requests->event_fd);
    *requests = (struct sl_requests){.event_fd = -1};
}

/* The user learns once per file that it is not read as wished. */
static void note_buffered(const struct sl_requests *requests, struct sl_loader *loader,
                          struct sl_file *file)
{
    if (file->direct || file->noted)
        return;
    file->noted = true;
    loader->direct = false;
    if (!requests->buffered)
        sl_loader_note(loader, "%s is read buffered: %s", file->name, file->degraded);
}

int sl_requests_add_file(struct sl_requests *requests, struct sl_loader *loader, const char *path,
                         struct sl_error *error)
{
    struct sl_file *file;
    int rc = sl_file_open(path, requests->buffered, &file, error);
    if (rc < 0)
        return rc;

    size_t count = (size_t)requests->file_count;
    struct sl_file **files = realloc(requests->files, (count + 1) * sizeof(struct sl_file *));
    if (!files) {
        sl_file_close(file);
        return sl_error_set(error, ENOMEM, "no memory to open %s", path);
    }
    files[count] = file;
    requests->files = files;
    note_buffered(requests, loader, file);
    return requests->file_count++;
}

static int check_read(const struct sl_requests *requests, const struct sl_read *read,
                      struct sl_error *error)
{
    if (read->file < 0 || read->file >= requests->file_count)
        return sl_error_set(error, EINVAL, "read of file %d of %d", read->file,
                            requests->file_count);
    if (read->length == 0 || read->length > SL_READ_MOST_BYTES ||
        read->offset > (uint64_t)INT64_MAX - read->length)
        return sl_error_set(error, EINVAL, "read of %llu bytes at offset %llu is out of range",
                            (unsigned long long)read->length, (unsigned long long)read->offset);
    if ((read->offset | read->length | (uintptr_t)read->destination) % SL_BLOCK_BYTES ||
        !read->destination)
        return sl_error_set(error, EINVAL,
                            "read of %llu bytes at offset %llu into %p is not in blocks of %d",
                            (unsigned long long)read->length, (unsigned long long)read->offset,
                            read->destination, SL_BLOCK_BYTES);
    return 0;
}

int sl_requests_take(struct sl_requests *requests, const struct sl_read *read,
                     struct sl_error *error)
{
    int rc = check_read(requests, read, error);
    if (rc < 0)
        return rc;

    if (!requests->unused.first) {
        struct sl_request_block *block = malloc(sizeof(*block));
        if (!block)
            return sl_error_set(error, ENOMEM, "no memory to queue another read");
        block->next = requests->blocks;
        requests->blocks = block;
        for (int i = 0; i < BLOCK_REQUESTS; i++)
            sl_request_push(&requests->unused, &block->requests[i]);
    }
    struct sl_request *request = sl_request_pop(&requests->unused);
    *request = (struct sl_request){
        .read = *read,
        .file = requests->files[read->file],
        .submitted_ns = sl_now_ns(),
        .cancels_before = requests->cancels,
    };
    sl_request_push(&requests->queued, request);
    return 0;
}

struct sl_request *sl_requests_launch(struct sl_requests *requests)
{
    const struct sl_request *first = requests->queued.first;
    if (!first || requests->flying >= requests->depth)
        return NULL;
    if (requests->flying > 0 &&
        (requests->flying_bytes >= requests->flying_most ||
         first->read.length > requests->flying_most - requests->flying_bytes))
        return NULL;
    requests->flying++;
    requests->flying_bytes += first->read.length;
    return sl_request_pop(&requests->queued);
}

void sl_requests_land(struct sl_requests *requests, const struct sl_request *request)
{
    requests->flying--;
    requests->flying_bytes -= request->read.length;
}

bool sl_requests_advance(struct sl_requests *requests, struct sl_request *request, ssize_t answer)
{
    request->cancelled = request->cancels_before != requests->cancels;
    return sl_request_advance(request, answer);
}

void sl_requests_finish(struct sl_requests *requests, struct sl_request *request)
{
    request->completed_ns = sl_now_ns();
    sl_file_drop_behind(request->file, request->read.offset, request->read.length);
    sl_request_push(&requests->finished, request);
}

void sl_requests_cancel(struct sl_requests *requests)
{
    struct sl_request *request;

    requests->cancels++;
    while ((request = sl_request_pop(&requests->queued))) {
        request->result = -ECANCELED;
        sl_requests_finish(requests, request);
    }
}

int sl_requests_hand_out(struct sl_requests *requests, struct sl_loader *loader,
                         struct sl_completion *completions, int most)
{
    int count = 0;

    while (count < most && requests->finished.first) {
        struct sl_request *request = sl_request_pop(&requests->finished);
        completions[count++] = (struct sl_completion){
            .tag = request->read.tag,
            .result = request->result,
            .submitted_ns = request->submitted_ns,
            .completed_ns = request->completed_ns,
        };
        note_buffered(requests, loader, request->file);
        sl_request_push(&requests->unused, request);
    }
    return count;
}

void sl_event_raise(int event_fd)
{
    uint64_t one = 1;
    ssize_t written = write(event_fd, &one, sizeof(one));
    (void)written; /* it fails only when the counter is full, and then the fd is readable */
}

void sl_event_clear(int event_fd)
{
    uint64_t count;
    ssize_t got = read(event_fd, &count, sizeof(count));
    (void)got; /* EAGAIN: it was clear */
}

uint64_t sl_deadline(uint64_t timeout_ns)
{
    uint64_t now = sl_now_ns();

    return timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
}

int sl_wait_readable(int fd, uint64_t deadline_ns)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    uint64_t now = sl_now_ns();
    uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000u),
                               .tv_nsec = (long)(left % 1000000000u)};

    int rc = ppoll(&poll_fd, 1, deadline_ns == UINT64_MAX ? NULL : &timeout, NULL);
    if (rc < 0)
        return errno == EINTR ? 0 : -errno;
    return rc;
}

void sl_loader_note(struct sl_loader *loader, const char *format, ...)
{
    char line[sizeof(loader->notes)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);

    size_t used = strlen(loader->notes), length = strlen(line);
    size_t separator = used > 0 ? 2 : 0;
    if (strstr(loader->notes, line) || used + separator + length >= sizeof(loader->notes))
        return;
    memcpy(loader->notes + used, "; ", separator);
    memcpy(loader->notes + used + separator, line, length + 1);
}
