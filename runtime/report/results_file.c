#include "runtime/report/results_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"

#define LOCK_TRIES 50

static void complain(const struct sl_results_reader *reader, const char *path, long line,
                     enum sl_results_fault fault, const char *why)
{
    char text[SL_ERROR_TEXT_BYTES];
    if (!reader->complain)
        return;
    snprintf(text, sizeof(text), "%s:%ld: %s", path, line, why);
    reader->complain(reader->context, line, fault, text);
}

/* What is wrong with a record's version; false when nothing is. */
static bool is_other_schema(const json_t *record, char *why, size_t size)
{
    const json_t *schema = json_object_get(record, "schema");
    if (json_is_integer(schema) && json_integer_value(schema) == SL_RESULTS_SCHEMA)
        return false;
    if (json_is_integer(schema))
        snprintf(why, size,
                 "a record of schema %" JSON_INTEGER_FORMAT ", this sluice reads schema %d; "
                 "left out",
                 json_integer_value(schema), SL_RESULTS_SCHEMA);
    else
        snprintf(why, size, "not a record of sluice (no field \"schema\"); left out");
    return true;
}

/* One line, its newline included when it has one. */
static int take_line(const struct sl_results_reader *reader, const char *path, const char *text,
                     size_t length, long line)
{
    char why[JSON_ERROR_TEXT_LENGTH + 64];
    json_error_t reason;
    bool whole = length > 0 && text[length - 1] == '\n';
    if (strspn(text, " \t\r\n") == length)
        return 0;
    json_t *record = json_loadb(text, length, 0, &reason);
    int code = 0;
    if (!json_is_object(record) && !whole) {
        complain(reader, path, line, SL_RESULTS_TORN_LINE,
                 "cut off in the middle of a write; left out");
    } else if (!json_is_object(record)) {
        snprintf(why, sizeof(why), "not a record (%s); left out",
                 record ? "not a JSON object" : reason.text);
        complain(reader, path, line, SL_RESULTS_BAD_LINE, why);
    } else if (is_other_schema(record, why, sizeof(why))) {
        complain(reader, path, line, SL_RESULTS_OTHER_SCHEMA, why);
    } else if (reader->record) {
        code = reader->record(reader->context, record, line);
    }
    json_decref(record);
    return code;
}

int sl_results_each(const char *path, const struct sl_results_reader *reader,
                    struct sl_error *error)
{
    SL_AUTO_FD int fd = sl_file_open_finite(path, error);
    if (fd < 0) {
        sl_error_wrap(error, "cannot open results file %s", path);
        return fd;
    }
    SL_AUTO_FILE FILE *stream = fdopen(fd, "r");
    if (!stream)
        return sl_error_errno(error, "cannot open results file %s", path);
    fd = -1;
    SL_AUTO_FREE char *text = NULL;
    size_t capacity = 0;
    ssize_t length;
    int code = 0;
    errno = 0;
    for (long line = 1; code == 0 && (length = getline(&text, &capacity, stream)) >= 0; line++)
        code = take_line(reader, path, text, (size_t)length, line);
    if (code == 0 && !feof(stream))
        return sl_error_errno(error, "cannot read results file %s", path);
    return code;
}

struct collection {
    json_t *records;
    void (*complain)(void *context, long line, enum sl_results_fault fault, const char *why);
    void *context;
};

static int collect(void *context, json_t *record, long line)
{
    (void)line;
    struct collection *collection = context;
    return json_array_append(collection->records, record) < 0 ? -ENOMEM : 0;
}

static void pass_on(void *context, long line, enum sl_results_fault fault, const char *why)
{
    const struct collection *collection = context;
    if (collection->complain)
        collection->complain(collection->context, line, fault, why);
}

int sl_results_read(const char *path, json_t **records,
                    void (*complain_to)(void *context, long line, enum sl_results_fault fault,
                                        const char *why),
                    void *context, struct sl_error *error)
{
    struct collection collection = {json_array(), complain_to, context};
    const struct sl_results_reader reader = {collect, pass_on, &collection};
    int code = collection.records
                   ? sl_results_each(path, &reader, error)
                   : sl_error_set(error, -ENOMEM, "results file %s: out of memory", path);
    if (code == -ENOMEM)
        sl_error_set(error, code, "results file %s: out of memory", path);
    if (code < 0)
        json_decref(collection.records);
    else
        *records = collection.records;
    return code;
}

/* Where the last line without a newline begins; the file's size when there is none. -errno. */
static off_t find_open_line(int fd, off_t size)
{
    char block[4096];
    for (off_t end = size; end > 0;) {
        size_t want = end < (off_t)sizeof(block) ? (size_t)end : sizeof(block);
        ssize_t got = pread(fd, block, want, end - (off_t)want);
        if (got != (ssize_t)want)
            return got < 0 ? -errno : -EIO;
        const char *newline = memrchr(block, '\n', want);
        if (newline)
            return end - (off_t)want + (newline - block) + 1;
        end -= (off_t)want;
    }
    return 0;
}

static bool is_whole_record(int fd, off_t start, off_t size)
{
    size_t length = (size_t)(size - start);
    SL_AUTO_FREE char *text = malloc(length);
    if (!text || pread(fd, text, length, start) != (ssize_t)length)
        return false;
    json_t *record = json_loadb(text, length, 0, NULL);
    bool whole = json_is_object(record);
    json_decref(record);
    return whole;
}

