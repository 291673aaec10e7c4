#include "iouring/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"

/* A read that brings nothing this often in a row is given up. */
#define FRUITLESS_MOST 1000

/* Alignment that direct reads of fd need; 0: not possible. Before Linux 6.1, and for file systems
 * that do not answer, there is no way to ask, and a block is enough. tmpfs takes O_DIRECT and
 * ignores it: its pages are the file. */
static uint32_t direct_alignment(int fd)
{
    struct statfs file_system;

    if (fstatfs(fd, &file_system) == 0 && file_system.f_type == TMPFS_MAGIC)
        return 0;
#ifdef STATX_DIOALIGN
    struct statx status;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 &&
        (status.stx_mask & STATX_DIOALIGN)) {
        uint32_t offset = status.stx_dio_offset_align, memory = status.stx_dio_mem_align;
        if (offset > SL_BLOCK_BYTES || memory > SL_BLOCK_BYTES)
            return 0;
        return offset;
    }
#else
    (void)fd;
#endif
    return SL_BLOCK_BYTES;
}

static void make_buffered(struct sl_file *file, const char *why)
{
    int flags = fcntl(file->fd, F_GETFL);

    if (flags >= 0)
        fcntl(file->fd, F_SETFL, flags & ~O_DIRECT);
    file->direct = false;
    file->degraded = why;
    /* Read-ahead would fetch, and charge to the cgroup, pages that nobody asked for. */
    posix_fadvise(file->fd, 0, 0, POSIX_FADV_RANDOM);
}

int sl_file_open(const char *path, bool buffered, struct sl_file **out, struct sl_error *error)
{
    /* Not blocking: a FIFO must not hang us before it is refused. */
    SL_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0)
        return sl_error_errno(error, "cannot open %s", path);
    if (S_ISDIR(status.st_mode))
        return sl_error_set(error, EISDIR, "cannot read %s: it is a directory", path);
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
        return sl_error_set(error, EINVAL, "cannot read %s: not a regular file", path);

    struct sl_file *file = calloc(1, sizeof(*file));
    if (!file)
        return sl_error_set(error, ENOMEM, "no memory to open %s", path);

    size_t length = strlen(path);
    size_t skip = length >= sizeof(file->name) ? length - sizeof(file->name) + 1 : 0;
    const char *slash = strrchr(path + skip, '/');
    snprintf(file->name, sizeof(file->name), "%s", slash && slash[1] ? slash + 1 : path + skip);
    file->fd = fd;
    fd = -1;
    file->alignment = direct_alignment(file->fd);

    if (buffered)
        make_buffered(file, "buffered as asked");
    else if (file->alignment == 0)
        make_buffered(file, "the file system has no O_DIRECT for it");
    else if (fcntl(file->fd, F_SETFL, O_DIRECT) != 0)
        make_buffered(file, "the file system refuses O_DIRECT");
    else
        file->direct = true;
    *out = file;
    return 0;
}

void sl_file_close(struct sl_file *file)
{
    if (!file)
        return;
    close(file->fd);
    free(file);
}

/* RWF_DONTCACHE (Linux 6.14) would do the same in the kernel, folio by folio, and is slower. */
void sl_file_drop_behind(const struct sl_file *file, uint64_t offset, uint64_t length)
{
    if (!file->direct && !file->mapped)
        posix_fadvise(file->fd, (off_t)offset, (off_t)length, POSIX_FADV_DONTNEED);
}

void sl_request_attempt(struct sl_request *request)
{
    uint64_t rest = request->read.length - request->done;

    request->attempt_bytes = rest < SL_PIECE_BYTES ? rest : SL_PIECE_BYTES;
    request->attempt_direct = request->file->direct;
}

static bool finish(struct sl_request *request, int result)
{
    request->result = result;
    return true;
}

static bool try_again(struct sl_request *request)
{
    if (request->cancelled)
        return finish(request, -ECANCELED);
    if (++request->fruitless > FRUITLESS_MOST)
        return finish(request, -EIO);
    return false;
}

/* The file ends where the filled part does. */
static bool finish_at_end(struct sl_request *request)
{
    uint64_t position = request->read.offset + request->done;
    uint64_t block_end = sl_align_up(position, SL_BLOCK_BYTES);

    if (position == block_end || block_end != request->read.offset + request->read.length)
        return finish(request, -ENODATA);
    memset((char *)request->read.destination + request->done, 0,
           (size_t)(request->read.length - request->done));
    return finish(request, 0);
}

static bool at_end_of_file(const struct sl_request *request)
{
    struct stat status;

    if (fstat(request->file->fd, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    return request->read.offset + request->done >= (uint64_t)status.st_size;
}

static bool advance_failed(struct sl_request *request, int code)
{
    struct sl_file *file = request->file;

    if (code == -EAGAIN || code == -EINTR)
        return try_again(request);
    if (code == -EINVAL && request->attempt_direct) {
        if (file->direct)
            make_buffered(file, "O_DIRECT reads fail with EINVAL");
        return try_again(request);
    }
    return finish(request, code);
}

bool sl_request_advance(struct sl_request *request, ssize_t answer)
{
    if (answer < 0)
        return advance_failed(request, (int)answer);
    if (answer == 0)
        return finish_at_end(request);

    uint64_t before = request->done;
    request->done += (uint64_t)answer;
    if (request->done >= request->read.length)
        return finish(request, 0);
    if ((uint64_t)answer < request->attempt_bytes) {
        if (at_end_of_file(request))
            return finish_at_end(request);
        if (request->file->direct)
            request->done -= request->done % request->file->alignment;
    }
    if (request->done <= before)
        return try_again(request);
    request->fruitless = 0;
    return request->cancelled ? finish(request, -ECANCELED) : false;
}
