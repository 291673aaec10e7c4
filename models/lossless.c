#include "models/lossless.h"

#include <string.h>

#define EXPONENT_SHIFT 23
#define EXPONENT_MASK  0xff

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static uint32_t exponent_of(float value)
{
    return bits_of(value) >> EXPONENT_SHIFT & EXPONENT_MASK;
}

/* SL_LOSSLESS_CODES + 1 for an exception. */
static uint32_t code_of(float value, uint32_t top)
{
    uint32_t exponent = exponent_of(value);
    if (exponent == 0)
        return SL_LOSSLESS_CODES;
    /* What is above the top wraps around. */
    return top - exponent < SL_LOSSLESS_CODES ? top - exponent : SL_LOSSLESS_CODES + 1;
}

/* The exponent of an exception is elsewhere: any code will do. */
static unsigned char nibble_of(float value, uint32_t top)
{
    uint32_t code = code_of(value, top);
    return code <= SL_LOSSLESS_CODES ? (unsigned char)code : 0;
}

uint64_t sl_lossless_bytes(uint64_t count)
{
    const uint64_t block = SL_LOSSLESS_BLOCK, left = count % block;
    return count / block * (block * 3 + block / 2) + left * 3 + (left + 1) / 2;
}

void sl_count_exponents(const float *values, int64_t count, int64_t exponents[SL_EXPONENTS])
{
    for (int64_t i = 0; i < count; i++)
        exponents[exponent_of(values[i])]++;
}

float sl_lossless_scale(const int64_t exponents[SL_EXPONENTS], int64_t *exceptions)
{
    int64_t reached = 0, most = 0, all = 0;
    int best = SL_LOSSLESS_CODES;
    for (int top = 1; top < SL_EXPONENTS; top++) {
        all += exponents[top];
        reached += exponents[top];
        if (top > SL_LOSSLESS_CODES)
            reached -= exponents[top - SL_LOSSLESS_CODES];
        if (top >= SL_LOSSLESS_CODES && reached > most) {
            most = reached;
            best = top;
        }
    }
    *exceptions = all - most;
    uint32_t bits = (uint32_t)best << EXPONENT_SHIFT;
    float scale;
    memcpy(&scale, &bits, sizeof(scale));
    return scale;
}

static void encode_block(const float *values, int64_t count, uint32_t top, unsigned char *encoded)
{
    unsigned char *high = encoded + count * 2, *codes = high + count;
    const int64_t half = (count + 1) / 2;
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = bits_of(values[i]);
        uint16_t low = (uint16_t)bits;
        memcpy(encoded + i * 2, &low, sizeof(low));
        high[i] = (unsigned char)((bits >> 24 & 0x80) | (bits >> 16 & 0x7f));
    }
    for (int64_t i = 0; i < half; i++) {
        codes[i] = nibble_of(values[i], top);
        if (half + i < count)
            codes[i] |= (unsigned char)(nibble_of(values[half + i], top) << 4);
    }
}

void sl_lossless_encode(const float *values, int64_t count, float scale, void *encoded)
{
    for (int64_t done = 0; done < count; done += SL_LOSSLESS_BLOCK) {
        int64_t taken = count - done < SL_LOSSLESS_BLOCK ? count - done : SL_LOSSLESS_BLOCK;
        encode_block(values + done, taken, exponent_of(scale),
                     (unsigned char *)encoded + sl_lossless_bytes((uint64_t)done));
    }
}

int64_t sl_lossless_exceptions(const float *values, int64_t count, int64_t first, float scale,
                               uint32_t *entries, int64_t places)
{
    const uint32_t top = exponent_of(scale);
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        if (code_of(values[i], top) <= SL_LOSSLESS_CODES)
            continue;
        if (found < places)
            entries[found] = (uint32_t)(first + i) << 8 | exponent_of(values[i]);
        found++;
    }
    return found;
}
