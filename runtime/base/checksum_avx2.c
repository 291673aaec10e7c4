#include "runtime/base/checksum.h"

#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_AVX2
#include <xxhash.h>

uint64_t sl_checksum_avx2(const void *bytes, size_t count)
{
    return XXH3_64bits(bytes, count);
}
