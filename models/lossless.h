/* SL_ENCODING_LOSSLESS: the bits of float32 in about 28. Most weights of a row lie within a few
 * powers of two of the largest, so the exponent is stored as its distance from the row's top.
 *
 * A row is cut into blocks of SL_LOSSLESS_BLOCK elements, the last one of n <= SL_LOSSLESS_BLOCK:
 *
 *   n uint16       bits 0 to 15 of each element
 *   n bytes        bits 16 to 22, and the sign above them
 *   n / 2 nibbles  rounded up; the code of element i is in the lower half of byte i, that of
 *                  element i + (n + 1) / 2 in its upper half
 *
 * Code c below SL_LOSSLESS_CODES is exponent top - c; SL_LOSSLESS_CODES is exponent 0: zero and
 * subnormal numbers. Zeros fill the row up to a multiple of 4. Then come the layer's places for
 * exceptions, of elements whose exponent no code reaches: a uint32 each, the element's index in the
 * row above its exponent in the lower byte. Places that are not used have an index beyond the row.
 *
 * The row's scale is 2^(top - 127) as a float32: its exponent is top (infinity for 255). */
#ifndef SLUICE_MODELS_LOSSLESS_H
#define SLUICE_MODELS_LOSSLESS_H

#include <stdint.h>

#define SL_LOSSLESS_BLOCK      256
#define SL_LOSSLESS_CODES      15
#define SL_LOSSLESS_DEPTH_MOST ((1 << 24) - 1) /* elements of a row: an index has 24 bits */
#define SL_LOSSLESS_UNUSED     UINT32_MAX      /* a place without an exception */
#define SL_EXPONENTS           256

/* Bytes of count elements that begin with a block, without what follows the last block of a row. */
uint64_t sl_lossless_bytes(uint64_t count);

/* Adds to exponents[e] how many of the values have exponent e. */
void sl_count_exponents(const float *values, int64_t count, int64_t exponents[SL_EXPONENTS]);
/* The scale of a row with these exponents that leaves the fewest exceptions, and their number. */
float sl_lossless_scale(const int64_t exponents[SL_EXPONENTS], int64_t *exceptions);

/* Encodes count values of one row that begin with a block: sl_lossless_bytes(count). */
void sl_lossless_encode(const float *values, int64_t count, float scale, void *encoded);
/* The exceptions among count values of a row, of which the first has index first, into at most
 * places entries; returns how many there are. */
int64_t sl_lossless_exceptions(const float *values, int64_t count, int64_t first, float scale,
                               uint32_t *entries, int64_t places);

#endif
