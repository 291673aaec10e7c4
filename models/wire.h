/* Walking a protobuf file field by field through a small buffer: what is skipped is never read, so
 * memory does not depend on the size of the file. Every length is held against the enclosing
 * message and the file. */
#ifndef SLUICE_MODELS_WIRE_H
#define SLUICE_MODELS_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

enum sl_wire_type {
    SL_WIRE_VARINT = 0,
    SL_WIRE_FIXED64 = 1,
    SL_WIRE_LENGTH = 2,
    SL_WIRE_FIXED32 = 5,
};

/* path is borrowed, file is owned by whoever opened it. position: the next byte, from the start of
 * the file; assign to it to go elsewhere. Zero-initialise before sl_wire_open. */
struct sl_wire {
    const char *path;
    int file;
    uint64_t size, position;
    unsigned char *buffer;
    uint64_t buffer_start;
    size_t buffer_length;
    struct sl_error *error;
};

/* begin and end: file offsets of the payload. value: the varint of a SL_WIRE_VARINT. */
struct sl_wire_field {
    uint32_t number;
    enum sl_wire_type type;
    uint64_t tag_begin, begin, end, value;
};

/* Opens a regular file. On success free with sl_wire_close. As sl_file_open_regular; -ENOMEM. */
int sl_wire_open(struct sl_wire *wire, const char *path, struct sl_error *error);

/* Closes the file and frees the buffer; accepts a zero-initialised one. Works as SL_AUTO. */
void sl_wire_close(struct sl_wire *wire);

/* Reads one varint that ends at or before the file offset end. -EBADMSG when it does not. */
int sl_wire_varint(struct sl_wire *wire, uint64_t end, uint64_t *value);

/* Reads the tag at position, and the value of a varint. Afterwards position is at field->begin
 * (after a varint: at field->end); the caller sets it to field->end when done. -EBADMSG when the
 * field does not fit before end. */
int sl_wire_field(struct sl_wire *wire, uint64_t end, struct sl_wire_field *field);

/* Copies length bytes at position and goes past them. -EBADMSG at the end of the file, -errno. */
int sl_wire_bytes(struct sl_wire *wire, void *destination, size_t length);

/* "<path>: offset <offset>: <message>"; returns -EBADMSG. */
int sl_wire_error(const struct sl_wire *wire, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
