/* The lossless encoding: every bit of every row comes back, from every instruction set, and bytes
 * that no encoder made do no harm. */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/isa.h"
#include "models/encoding.h"
#include "models/lossless.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"

static const char *const sets[] = {"generic", "neon", "avx2", "avx512"};
#define SETS   4
#define CANARY 0x5a

/* What a row of the tests is made of. */
enum kind {
    UNIFORM,   /* in [-1, 1), as weights are */
    ZEROS,     /* of both signs */
    SUBNORMAL, /* and zeros and small normal numbers */
    SPECIAL,   /* uniform, with infinities, and what is no number, with payloads */
    SPREAD,    /* over all exponents: most are exceptions */
    ANY_BITS,
    KINDS,
};

static uint32_t bits_of_kind(enum kind kind, uint64_t *rng)
{
    const uint32_t any = (uint32_t)sl_rng_next(rng), sign = any & 0x80000000;
    float value = (float)(sl_rng_unit(rng) * 2 - 1);
    uint32_t uniform;
    memcpy(&uniform, &value, sizeof(uniform));
    switch (kind) {
    case UNIFORM:
        return uniform;
    case ZEROS:
        return sign;
    case SUBNORMAL:
        return any & 0x81ffffff;
    case SPECIAL:
        if (sl_rng_below(rng, 20) > 0)
            return uniform;
        return sign | 0x7f800000 | (sl_rng_below(rng, 2) ? any & 0x7fffff : 0);
    case SPREAD:
        return sign | (uint32_t)sl_rng_below(rng, 256) << 23 | (any & 0x7fffff);
    default:
        return any;
    }
}

/* A row as a pack stores it; free with row_free. */
struct row {
    float *values;
    int64_t depth, exceptions;
    float scale;
    unsigned char *encoded; /* of exactly the row's bytes */
};

static void row_free(struct row *row)
{
    free(row->values);
    free(row->encoded);
}

/* spare: places beyond those that the row needs. */
static void encode_row(struct row *row, int64_t spare)
{
    int64_t exponents[SL_EXPONENTS] = {0};
    sl_count_exponents(row->values, row->depth, exponents);
    row->scale = sl_lossless_scale(exponents, &row->exceptions);
    row->exceptions += spare;
    size_t bytes = (size_t)sl_encoding_row_bytes(SL_ENCODING_LOSSLESS, row->depth, row->exceptions);
    row->encoded = malloc(bytes);
    cr_assert(row->encoded != NULL);
    memset(row->encoded, 0xff, bytes);
    cr_assert_eq(sl_encode(SL_ENCODING_LOSSLESS, row->values, row->depth, row->scale, row->encoded),
                 0);
    uint32_t *entries =
        (uint32_t *)(void *)(row->encoded + bytes) - row->exceptions; /* unused ones are all ones */
    cr_assert_eq(
        sl_lossless_exceptions(row->values, row->depth, 0, row->scale, entries, row->exceptions),
        row->exceptions - spare);
}

static void make_row(struct row *row, enum kind kind, int64_t depth, uint64_t seed)
{
    *row = (struct row){.values = malloc((size_t)depth * sizeof(float)), .depth = depth};
    cr_assert(row->values != NULL);
    for (int64_t i = 0; i < depth; i++) {
        uint32_t bits = bits_of_kind(kind, &seed);
        memcpy(&row->values[i], &bits, sizeof(bits));
    }
    encode_row(row, (int64_t)sl_rng_below(&seed, 3));
}

/* The decoded row with a canary behind it, malloc'd. */
static unsigned char *decode_row(const struct row *row)
{
    const size_t bytes = (size_t)row->depth * sizeof(float);
    unsigned char *decoded = malloc(bytes + SL_ISA_SLACK * sizeof(float));
    cr_assert(decoded != NULL);
    memset(decoded, CANARY, bytes + SL_ISA_SLACK * sizeof(float));
    const struct sl_decode_values decode = {
        .encoding = SL_ENCODING_LOSSLESS,
        .scale = row->scale,
        .values = row->encoded,
        .count = row->depth,
        .exceptions = row->exceptions,
        .destination = (float *)(void *)decoded,
    };
    sl_isa()->decode(&decode);
    for (size_t i = 0; i < SL_ISA_SLACK * sizeof(float); i++)
        cr_assert(decoded[bytes + i] == CANARY, "written behind the row");
    return decoded;
}

