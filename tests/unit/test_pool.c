/* The region and the pool: pieces never overlap, the bound holds, everything joins up again. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/base/rng.h"
#include "runtime/engine/kept_slots.h"
#include "runtime/engine/pages.h"
#include "runtime/engine/pool.h"
#include "runtime/engine/region.h"

#define PAGE   4096
#define PIECES 64

Test(region, random_pieces_never_overlap_and_join_up_again)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        uint64_t rng = seed;
        struct sl_region region = {0};
        cr_assert_eq(sl_region_create(&region, 256 * PAGE), 0);
        char *pieces[PIECES] = {0};
        uint64_t bytes[PIECES];
        for (int step = 0; step < 2000; step++) {
            size_t k = sl_rng_below(&rng, PIECES);
            if (pieces[k]) {
                for (uint64_t i = 0; i < bytes[k]; i += PAGE)
                    cr_assert_eq(pieces[k][i], (char)k, "piece %zu was overwritten", k);
                sl_region_give(&region, pieces[k], bytes[k]);
                pieces[k] = NULL;
                continue;
            }
            bytes[k] = PAGE * (1 + sl_rng_below(&rng, 12));
            pieces[k] = sl_region_take(&region, bytes[k], sl_rng_below(&rng, 2));
            if (pieces[k])
                memset(pieces[k], (int)k, bytes[k]);
        }
        for (size_t k = 0; k < PIECES; k++) {
            if (pieces[k])
                sl_region_give(&region, pieces[k], bytes[k]);
        }
        cr_assert_eq(region.free_count, 1);
        cr_assert_eq(region.free[0].bytes, 256 * PAGE);
        sl_region_destroy(&region);
    }
}

/* Pieces keep their content, those that may not move stay, and what is free is where nothing is. */
Test(region, compacts_around_what_may_not_move)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        uint64_t rng = seed;
        struct sl_region region = {0};
        struct sl_piece pieces[PIECES + 1];
        size_t count = 0;
        uint64_t used = 0;
        cr_assert_eq(sl_region_create(&region, 256 * PAGE), 0);
        for (int k = 0; k < PIECES; k++) {
            uint64_t bytes = PAGE * (1 + sl_rng_below(&rng, 8));
            void *memory = sl_region_take(&region, bytes, sl_rng_below(&rng, 2));
            if (!memory)
                continue;
            memset(memory, k, bytes);
            if (sl_rng_below(&rng, 2)) {
                sl_region_give(&region, memory, bytes);
                continue;
            }
            used += bytes;
            pieces[count++] = (struct sl_piece){.memory = memory,
                                                .bytes = bytes,
                                                .tag = (uint64_t)k,
                                                .movable = sl_rng_below(&rng, 4) > 0};
        }
        bool fixed = false;
        for (size_t k = 0; k < count; k++)
            fixed |= !pieces[k].movable;
        if (count && !pieces[0].movable) {
            pieces[count] = pieces[0];
            count++;
        }
        cr_assert_eq(sl_region_compact(&region, pieces, count), 0);
        uint64_t free_bytes = 0;
        for (size_t f = 0; f < region.free_count; f++) {
            free_bytes += region.free[f].bytes;
            memset(region.base + region.free[f].offset, 0xff, region.free[f].bytes);
        }
        cr_expect_eq(free_bytes + used, 256 * PAGE);
        cr_expect(fixed || region.free_count <= 1, "all moved, so one extent is left");
        for (size_t k = 0; k < count; k++) {
            cr_expect(pieces[k].movable || pieces[k].moved == pieces[k].memory);
            for (uint64_t i = 0; i < pieces[k].bytes; i += PAGE / 4)
                cr_assert_eq(((char *)pieces[k].moved)[i], (char)pieces[k].tag);
        }
        sl_region_destroy(&region);
    }
}

static void cut(struct sl_region *region, uint64_t bytes, uint64_t granule)
{
    struct sl_span ends[2];
    const uint64_t before = region->bytes;
    sl_region_cut(region, bytes, granule, ends);
    cr_expect_eq(region->bytes + ends[0].bytes + ends[1].bytes, before);
    for (int e = 0; e < 2; e++)
        if (ends[e].bytes)
            cr_expect_eq(munmap(ends[e].memory, ends[e].bytes), 0);
}

Test(region, is_cut_from_its_low_end_as_far_as_that_is_free)
{
    struct sl_region region = {0};
    cr_assert_eq(sl_region_create(&region, 64 * PAGE), 0);
    char *high = sl_region_take(&region, 8 * PAGE, true);
    memset(high, 7, 8 * PAGE);
    cut(&region, 16 * PAGE, PAGE);
    cr_expect_eq(region.bytes, 16 * PAGE);
    cr_expect(sl_region_owns(&region, high) && high[0] == 7 && high[8 * PAGE - 1] == 7);
    char *low = sl_region_take(&region, 8 * PAGE, false);
    cr_expect_eq(low, region.base);
    memset(low, 8, 8 * PAGE);
    cut(&region, 8 * PAGE, PAGE);
    cr_expect_eq(region.bytes, 16 * PAGE, "what is in use stays");
    sl_region_give(&region, low, 8 * PAGE);
    cut(&region, 12 * PAGE, 1024 * PAGE);
    cr_expect_leq(region.bytes, 12 * PAGE);
    cr_expect_eq(high[0], 7);
    sl_region_give(&region, high, 8 * PAGE);
    cr_expect_eq(region.free_count, 1);
    cr_expect_eq(region.free[0].bytes, region.bytes);
    sl_region_destroy(&region);
}

