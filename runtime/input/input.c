#include "runtime/input/input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/input/npy.h"
#include "runtime/input/preprocess.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "raw and .npy files are little-endian; this host would need conversion"
#endif

/* The first bytes tell JPEG, PNG and .npy. */
#define HEAD_BYTES 8

struct input_file {
    const char *path;
    int fd;
    uint64_t bytes;
};

/* The image is decoded while the whole file is in memory. */
static int read_image(const struct input_file *file, const struct sl_preprocessing *preprocessing,
                      const struct sl_shape *shape, struct sl_room *room, float *values,
                      struct sl_error *error)
{
    const char *path = file->path;
    SL_AUTO_FREE unsigned char *bytes = NULL;
    size_t length = 0;
    int code = sl_room_ask(room, file->bytes, error);
    if (code == 0)
        code = sl_file_read_whole(path, SL_INPUT_FILE_MOST_BYTES, &bytes, &length, error);
    if (code < 0)
        return code;
    SL_AUTO(sl_image_free) struct sl_image image = {.room = room};
    if (sl_jpeg_is(bytes, length))
        code = sl_jpeg_decode(path, bytes, length, &image, error);
    else
        code = sl_png_decode(path, bytes, sl_png_strip(bytes, length), &image, error);
    return code < 0 ? code : sl_preprocess(path, &image, preprocessing, shape, values, error);
}

static int read_values(const struct input_file *file, const struct sl_shape *shape, uint64_t begin,
                       float *values, struct sl_error *error)
{
    const size_t length = (size_t)sl_shape_count(shape) * sizeof(float);
    int code = sl_fd_read_exactly(file->fd, values, length, begin, error);
    return code < 0 ? sl_error_wrap(error, "%s", file->path) : 0;
}

static int read_npy(const struct input_file *file, const struct sl_shape *shape, float *values,
                    struct sl_error *error)
{
    const size_t length =
        file->bytes < SL_NPY_HEADER_MOST_BYTES ? (size_t)file->bytes : SL_NPY_HEADER_MOST_BYTES;
    SL_AUTO_FREE unsigned char *header = malloc(length);
    if (!header)
        return sl_error_set(error, -ENOMEM, "%s: out of memory", file->path);
    int code = sl_fd_read_exactly(file->fd, header, length, 0, error);
    if (code < 0)
        return sl_error_wrap(error, "%s", file->path);
    struct sl_shape found;
    uint64_t data;
    code = sl_npy_parse(file->path, header, length, file->bytes, &found, &data, error);
    if (code < 0)
        return code;
    if (!sl_shape_equal_but_leading_ones(&found, shape)) {
        char has[SL_SHAPE_TEXT_BYTES], wants[SL_SHAPE_TEXT_BYTES];
        return sl_error_set(error, -EINVAL, "%s: the array is %s, the input is %s", file->path,
                            sl_shape_text(&found, has), sl_shape_text(shape, wants));
    }
    return read_values(file, shape, data, values, error);
}

static bool has_suffix(const char *path, const char *suffix)
{
    size_t length = strlen(path), tail = strlen(suffix);
    return length >= tail && !strcasecmp(path + length - tail, suffix);
}

static int read_raw(const struct input_file *file, const struct sl_shape *shape, float *values,
                    struct sl_error *error)
{
    static const char *const suffixes[] = {".jpg", ".jpeg", ".png", ".npy"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (has_suffix(file->path, suffixes[i]))
            return sl_error_set(error, -EBADMSG, "%s is not a %s file: its first bytes are others",
                                file->path, suffixes[i]);
    const uint64_t needed = (uint64_t)sl_shape_count(shape) * sizeof(float);
    if (file->bytes != needed) {
        char text[SL_SHAPE_TEXT_BYTES];
        return sl_error_set(error, -EINVAL,
                            "%s: %" PRIu64 " bytes; raw float32 for the input %s is %" PRIu64
                            " bytes (JPEG, PNG and .npy are known by their content)",
                            file->path, file->bytes, sl_shape_text(shape, text), needed);
    }
    return read_values(file, shape, 0, values, error);
}

int sl_input_read(const char *path, const struct sl_preprocessing *preprocessing,
                  const struct sl_shape *shape, struct sl_room *room, float *values,
                  struct sl_error *error)
{
    struct input_file file = {.path = path};
    SL_AUTO_FD int fd = sl_file_open_regular(path, &file.bytes, error);
    if (fd < 0)
        return fd;
    file.fd = fd;
    unsigned char head[HEAD_BYTES];
    const size_t length = file.bytes < sizeof(head) ? (size_t)file.bytes : sizeof(head);
    int code = sl_fd_read_exactly(fd, head, length, 0, error);
    if (code < 0)
        return sl_error_wrap(error, "%s", path);
    if (sl_jpeg_is(head, length) || sl_png_is(head, length))
        return read_image(&file, preprocessing, shape, room, values, error);
    if (sl_npy_is(head, length))
        return read_npy(&file, shape, values, error);
    return read_raw(&file, shape, values, error);
}
