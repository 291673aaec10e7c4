#include "runtime/report/trace_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"

#define OPENING "["
#define CLOSING "\n]\n"

/* More than a 10 ms sample brings; an element is some 200 bytes. */
#define FLUSH_BYTES ((size_t)1 << 18)

struct sl_trace_file {
    char *path;
    int fd;
    off_t end;  /* where CLOSING begins in the file */
    bool any;   /* an element was added */
    int failed; /* -errno of the first failed write, or 0 */
    struct sl_text added;
};

static int write_all(int fd, const char *bytes, size_t length, off_t offset)
{
    while (length > 0) {
        ssize_t written = pwrite(fd, bytes, length, offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        bytes += written;
        length -= (size_t)written;
        offset += written;
    }
    return 0;
}

/* The end is written over again and again, which a pipe and a terminal cannot have. */
static int begin(const struct sl_trace_file *file, struct sl_error *error)
{
    if (!file->path)
        return sl_error_set(error, -ENOMEM, "no memory");
    if (lseek(file->fd, 0, SEEK_CUR) < 0)
        return sl_error_set(error, -errno, "a trace needs a file, not a pipe or a terminal");
    int code = write_all(file->fd, OPENING CLOSING, sizeof(OPENING CLOSING) - 1, 0);
    return code ? sl_error_set(error, code, "%s", strerror(-code)) : 0;
}

int sl_trace_file_create(const char *path, struct sl_trace_file **created, struct sl_error *error)
{
    struct sl_trace_file *file = calloc(1, sizeof(*file));
    if (!file)
        return sl_error_set(error, -ENOMEM, "no memory for %s", path);
    file->path = strdup(path);
    file->fd = sl_file_create(path, error);
    file->end = sizeof(OPENING) - 1;
    int code = file->fd < 0 ? file->fd : begin(file, error);
    if (code) {
        sl_file_discard(file->fd, path);
        sl_trace_file_close(file, NULL);
        sl_error_wrap(error, "cannot write %s", path);
        return code;
    }
    *created = file;
    return 0;
}

void sl_trace_file_add_text(struct sl_trace_file *file, const char *element, size_t length)
{
    if (file->failed)
        return;
    sl_text_add_bytes(&file->added, file->any ? ",\n" : "\n", file->any ? 2 : 1);
    sl_text_add_bytes(&file->added, element, length);
    file->any = true;
    if (file->added.length >= FLUSH_BYTES)
        sl_trace_file_flush(file);
}

void sl_trace_file_add(struct sl_trace_file *file, const char *format, ...)
{
    char element[2048];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(element, sizeof(element), format, values);
    va_end(values);
    if (length > 0 && (size_t)length < sizeof(element))
        sl_trace_file_add_text(file, element, (size_t)length);
}

void sl_trace_file_flush(struct sl_trace_file *file)
{
    size_t length = file->added.length;
    if (!length || file->failed)
        return;
    sl_text_add_bytes(&file->added, CLOSING, sizeof(CLOSING) - 1);
    file->failed = file->added.failed
                       ? -ENOMEM
                       : write_all(file->fd, file->added.bytes, file->added.length, file->end);
    /* A write that was cut short: the file as it was before. */
    if (file->failed && !ftruncate(file->fd, file->end))
        write_all(file->fd, CLOSING, sizeof(CLOSING) - 1, file->end);
    file->end += (off_t)length;
    file->added.length = 0;
}

int sl_trace_file_close(struct sl_trace_file *file, struct sl_error *error)
{
    if (!file)
        return 0;
    sl_trace_file_flush(file);
    if (file->fd >= 0 && close(file->fd) && !file->failed)
        file->failed = -errno;
    int code = file->failed;
    if (code)
        sl_error_set(error, code, "cannot write %s: %s", file->path ? file->path : "the trace",
                     strerror(-code));
    sl_text_free(&file->added);
    free(file->path);
    free(file);
    return code;
}