Test(region, is_cut_from_both_ends)
{
    struct sl_region region = {0};
    cr_assert_eq(sl_region_create(&region, 64 * PAGE), 0);
    char *first = sl_region_take(&region, 8 * PAGE, false);
    char *second = sl_region_take(&region, 8 * PAGE, false);
    memset(second, 7, 8 * PAGE);
    cut(&region, 32 * PAGE, PAGE);
    cr_expect_eq(region.bytes, 32 * PAGE);
    cr_expect_eq(region.base, first);
    sl_region_give(&region, first, 8 * PAGE);
    cut(&region, 12 * PAGE, PAGE);
    cr_expect_eq(region.bytes, 12 * PAGE, "16 pages to the end of what is in use, 4 from below");
    cr_expect_eq(region.base, first + 4 * PAGE);
    cut(&region, 4 * PAGE, PAGE);
    cr_expect_eq(region.bytes, 8 * PAGE);
    cr_expect_eq(region.base, second);
    cr_expect_eq(region.free_count, 0);
    cr_expect(second[0] == 7 && second[8 * PAGE - 1] == 7);
    sl_region_give(&region, second, 8 * PAGE);
    cut(&region, 5 * PAGE, 1024 * PAGE);
    cr_expect_leq(region.bytes, 5 * PAGE);
    sl_region_destroy(&region);
}

Test(region, an_empty_one_gives_nothing)
{
    struct sl_region region = {0};
    cr_assert_null(sl_region_take(&region, PAGE, false));
    cr_assert_not(sl_region_owns(&region, &region));
    sl_region_trim(&region);
    sl_region_destroy(&region);
}

Test(pool, holds_the_bound_of_slots_also_when_fragmented)
{
    struct sl_pool *pool = NULL;
    struct sl_error error = {0};
    cr_assert_eq(sl_pool_create(&pool, &error), 0);
    sl_pool_bound_slots(pool, 8 * PAGE);
    void *singles[8];
    for (int i = 0; i < 8; i++)
        cr_assert_not_null(singles[i] = sl_pool_take_slot(pool, PAGE, false, &error));
    cr_assert_null(sl_pool_take_slot(pool, 1, false, &error));
    cr_assert_eq(error.code, -ENOBUFS);
    /* Every other page is free: a double one finds no extent, but fits the bound. */
    for (int i = 0; i < 8; i += 2)
        sl_pool_give(pool, SL_POOL_SLOTS, singles[i], PAGE);
    void *wide = sl_pool_take_slot(pool, 2 * PAGE, false, &error);
    cr_assert_not_null(wide, "%s", error.text);
    memset(wide, 1, 2 * PAGE);
    cr_assert_eq(sl_pool_used(pool, SL_POOL_SLOTS), 6 * PAGE);
    cr_assert_null(sl_pool_take_slot(pool, 3 * PAGE, false, &error));
    sl_pool_give(pool, SL_POOL_SLOTS, wide, 2 * PAGE);
    for (int i = 1; i < 8; i += 2)
        sl_pool_give(pool, SL_POOL_SLOTS, singles[i], PAGE);
    void *all = sl_pool_take_slot(pool, 8 * PAGE, true, &error);
    cr_assert_not_null(all, "the region joined up again");
    sl_pool_give(pool, SL_POOL_SLOTS, all, 8 * PAGE);
    cr_assert_eq(sl_pool_peak(pool, SL_POOL_SLOTS), 8 * PAGE);
    sl_pool_free(pool);
}

Test(pool, counts_by_purpose)
{
    struct sl_pool *pool = NULL;
    cr_assert_eq(sl_pool_create(&pool, NULL), 0);
    void *scratch = sl_pool_take(pool, SL_POOL_SCRATCH, 5000, NULL);
    void *slot = sl_pool_take_slot(pool, 100, false, NULL);
    cr_expect_eq(sl_pool_used(pool, SL_POOL_SCRATCH), 2 * PAGE);
    cr_expect_eq(sl_pool_used(pool, SL_POOL_SLOTS), PAGE);
    cr_expect_eq(sl_pool_used(pool, SL_POOL_ACTIVATIONS), 0);
    sl_pool_give(pool, SL_POOL_SCRATCH, scratch, 5000);
    sl_pool_give(pool, SL_POOL_SLOTS, slot, 100);
    sl_pool_give(pool, SL_POOL_SLOTS, NULL, 100);
    cr_expect_eq(sl_pool_used(pool, SL_POOL_SCRATCH), 0);
    sl_pool_free(pool);
}

