#include "models/caffe_text.h"

#include <errno.h>
#include <string.h>

#include "models/caffe.pb-c.h"
#include "models/prototxt.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
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

int sl_caffe_read(const char *path, struct Caffe__NetParameter **message, struct sl_error *error)
{
    unsigned char *text SL_AUTO_FREE = NULL;
    size_t length = 0;
    int result = sl_file_read_whole(path, LARGEST_FILE, &text, &length, error);
    if (result == -EFBIG)
        return sl_error_set(error, result,
                            "%s: more than %llu bytes are too many for a prototxt; a caffemodel "
                            "goes second on the command line",
                            path, (unsigned long long)LARGEST_FILE);
    if (result < 0)
        return result;
    if (length == 0)
        return sl_error_set(error, -EINVAL, "%s: the file is empty", path);
    if (memchr(text, '\0', length))
        return sl_error_set(error, -EINVAL,
                            "%s: this is a binary file, no prototxt; the prototxt goes first on "
                            "the command line, the caffemodel second",
                            path);
    return sl_caffe_parse(path, (const char *)text, length, message, error);
}

void sl_caffe_free(struct Caffe__NetParameter *message)
{
    if (message)
        caffe__net_parameter__free_unpacked(message, NULL);
}
