/* Decoding of elements, compiled once per instruction set (kernels/isa_*.c). bf16, i8 and
 * lossless are plain loops that become vectors by themselves; f16 has instructions of its own. */
#include "kernels/isa.h"
#include "kernels/simd.h"
#include "models/lossless.h"

/* Two multiplications would round twice for what is subnormal; this one is exact: the exponent of
 * binary16 is put in the place of float32's, 112 too low, which the factor makes good. */
SL_INLINE float f16_value(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7fff;
    uint32_t bits = magnitude << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    value *= 0x1p112f;
    memcpy(&bits, &value, sizeof bits);
    /* Infinity, and what is no number (quiet, as the instructions make it). */
    uint32_t special = 0x7f800000 | magnitude << 13 | (magnitude > 0x7c00 ? 0x400000 : 0);
    bits = sign | (magnitude >= 0x7c00 ? special : bits);
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void decode_f16(const uint16_t *values, int64_t count, float *destination)
{
    int64_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= count; i += 16)
        _mm512_storeu_ps(destination + i,
                         _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(values + i))));
#elif defined(__AVX2__) && defined(__F16C__)
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(destination + i,
                         _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(values + i))));
#elif defined(__ARM_NEON) && defined(__aarch64__)
    for (; i + 4 <= count; i += 4)
        vst1q_f32(destination + i, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(values + i))));
#endif
    for (; i < count; i++)
        destination[i] = f16_value(values[i]);
}

static void decode_bf16(const uint16_t *restrict values, int64_t count, float *restrict destination)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)values[i] << 16;
        memcpy(&destination[i], &bits, sizeof bits);
    }
}

static void decode_i8(const int8_t *restrict values, int64_t count, float scale,
                      float *restrict destination)
{
    for (int64_t i = 0; i < count; i++)
        destination[i] = (float)values[i] * scale;
}

/* high: the sign, then bits 22 to 16. */
SL_INLINE void put_lossless(uint16_t low, int8_t high, uint32_t code, uint32_t top,
                            float *destination)
{
    uint32_t exponent = code == SL_LOSSLESS_CODES ? 0 : top - (code << 23);
    uint32_t bits = ((uint32_t)(int32_t)high << 16 & 0x807fffff) | exponent | low;
    memcpy(destination, &bits, sizeof bits);
}

/* Rows begin at multiples of 4, and so do blocks. */
SL_INLINE void decode_block(const void *values, int64_t count, uint32_t top,
                            float *restrict destination)
{
    const int64_t half = (count + 1) / 2;
    const uint16_t *restrict low = values;
    const int8_t *restrict high = (const int8_t *)(low + count);
    const uint8_t *restrict codes = (const uint8_t *)(high + count);
    for (int64_t i = 0; i < count - half; i++) {
        put_lossless(low[i], high[i], codes[i] & 15, top, destination + i);
        put_lossless(low[half + i], high[half + i], codes[i] >> 4, top, destination + half + i);
    }
    if (count % 2)
        put_lossless(low[half - 1], high[half - 1], codes[half - 1] & 15, top,
                     destination + half - 1);
}

static void put_exceptions(const uint32_t *entries, int64_t exceptions, int64_t count,
                           float *destination)
{
    for (int64_t e = 0; e < exceptions; e++) {
        uint32_t bits, index = entries[e] >> 8;
        if (index >= count)
            continue;
        memcpy(&bits, destination + index, sizeof bits);
        bits = (bits & 0x807fffff) | (entries[e] & 0xff) << 23;
        memcpy(destination + index, &bits, sizeof bits);
    }
}

static void decode_lossless(const struct sl_decode_values *decode)
{
    const char *block = decode->values;
    const int64_t count = decode->count, whole = count - count % SL_LOSSLESS_BLOCK;
    uint32_t top;
    memcpy(&top, &decode->scale, sizeof top);
    for (int64_t i = 0; i < whole; i += SL_LOSSLESS_BLOCK) {
        decode_block(block, SL_LOSSLESS_BLOCK, top, decode->destination + i);
        block += SL_LOSSLESS_BLOCK * 7 / 2;
    }
    decode_block(block, count - whole, top, decode->destination + whole);
    block += ((count - whole) * 3 + (count - whole + 1) / 2 + 3) / 4 * 4;
    put_exceptions((const uint32_t *)(const void *)block, decode->exceptions, count,
                   decode->destination);
}

static void native_decode(const struct sl_decode_values *decode)
{
    switch (decode->encoding) {
    case SL_ENCODING_F16:
        decode_f16(decode->values, decode->count, decode->destination);
        break;
    case SL_ENCODING_BF16:
        decode_bf16(decode->values, decode->count, decode->destination);
        break;
    case SL_ENCODING_I8:
        decode_i8(decode->values, decode->count, decode->scale, decode->destination);
        break;
    case SL_ENCODING_LOSSLESS:
        decode_lossless(decode);
        break;
    default:
        memcpy(decode->destination, decode->values, (size_t)decode->count * sizeof(float));
    }
}