Test(pool, gives_the_end_of_memory_back)
{
    struct sl_pool *pool = NULL;
    cr_assert_eq(sl_pool_create(&pool, NULL), 0);
    char *scratch = sl_pool_take(pool, SL_POOL_SCRATCH, 4 * PAGE, NULL);
    memset(scratch, 7, 4 * PAGE);
    sl_pool_trim(pool, SL_POOL_SCRATCH, scratch, 4 * PAGE, PAGE + 1);
    cr_expect_eq(sl_pool_used(pool, SL_POOL_SCRATCH), 2 * PAGE);
    cr_expect_eq(scratch[2 * PAGE - 1], 7);
    unsigned char resident;
    cr_expect_eq(mincore(scratch + 2 * PAGE, PAGE, &resident), -1);
    cr_expect_eq(errno, ENOMEM, "it is still mapped");
    sl_pool_trim(pool, SL_POOL_SCRATCH, scratch, PAGE + 1, 4 * PAGE); /* no more than there is */
    sl_pool_trim(pool, SL_POOL_SCRATCH, NULL, 4 * PAGE, PAGE);
    cr_expect_eq(sl_pool_used(pool, SL_POOL_SCRATCH), 2 * PAGE);
    sl_pool_give(pool, SL_POOL_SCRATCH, scratch, PAGE + 1);
    cr_expect_eq(sl_pool_used(pool, SL_POOL_SCRATCH), 0);
    sl_pool_free(pool);
}

Test(pool, a_huge_page_half_filled_is_whole)
{
    const uint64_t half = SL_HUGE_PAGE_BYTES / 2;
    cr_expect_eq(sl_pool_whole_bytes(0), PAGE);
    cr_expect_eq(sl_pool_whole_bytes(half - PAGE), half - PAGE);
    cr_expect_eq(sl_pool_whole_bytes(half - PAGE + 1), half);
    cr_expect_eq(sl_pool_whole_bytes(half), 2 * half);
    cr_expect_eq(sl_pool_whole_bytes(2 * half), 2 * half);
    cr_expect_eq(sl_pool_whole_bytes(2 * half + 1), 2 * half + PAGE);
    cr_expect_eq(sl_pool_whole_bytes(3 * half), 4 * half);
}

/* Of exactly the size asked for, the youngest first, and never more than a few. */
Test(pool, kept_slots)
{
    struct sl_kept_slots kept = {0};
    char memory[SL_KEPT_MOST + 1];
    for (int k = 0; k < SL_KEPT_MOST; k++)
        cr_expect(sl_kept_slots_add(&kept, &memory[k], PAGE * (1 + k % 2)));
    cr_expect_not(sl_kept_slots_add(&kept, &memory[SL_KEPT_MOST], PAGE));
    cr_expect_null(sl_kept_slots_take(&kept, 3 * PAGE));
    cr_expect_eq(sl_kept_slots_take(&kept, PAGE), &memory[2]);
    cr_expect_eq(sl_kept_slots_take(&kept, PAGE), &memory[0]);
    cr_expect_null(sl_kept_slots_take(&kept, PAGE));
    cr_expect_eq(kept.bytes, 4 * PAGE);
    cr_expect_not(sl_kept_slots_add(&kept, &memory[0], UINT64_C(64) << 20), "too large to be kept");
    cr_expect_eq(sl_kept_slots_take(&kept, 2 * PAGE), &memory[3]);
    cr_expect_eq(sl_kept_slots_take(&kept, 2 * PAGE), &memory[1]);
    cr_expect_eq(kept.bytes, 0);
}

/* More memory than since the slots were bounded: not when what was given back is taken again. */
Test(pool, tells_when_slots_grow)
{
    struct sl_pool *pool;
    struct sl_error error = {0};
    cr_assert_eq(sl_pool_create(&pool, &error), 0);
    for (int round = 0; round < 2; round++) {
        sl_pool_bound_slots(pool, 16 * PAGE);
        cr_expect_not(round == 0 && sl_pool_slots_grow(pool));
        void *first = sl_pool_take_slot(pool, 4 * PAGE, false, &error);
        cr_expect(sl_pool_slots_grow(pool), "round %d", round);
        void *second = sl_pool_take_slot(pool, 4 * PAGE, false, &error);
        cr_expect(sl_pool_slots_grow(pool));
        sl_pool_give(pool, SL_POOL_SLOTS, first, 4 * PAGE);
        first = sl_pool_take_slot(pool, 4 * PAGE, false, &error);
        cr_expect_not(sl_pool_slots_grow(pool));
        sl_pool_give(pool, SL_POOL_SLOTS, first, 4 * PAGE);
        sl_pool_give(pool, SL_POOL_SLOTS, second, 4 * PAGE);
    }
    sl_pool_free(pool);
}
