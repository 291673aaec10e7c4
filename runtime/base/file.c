#include "runtime/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "runtime/base/cleanup.h"

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
