#include "runtime/input/npy.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/output_file.h"

#define MAGIC_BYTES 6
static const char magic[MAGIC_BYTES + 1] = "\x93NUMPY";

bool sl_npy_is(const unsigned char *bytes, size_t length)
{
    return length >= MAGIC_BYTES && !memcmp(bytes, magic, MAGIC_BYTES);
}

/* The header is a Python dictionary literal: {'descr': '<f4', 'fortran_order': False,
 * 'shape': (1, 3), }. Returns what follows `'key':` and blanks, NULL when the key is missing. */
static const char *header_value(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof(quoted), "'%s'", key);
    const char *at = strstr(header, quoted);
    if (!at)
        return NULL;
    at += strlen(quoted);
    while (*at == ' ')
        at++;
    if (*at++ != ':')
        return NULL;
    while (*at == ' ')
        at++;
    return at;
}

static int parse_shape(const char *name, const char *text, struct sl_shape *shape,
                       struct sl_error *error)
{
    struct sl_shape found = {0};
    if (*text++ != '(')
        return sl_error_set(error, -EBADMSG, "%s: .npy header has no shape", name);
    for (;;) {
        while (*text == ' ' || *text == ',')
            text++;
        if (*text == ')')
            break;
        char *end;
        errno = 0;
        long long dimension = isdigit((unsigned char)*text) ? strtoll(text, &end, 10) : -1;
        if (dimension < 0 || errno)
            return sl_error_set(error, -EBADMSG, "%s: .npy header has a damaged shape", name);
        if (found.axes == SL_MAX_AXES)
            return sl_error_set(error, -EINVAL, "%s: more than %d axes", name, SL_MAX_AXES);
        found.dim[found.axes++] = dimension;
        text = end;
    }
    *shape = found;
    return 0;
}

static int check_size(const char *name, const struct sl_shape *shape, uint64_t data_bytes,
                      struct sl_error *error)
{
    size_t count = 1;
    for (int axis = 0; axis < shape->axes; axis++)
        if (__builtin_mul_overflow(count, (size_t)shape->dim[axis], &count))
            return sl_error_set(error, -EBADMSG, "%s: .npy shape overflows", name);
    size_t needed;
    if (__builtin_mul_overflow(count, sizeof(float), &needed))
        return sl_error_set(error, -EBADMSG, "%s: .npy shape overflows", name);
    if (needed != data_bytes) {
        char text[SL_SHAPE_TEXT_BYTES];
        return sl_error_set(error, -EBADMSG,
                            "%s: shape %s needs %zu bytes of data, the file has "
                            "%" PRIu64,
                            name, sl_shape_text(shape, text), needed, data_bytes);
    }
    return 0;
}

int sl_npy_parse(const char *name, const unsigned char *bytes, size_t length, uint64_t file_bytes,
                 struct sl_shape *shape, uint64_t *data, struct sl_error *error)
{
    if (!sl_npy_is(bytes, length) || length < 12)
        return sl_error_set(error, -EBADMSG, "%s: not a .npy file", name);
    unsigned version = bytes[MAGIC_BYTES];
    if (version < 1 || version > 3)
        return sl_error_set(error, -EINVAL, "%s: .npy format version %u is not known (1 to 3 are)",
                            name, version);
    size_t start = version == 1 ? 10 : 12;
    size_t header_bytes = bytes[8] | (size_t)bytes[9] << 8;
    if (version > 1)
        header_bytes |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (header_bytes > length - start || header_bytes > SL_NPY_HEADER_MOST_BYTES)
        return sl_error_set(error, -EBADMSG, "%s: .npy header is cut off", name);
    SL_AUTO_FREE char *header = strndup((const char *)bytes + start, header_bytes);
    if (!header)
        return sl_error_set(error, -ENOMEM, "%s: out of memory", name);

    const char *type = header_value(header, "descr");
    const char *order = header_value(header, "fortran_order");
    const char *dimensions = header_value(header, "shape");
    if (!type || !order || !dimensions)
        return sl_error_set(error, -EBADMSG, "%s: .npy header is damaged", name);
    if (strncmp(type, "'<f4'", 5)) {
        return sl_error_set(error, -EINVAL,
                            "%s: elements are %.*s, sluice reads '<f4'; save it "
                            "with .astype('<f4')",
                            name, (int)strcspn(type, ",}"), type);
    }
    if (strncmp(order, "False", 5))
        return sl_error_set(error, -EINVAL,
                            "%s: Fortran order; save it with "
                            "numpy.ascontiguousarray",
                            name);
    struct sl_shape found;
    int code = parse_shape(name, dimensions, &found, error);
    if (code < 0)
        return code;
    code = check_size(name, &found, file_bytes - (start + header_bytes), error);
    if (code < 0)
        return code;
    *shape = found;
    *data = start + header_bytes;
    return 0;
}

/* Header of version 1.0, padded so that the data starts at a multiple of 64. Returns its length. */
static size_t format_header(const struct sl_shape *shape, char *header, size_t capacity)
{
    size_t length = (size_t)snprintf(header + 10, capacity - 10,
                                     "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    length += 10;
    for (int axis = 0; axis < shape->axes; axis++)
        length +=
            (size_t)snprintf(header + length, capacity - length, "%" PRId64 ", ", shape->dim[axis]);
    length += (size_t)snprintf(header + length, capacity - length, "), }");
    while ((length + 1) % 64)
        header[length++] = ' ';
    header[length++] = '\n';
    memcpy(header, magic, MAGIC_BYTES);
    header[6] = 1;
    header[7] = 0;
    header[8] = (char)((length - 10) & 0xff);
    header[9] = (char)((length - 10) >> 8);
    return length;
}

int sl_npy_write(const char *path, const struct sl_shape *shape, const float *values,
                 struct sl_error *error)
{
    SL_AUTO(sl_output_file_close) struct sl_output_file file = SL_OUTPUT_FILE_NONE;
    char header[512];
    const size_t header_bytes = format_header(shape, header, sizeof(header));
    const size_t bytes = (size_t)sl_shape_count(shape) * sizeof(float);
    int code = sl_output_file_open(&file, path, header_bytes + bytes, error);
    if (code == 0)
        code = sl_output_file_write(&file, header, header_bytes, 0, error);
    if (code == 0)
        code = sl_output_file_write(&file, values, bytes, header_bytes, error);
    return code == 0 ? sl_output_file_commit(&file, error) : code;
}
