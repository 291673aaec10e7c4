/* The pread loader: a few threads that read, for systems that deny io_uring. Same files, same
 * O_DIRECT, same order. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "iouring/loaders.h"
#include "iouring/workers.h"

struct pread_loader {
    struct sl_loader loader; /* first */
    struct sl_workers workers;
};

static struct sl_workers *workers_of(struct sl_loader *loader)
{
    return &((struct pread_loader *)loader)->workers;
}

static ssize_t attempt(void *context, const struct sl_request *request)
{
    char *to = (char *)request->read.destination + request->done;
    off_t offset = (off_t)(request->read.offset + request->done);

    (void)context;
    ssize_t got = pread(request->file->fd, to, (size_t)request->attempt_bytes, offset);
    return got < 0 ? -errno : got;
}

static void pread_close(struct sl_loader *loader)
{
    if (!loader)
        return;
    sl_workers_close(workers_of(loader));
    free(loader);
}

static int pread_open(const struct sl_loader_options *options, struct sl_loader **out,
                      struct sl_error *error)
{
    struct pread_loader *self = calloc(1, sizeof(*self));
    if (!self)
        return sl_error_set(error, ENOMEM, "no memory for the pread loader");
    self->loader.ops = &sl_loader_pread;
    self->loader.direct = !options->buffered;

    int rc = sl_workers_open(&self->workers, options, attempt, NULL, error);
    if (rc < 0) {
        pread_close(&self->loader);
        return rc;
    }
    *out = &self->loader;
    return 0;
}

static int pread_add_file(struct sl_loader *loader, const char *path, struct sl_error *error)
{
    return sl_workers_add_file(workers_of(loader), loader, path, error);
}

static int pread_submit(struct sl_loader *loader, const struct sl_read *read,
                        struct sl_error *error)
{
    return sl_workers_submit(workers_of(loader), read, error);
}

static int pread_reap(struct sl_loader *loader, struct sl_completion *completions, int most,
                      uint64_t timeout_ns, struct sl_error *error)
{
    return sl_workers_reap(workers_of(loader), loader, completions, most, timeout_ns, error);
}

static int pread_event_fd(struct sl_loader *loader)
{
    return workers_of(loader)->requests.event_fd;
}

static void pread_cancel(struct sl_loader *loader)
{
    sl_workers_cancel(workers_of(loader));
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
