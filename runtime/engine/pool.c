#include "runtime/engine/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "runtime/base/units.h"

#define POOL_PAGE       4096
#define POOL_KEPT_MOST  4
#define POOL_KEPT_BYTES (UINT64_C(4) << 20)

struct kept {
    void *memory;
    uint64_t bytes;
};

struct sl_pool {
    uint64_t used[SL_POOL_PURPOSES], peak[SL_POOL_PURPOSES];
    struct kept kept[POOL_KEPT_MOST]; /* free slots still mapped */
    uint64_t kept_bytes;
};

int sl_pool_create(struct sl_pool **pool, struct sl_error *error)
{
    *pool = calloc(1, sizeof(**pool));
    return *pool ? 0 : sl_error_set(error, -ENOMEM, "no memory for the pool");
}

void sl_pool_free(struct sl_pool *pool)
{
    if (!pool)
        return;
    for (int i = 0; i < POOL_KEPT_MOST; i++) {
        if (pool->kept[i].memory)
            munmap(pool->kept[i].memory, pool->kept[i].bytes);
    }
    free(pool);
}

/* Only pieces of exactly the wanted number of pages are reused, so that giving back needs no record
 * of what a piece really measures. */
static void *take_kept(struct sl_pool *pool, uint64_t bytes)
{
    for (int i = 0; i < POOL_KEPT_MOST; i++) {
        struct kept *kept = &pool->kept[i];
        if (!kept->memory || kept->bytes != bytes)
            continue;
        void *memory = kept->memory;
        pool->kept_bytes -= bytes;
        *kept = (struct kept){0};
        return memory;
    }
    return NULL;
}

void *sl_pool_take(struct sl_pool *pool, enum sl_pool_purpose purpose, uint64_t bytes,
                   struct sl_error *error)
{
    bytes = sl_align_up(bytes ? bytes : 1, POOL_PAGE);
    void *memory = purpose == SL_POOL_SLOTS ? take_kept(pool, bytes) : NULL;
    if (!memory) {
        memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            sl_error_errno(error, "cannot map %llu bytes", (unsigned long long)bytes);
            return NULL;
        }
    }
    pool->used[purpose] += bytes;
    if (pool->used[purpose] > pool->peak[purpose])
        pool->peak[purpose] = pool->used[purpose];
    return memory;
}

static int keep(struct sl_pool *pool, void *memory, uint64_t bytes)
{
    if (pool->kept_bytes + bytes > POOL_KEPT_BYTES)
        return 0;
    for (int i = 0; i < POOL_KEPT_MOST; i++) {
        if (pool->kept[i].memory)
            continue;
        pool->kept[i] = (struct kept){memory, bytes};
        pool->kept_bytes += bytes;
        return 1;
    }
    return 0;
}

void sl_pool_give(struct sl_pool *pool, enum sl_pool_purpose purpose, void *memory, uint64_t bytes)
{
    if (!memory)
        return;
    bytes = sl_align_up(bytes ? bytes : 1, POOL_PAGE);
    pool->used[purpose] -= bytes;
    if (purpose != SL_POOL_SLOTS || !keep(pool, memory, bytes))
        munmap(memory, bytes);
}

uint64_t sl_pool_peak(const struct sl_pool *pool, enum sl_pool_purpose purpose)
{
    return pool->peak[purpose];
}
