#include "models/encoding.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "models/lossless.h"
#include "runtime/base/units.h"

static const struct {
    const char *name;
    uint64_t bytes; /* of an element; 0: they depend on its place */
    bool scales;
} encodings[SL_ENCODINGS] = {
    [SL_ENCODING_F32] = {"f32", 4, false},          [SL_ENCODING_F16] = {"f16", 2, false},
    [SL_ENCODING_BF16] = {"bf16", 2, false},        [SL_ENCODING_I8] = {"i8", 1, true},
    [SL_ENCODING_LOSSLESS] = {"lossless", 0, true},
};

/* The largest finite numbers, and the least magnitude (as float32 bits) that rounds beyond. */
#define F16_LARGEST    0x7bff
#define F16_BEYOND     0x477ff000 /* 65520 */
#define F16_LEAST_BITS 0x38800000 /* 2^-14, the least normal number */
#define BF16_LARGEST   0x7f7f
#define FLOAT_INFINITY 0x7f800000
#define I8_LARGEST     127

const char *sl_encoding_name(enum sl_encoding encoding)
{
    return encodings[encoding].name;
}

bool sl_encoding_has_scales(enum sl_encoding encoding)
{
    return encodings[encoding].scales;
}

uint64_t sl_encoded_bytes(enum sl_encoding encoding, int64_t count)
{
    if (encoding == SL_ENCODING_LOSSLESS)
        return sl_lossless_bytes((uint64_t)count);
    return (uint64_t)count * encodings[encoding].bytes;
}

uint64_t sl_encoding_row_bytes(enum sl_encoding encoding, int64_t depth, int64_t exceptions)
{
    uint64_t bytes = sl_encoded_bytes(encoding, depth);
    if (encoding == SL_ENCODING_LOSSLESS)
        bytes = sl_align_up(bytes, sizeof(uint32_t)) + (uint64_t)exceptions * sizeof(uint32_t);
    return bytes;
}

int sl_encoding_parse(const char *name, enum sl_encoding *encoding, struct sl_error *error)
{
    for (int i = 0; i < SL_ENCODINGS; i++) {
        if (!name || strcmp(name, encodings[i].name) == 0) {
            *encoding = (enum sl_encoding)i;
            return 0;
        }
    }
    return sl_error_set(error, EINVAL, "encoding '%s' is not one of f32, f16, bf16, i8, lossless",
                        name);
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static uint16_t encode_f16(float value, int64_t *saturated)
{
    uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > FLOAT_INFINITY)
        return (uint16_t)(sign | 0x7e00); /* not a number */
    if (magnitude >= F16_BEYOND) {
        ++*saturated;
        return (uint16_t)(sign | F16_LARGEST);
    }
    /* Subnormal numbers are multiples of 2^-24, as float32 numbers from 0.5 to 1 are: the addition
     * rounds to one. */
    if (magnitude < F16_LEAST_BITS)
        return (uint16_t)(sign | (bits_of(fabsf(value) + 0.5f) - bits_of(0.5f)));
    magnitude += 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (magnitude - (F16_LEAST_BITS - (1u << 23))) >> 13);
}

static uint16_t encode_bf16(float value, int64_t *saturated)
{
    uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > FLOAT_INFINITY)
        return (uint16_t)(sign | 0x7fc0); /* not a number */
    magnitude += 0x7fff + (magnitude >> 16 & 1);
    if (magnitude >= FLOAT_INFINITY) {
        ++*saturated;
        return (uint16_t)(sign | BF16_LARGEST);
    }
    return (uint16_t)(sign | magnitude >> 16);
}

float sl_largest_magnitude(const float *values, int64_t count)
{
    uint32_t largest = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t magnitude = bits_of(values[i]) & 0x7fffffff;
        largest = magnitude > largest ? magnitude : largest;
    }
    float value = INFINITY;
    if (largest < FLOAT_INFINITY)
        memcpy(&value, &largest, sizeof(value));
    return value;
}

float sl_i8_scale(float largest)
{
    return largest / I8_LARGEST;
}

static int8_t encode_i8(float value, float scale)
{
    if (!(scale > 0))
        return 0;
    float rounded = rintf(value / scale);
    return (int8_t)fminf(fmaxf(rounded, -I8_LARGEST), I8_LARGEST);
}

int64_t sl_encode(enum sl_encoding encoding, const float *values, int64_t count, float scale,
                  void *encoded)
{
    int64_t saturated = 0;
    switch (encoding) {
    case SL_ENCODING_F16:
        for (int64_t i = 0; i < count; i++)
            ((uint16_t *)encoded)[i] = encode_f16(values[i], &saturated);
        break;
    case SL_ENCODING_BF16:
        for (int64_t i = 0; i < count; i++)
            ((uint16_t *)encoded)[i] = encode_bf16(values[i], &saturated);
        break;
    case SL_ENCODING_I8:
        for (int64_t i = 0; i < count; i++)
            ((int8_t *)encoded)[i] = encode_i8(values[i], scale);
        break;
    case SL_ENCODING_LOSSLESS:
        sl_lossless_encode(values, count, scale, encoded);
        break;
    default:
        memcpy(encoded, values, (size_t)count * sizeof(*values));
    }
    return saturated;
}
