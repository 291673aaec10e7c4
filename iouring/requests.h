/* What every loader keeps: its files, the queue of reads that wait for a place in flight, and the
 * finished reads that wait to be reaped. Reads are taken and handed out in order of submission and
 * completion. Not thread-safe: a loader with threads holds its lock around the calls. */
#ifndef SLUICE_IOURING_REQUESTS_H
#define SLUICE_IOURING_REQUESTS_H

#include "iouring/files.h"
#include "iouring/loader.h"

struct sl_request_list {
    struct sl_request *first, *last;
};

/* Puts a request at the end of the list. */
void sl_request_push(struct sl_request_list *list, struct sl_request *request);
/* Puts a request at the head of the list. */
void sl_request_push_front(struct sl_request_list *list, struct sl_request *request);
/* NULL when empty. */
struct sl_request *sl_request_pop(struct sl_request_list *list);

struct sl_requests {
    struct sl_file **files;
    int file_count;
    bool buffered;
    int depth;
    int flying;            /* given to the kernel */
    uint64_t flying_bytes; /* of those, where launch and land are used */
    uint64_t flying_most;  /* the most that may be; a single read of any size may */
    unsigned cancels; /* how often the caller cancelled: earlier reads end at their next step */
    struct sl_request_list queued, finished, unused;
    struct sl_request_block *blocks; /* memory of all requests */
    int event_fd;                    /* readable while finished is not empty */
};

/* Checks the options and opens event_fd. Free with sl_requests_free, also after a failure. */
int sl_requests_init(struct sl_requests *requests, const struct sl_loader_options *options,
                     struct sl_error *error);
/* Nothing may be flying. */
void sl_requests_free(struct sl_requests *requests);

/* Opens and numbers a file; notes in the loader when it is buffered against the wish. */
int sl_requests_add_file(struct sl_requests *requests, struct sl_loader *loader, const char *path,
                         struct sl_error *error);
/* Checks a read and queues it. 0 or -errno. */
int sl_requests_take(struct sl_requests *requests, const struct sl_read *read,
                     struct sl_error *error);
/* The queued read that may go into flight now, which counts as flying from here on; NULL when there
 * is none or no place for it. */
struct sl_request *sl_requests_launch(struct sl_requests *requests);
/* It is no longer in flight. */
void sl_requests_land(struct sl_requests *requests, const struct sl_request *request);
/* sl_request_advance, with regard to cancels since the read was submitted. */
bool sl_requests_advance(struct sl_requests *requests, struct sl_request *request, ssize_t answer);
/* Stamps a read that was in flight or queued and whose result is set. */
void sl_requests_finish(struct sl_requests *requests, struct sl_request *request);
/* Queued reads end with -ECANCELED, those in flight after their present attempt. */
void sl_requests_cancel(struct sl_requests *requests);
/* Moves finished reads to the caller; returns how many. Brings the loader's notes up to date. */
int sl_requests_hand_out(struct sl_requests *requests, struct sl_loader *loader,
                         struct sl_completion *completions, int most);

/* Makes an eventfd readable, and not. */
void sl_event_raise(int event_fd);
void sl_event_clear(int event_fd);
/* Point in time of a timeout from now; saturates at UINT64_MAX (for ever). */
uint64_t sl_deadline(uint64_t timeout_ns);
/* Waits until fd is readable: 1, or 0 at the deadline or after a signal, or -errno. */
int sl_wait_readable(int fd, uint64_t deadline_ns);

/* Adds a line to loader->notes unless it is there already or there is no room. */
void sl_loader_note(struct sl_loader *loader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
