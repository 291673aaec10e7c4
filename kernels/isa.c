/* Which instruction set runs. */
#include "kernels/isa.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/kernel.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

extern const struct sl_isa sl_isa_generic, sl_isa_avx2, sl_isa_avx512;

#if defined(__x86_64__)
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}

static bool has_avx2(void)
{
    /* Not every compiler has a name for F16C. */
    unsigned a, b, c, d;
    bool f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && f16c;
}
#endif

static bool has_generic(void)
{
    return true;
}

/* Best first. */
static const struct {
    const struct sl_isa *isa;
    bool (*supported)(void);
} sets[] = {
#if defined(__x86_64__)
    {&sl_isa_avx512, has_avx512},
    {&sl_isa_avx2, has_avx2},
#endif
    {&sl_isa_generic, has_generic},
};

/* The choice is the processor's, made once; it changes only when a test forces another. */
static _Atomic(const struct sl_isa *) chosen;

static const struct sl_isa *find(const char *name)
{
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if ((!name || strcmp(name, sets[i].isa->name) == 0) && sets[i].supported())
            return sets[i].isa;
    return NULL;
}

const struct sl_isa *sl_isa(void)
{
    const struct sl_isa *isa = atomic_load_explicit(&chosen, memory_order_acquire);
    if (!isa) {
        isa = find(NULL);
        atomic_store_explicit(&chosen, isa, memory_order_release);
    }
    return isa;
}

const char *sl_kernels_isa(void)
{
    return sl_isa()->name;
}

int sl_kernels_force_isa(const char *name, struct sl_error *error)
{
    const struct sl_isa *isa = find(name);
    if (!isa)
        return sl_error_set(error, -EINVAL,
                            "instruction set '%s' is not in this build or processor (best: %s)",
                            name, find(NULL)->name);
    atomic_store_explicit(&chosen, isa, memory_order_release);
    return 0;
}
