#include "runtime/input/input.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/input/npy.h"
#include "runtime/input/preprocess.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "raw and .npy files are little-endian; this host would need conversion"
#endif

static int read_image(const char *path, const unsigned char *bytes, size_t length,
                      const struct sl_preprocessing *preprocessing, const struct sl_shape *shape,
                      float *values, struct sl_error *error)
{
    SL_AUTO(sl_image_free) struct sl_image image = {0};
    int code = sl_jpeg_is(bytes, length) ? sl_jpeg_decode(path, bytes, length, &image, error)
                                         : sl_png_decode(path, bytes, length, &image, error);
    if (code < 0)
        return code;
    return sl_preprocess(path, &image, preprocessing, shape, values, error);
}

static int read_npy(const char *path, const unsigned char *bytes, size_t length,
                    const struct sl_shape *shape, float *values, struct sl_error *error)
{
    struct sl_shape found;
    const unsigned char *data;
    int code = sl_npy_parse(path, bytes, length, &found, &data, error);
    if (code < 0)
        return code;
    if (!sl_shape_equal_but_leading_ones(&found, shape)) {
        char has[SL_SHAPE_TEXT_BYTES], wants[SL_SHAPE_TEXT_BYTES];
        return sl_error_set(error, -EINVAL, "%s: the array is %s, the input is %s", path,
                            sl_shape_text(&found, has), sl_shape_text(shape, wants));
    }
    memcpy(values, data, (size_t)sl_shape_count(shape) * sizeof(float));
    return 0;
}

static bool has_suffix(const char *path, const char *suffix)
{
    size_t length = strlen(path), tail = strlen(suffix);
    return length >= tail && !strcasecmp(path + length - tail, suffix);
}

int sl_input_read(const char *path, const struct sl_preprocessing *preprocessing,
                  const struct sl_shape *shape, float *values, struct sl_error *error)
{
    SL_AUTO_FREE unsigned char *bytes = NULL;
    size_t length;
    int code = sl_file_read_whole(path, SL_INPUT_FILE_MOST_BYTES, &bytes, &length, error);
    if (code < 0)
        return code;
    if (sl_jpeg_is(bytes, length) || sl_png_is(bytes, length))
        return read_image(path, bytes, length, preprocessing, shape, values, error);
    if (sl_npy_is(bytes, length))
        return read_npy(path, bytes, length, shape, values, error);
    static const char *const suffixes[] = {".jpg", ".jpeg", ".png", ".npy"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (has_suffix(path, suffixes[i]))
            return sl_error_set(error, -EBADMSG, "%s is not a %s file: its first bytes are others",
                                path, suffixes[i]);
    size_t needed = (size_t)sl_shape_count(shape) * sizeof(float);
    if (length != needed) {
        char text[SL_SHAPE_TEXT_BYTES];
        return sl_error_set(error, -EINVAL,
                            "%s: %zu bytes; raw float32 for the input %s is %zu bytes (JPEG, PNG "
                            "and .npy are known by their content)",
                            path, length, sl_shape_text(shape, text), needed);
    }
    memcpy(values, bytes, needed);
    return 0;
}
