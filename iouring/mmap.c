/* The mmap loader: the pack is mapped, kernels read the page cache in place. Reads become advice to
 * the kernel ahead of the run, given by a few threads because it blocks, and advice behind the run
 * that gives the pages back; iouring/hints.h has the words.
 *
 * Measured (Linux 6.18, cgroup v1, 1 MiB shards), what giving back frees: MADV_COLD and
 * MADV_DONTNEED nothing, the page cache keeps the pages; MADV_PAGEOUT most; MADV_DONTNEED and then
 * POSIX_FADV_DONTNEED all, at 0.25 ms a shard. But none frees a large folio that reaches into a
 * neighbour, which is what faults with read-ahead bring; MADV_WILLNEED brings single pages. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "iouring/fault_guard.h"
#include "iouring/hints.h"
#include "iouring/loaders.h"
#include "iouring/read_ahead.h"
#include "iouring/workers.h"
#include "runtime/base/units.h"

/* In the kernel's headers since 5.14 and 5.4. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

struct mapping {
    char *base;     /* NULL: the file is empty */
    uint64_t bytes; /* whole blocks */
    int guard;      /* of iouring/fault_guard.h */
};

struct mmap_loader {
    struct sl_loader loader; /* first */
    struct sl_workers workers;
    struct mapping *mappings; /* one per file */
    int mapping_count;
    unsigned hints;
    uint64_t file_bytes;       /* of all mappings */
    uint64_t window_bytes;     /* the largest of read-ahead that a file has */
    bool locked;               /* something was */
    _Atomic bool no_populate;  /* the kernel has none: pages are touched */
    _Atomic unsigned checksum; /* of touched bytes, so that touching is not optimised away */
};

static struct mmap_loader *mmap_of(struct sl_loader *loader)
{
    return (struct mmap_loader *)loader;
}

/* Bytes of whole blocks that the file has now, also for a block device. */
static uint64_t file_blocks(int fd)
{
    off_t end = lseek(fd, 0, SEEK_END);
    return end > 0 ? sl_align_up((uint64_t)end, SL_BLOCK_BYTES) : 0;
}

static void touch(struct mmap_loader *self, const char *from, uint64_t bytes)
{
    unsigned sum = 0;

    for (uint64_t at = 0; at < bytes; at += SL_BLOCK_BYTES)
        sum += *(const volatile unsigned char *)(from + at);
    atomic_fetch_add(&self->checksum, sum);
}

/* Until the pages are mapped in. A page that cannot be read is EFAULT here. */
static int populate(struct mmap_loader *self, char *from, uint64_t bytes)
{
    if (!atomic_load(&self->no_populate)) {
        if (madvise(from, bytes, MADV_POPULATE_READ) == 0)
            return 0;
        if (errno != EINVAL)
            return errno == EFAULT ? -EIO : -errno;
        atomic_store(&self->no_populate, true);
    }
    touch(self, from, bytes);
    return 0;
}

/* One piece of a read. Pages behind the end of the file must not be touched. */
static ssize_t attempt(void *context, const struct sl_request *request)
{
    struct mmap_loader *self = context;
    char *from = (char *)request->read.destination + request->done;
    uint64_t bytes = request->attempt_bytes;
    int rc = 0;

    if (request->read.offset + request->done + bytes > file_blocks(request->file->fd))
        return -ENODATA;
    if ((self->hints & SL_HINT_WILLNEED) && madvise(from, bytes, MADV_WILLNEED) != 0)
        rc = -errno;
    if (rc == 0 && (self->hints & SL_HINT_POPULATE))
        rc = populate(self, from, bytes);
    return rc < 0 ? rc : (ssize_t)bytes;
}

static void unmap(const struct mapping *mapping)
{
    if (!mapping->base)
        return;
    sl_fault_guard_remove(mapping->guard);
    munmap(mapping->base, mapping->bytes);
}

static void mmap_close(struct sl_loader *loader)
{
    if (!loader)
        return;
    struct mmap_loader *self = mmap_of(loader);

    sl_workers_close(&self->workers);
    for (int i = 0; i < self->mapping_count; i++)
        unmap(&self->mappings[i]);
    free(self->mappings);
    free(self);
}

static int mmap_open(const struct sl_loader_options *options, struct sl_loader **out,
                     struct sl_error *error)
{
    struct sl_loader_options workers_options = *options;
    unsigned hints;
    int rc = sl_hints_parse(options->hints, &hints, error);
    if (rc < 0)
        return rc;
    if (sysconf(_SC_PAGESIZE) != SL_BLOCK_BYTES)
        return sl_error_set(error, ENOTSUP,
                            "packs can be mapped only where pages have %d bytes; use another "
                            "--loader",
                            SL_BLOCK_BYTES);

