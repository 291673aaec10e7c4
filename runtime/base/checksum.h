/* XXH3-64 of contents, by the fastest of the instruction sets that this processor has. */
#ifndef SLUICE_BASE_CHECKSUM_H
#define SLUICE_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Any thread. The same value on every machine. */
uint64_t sl_checksum(const void *bytes, size_t count);

#if defined(__x86_64__)
/* For processors with AVX2 (checksum_avx2.c): 23 GB/s from memory here, and 47 from the cache,
 * where what every x86-64 has gives 14. */
uint64_t sl_checksum_avx2(const void *bytes, size_t count);
#endif

#endif
