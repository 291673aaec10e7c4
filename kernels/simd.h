/* The vector of the instruction set that a translation unit is compiled for, with the few
 * operations that kernels need beyond GCC's vector arithmetic. Included by the files that are
 * compiled once per instruction set (kernels/isa_*.c) only. */
#ifndef SLUICE_KERNELS_SIMD_H
#define SLUICE_KERNELS_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define SL_LANES 16
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define SL_LANES 8
#else
#define SL_LANES 4
#if defined(__ARM_NEON)
#include <arm_neon.h>
#endif
#endif

typedef float sl_vector __attribute__((vector_size(SL_LANES * sizeof(float))));
typedef int32_t sl_vector_mask __attribute__((vector_size(SL_LANES * sizeof(int32_t))));

#define SL_INLINE static inline __attribute__((always_inline))

/* No alignment is needed. */
SL_INLINE sl_vector sl_vector_load(const float *source)
{
    sl_vector vector;
    memcpy(&vector, source, sizeof vector);
    return vector;
}

SL_INLINE void sl_vector_store(float *destination, sl_vector vector)
{
    memcpy(destination, &vector, sizeof vector);
}

SL_INLINE sl_vector sl_vector_all(float value)
{
    return value - (sl_vector){0};
}

#if SL_LANES == 8
SL_INLINE __m256i sl_lanes_below(int count)
{
    return (__m256i)((sl_vector_mask){0, 1, 2, 3, 4, 5, 6, 7} < count);
}
#endif

/* The first `count` (0..SL_LANES) lanes; nothing beyond them is touched, other lanes are 0. */
SL_INLINE sl_vector sl_vector_load_part(const float *source, int count)
{
#if defined(__AVX512F__)
    return (sl_vector)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), source);
#elif SL_LANES == 8
    return (sl_vector)_mm256_maskload_ps(source, sl_lanes_below(count));
#else
    sl_vector vector = {0};
    for (int lane = 0; lane < SL_LANES; lane++)
        if (lane < count)
            vector[lane] = source[lane];
    return vector;
#endif
}

SL_INLINE void sl_vector_store_part(float *destination, sl_vector vector, int count)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(destination, (__mmask16)((1u << count) - 1), (__m512)vector);
#elif SL_LANES == 8
    _mm256_maskstore_ps(destination, sl_lanes_below(count), (__m256)vector);
#else
    for (int lane = 0; lane < SL_LANES; lane++)
        if (lane < count)
            destination[lane] = vector[lane];
#endif
}

/* a * b + c, rounded once where the processor can (everywhere but on baseline x86-64). */
SL_INLINE sl_vector sl_vector_fma(sl_vector a, sl_vector b, sl_vector c)
{
#if defined(__AVX512F__)
    return (sl_vector)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__) && defined(__FMA__)
    return (sl_vector)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__ARM_NEON) && defined(__aarch64__)
    return (sl_vector)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

/* Every second value of the 2 * SL_LANES values of low and high. */
SL_INLINE sl_vector sl_vector_evens(sl_vector low, sl_vector high)
{
#if SL_LANES == 16
    return __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28,
                                   30);
#elif SL_LANES == 8
    return __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
#else
    return __builtin_shufflevector(low, high, 0, 2, 4, 6);
#endif
}

/* x > 0 ? x : slope * x */
SL_INLINE sl_vector sl_vector_relu(sl_vector x, float slope)
{
    sl_vector_mask positive = x > (sl_vector){0};
    sl_vector scaled = x * slope;
    return (sl_vector)(((sl_vector_mask)x & positive) | ((sl_vector_mask)scaled & ~positive));
}

#endif
