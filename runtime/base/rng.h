/* Deterministic pseudo-random numbers and keys: FNV-1a 64 and splitmix64 (Steele, Lea, Flood,
 * "Fast splittable pseudorandom number generators", OOPSLA 2014). */
#ifndef SLUICE_BASE_RNG_H
#define SLUICE_BASE_RNG_H

#include <stdint.h>

#define SL_SPLITMIX_GAMMA UINT64_C(0x9E3779B97F4A7C15)

/* FNV-1a 64 of a NUL-terminated string. */
static inline uint64_t sl_fnv1a(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

/* The splitmix64 finaliser. */
static inline uint64_t sl_mix64(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Next number of the stream *state. */
static inline uint64_t sl_rng_next(uint64_t *state)
{
    return sl_mix64(*state += SL_SPLITMIX_GAMMA);
}

/* Uniform integer in [0, bound), bound > 0; the bias is below 2^-32 for bound < 2^32. */
static inline uint64_t sl_rng_below(uint64_t *state, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)sl_rng_next(state) * bound) >> 64);
}

/* Uniform in [0, 1) with 53 bits. */
static inline double sl_rng_unit(uint64_t *state)
{
    return (double)(sl_rng_next(state) >> 11) * 0x1p-53;
}

/* i-th value (i = 1, 2, ...) in [-1, 1) of the stream of a key: the weight rule. */
static inline float sl_rng_signed_unit(uint64_t key, uint64_t i)
{
    return (float)(sl_mix64(key + i * SL_SPLITMIX_GAMMA) >> 40) / 8388608.0f - 1.0f;
}

#endif
