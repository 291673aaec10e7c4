/* Small operations on files shared by the parts. */
#ifndef SLUICE_BASE_FILE_H
#define SLUICE_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

/* Opens a regular file for reading; *bytes is its size. Returns the descriptor, owned by the
 * caller; -EISDIR for a directory, -EINVAL for what else is no regular file, without waiting for
 * it, or -errno. Messages begin with the path. Any thread. */
int sl_file_open_regular(const char *path, uint64_t *bytes, struct sl_error *error);

/* Opens for reading what ends by itself: a regular file, or a pipe, of which one that nobody writes
 * into has ended already. A directory is left to the first read. Returns the descriptor, owned by
 * the caller; -EINVAL for a device, or -errno. Messages say why, not of which file: the caller puts
 * that before them. Any thread; reading a pipe blocks. */
int sl_file_open_finite(const char *path, struct sl_error *error);

/* Creates a file, or empties the one that is there, to be written as it is: also a device or a
 * pipe. Returns the descriptor, owned by the caller; -ENXIO for a FIFO that nobody reads, without
 * waiting for a reader, or -errno. Messages as above. Any thread. */
int sl_file_create(const char *path, struct sl_error *error);

/* Removes what was created as above and could not be written: a regular file, and only when the
 * path is its own name, not a link's. Any thread. */
void sl_file_discard(int fd, const char *path);

/* Reads length bytes at the offset, all of them: -EBADMSG when the file ends before, or -errno. The
 * message says at which byte, not of which file: the caller puts that before it. Any thread;
 * blocks. */
int sl_fd_read_exactly(int fd, void *bytes, size_t length, uint64_t offset, struct sl_error *error);

/* Reads a whole regular file of at most `most` bytes; one NUL follows the content. *content is
 * malloc'd and owned by the caller. -EFBIG, -ENOMEM, and as the two above; messages begin with the
 * path. Any thread; blocks. */
int sl_file_read_whole(const char *path, size_t most, unsigned char **content, size_t *length,
                       struct sl_error *error);

/* Drops a file's pages from the page cache (fdatasync, then POSIX_FADV_DONTNEED), so that the next
 * reader reads the device. Pages that a process has mapped or locked stay. -errno of open,
 * fdatasync or fadvise. Any thread; blocks while dirty pages are written. */
int sl_file_drop_cache(const char *path, struct sl_error *error);

/* Reads at most size - 1 bytes from the start of a file (also of /proc and /sys) into buffer and
 * NUL-terminates them; what does not fit is left out. Returns the bytes read or -errno; sets no
 * message, the caller knows what the file meant. Any thread. */
int sl_file_read_text(const char *path, char *buffer, size_t size);

/* The same on an open descriptor; its position is not used. */
int sl_fd_read_text(int fd, char *buffer, size_t size);

#endif
