/* Encodings: weights in fewer bytes than float32. Every encoding decodes to one exact float32 value
 * per element (kernels/decode.h), so results do not depend on who decodes.
 *
 *   f16   IEEE 754 binary16, rounded to nearest, ties to even; relative error <= 2^-11 from 2^-14
 *         to 65504, absolute error <= 2^-25 below; what would be larger becomes +-65504
 *   bf16  the upper half of a float32, rounded likewise; relative error <= 2^-8 (of normal numbers)
 *   i8    element = q * scale with q in -127 .. 127, scale = largest magnitude of the row / 127;
 *         absolute error <= scale / 2
 *   lossless  every bit, also of what is no number, in about 28 (models/lossless.h)
 */
#ifndef SLUICE_MODELS_ENCODING_H
#define SLUICE_MODELS_ENCODING_H

#include <stdbool.h>
#include <stdint.h>

#include "models/network.h"
#include "runtime/base/error.h"

/* "f32", "f16", "bf16", "i8", "lossless". */
const char *sl_encoding_name(enum sl_encoding encoding);
/* The reverse; NULL is f32. -EINVAL names the ones there are. */
int sl_encoding_parse(const char *name, enum sl_encoding *encoding, struct sl_error *error);

/* Whether each row has a scale, a float32 that is stored apart from the row. */
bool sl_encoding_has_scales(enum sl_encoding encoding);

/* Bytes of a row of depth elements, without its scale; the same for every row of a layer.
 * exceptions: places of a row for them (struct sl_layer). */
uint64_t sl_encoding_row_bytes(enum sl_encoding encoding, int64_t depth, int64_t exceptions);

/* Largest magnitude of count values; INFINITY when one of them is not finite. */
float sl_largest_magnitude(const float *values, int64_t count);
/* The scale of an SL_ENCODING_I8 row whose largest magnitude (finite) that is. */
float sl_i8_scale(float largest);

/* Bytes that sl_encode makes of count values. */
uint64_t sl_encoded_bytes(enum sl_encoding encoding, int64_t count);
/* Encodes count values of one row; scale is for encodings that have scales. Values of
 * SL_ENCODING_I8 must be finite; those of SL_ENCODING_LOSSLESS begin with a block, and exceptions
 * are left to sl_lossless_exceptions. Returns how many values were out of the encoding's range and
 * became the nearest number in it. */
int64_t sl_encode(enum sl_encoding encoding, const float *values, int64_t count, float scale,
                  void *encoded);

#endif