/* Ends the file with a whole line. */
static int mend_tail(struct sl_results_file *file, uint64_t *torn_bytes, struct sl_error *error)
{
    off_t start = find_open_line(file->fd, file->end);
    if (start < 0) {
        errno = (int)-start;
        return sl_error_errno(error, "cannot read results file %s", file->path);
    }
    if (start == file->end)
        return 0;
    if (is_whole_record(file->fd, start, file->end)) {
        if (write(file->fd, "\n", 1) != 1)
            return sl_error_errno(error, "cannot write results file %s", file->path);
        file->end++;
        return 0;
    }
    if (ftruncate(file->fd, start) < 0)
        return sl_error_errno(error, "cannot cut the torn last line off %s", file->path);
    if (torn_bytes)
        *torn_bytes = (uint64_t)(file->end - start);
    file->end = start;
    return 0;
}

/* A worker that a killed sweep had just forked holds the lock until it finds its parent gone, which
 * is soon, but raises no event. */
static int lock(int fd)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    int failed = flock(fd, LOCK_EX | LOCK_NB);
    for (int i = 0; failed && errno == EWOULDBLOCK && i < LOCK_TRIES; i++) {
        nanosleep(&pause, NULL);
        failed = flock(fd, LOCK_EX | LOCK_NB);
    }
    return failed;
}

static int has_results(const char *path, struct sl_error *error)
{
    return sl_error_set(error, -EEXIST,
                        "results file %s has results already; --resume goes on with them, "
                        "--overwrite throws them away",
                        path);
}

int sl_results_check(const char *path, enum sl_results_mode mode, struct sl_error *error)
{
    struct stat status;
    if (mode != SL_RESULTS_NEW || stat(path, &status) < 0 || !S_ISREG(status.st_mode))
        return 0;
    return status.st_size > 0 ? has_results(path, error) : 0;
}

/* Locks an open file and brings it into the state that the mode asks for. */
static int prepare(struct sl_results_file *file, enum sl_results_mode mode, uint64_t *torn_bytes,
                   struct sl_error *error)
{
    struct stat status;
    if (lock(file->fd) < 0) {
        if (errno == EWOULDBLOCK)
            return sl_error_set(error, -EBUSY,
                                "another sweep is writing results file %s; wait for its end or "
                                "give another --results FILE",
                                file->path);
        return sl_error_errno(error, "cannot lock results file %s", file->path);
    }
    if (fstat(file->fd, &status) < 0)
        return sl_error_errno(error, "cannot look at results file %s", file->path);
    if (!S_ISREG(status.st_mode))
        return sl_error_set(error, -EINVAL, "results file %s is not a regular file", file->path);
    file->end = status.st_size;
    if (mode == SL_RESULTS_NEW && file->end > 0)
        return has_results(file->path, error);
    if (mode == SL_RESULTS_CONTINUE)
        return mend_tail(file, torn_bytes, error);
    if (mode == SL_RESULTS_OVERWRITE && ftruncate(file->fd, 0) < 0)
        return sl_error_errno(error, "cannot empty results file %s", file->path);
    file->end = mode == SL_RESULTS_OVERWRITE ? 0 : file->end;
    return 0;
}

int sl_results_open(struct sl_results_file *file, const char *path, enum sl_results_mode mode,
                    uint64_t *torn_bytes, struct sl_error *error)
{
    struct sl_results_file opened = SL_RESULTS_FILE_EMPTY;
    if (torn_bytes)
        *torn_bytes = 0;
    opened.path = strdup(path);
    if (!opened.path)
        return sl_error_set(error, -ENOMEM, "out of memory");
    opened.fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int code = opened.fd < 0 ? sl_error_errno(error, "cannot open results file %s", path)
                             : prepare(&opened, mode, torn_bytes, error);
    if (code < 0)
        sl_results_close(&opened);
    else
        *file = opened;
    return code;
}

/* A write that was made short says by its next part why. What a failed one left is cut off by the
 * caller. */
static int write_whole(int fd, const struct sl_text *lines)
{
    for (size_t done = 0; done < lines->length;) {
        ssize_t written = write(fd, lines->bytes + done, lines->length - done);
        if (written < 0)
            return -errno;
        done += (size_t)written;
    }
    return fdatasync(fd) < 0 ? -errno : 0;
}

int sl_results_append(struct sl_results_file *file, const json_t *records, struct sl_error *error)
{
    SL_AUTO(sl_text_free) struct sl_text lines = {0};
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        SL_AUTO_FREE char *line = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(9));
        if (!line)
            return sl_error_set(error, -ENOMEM, "out of memory");
        sl_text_add(&lines, "%s\n", line);
    }
    if (lines.failed)
        return sl_error_set(error, -ENOMEM, "out of memory");
    if (lines.length == 0)
        return 0;
    int code = write_whole(file->fd, &lines);
    if (code == 0) {
        file->end += (off_t)lines.length;
        return 0;
    }
    int cut = ftruncate(file->fd, file->end);
    return sl_error_set(error, code, "cannot write results file %s: %s; %s", file->path,
                        strerror(-code),
                        cut < 0 ? "its last line may be torn"
                                : "what was finished before is in it; --resume goes on from there");
}

void sl_results_close(struct sl_results_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    *file = SL_RESULTS_FILE_EMPTY;
}
