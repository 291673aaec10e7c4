#include "runtime/engine/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/base/clock.h"
#include "runtime/base/units.h"
#include "runtime/engine/kept_slots.h"
#include "runtime/engine/pages.h"
#include "runtime/engine/warmer.h"

struct sl_pool {
    uint64_t used[SL_POOL_PURPOSES], peak[SL_POOL_PURPOSES];
    uint64_t slots_bound;
    struct sl_region region; /* of slots */
    uint64_t region_peak;    /* most of slots that was taken since it is there */
    bool slots_grow;         /* with the last one taken */
    struct sl_warmer warmer; /* of the region, while its pages stay where they are */
    /* Slots that found no extent of the region large enough are mapped singly. While there are any,
     * free extents hold no pages, so that the bound holds. */
    uint64_t outside_bytes;
    struct sl_kept_slots kept; /* only where nothing bounds the slots */
    uint64_t cleared_bytes;    /* brought in by sl_pool_take */
    uint64_t cleared_ns;       /* how long that took */
};

int sl_pool_create(struct sl_pool **pool, struct sl_error *error)
{
    *pool = calloc(1, sizeof(**pool));
    if (!*pool)
        return sl_error_set(error, -ENOMEM, "no memory for the pool");
    (*pool)->slots_bound = UINT64_MAX;
    return 0;
}

uint64_t sl_pool_whole_bytes(uint64_t bytes)
{
    const bool huge = bytes % SL_HUGE_PAGE_BYTES >= SL_HUGE_PAGE_BYTES / 2;
    return sl_align_up(bytes ? bytes : 1, huge ? SL_HUGE_PAGE_BYTES : SL_PAGE_BYTES);
}

static uint64_t page_bytes(uint64_t bytes)
{
    return sl_align_up(bytes ? bytes : 1, SL_PAGE_BYTES);
}

void sl_pool_release_slots(struct sl_pool *pool)
{
    for (int k = 0; k < pool->kept.count; k++)
        munmap(pool->kept.slots[k].memory, pool->kept.slots[k].bytes);
    pool->kept = (struct sl_kept_slots){0};
    sl_warmer_stop(&pool->warmer);
    sl_region_destroy(&pool->region);
    pool->region_peak = 0;
    pool->slots_bound = UINT64_MAX;
}

/* Pages go first: over memory.high the warmer may sleep in a fault for seconds, and unmapping, or
 * waiting for it, would take as long. What it is charged for by then is a page at most, and counted
 * before it sleeps. */
bool sl_pool_shrink_slots(struct sl_pool *pool, uint64_t bytes)
{
    struct sl_span ends[2];
    pool->slots_bound = bytes / SL_PAGE_BYTES * SL_PAGE_BYTES;
    sl_warmer_halt(&pool->warmer);
    sl_region_cut(&pool->region, pool->slots_bound, SL_HUGE_PAGE_BYTES, ends);
    for (int e = 0; e < 2; e++)
        if (ends[e].bytes)
            madvise(ends[e].memory, ends[e].bytes, MADV_DONTNEED);
    sl_warmer_stop(&pool->warmer);
    for (int e = 0; e < 2; e++)
        if (ends[e].bytes)
            munmap(ends[e].memory, ends[e].bytes);
    return pool->region.bytes <= pool->slots_bound;
}

void sl_pool_bound_slots(struct sl_pool *pool, uint64_t bytes)
{
    bytes = bytes / SL_PAGE_BYTES * SL_PAGE_BYTES;
    sl_pool_release_slots(pool);
    pool->slots_bound = bytes;
    if (bytes)
        sl_region_create(&pool->region, bytes);
}

void sl_pool_warm_slots(struct sl_pool *pool, uint64_t bytes, const struct sl_limit_watch *watch)
{
    if (pool->region.base)
        sl_warmer_start(&pool->warmer, pool->region.base,
                        bytes < pool->region.bytes ? bytes : pool->region.bytes, watch);
}

void sl_pool_free(struct sl_pool *pool)
{
    if (!pool)
        return;
    sl_pool_release_slots(pool);
    free(pool);
}

static void *map_pages(uint64_t bytes, struct sl_error *error)
{
    void *memory = sl_pages_map(bytes);
    if (!memory)
        sl_error_errno(error, "cannot map %" PRIu64 " bytes", bytes);
    return memory;
}

static void count_taken(struct sl_pool *pool, enum sl_pool_purpose purpose, uint64_t bytes)
{
    pool->used[purpose] += bytes;
    if (pool->used[purpose] > pool->peak[purpose])
        pool->peak[purpose] = pool->used[purpose];
}

/* What is taken is there, so that the pool's counts are what the process is charged; and threads
 * that first touch a huge page at the same moment would be charged one each, until all but one give
 * theirs back. */
