#include "runtime/engine/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/base/units.h"

#define POOL_PAGE             4096
#define POOL_HUGE_PAGE        (2 * SL_MIB)
#define POOL_KEPT_MOST        1024
#define POOL_KEPT_BYTES_LOOSE (4 * SL_MIB) /* kept at most when slots have no bound */

/* A free slot that is still mapped, and so holds its pages. */
struct kept {
    void *memory;
    uint64_t bytes;
};

struct sl_pool {
    uint64_t used[SL_POOL_PURPOSES], peak[SL_POOL_PURPOSES];
    uint64_t slots_bound;
    char *region; /* of huge pages, handed out from its start; NULL: none */
    uint64_t region_bytes, region_used;
    struct kept kept[POOL_KEPT_MOST]; /* oldest first */
    int kept_count;
    uint64_t kept_bytes;
};

int sl_pool_create(struct sl_pool **pool, struct sl_error *error)
{
    *pool = calloc(1, sizeof(**pool));
    if (!*pool)
        return sl_error_set(error, -ENOMEM, "no memory for the pool");
    (*pool)->slots_bound = UINT64_MAX;
    return 0;
}

void sl_pool_bound_slots(struct sl_pool *pool, uint64_t bytes)
{
    pool->slots_bound = bytes;
}

/* Huge pages are asked for only where a whole one fits: slots come and go singly and stay small. */
static void *map_pages(uint64_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED && bytes >= POOL_HUGE_PAGE)
        madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

static void forget_kept(struct sl_pool *pool, int index)
{
    pool->kept_bytes -= pool->kept[index].bytes;
    pool->kept_count--;
    memmove(&pool->kept[index], &pool->kept[index + 1],
            (size_t)(pool->kept_count - index) * sizeof(pool->kept[0]));
}

/* The region is unmapped as a whole in the end, so a piece of it only gives up its pages. */
static void release_slot(struct sl_pool *pool, void *memory, uint64_t bytes)
{
    bool in_region = pool->region && (char *)memory >= pool->region &&
                     (char *)memory < pool->region + pool->region_bytes;
    if (in_region)
        madvise(memory, bytes, MADV_DONTNEED);
    else
        munmap(memory, bytes);
}

static void release_oldest(struct sl_pool *pool)
{
    release_slot(pool, pool->kept[0].memory, pool->kept[0].bytes);
    forget_kept(pool, 0);
}

void sl_pool_free(struct sl_pool *pool)
{
    if (!pool)
        return;
    while (pool->kept_count)
        release_oldest(pool);
    if (pool->region)
        munmap(pool->region, pool->region_bytes);
    free(pool);
}

/* The youngest kept slot of exactly this size: its pages are the likeliest to be in a cache. */
static void *take_kept(struct sl_pool *pool, uint64_t bytes)
{
    for (int i = pool->kept_count - 1; i >= 0; i--) {
        if (pool->kept[i].bytes != bytes)
            continue;
        void *memory = pool->kept[i].memory;
        forget_kept(pool, i);
        return memory;
    }
    return NULL;
}

static int make_room_for_slot(struct sl_pool *pool, uint64_t bytes, struct sl_error *error)
{
    uint64_t used = pool->used[SL_POOL_SLOTS];
    if (bytes > pool->slots_bound - used)
        return sl_error_set(error, -ENOBUFS,
                            "a slot of %" PRIu64 " bytes does not fit: %" PRIu64 " of %" PRIu64
                            " are taken",
                            bytes, used, pool->slots_bound);
    while (pool->kept_count && bytes > pool->slots_bound - used - pool->kept_bytes)
        release_oldest(pool);
    return 0;
}

void sl_pool_reserve_slots(struct sl_pool *pool, uint64_t bytes)
{
    if (pool->region || bytes < POOL_HUGE_PAGE)
        return;
    bytes = sl_align_up(bytes, POOL_HUGE_PAGE);
    void *region = map_pages(bytes);
    if (region == MAP_FAILED)
        return;
    pool->region = region;
    pool->region_bytes = bytes;
}

static void *take_from_region(struct sl_pool *pool, uint64_t bytes)
{
    if (bytes > pool->region_bytes - pool->region_used)
        return NULL;
    void *memory = pool->region + pool->region_used;
    pool->region_used += bytes;
    return memory;
}

void *sl_pool_take(struct sl_pool *pool, enum sl_pool_purpose purpose, uint64_t bytes,
                   struct sl_error *error)
{
    bytes = sl_align_up(bytes ? bytes : 1, POOL_PAGE);
    void *memory = NULL;
    if (purpose == SL_POOL_SLOTS) {
        memory = take_kept(pool, bytes);
        if (!memory && make_room_for_slot(pool, bytes, error))
            return NULL;
        if (!memory)
            memory = take_from_region(pool, bytes);
    }
    if (!memory) {
        memory = map_pages(bytes);
        if (memory == MAP_FAILED) {
            sl_error_errno(error, "cannot map %" PRIu64 " bytes", bytes);
            return NULL;
        }
    }
    pool->used[purpose] += bytes;
    if (pool->used[purpose] > pool->peak[purpose])
        pool->peak[purpose] = pool->used[purpose];
    return memory;
}

static bool may_keep(const struct sl_pool *pool, uint64_t bytes)
{
    if (pool->kept_count == POOL_KEPT_MOST)
        return false;
    return pool->slots_bound != UINT64_MAX || pool->kept_bytes + bytes <= POOL_KEPT_BYTES_LOOSE;
}

void sl_pool_give(struct sl_pool *pool, enum sl_pool_purpose purpose, void *memory, uint64_t bytes)
{
    if (!memory)
        return;
    bytes = sl_align_up(bytes ? bytes : 1, POOL_PAGE);
    pool->used[purpose] -= bytes;
    if (purpose != SL_POOL_SLOTS || !may_keep(pool, bytes)) {
        release_slot(pool, memory, bytes);
        return;
    }
    pool->kept[pool->kept_count++] = (struct kept){memory, bytes};
    pool->kept_bytes += bytes;
}

uint64_t sl_pool_used(const struct sl_pool *pool, enum sl_pool_purpose purpose)
{
    return pool->used[purpose];
}

uint64_t sl_pool_peak(const struct sl_pool *pool, enum sl_pool_purpose purpose)
{
    return pool->peak[purpose];
}
