#include "models/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"

#define BUFFER_BYTES         16384
#define LONGEST_VARINT       10
#define HIGHEST_FIELD_NUMBER ((UINT64_C(1) << 29) - 1)

int sl_wire_open(struct sl_wire *wire, const char *path, struct sl_error *error)
{
    uint64_t size;
    int file SL_AUTO_FD = sl_file_open_regular(path, &size, error);
    if (file < 0)
        return file;
    unsigned char *buffer = malloc(BUFFER_BYTES);
    if (!buffer)
        return sl_error_set(error, -ENOMEM, "%s: out of memory", path);
    *wire = (struct sl_wire){
        .path = path,
        .file = file,
        .size = size,
        .buffer = buffer,
        .error = error,
    };
    file = -1;
    return 0;
}

void sl_wire_close(struct sl_wire *wire)
{
    if (!wire->buffer)
        return;
    close(wire->file);
    free(wire->buffer);
    wire->buffer = NULL;
}

int sl_wire_error(const struct sl_wire *wire, uint64_t offset, const char *format, ...)
{
    char message[SL_ERROR_TEXT_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    return sl_error_set(wire->error, -EBADMSG, "%s: offset %llu: %s; give a whole, undamaged file",
                        wire->path, (unsigned long long)offset, message);
}

/* Makes the byte at position available in the buffer; position < size. */
static int fill(struct sl_wire *wire)
{
    if (wire->position >= wire->buffer_start &&
        wire->position - wire->buffer_start < wire->buffer_length)
        return 0;
    uint64_t left = wire->size - wire->position;
    size_t length = left < BUFFER_BYTES ? (size_t)left : BUFFER_BYTES;
    wire->buffer_length = 0;
    int result = sl_fd_read_exactly(wire->file, wire->buffer, length, wire->position, wire->error);
    if (result < 0)
        return sl_error_wrap(wire->error, "%s", wire->path);
    wire->buffer_start = wire->position;
    wire->buffer_length = length;
    return 0;
}

int sl_wire_bytes(struct sl_wire *wire, void *destination, size_t length)
{
    unsigned char *bytes = destination;
    if (wire->position > wire->size || length > wire->size - wire->position)
        return sl_wire_error(wire, wire->position, "%zu bytes are missing at the end", length);
    while (length > 0) {
        int result = fill(wire);
        if (result < 0)
            return result;
        size_t at = (size_t)(wire->position - wire->buffer_start);
        size_t part = wire->buffer_length - at;
        if (part > length)
            part = length;
        memcpy(bytes, wire->buffer + at, part);
        bytes += part;
        length -= part;
        wire->position += part;
    }
    return 0;
}

int sl_wire_varint(struct sl_wire *wire, uint64_t end, uint64_t *value)
{
    uint64_t begin = wire->position, sum = 0;
    for (unsigned i = 0; i < LONGEST_VARINT; i++) {
        if (wire->position >= end || wire->position >= wire->size)
            return sl_wire_error(wire, begin, "a number is cut off");
        int result = fill(wire);
        if (result < 0)
            return result;
        unsigned char byte = wire->buffer[wire->position - wire->buffer_start];
        wire->position++;
        sum |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (!(byte & 0x80)) {
            *value = sum;
            return 0;
        }
    }
    return sl_wire_error(wire, begin, "a number of more than %d bytes", LONGEST_VARINT);
}

int sl_wire_field(struct sl_wire *wire, uint64_t end, struct sl_wire_field *field)
{
    uint64_t tag = 0, length = 0;
    field->tag_begin = wire->position;
    int result = sl_wire_varint(wire, end, &tag);
    if (result < 0)
        return result;
    if (tag >> 3 == 0 || tag >> 3 > HIGHEST_FIELD_NUMBER)
        return sl_wire_error(wire, field->tag_begin, "no field has the number %llu",
                             (unsigned long long)(tag >> 3));
    field->number = (uint32_t)(tag >> 3);
    field->value = 0;
    switch (tag & 7) {
    case SL_WIRE_VARINT:
        field->type = SL_WIRE_VARINT;
        field->begin = wire->position;
        result = sl_wire_varint(wire, end, &field->value);
        field->end = wire->position;
        return result;
    case SL_WIRE_FIXED32:
        field->type = SL_WIRE_FIXED32;
        length = 4;
        break;
    case SL_WIRE_FIXED64:
        field->type = SL_WIRE_FIXED64;
        length = 8;
        break;
    case SL_WIRE_LENGTH:
        field->type = SL_WIRE_LENGTH;
        result = sl_wire_varint(wire, end, &length);
        if (result < 0)
            return result;
        break;
    default:
        return sl_wire_error(wire, field->tag_begin,
                             "field %u has the wire type %u, which Caffe never writes: the file is "
                             "damaged or of another kind",
                             (unsigned)field->number, (unsigned)(tag & 7));
    }
    field->begin = wire->position;
    if (length > end - field->begin)
        return sl_wire_error(wire, field->tag_begin,
                             "field %u says %llu bytes, %llu are left: the file is cut off or "
                             "damaged",
                             (unsigned)field->number, (unsigned long long)length,
                             (unsigned long long)(end - field->begin));
    field->end = field->begin + length;
    return 0;
}