void *sl_pool_take(struct sl_pool *pool, enum sl_pool_purpose purpose, uint64_t bytes,
                   struct sl_error *error)
{
    bytes = page_bytes(bytes);
    void *memory = map_pages(bytes, error);
    if (!memory)
        return NULL;
    const uint64_t begin_ns = sl_now_ns();
    sl_pages_populate(memory, bytes);
    pool->cleared_ns += sl_now_ns() - begin_ns;
    pool->cleared_bytes += bytes;
    count_taken(pool, purpose, bytes);
    return memory;
}

void *sl_pool_take_slot(struct sl_pool *pool, uint64_t bytes, bool stays, struct sl_error *error)
{
    bytes = page_bytes(bytes);
    uint64_t used = pool->used[SL_POOL_SLOTS];
    if (bytes > pool->slots_bound - used) {
        sl_error_set(error, -ENOBUFS,
                     "a slot of %" PRIu64 " bytes does not fit: %" PRIu64 " of %" PRIu64
                     " are taken",
                     bytes, used, pool->slots_bound);
        return NULL;
    }
    void *memory = sl_region_take(&pool->region, bytes, stays);
    if (memory) /* slots share huge pages, and threads read into them */
        sl_warmer_bring(&pool->warmer, memory, bytes);
    else
        memory = sl_kept_slots_take(&pool->kept, bytes);
    if (!memory) {
        sl_warmer_stop(&pool->warmer);
        sl_region_trim(&pool->region);
        memory = map_pages(bytes, error);
        if (!memory)
            return NULL;
        pool->outside_bytes += pool->region.base ? bytes : 0;
    }
    pool->slots_grow = used + bytes > pool->region_peak;
    pool->region_peak += pool->slots_grow ? used + bytes - pool->region_peak : 0;
    count_taken(pool, SL_POOL_SLOTS, bytes);
    return memory;
}

bool sl_pool_slots_grow(const struct sl_pool *pool)
{
    return pool->slots_grow;
}

enum sl_pool_room sl_pool_slot_room(const struct sl_pool *pool, uint64_t bytes, bool stays)
{
    if (!pool->region.base)
        return SL_POOL_ROOM;
    bytes = page_bytes(bytes);
    const void *memory = sl_region_peek(&pool->region, bytes, stays);
    if (!memory)
        return SL_POOL_NO_ROOM;
    return sl_warmer_at(&pool->warmer, memory, bytes) ? SL_POOL_ROOM_SOON : SL_POOL_ROOM;
}

int sl_pool_compact_slots(struct sl_pool *pool, struct sl_piece *pieces, size_t count)
{
    size_t inside = 0;
    sl_warmer_stop(&pool->warmer);
    for (size_t k = 0; k < count; k++) {
        if (!sl_region_owns(&pool->region, pieces[k].memory))
            continue;
        pieces[inside] = pieces[k];
        pieces[inside++].bytes = sl_align_up(pieces[k].bytes, SL_PAGE_BYTES);
    }
    int result = sl_region_compact(&pool->region, pieces, inside);
    return result ? result : (int)inside;
}

static void give_slot(struct sl_pool *pool, void *memory, uint64_t bytes)
{
    if (sl_region_owns(&pool->region, memory)) {
        if (pool->outside_bytes)
            madvise(memory, bytes, MADV_DONTNEED);
        sl_region_give(&pool->region, memory, bytes);
        return;
    }
    pool->outside_bytes -= pool->region.base ? bytes : 0;
    if (pool->slots_bound != UINT64_MAX || !sl_kept_slots_add(&pool->kept, memory, bytes))
        munmap(memory, bytes);
}

void sl_pool_trim(struct sl_pool *pool, enum sl_pool_purpose purpose, void *memory, uint64_t bytes,
                  uint64_t to_bytes)
{
    bytes = page_bytes(bytes);
    to_bytes = page_bytes(to_bytes);
    if (!memory || to_bytes >= bytes)
        return;
    munmap((char *)memory + to_bytes, bytes - to_bytes);
    pool->used[purpose] -= bytes - to_bytes;
}

void sl_pool_give(struct sl_pool *pool, enum sl_pool_purpose purpose, void *memory, uint64_t bytes)
{
    if (!memory)
        return;
    bytes = page_bytes(bytes);
    pool->used[purpose] -= bytes;
    if (purpose == SL_POOL_SLOTS)
        give_slot(pool, memory, bytes);
    else
        munmap(memory, bytes);
}

void sl_pool_count_slot(struct sl_pool *pool, uint64_t bytes)
{
    count_taken(pool, SL_POOL_SLOTS, bytes);
}

void sl_pool_uncount_slot(struct sl_pool *pool, uint64_t bytes)
{
    pool->used[SL_POOL_SLOTS] -= bytes;
}

double sl_pool_clear_ns_per_byte(const struct sl_pool *pool)
{
    return pool->cleared_bytes ? (double)pool->cleared_ns / (double)pool->cleared_bytes : 0;
}

uint64_t sl_pool_used(const struct sl_pool *pool, enum sl_pool_purpose purpose)
{
    return pool->used[purpose];
}

uint64_t sl_pool_peak(const struct sl_pool *pool, enum sl_pool_purpose purpose)
{
    return pool->peak[purpose];
}
