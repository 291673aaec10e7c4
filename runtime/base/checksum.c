#include "runtime/base/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t sl_checksum(const void *bytes, size_t count)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return sl_checksum_avx2(bytes, count);
#endif
    return XXH3_64bits(bytes, count);
}
