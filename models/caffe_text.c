#include "models/caffe_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/caffe.pb-c.h"
#include "models/prototxt.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"

#define LARGEST_FILE (16 * SL_MIB)

int sl_caffe_parse(const char *name, const char *text, size_t length,
                   struct Caffe__NetParameter **message, struct sl_error *error)
{
    ProtobufCMessage *parsed = NULL;
    int result =
        sl_prototxt_parse(&caffe__net_parameter__descriptor, name, text, length, &parsed, error);
    if (result < 0)
        return result;
    Caffe__NetParameter *network = (Caffe__NetParameter *)parsed;
    result = sl_caffe_upgrade(network, error);
    if (result < 0) {
        sl_caffe_free(network);
        return sl_error_wrap(error, "%s", name);
    }
    *message = network;
    return 0;
}

/* The whole file, malloc'd. */
static int read_file(const char *path, char **text, size_t *length, struct sl_error *error)
{
    int file SL_AUTO_FD = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) < 0)
        return sl_error_errno(error, "%s", path);
    if (!S_ISREG(status.st_mode))
        return sl_error_set(error, -EINVAL, "%s: not a regular file", path);
    if ((uint64_t)status.st_size > LARGEST_FILE)
        return sl_error_set(error, -EFBIG,
                            "%s: %lld bytes are too many for a prototxt (at most %llu); a "
                            "caffemodel goes second on the command line",
                            path, (long long)status.st_size, (unsigned long long)LARGEST_FILE);
    size_t size = (size_t)status.st_size;
    char *bytes SL_AUTO_FREE = malloc(size + 1);
    if (!bytes)
        return sl_error_set(error, -ENOMEM, "%s: out of memory", path);
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(file, bytes + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sl_error_errno(error, "%s", path);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *text = SL_STEAL(bytes);
    *length = done;
    return 0;
}

int sl_caffe_read(const char *path, struct Caffe__NetParameter **message, struct sl_error *error)
{
    char *text SL_AUTO_FREE = NULL;
    size_t length = 0;
    int result = read_file(path, &text, &length, error);
    if (result < 0)
        return result;
    if (length == 0)
        return sl_error_set(error, -EINVAL, "%s: the file is empty", path);
    if (memchr(text, '\0', length))
        return sl_error_set(error, -EINVAL,
                            "%s: this is a binary file, no prototxt; the prototxt goes first on "
                            "the command line, the caffemodel second",
                            path);
    return sl_caffe_parse(path, text, length, message, error);
}

void sl_caffe_free(struct Caffe__NetParameter *message)
{
    if (message)
        caffe__net_parameter__free_unpacked(message, NULL);
}
