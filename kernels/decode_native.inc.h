/* Decoding of elements, compiled once per instruction set (kernels/isa_*.c). bf16 and i8 are plain
 * loops that become vectors by themselves; f16 has instructions of its own. */
#include "kernels/isa.h"
#include "kernels/simd.h"

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
    default:
        memcpy(decode->destination, decode->values, (size_t)decode->count * sizeof(float));
    }
}
