#include "runtime/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"

int sl_file_open_regular(const char *path, uint64_t *bytes, struct sl_error *error)
{
    /* Not blocking: a FIFO must not hang us before it is refused. */
    SL_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return sl_error_errno(error, "%s", path);
    if (S_ISDIR(status.st_mode))
        return sl_error_set(error, -EISDIR, "%s: this is a directory", path);
    if (!S_ISREG(status.st_mode))
        return sl_error_set(error, -EINVAL, "%s: not a regular file", path);
    *bytes = (uint64_t)status.st_size;
    int opened = fd;
    fd = -1;
    return opened;
}

/* A descriptor that was opened without waiting: what is read or written waits. */
static int make_blocking(int *fd, int flags, struct sl_error *error)
{
    if (fcntl(*fd, F_SETFL, flags))
        return sl_error_set(error, -errno, "%s", strerror(errno));
    int opened = *fd;
    *fd = -1;
    return opened;
}

int sl_file_open_finite(const char *path, struct sl_error *error)
{
    SL_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return sl_error_set(error, -errno, "%s", strerror(errno));
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
        return sl_error_set(error, -EINVAL, "this is a device, not a file");
    return make_blocking(&fd, O_RDONLY, error);
}

int sl_file_create(const char *path, struct sl_error *error)
{
    SL_AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
    int code = fd < 0 ? -errno : 0;
    struct stat status;
    if (code == -ENXIO && stat(path, &status) == 0 && S_ISFIFO(status.st_mode))
        return sl_error_set(error, code, "nobody reads this FIFO; start its reader first");
    if (code < 0)
        return sl_error_set(error, code, "%s", strerror(-code));
    return make_blocking(&fd, O_WRONLY, error);
}

void sl_file_discard(int fd, const char *path)
{
    struct stat status, named;
    if (fstat(fd, &status) == 0 && lstat(path, &named) == 0 && S_ISREG(named.st_mode) &&
        named.st_ino == status.st_ino && named.st_dev == status.st_dev)
        (void)unlink(path);
}

int sl_fd_read_exactly(int fd, void *bytes, size_t length, uint64_t offset, struct sl_error *error)
{
    for (size_t done = 0; done < length;) {
        const uint64_t at = offset + done;
        ssize_t got = pread(fd, (char *)bytes + done, length - done, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sl_error_errno(error, "cannot read at byte %llu", (unsigned long long)at);
        if (got == 0)
            return sl_error_set(error, -EBADMSG, "the file ends at byte %llu, too early",
                                (unsigned long long)at);
        done += (size_t)got;
    }
    return 0;
}

int sl_file_read_whole(const char *path, size_t most, unsigned char **content, size_t *length,
                       struct sl_error *error)
{
    uint64_t size;
    SL_AUTO_FD int fd = sl_file_open_regular(path, &size, error);
    if (fd < 0)
        return fd;
    if (size > most)
        return sl_error_set(error, -EFBIG, "%s: %llu bytes, more than the %zu that sluice reads",
                            path, (unsigned long long)size, most);
    SL_AUTO_FREE unsigned char *bytes = malloc((size_t)size + 1);
    if (!bytes)
        return sl_error_set(error, -ENOMEM, "%s: out of memory", path);
    int result = sl_fd_read_exactly(fd, bytes, (size_t)size, 0, error);
    if (result < 0)
        return sl_error_wrap(error, "%s", path);
    bytes[size] = 0;
    *content = SL_STEAL(bytes);
    *length = (size_t)size;
    return 0;
}

int sl_file_drop_cache(const char *path, struct sl_error *error)
{
    SL_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return sl_error_errno(error, "open %s", path);
    /* Only clean pages can be dropped. Read-only file systems refuse the sync, and have no dirty
     * pages either. */
    if (fdatasync(fd) && errno != EROFS && errno != EINVAL)
        return sl_error_errno(error, "write back %s", path);
    errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (errno)
        return sl_error_errno(error, "drop %s from the page cache", path);
    return 0;
}

int sl_fd_read_text(int fd, char *buffer, size_t size)
{
    size_t length = 0;
    if (!size || size > INT_MAX)
        return -EINVAL;
    while (length < size - 1) {
        ssize_t got = pread(fd, buffer + length, size - 1 - length, (off_t)length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (!got)
            break;
        length += (size_t)got;
    }
    buffer[length] = '\0';
    return (int)length;
}

int sl_file_read_text(const char *path, char *buffer, size_t size)
{
    SL_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd < 0 ? -errno : sl_fd_read_text(fd, buffer, size);
}
