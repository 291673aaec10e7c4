/* The fault loader: the default loader with damage. Every fault_every-th read ends with
 * fault_errno; when that is 0 the read claims success but its second half is zero, as from a device
 * that lies: what checksums must catch. With fault_reap or fault_cancelled the loader itself
 * breaks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iouring/loaders.h"
#include "iouring/requests.h"

/* A read handed on; its address is the inner loader's tag. */
struct faulty_read {
    struct sl_read read;
    bool spoiled;
};

struct fault_loader {
    struct sl_loader loader; /* first */
    struct sl_loader *inner;
    int fault_errno;
    uint64_t fault_every, count;
    uint64_t fault_reap, reaped;
    bool fault_cancelled, broken;
};

static struct fault_loader *fault_of(struct sl_loader *loader)
{
    return (struct fault_loader *)loader;
}

static int fault_open(const struct sl_loader_options *options, struct sl_loader **out,
                      struct sl_error *error)
{
    struct fault_loader *self = calloc(1, sizeof(*self));
    char reason[160];

    if (!self)
        return sl_error_set(error, ENOMEM, "no memory for the fault loader");
    self->loader.ops = &sl_loader_fault;
    self->fault_errno = options->fault_errno;
    self->fault_every = options->fault_every;
    self->fault_reap = options->fault_reap;
    self->fault_cancelled = options->fault_cancelled;
    int rc = sl_loader_open(NULL, options, &self->inner, reason, error);
    if (rc < 0) {
        free(self);
        return rc;
    }
    self->loader.direct = self->inner->direct;
    *out = &self->loader;
    return 0;
}

/* What the user reads of the inner loader. */
static void mirror(struct fault_loader *self)
{
    self->loader.direct = self->inner->direct;
    memcpy(self->loader.notes, self->inner->notes, sizeof(self->loader.notes));
}

static int fault_add_file(struct sl_loader *loader, const char *path, struct sl_error *error)
{
    struct fault_loader *self = fault_of(loader);
    int number = self->inner->ops->add_file(self->inner, path, error);

    mirror(self);
    return number;
}

static int fault_add_memory(struct sl_loader *loader, void *base, size_t bytes)
{
    struct fault_loader *self = fault_of(loader);
    int rc =
        self->inner->ops->add_memory ? self->inner->ops->add_memory(self->inner, base, bytes) : 0;
    mirror(self);
    return rc;
}

static void fault_pace(struct sl_loader *loader, uint64_t most_bytes)
{
    struct fault_loader *self = fault_of(loader);
    if (self->inner->ops->pace)
        self->inner->ops->pace(self->inner, most_bytes);
}

static int fault_submit(struct sl_loader *loader, const struct sl_read *read,
                        struct sl_error *error)
{
    struct fault_loader *self = fault_of(loader);
    struct faulty_read *faulty = malloc(sizeof(*faulty));
    if (!faulty)
        return sl_error_set(error, ENOMEM, "no memory to queue another read");

    *faulty = (struct faulty_read){.read = *read};
    struct sl_read handed_on = *read;
    handed_on.tag = (uintptr_t)faulty;
    int rc = self->inner->ops->submit(self->inner, &handed_on, error);
    if (rc < 0) {
        free(faulty);
        return rc;
    }
    faulty->spoiled = self->fault_every > 0 && ++self->count % self->fault_every == 0;
    return 0;
}

static void spoil(const struct fault_loader *self, const struct sl_read *read,
                  struct sl_completion *completion)
{
    if (completion->result < 0)
        return;
    size_t half = (size_t)(read->length / 2);
    completion->result = -abs(self->fault_errno);
    if (completion->result == 0)
        memset((char *)read->destination + half, 0, (size_t)read->length - half);
}

static int reap(struct fault_loader *self, struct sl_completion *completions, int most,
                uint64_t timeout_ns, struct sl_error *error)
{
    int count = self->inner->ops->reap(self->inner, completions, most, timeout_ns, error);

    for (int i = 0; i < count; i++) {
        struct faulty_read *faulty = (struct faulty_read *)(uintptr_t)completions[i].tag;
        completions[i].tag = faulty->read.tag;
        if (faulty->spoiled)
            spoil(self, &faulty->read, &completions[i]);
        free(faulty);
    }
    mirror(self);
    return count;
}

static int fault_reap(struct sl_loader *loader, struct sl_completion *completions, int most,
                      uint64_t timeout_ns, struct sl_error *error)
{
    struct fault_loader *self = fault_of(loader);
    self->broken |= self->fault_reap && self->reaped >= self->fault_reap;
    if (self->broken)
        return sl_error_set(error, EIO, "the fault loader broke after %llu reads",
                            (unsigned long long)self->reaped);

    int count = reap(self, completions, most, timeout_ns, error);
    self->reaped += count > 0 ? (uint64_t)count : 0;
    return count;
}

static int fault_event_fd(struct sl_loader *loader)
{
    struct fault_loader *self = fault_of(loader);
    return self->inner->ops->event_fd(self->inner);
}

static void fault_cancel(struct sl_loader *loader)
{
    struct fault_loader *self = fault_of(loader);
    self->broken |= self->fault_cancelled;
    self->inner->ops->cancel(self->inner);
}

static void fault_close(struct sl_loader *loader)
{
    if (!loader)
        return;
    struct fault_loader *self = fault_of(loader);
    struct sl_completion completions[8];

    fault_cancel(loader);
    while (reap(self, completions, 8, UINT64_MAX, NULL) > 0)
        continue; /* each holds memory of ours */
    self->inner->ops->close(self->inner);
    free(self);
}

const struct sl_loader_ops sl_loader_fault = {
    .name = "fault",
    .description = "for tests: the default loader with every n-th read failing",
    .for_tests = true,
    .open = fault_open,
    .add_file = fault_add_file,
    .add_memory = fault_add_memory,
    .pace = fault_pace,
    .submit = fault_submit,
    .reap = fault_reap,
    .event_fd = fault_event_fd,
    .cancel = fault_cancel,
    .close = fault_close,
};
