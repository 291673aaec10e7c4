#include "runtime/base/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"

#define NAME_ATTEMPTS 100

/* The name of attempt n; the output's own name is cut so that it stays a legal file name. */
static int temporary_name(const struct sl_output_file *file, int attempt, char **name)
{
    return asprintf(name, ".%.200s.sluice-tmp-%ld-%d", file->name, (long)getpid(), attempt);
}

/* The file that a link leads to is written, not the link replaced: that may be /dev/stdout. */
static int follow_links(const char *path, char **target, struct sl_error *error)
{
    struct stat status;
    const bool link = lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
    const bool file = link && (stat(path, &status) < 0 || S_ISREG(status.st_mode));
    *target = file ? realpath(path, NULL) : strdup(path);
    return *target ? 0 : sl_error_errno(error, "%s: cannot follow this link", path);
}

static int open_directory(struct sl_output_file *file, struct sl_error *error)
{
    SL_AUTO_FREE char *path = NULL;
    int result = follow_links(file->path, &path, error);
    if (result)
        return result;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (!*name)
        return sl_error_set(error, EISDIR, "%s: this is a directory; give the name of a file",
                            file->path);
    SL_AUTO_FREE char *directory =
        slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    file->name = strdup(name);
    if (!directory || !file->name)
        return sl_error_set(error, ENOMEM, "%s: no memory", file->path);
    file->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->directory < 0)
        return sl_error_errno(error, "%s: cannot write into the directory '%s'", file->path,
                              directory);
    struct stat status;
    if (fstatat(file->directory, file->name, &status, 0) == 0 && !S_ISREG(status.st_mode))
        return sl_error_set(error, S_ISDIR(status.st_mode) ? EISDIR : EINVAL,
                            "%s: this exists and is not a regular file; give another name",
                            file->path);
    return 0;
}