    struct mmap_loader *self = calloc(1, sizeof(*self));
    if (!self)
        return sl_error_set(error, ENOMEM, "no memory for the mmap loader");
    self->loader.ops = &sl_loader_mmap;
    self->loader.lazy = !(hints & SL_HINT_POPULATE);
    self->hints = hints;
    sl_hints_format(hints, self->loader.hints);
    workers_options.buffered = true; /* the page cache is what is mapped */
    rc = sl_workers_open(&self->workers, &workers_options, attempt, self, error);
    if (rc < 0) {
        mmap_close(&self->loader);
        return rc;
    }
    *out = &self->loader;
    return 0;
}

static void advise_whole(const struct mmap_loader *self, const struct mapping *mapping)
{
    if (self->hints & SL_HINT_RANDOM)
        madvise(mapping->base, mapping->bytes, MADV_RANDOM);
    if (self->hints & SL_HINT_SEQUENTIAL)
        madvise(mapping->base, mapping->bytes, MADV_SEQUENTIAL);
}

static int map_file(const struct mmap_loader *self, int fd, const char *path,
                    struct mapping *mapping, struct sl_error *error)
{
    *mapping = (struct mapping){.bytes = file_blocks(fd)};
    if (mapping->bytes == 0)
        return 0;
    void *base = mmap(NULL, mapping->bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return sl_error_errno(error, "cannot map %s", path);
    int guard = sl_fault_guard_add(base, mapping->bytes, error);
    if (guard < 0) {
        munmap(base, mapping->bytes);
        return guard;
    }
    mapping->base = base;
    mapping->guard = guard;
    advise_whole(self, mapping);
    return 0;
}

/* A pack is touched in one place when that is where it is used, and in two when it is populated
 * ahead: shards are read in the order of the file, and behind the last come the first of the next
 * request. MADV_WILLNEED brings no more than it is told, but what the kernel took away again before
 * its use is read as if nobody had asked for it. */
static void count_read_ahead(struct mmap_loader *self, int fd, const struct mapping *mapping)
{
    if (self->hints & SL_HINT_RANDOM)
        return;
    const uint64_t window = sl_read_ahead_window_of(fd);
    if (window > self->window_bytes)
        self->window_bytes = window;
    self->file_bytes += mapping->bytes;
    const uint64_t places = self->loader.lazy ? 1 : 2;
    const uint64_t most = places * sl_read_ahead_most(self->window_bytes);
    self->loader.read_ahead_bytes = most < self->file_bytes ? most : self->file_bytes;
}

static int mmap_add_file(struct sl_loader *loader, const char *path, struct sl_error *error)
{
    struct mmap_loader *self = mmap_of(loader);
    size_t count = (size_t)self->mapping_count;
    struct mapping *mappings = realloc(self->mappings, (count + 1) * sizeof(*mappings));
    if (!mappings)
        return sl_error_set(error, ENOMEM, "no memory to map %s", path);
    self->mappings = mappings;

    int number = sl_workers_add_file(&self->workers, loader, path, error);
    if (number < 0)
        return number;
    /* A file that cannot be mapped keeps its number, as an empty one. */
    struct sl_file *file = self->workers.requests.files[number];
    file->mapped = true;
    self->mapping_count++;
    int rc = map_file(self, file->fd, path, &self->mappings[number], error);
    if (rc < 0)
        return rc;
    count_read_ahead(self, file->fd, &self->mappings[number]);
    return number;
}

static void *mmap_map(struct sl_loader *loader, int file, uint64_t offset, uint64_t length,
                      struct sl_error *error)
{
    const struct mmap_loader *self = mmap_of(loader);

