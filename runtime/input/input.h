/* From a file to the values of an input blob. */
#ifndef SLUICE_INPUT_INPUT_H
#define SLUICE_INPUT_INPUT_H

#include <stddef.h>

#include "models/pack.h"
#include "runtime/base/error.h"
#include "runtime/input/room.h"

#define SL_INPUT_FILE_MOST_BYTES ((size_t)256 << 20)

/* Reads a JPEG or PNG image (through preprocessing), .npy, or raw little-endian float32 into
 * values: elements of shape in C order. What the file is, is told by its first bytes; of raw files
 * the size must be exact. An image fills N x C x H x W with N = 1 and C as the channel order has.
 * Images are decoded in memory that `room` (may be NULL) is asked for; the others are read in
 * place. Blocks on I/O. Errors: -EBADMSG (damaged), -EINVAL (does not fit the blob, both sizes
 * named), -ENOTSUP (the image library is not installed; says which package), what room says. A
 * file that cannot be read to its end leaves values undefined; other errors leave them alone. */
int sl_input_read(const char *path, const struct sl_preprocessing *preprocessing,
                  const struct sl_shape *shape, struct sl_room *room, float *values,
                  struct sl_error *error);

/* Reads the mean given to import: "104,117,123" or a mean file. *mean is malloc'd and owned by
 * the caller; mean_shape has axes 0 for values. */
int sl_mean_parse(const char *text, float **mean, int *mean_count, struct sl_shape *mean_shape,
                  struct sl_error *error);

/* One label per line; an optional pair of quotes around a line is dropped, CR LF understood, empty
 * lines at the end ignored. *labels and everything it points to is one malloc'd block. */
int sl_labels_read(const char *path, char ***labels, int *count, struct sl_error *error);

#endif