static int create(struct sl_output_file *file, struct sl_error *error)
{
    file->fd = openat(file->directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (file->fd >= 0)
        return 0;
    /* Any refusal other than the file system's inability comes again with a named file, and is
     * reported then. */
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        SL_AUTO_FREE char *name = NULL;
        if (temporary_name(file, attempt, &name) < 0)
            return sl_error_set(error, ENOMEM, "%s: no memory", file->path);
        file->fd = openat(file->directory, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
        if (file->fd >= 0) {
            file->temporary = SL_STEAL(name);
            return 0;
        }
        if (errno != EEXIST)
            break;
    }
    return sl_error_errno(error, "%s: cannot create a file in its directory", file->path);
}

static int no_space(const struct sl_output_file *file, uint64_t bytes, uint64_t available,
                    struct sl_error *error)
{
    char needed[SL_UNIT_TEXT_BYTES], left[SL_UNIT_TEXT_BYTES];
    return sl_error_set(error, ENOSPC,
                        "%s: no room: %s are needed, %s are free; free some, or write to another "
                        "file system",
                        file->path, sl_format_size(bytes, needed), sl_format_size(available, left));
}

static int reserve(const struct sl_output_file *file, uint64_t bytes, struct sl_error *error)
{
    struct statvfs room;
    /* File systems that do not count blocks report none at all. */
    uint64_t available = UINT64_MAX;
    if (fstatvfs(file->fd, &room) == 0 && room.f_blocks > 0)
        available = (uint64_t)room.f_bavail * room.f_frsize;
    if (available < bytes)
        return no_space(file, bytes, available, error);
    if (bytes > 0 && fallocate(file->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) < 0) {
        if (errno == ENOSPC)
            return no_space(file, bytes, available, error);
        if (errno == EDQUOT || errno == EFBIG)
            return sl_error_errno(error, "%s: cannot reserve %llu bytes", file->path,
                                  (unsigned long long)bytes);
    }
    return 0;
}

/* The N of "/proc/self/fd/N", -1 for other paths. */
static int open_descriptor(const char *path)
{
    static const char prefix[] = "/proc/self/fd/";
    const char *digits = path + sizeof(prefix) - 1;
    if (strncmp(path, prefix, sizeof(prefix) - 1) || !*digits ||
        strspn(digits, "0123456789") != strlen(digits) || strlen(digits) > 9)
        return -1;
    return atoi(digits);
}

static int adopt(struct sl_output_file *file, int descriptor, struct sl_error *error)
{
    file->fd = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (file->fd < 0 || ftruncate(file->fd, 0) < 0)
        return sl_error_errno(error, "%s: cannot write into this", file->path);
    return 0;
}

int sl_output_file_open(struct sl_output_file *file, const char *path, uint64_t bytes,
                        struct sl_error *error)
{
    file->path = path;
    int descriptor = open_descriptor(path);
    int result = descriptor >= 0 ? adopt(file, descriptor, error) : open_directory(file, error);
    if (!result && descriptor < 0)
        result = create(file, error);
    if (!result)
        result = reserve(file, bytes, error);
    if (result)
        sl_output_file_close(file);
    return result;
}

int sl_output_file_write(struct sl_output_file *file, const void *bytes, size_t length,
                         uint64_t offset, struct sl_error *error)
{
    size_t done = 0;
    while (done < length) {
        ssize_t written =
            pwrite(file->fd, (const char *)bytes + done, length - done, (off_t)(offset + done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return sl_error_errno(error, "%s: cannot write at byte %llu", file->path,
                                  (unsigned long long)(offset + done));
        done += (size_t)written;
    }
    return 0;
}

/* Gives an unnamed file a temporary name, because linking cannot replace an existing file. */
static int link_unnamed(struct sl_output_file *file, struct sl_error *error)
{
    char descriptor[64];
    snprintf(descriptor, sizeof(descriptor), "/proc/self/fd/%d", file->fd);
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        SL_AUTO_FREE char *name = NULL;
        if (temporary_name(file, attempt, &name) < 0)
            return sl_error_set(error, ENOMEM, "%s: no memory", file->path);
        if (linkat(AT_FDCWD, descriptor, file->directory, name, AT_SYMLINK_FOLLOW) == 0) {
            file->temporary = SL_STEAL(name);
            return 0;
        }
        if (errno != EEXIST)
            break;
    }
    return sl_error_errno(error, "%s: cannot give the finished file its name", file->path);
}

int sl_output_file_commit(struct sl_output_file *file, struct sl_error *error)
{
    if (fsync(file->fd))
        return sl_error_errno(error, "%s: cannot bring the file to the disk", file->path);
    if (file->directory < 0)
        return 0; /* an open file: it has what name it has */
    if (!file->temporary) {
        int result = link_unnamed(file, error);
        if (result)
            return result;
    }
    if (renameat(file->directory, file->temporary, file->directory, file->name))
        return sl_error_errno(error, "%s: cannot give the finished file its name", file->path);
    free(SL_STEAL(file->temporary));
    /* The file is complete under its name; a directory that cannot be synced only makes that less
     * durable, and some file systems refuse it. */
    (void)fsync(file->directory);
    return 0;
}

int sl_output_file_save(const char *path, const void *bytes, size_t length, struct sl_error *error)
{
    SL_AUTO(sl_output_file_close) struct sl_output_file file = SL_OUTPUT_FILE_NONE;
    int result = sl_output_file_open(&file, path, length, error);
    if (!result)
        result = sl_output_file_write(&file, bytes, length, 0, error);
    return result ? result : sl_output_file_commit(&file, error);
}

int sl_unnamed_file_open(const char *path, struct sl_error *error)
{
    SL_AUTO(sl_output_file_close) struct sl_output_file file = SL_OUTPUT_FILE_NONE;
    int result = sl_output_file_open(&file, path, 0, error);
    if (result)
        return result;
    if (file.temporary && unlinkat(file.directory, file.temporary, 0))
        return sl_error_errno(error, "%s: cannot take the name off a file beside it", path);
    free(SL_STEAL(file.temporary));
    int fd = file.fd;
    file.fd = -1;
    return fd;
}

void sl_output_file_close(struct sl_output_file *file)
{
    if (file->temporary)
        (void)unlinkat(file->directory, file->temporary, 0);
    if (file->fd >= 0)
        close(file->fd);
    if (file->directory >= 0)
        close(file->directory);
    free(file->temporary);
    free(file->name);
    *file = (struct sl_output_file)SL_OUTPUT_FILE_NONE;
}
