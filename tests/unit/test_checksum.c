#include <criterion/criterion.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/checksum.h"
#include "runtime/base/rng.h"

/* Packs are the same on every processor, whatever it hashes with. */
Test(checksum, is_the_plain_hash_for_every_length_and_alignment)
{
    enum { MOST = 70000 };
    unsigned char *bytes = malloc(MOST + 64);
    uint64_t rng = 1;
    cr_assert_not_null(bytes);
    for (int i = 0; i < MOST + 64; i++)
        bytes[i] = (unsigned char)sl_rng_below(&rng, 256);
    for (int round = 0; round < 2000; round++) {
        size_t count = round < 600 ? (size_t)round : sl_rng_below(&rng, MOST);
        const unsigned char *from = bytes + sl_rng_below(&rng, 64);
        cr_assert_eq(sl_checksum(from, count), XXH3_64bits(from, count), "%zu bytes", count);
    }
    free(bytes);
}
