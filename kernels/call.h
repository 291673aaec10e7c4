/* What kernels ask of a call: shapes of blobs, and whether work is worth sharing out. */
#ifndef SLUICE_KERNELS_CALL_H
#define SLUICE_KERNELS_CALL_H

#include "kernels/kernel.h"

/* Lets the vectoriser keep loops whose top may be the bottom itself, element by element. */
#define SL_INDEPENDENT _Pragma("GCC ivdep")

/* Before a function whose loops the compiler turns into vector code: also compiled for AVX2, and
 * chosen when the program is loaded. The bits are the same, as nothing is fused or reassociated
 * (-ffp-contract=off). What it calls must be inlined to be part of that. When the choice is made
 * the thread sanitiser is not up yet. */
#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define SL_PER_ISA __attribute__((target_clones("avx2", "default")))
#else
#define SL_PER_ISA
#endif
#define SL_INLINE_ALWAYS static inline __attribute__((always_inline))

/* Shape of a bottom blob; lives as long as the network. */
static inline const struct sl_shape *sl_bottom_shape(const struct sl_kernel_call *call, int bottom)
{
    return &call->network->blobs[call->layer->bottoms[bottom]].shape;
}

/* Shape of a top blob; lives as long as the network. */
static inline const struct sl_shape *sl_top_shape(const struct sl_kernel_call *call, int top)
{
    return &call->network->blobs[call->layer->tops[top]].shape;
}

/* Below this many element operations, waking the team costs more than it gains. */
#define SL_WORTH_SHARING 32768

/* The team for so much work: the call's, or NULL (the caller alone) when it is little. */
static inline struct sl_threads *sl_call_team(const struct sl_kernel_call *call, int64_t operations)
{
    return operations < SL_WORTH_SHARING ? NULL : call->threads;
}

/* The smaller of two. */
static inline int64_t sl_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The larger of two. */
static inline int64_t sl_most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* a / b rounded up, for a >= 0, b > 0. */
static inline int64_t sl_divide_up(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

#endif
