#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "iouring/hints.h"
#include "iouring/loaders.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"

static const struct sl_loader_ops *const loaders[] = {
    &sl_loader_uring, &sl_loader_pread, &sl_loader_mmap, &sl_loader_sim, &sl_loader_fault,
};
#define LOADER_COUNT ((int)(sizeof(loaders) / sizeof(loaders[0])))

const struct sl_loader_ops *sl_loader_at(int index)
{
    return index >= 0 && index < LOADER_COUNT ? loaders[index] : NULL;
}

int sl_loaders_check(struct sl_error *error)
{
    for (int i = 0; i < LOADER_COUNT; i++) {
        const struct sl_loader_ops *ops = loaders[i];
        if (!ops->name || !ops->description)
            return sl_error_set(error, EINVAL, "loader %d has no name or description", i);
        if (!ops->open || !ops->add_file || !ops->submit || !ops->reap || !ops->event_fd ||
            !ops->cancel || !ops->close)
            return sl_error_set(error, EINVAL, "loader %s lacks a required hook", ops->name);
        if (!ops->map != !ops->release || !ops->map != !ops->keep || !ops->map != !ops->damaged)
            return sl_error_set(error, EINVAL, "loader %s maps, but not with all hooks of it",
                                ops->name);
        for (int j = 0; j < i; j++)
            if (strcmp(ops->name, loaders[j]->name) == 0)
                return sl_error_set(error, EINVAL, "two loaders are named %s", ops->name);
    }
    return 0;
}

/* Value of the sysctl (0 allowed, 1 only for its group, 2 for nobody); -1 before Linux 6.6. */
static int io_uring_disabled(void)
{
    SL_AUTO_FILE FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    int value = -1;

    if (!file || fscanf(file, "%d", &value) != 1)
        return -1;
    return value;
}

static void explain(int code, char reason[160])
{
    const char *cause = strerror(-code);
    char text[96];

    if (code == -EPERM && io_uring_disabled() > 0) {
        snprintf(text, sizeof(text), "EPERM: sysctl kernel.io_uring_disabled=%d",
                 io_uring_disabled());
        cause = text;
    } else if (code == -EPERM || code == -EACCES) {
        cause = "EPERM: a seccomp filter or security module, as containers have";
    } else if (code == -ENOSYS) {
        cause = "ENOSYS: this kernel or sandbox has none";
    } else if (code == -ENOMEM) {
        cause = "ENOMEM: no memory, or ulimit -l is too low";
    }
    snprintf(reason, 160, "io_uring denied (%s); reading with pread threads", cause);
}

static const struct sl_loader_ops *find(const char *name, struct sl_error *error)
{
    struct sl_suggestion suggestion = {.wanted = name};

    for (int i = 0; i < LOADER_COUNT; i++) {
        if (strcmp(loaders[i]->name, name) == 0)
            return loaders[i];
        sl_suggest(&suggestion, loaders[i]->name);
    }
    if (suggestion.best)
        sl_error_set(error, EINVAL, "no loader is named %s; did you mean %s?", name,
                     suggestion.best);
    else
        sl_error_set(error, EINVAL, "no loader is named %s; see: sluice list loaders", name);
    return NULL;
}

int sl_loader_check_hints(const char *name, const char *hints, struct sl_error *error)
{
    const struct sl_loader_ops *ops = name ? find(name, error) : NULL;
    unsigned set;

    if (name && !ops)
        return -EINVAL;
    if (hints && !(ops && ops->map))
        return sl_error_set(error, EINVAL,
                            "hints are for a loader that maps the pack, which %s does not; use "
                            "--loader mmap",
                            ops ? ops->name : "the default one");
    return sl_hints_parse(hints, &set, error);
}

int sl_loader_read_ahead(const char *name, const char *hints, const char *const *paths, int count,
                         uint64_t *bytes, struct sl_error *error)
{
    const struct sl_loader_options options = {.depth = 1, .hints = hints};
    struct sl_loader *loader = NULL;

    int rc = sl_loader_check_hints(name, hints, error);
    if (rc < 0)
        return rc;
    *bytes = 0;
    const struct sl_loader_ops *ops = name ? find(name, error) : NULL;
    if (!ops || !ops->map)
        return 0;
    rc = ops->open(&options, &loader, error);
    if (rc < 0)
        return rc;
    for (int i = 0; i < count && rc >= 0; i++)
        rc = ops->add_file(loader, paths[i], error);
    if (rc >= 0)
        *bytes = loader->read_ahead_bytes;
    ops->close(loader);
    return rc < 0 ? rc : 0;
}

int sl_loader_open(const char *name, const struct sl_loader_options *options,
                   struct sl_loader **loader, char reason[160], struct sl_error *error)
{
    struct sl_error refusal = {0};

    if (reason)
        reason[0] = '\0';
    int rc = sl_loader_check_hints(name, options->hints, error);
    if (rc < 0)
        return rc;
    const struct sl_loader_ops *ops = name ? find(name, error) : NULL;
    if (ops)
        return ops->open(options, loader, error);
    rc = sl_loader_uring.open(options, loader, &refusal);
    if (rc == 0)
        return 0;
    rc = sl_loader_pread.open(options, loader, error);
    if (rc == 0 && reason)
        explain(refusal.code, reason);
    return rc;
}
