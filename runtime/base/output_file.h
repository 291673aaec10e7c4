/* A file that appears under its name only when it is complete and on the disk. Until then it has no
 * name at all where the file system can do that (O_TMPFILE), so that not even a killed process
 * leaves anything behind; elsewhere it is ".<name>.sluice-tmp-<pid>-<n>" beside the output. */
#ifndef SLUICE_BASE_OUTPUT_FILE_H
#define SLUICE_BASE_OUTPUT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

struct sl_output_file {
    int fd;
    int directory;    /* descriptor of the directory the output lies in */
    const char *path; /* borrowed */
    char *name;       /* last component of path, or of what it links to */
    char *temporary;  /* name in the directory to remove on failure; NULL: there is none */
};

#define SL_OUTPUT_FILE_NONE                                                                        \
    {                                                                                              \
        .fd = -1, .directory = -1                                                                  \
    }

/* Starts the output of about `bytes` bytes at path (borrowed until close). file must be
 * SL_OUTPUT_FILE_NONE. Fails when the directory does not exist or cannot be written, when path is
 * something else than a regular file, and with -ENOSPC, naming the room needed, when the file
 * system has too little of it; the room is reserved where the file system can. A link is
 * followed to what it leads to. A path "/proc/self/fd/N" is the open file N: it is emptied, written
 * in place, and keeps the name that it has or has not. */
int sl_output_file_open(struct sl_output_file *file, const char *path, uint64_t bytes,
                        struct sl_error *error);

/* Writes all length bytes at the offset. -ENOSPC names the file. */
int sl_output_file_write(struct sl_output_file *file, const void *bytes, size_t length,
                         uint64_t offset, struct sl_error *error);

/* Syncs the file and gives it its name, replacing an older file of that name. */
int sl_output_file_commit(struct sl_output_file *file, struct sl_error *error);

/* All of it: a file at path that has these bytes. */
int sl_output_file_save(const char *path, const void *bytes, size_t length, struct sl_error *error);

/* A new file without a name in the directory of path, for what must not outlive its last descriptor
 * however the process ends; /proc/self/fd/N opens it again. Returns the descriptor, owned by the
 * caller, or -errno. */
int sl_unnamed_file_open(const char *path, struct sl_error *error);

/* Closes; what was not committed is gone. Any state, also twice. */
void sl_output_file_close(struct sl_output_file *file);

#endif
