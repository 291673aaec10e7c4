/* Small whole-file operations shared by the parts. */
#ifndef SLUICE_BASE_FILE_H
#define SLUICE_BASE_FILE_H

#include <stddef.h>

#include "runtime/base/error.h"

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