static void check_row(const struct row *row, const char *set, int kind)
{
    SL_AUTO_FREE unsigned char *decoded = decode_row(row);
    cr_assert(memcmp(decoded, row->values, (size_t)row->depth * sizeof(float)) == 0,
              "%s, kind %d, depth %d", set, kind, (int)row->depth);
}

Test(lossless, every_bit_comes_back)
{
    for (int s = 0; s < SETS; s++) {
        if (sl_kernels_force_isa(sets[s], NULL))
            continue;
        for (int kind = 0; kind < KINDS; kind++) {
            for (int i = 0; i < 640; i++) {
                struct row row;
                int64_t depth = i < 600 ? 1 + i : 1 + 997 * (i - 599);
                make_row(&row, (enum kind)kind, depth, (uint64_t)i);
                check_row(&row, sets[s], kind);
                row_free(&row);
            }
        }
    }
    sl_kernels_force_isa(NULL, NULL);
}

/* Exceptions that any scale leaves when all are counted anew. */
static int64_t least_exceptions(const int64_t exponents[SL_EXPONENTS])
{
    int64_t least = INT64_MAX;
    for (int top = SL_LOSSLESS_CODES; top < SL_EXPONENTS; top++) {
        int64_t beyond = 0;
        for (int e = 1; e < SL_EXPONENTS; e++)
            beyond += e > top || e <= top - SL_LOSSLESS_CODES ? exponents[e] : 0;
        least = beyond < least ? beyond : least;
    }
    return least;
}

Test(lossless, the_scale_leaves_the_fewest_exceptions)
{
    uint64_t rng = 5;
    for (int i = 0; i < 2000; i++) {
        int64_t exponents[SL_EXPONENTS] = {0}, exceptions;
        int least = (int)sl_rng_below(&rng, 256), span = 1 + (int)sl_rng_below(&rng, 40);
        for (int n = 0; n < 50; n++)
            exponents[(least + (int)sl_rng_below(&rng, (uint64_t)span)) % SL_EXPONENTS]++;
        float scale = sl_lossless_scale(exponents, &exceptions);
        cr_assert(scale > 0);
        cr_assert(exceptions == least_exceptions(exponents), "row %d: %d", i, (int)exceptions);
    }
}

Test(lossless, takes_28_bits_and_the_exceptions)
{
    cr_assert_eq(sl_encoding_row_bytes(SL_ENCODING_LOSSLESS, 4096, 0), 4096 * 7 / 2);
    cr_assert_eq(sl_encoding_row_bytes(SL_ENCODING_LOSSLESS, 4096, 3), 4096 * 7 / 2 + 3 * 4);
    cr_assert_eq(sl_encoding_row_bytes(SL_ENCODING_LOSSLESS, 1, 0), 4);
    cr_assert_eq(sl_encoding_row_bytes(SL_ENCODING_LOSSLESS, 257, 1), 896 + 4 + 4);
    for (int64_t depth = 1; depth < 600; depth++)
        cr_assert_eq(sl_encoding_row_bytes(SL_ENCODING_LOSSLESS, depth, 0) % 4, 0);
}

/* Exceptions anywhere, codes and scales that no encoder makes: nothing is written outside the row,
 * and all instruction sets agree. */
Test(lossless, any_bytes_are_decoded_safely)
{
    uint64_t rng = 7;
    for (int i = 0; i < 3000; i++) {
        struct row row = {.depth = 1 + (int64_t)sl_rng_below(&rng, 700),
                          .exceptions = (int64_t)sl_rng_below(&rng, 20)};
        uint32_t scale = (uint32_t)sl_rng_next(&rng);
        memcpy(&row.scale, &scale, sizeof(scale));
        size_t bytes =
            (size_t)sl_encoding_row_bytes(SL_ENCODING_LOSSLESS, row.depth, row.exceptions);
        row.encoded = malloc(bytes);
        for (size_t b = 0; b < bytes; b++)
            row.encoded[b] = (unsigned char)sl_rng_next(&rng);
        SL_AUTO_FREE unsigned char *first = NULL;
        for (int s = 0; s < SETS; s++) {
            if (sl_kernels_force_isa(sets[s], NULL))
                continue;
            SL_AUTO_FREE unsigned char *decoded = decode_row(&row);
            if (first)
                cr_assert(memcmp(first, decoded, (size_t)row.depth * sizeof(float)) == 0,
                          "%s decodes row %d otherwise", sets[s], i);
            else
                first = SL_STEAL(decoded);
        }
        row_free(&row);
    }
    sl_kernels_force_isa(NULL, NULL);
}
