/* NumPy's .npy files (format versions 1 to 3) of little-endian float32 in C order. */
#ifndef SLUICE_INPUT_NPY_H
#define SLUICE_INPUT_NPY_H

#include <stdbool.h>
#include <stddef.h>

#include "models/network.h"
#include "runtime/base/error.h"

/* Whether bytes begin as a .npy file does. */
bool sl_npy_is(const unsigned char *bytes, size_t length);

/* A header that is longer is none of an array of float32. */
#define SL_NPY_HEADER_MOST_BYTES ((size_t)64 << 10)

/* Finds shape and place of the data from the first `length` bytes of a .npy file, of file_bytes in
 * all: the header must be among them. *data: where the values begin. -EBADMSG for what is no whole
 * .npy file, -EINVAL for another element type, order or more than SL_MAX_AXES axes; both say which.
 * name is for messages. */
int sl_npy_parse(const char *name, const unsigned char *bytes, size_t length, uint64_t file_bytes,
                 struct sl_shape *shape, uint64_t *data, struct sl_error *error);

/* Writes a file (version 1.0) through struct sl_output_file: none is left on failure. Blocks. */
int sl_npy_write(const char *path, const struct sl_shape *shape, const float *values,
                 struct sl_error *error);

#endif