    if (file < 0 || file >= self->mapping_count || offset % SL_BLOCK_BYTES) {
        sl_error_set(error, EINVAL, "there is nothing to map at offset %llu of file %d",
                     (unsigned long long)offset, file);
        return NULL;
    }
    const struct mapping *mapping = &self->mappings[file];
    if (offset > mapping->bytes || length > mapping->bytes - offset) {
        sl_error_set(error, ENODATA,
                     "the file ends before %llu bytes at offset %llu; make the pack again",
                     (unsigned long long)length, (unsigned long long)offset);
        return NULL;
    }
    return mapping->base + offset;
}

static int check_place(const struct mmap_loader *self, const struct sl_read *read,
                       struct sl_error *error)
{
    if (read->file < 0 || read->file >= self->mapping_count)
        return 0; /* refused with the others' words */
    const struct mapping *mapping = &self->mappings[read->file];
    if (read->offset <= mapping->bytes && read->length <= mapping->bytes - read->offset &&
        read->destination == mapping->base + read->offset)
        return 0;
    return sl_error_set(error, EINVAL, "read of %llu bytes at offset %llu into %p is not mapped",
                        (unsigned long long)read->length, (unsigned long long)read->offset,
                        read->destination);
}

static int mmap_submit(struct sl_loader *loader, const struct sl_read *read, struct sl_error *error)
{
    struct mmap_loader *self = mmap_of(loader);
    int rc = check_place(self, read, error);

    if (rc < 0)
        return rc;
    if (self->hints & (SL_HINT_WILLNEED | SL_HINT_POPULATE))
        return sl_workers_submit(&self->workers, read, error);
    return sl_workers_finish(&self->workers, read, 0, error);
}

static int mmap_reap(struct sl_loader *loader, struct sl_completion *completions, int most,
                     uint64_t timeout_ns, struct sl_error *error)
{
    struct mmap_loader *self = mmap_of(loader);

    if (atomic_load(&self->no_populate))
        sl_loader_note(loader, "pages are touched one by one: MADV_POPULATE_READ needs Linux 5.14");
    return sl_workers_reap(&self->workers, loader, completions, most, timeout_ns, error);
}

static int find_mapping(const struct mmap_loader *self, const char *memory)
{
    for (int i = 0; i < self->mapping_count; i++) {
        const struct mapping *mapping = &self->mappings[i];
        if (mapping->base && memory >= mapping->base && memory < mapping->base + mapping->bytes)
            return i;
    }
    return -1;
}

static void advise(struct mmap_loader *self, void *memory, uint64_t length, int advice,
                   const char *name)
{
    if (madvise(memory, length, advice) != 0)
        sl_loader_note(&self->loader, "%s is refused: %s", name, strerror(errno));
}

static void mmap_release(struct sl_loader *loader, void *memory, uint64_t length)
{
    struct mmap_loader *self = mmap_of(loader);
    int number = find_mapping(self, memory);

    if (number < 0)
        return;
    if (self->locked)
        munlock(memory, length);
    if (self->hints & SL_HINT_COLD)
        advise(self, memory, length, MADV_COLD, "MADV_COLD");
    if (self->hints & SL_HINT_PAGEOUT)
        advise(self, memory, length, MADV_PAGEOUT, "MADV_PAGEOUT");
    if (self->hints & SL_HINT_DONTNEED) {
        /* Pages that are mapped stay in the page cache: first the one, then the other. */
        advise(self, memory, length, MADV_DONTNEED, "MADV_DONTNEED");
        posix_fadvise(self->workers.requests.files[number]->fd,
                      (char *)memory - self->mappings[number].base, (off_t)length,
                      POSIX_FADV_DONTNEED);
    }
}

static void mmap_keep(struct sl_loader *loader, void *memory, uint64_t length)
{
    struct mmap_loader *self = mmap_of(loader);

    if (!(self->hints & SL_HINT_LOCK))
        return;
    /* The kernel takes back none of a large folio that is locked in part. Where read-ahead brings
     * them, what is locked is more than what stays, by no bound but the file. */
    if (self->loader.read_ahead_bytes) {
        sl_loader_note(loader, "shards that stay are not locked: read-ahead, which hint random "
                               "switches off, would be locked with them");
        return;
    }
    if (mlock2(memory, length, MLOCK_ONFAULT) == 0)
        self->locked = true;
    else
        sl_loader_note(loader, "shards that stay are not locked: %s%s", strerror(errno),
                       errno == ENOMEM || errno == EPERM ? " (see ulimit -l)" : "");
}

static int mmap_damaged(struct sl_loader *loader, int *file, uint64_t *offset)
{
    struct mmap_loader *self = mmap_of(loader);

    for (int i = 0; i < self->mapping_count; i++) {
        const struct mapping *mapping = &self->mappings[i];
        if (!mapping->base || !sl_fault_guard_failed(mapping->guard, offset))
            continue;
        /* The file again in place of the zeroes, at the same addresses. */
        int fd = self->workers.requests.files[i]->fd;
        if (mmap(mapping->base, mapping->bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) !=
            MAP_FAILED)
            advise_whole(self, mapping);
        *file = i;
        return -EIO;
    }
    return 0;
}

static int mmap_event_fd(struct sl_loader *loader)
{
    return mmap_of(loader)->workers.requests.event_fd;
}

static void mmap_cancel(struct sl_loader *loader)
{
    sl_workers_cancel(&mmap_of(loader)->workers);
}

const struct sl_loader_ops sl_loader_mmap = {
    .name = "mmap",
    .description = "the pack mapped, with hints to the kernel ahead of and behind the run",
    .open = mmap_open,
    .add_file = mmap_add_file,
    .map = mmap_map,
    .release = mmap_release,
    .keep = mmap_keep,
    .damaged = mmap_damaged,
    .submit = mmap_submit,
    .reap = mmap_reap,
    .event_fd = mmap_event_fd,
    .cancel = mmap_cancel,
    .close = mmap_close,
};
