#include "runtime/engine/warmer.h"

#include <sched.h>
#include <stdlib.h>

#include "runtime/base/thread.h"
#include "runtime/base/units.h"
#include "runtime/engine/cpus.h"
#include "runtime/engine/pages.h"

#define WARMER_STACK_BYTES ((size_t)64 << 10)

enum granule { UNTOUCHED, CLAIMED, PRESENT };

static bool claim(unsigned char *state)
{
    unsigned char found = UNTOUCHED;
    return __atomic_compare_exchange_n(state, &found, CLAIMED, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_ACQUIRE);
}

/* Brings a claimed granule in, or gives the claim up when *stop is set. By touching: an advice
 * holds the lock of the whole address space, and who maps something meanwhile waits for it. */
static void touch_claimed(struct sl_warmer *warmer, uint64_t index, const bool *stop)
{
    const uint64_t end = (index + 1) * SL_HUGE_PAGE_BYTES;
    uint64_t at = index * SL_HUGE_PAGE_BYTES;
    for (; at < end && !(stop && __atomic_load_n(stop, __ATOMIC_RELAXED)); at += SL_PAGE_BYTES)
        __atomic_fetch_or(warmer->base + at, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&warmer->granules[index], at < end ? UNTOUCHED : PRESENT, __ATOMIC_RELEASE);
}

/* Brings the granule in, or waits while the thread is at it. */
static void bring_granule(struct sl_warmer *warmer, uint64_t index)
{
    unsigned char *state = &warmer->granules[index];
    while (__atomic_load_n(state, __ATOMIC_ACQUIRE) != PRESENT) {
        if (claim(state))
            touch_claimed(warmer, index, NULL);
        else
            sched_yield();
    }
}

static void *warm(void *argument)
{
    struct sl_warmer *warmer = argument;
    for (uint64_t g = 0; g < warmer->bytes / SL_HUGE_PAGE_BYTES; g++) {
        if (__atomic_load_n(&warmer->stop, __ATOMIC_RELAXED) ||
            sl_limit_watch_lowered(warmer->watch))
            break;
        if (claim(&warmer->granules[g]))
            touch_claimed(warmer, g, &warmer->stop);
    }
    return NULL;
}

void sl_warmer_start(struct sl_warmer *warmer, void *base, uint64_t bytes,
                     const struct sl_limit_watch *watch)
{
    sl_warmer_stop(warmer);
    if (bytes < 2 * SL_HUGE_PAGE_BYTES || sl_usable_cpus() < 2)
        return;
    const uint64_t count = bytes / SL_HUGE_PAGE_BYTES;
    *warmer = (struct sl_warmer){.base = base, .bytes = count * SL_HUGE_PAGE_BYTES, .watch = watch};
    warmer->granules = calloc(count, 1);
    if (warmer->granules && sl_thread_start(&warmer->thread, WARMER_STACK_BYTES, warm, warmer)) {
        free(warmer->granules);
        warmer->granules = NULL;
    }
}

void sl_warmer_bring(struct sl_warmer *warmer, void *memory, uint64_t bytes)
{
    const uint64_t first = (uint64_t)((char *)memory - warmer->base), end = first + bytes;
    if (!warmer->granules || first >= warmer->bytes) {
        sl_pages_populate(memory, bytes);
        return;
    }
    const uint64_t warm_end = end < warmer->bytes ? end : warmer->bytes;
    for (uint64_t g = first / SL_HUGE_PAGE_BYTES; g * SL_HUGE_PAGE_BYTES < warm_end; g++)
        bring_granule(warmer, g);
    if (end > warm_end)
        sl_pages_populate(warmer->base + warm_end, end - warm_end);
}

bool sl_warmer_at(const struct sl_warmer *warmer, const void *memory, uint64_t bytes)
{
    const uint64_t first = (uint64_t)((const char *)memory - warmer->base);
    if (!warmer->granules || first >= warmer->bytes)
        return false;
    const uint64_t end = first + bytes < warmer->bytes ? first + bytes : warmer->bytes;
    for (uint64_t g = first / SL_HUGE_PAGE_BYTES; g * SL_HUGE_PAGE_BYTES < end; g++) {
        if (__atomic_load_n(&warmer->granules[g], __ATOMIC_ACQUIRE) == CLAIMED)
            return true;
    }
    return false;
}

void sl_warmer_halt(struct sl_warmer *warmer)
{
    if (warmer->granules)
        __atomic_store_n(&warmer->stop, true, __ATOMIC_RELAXED);
}

void sl_warmer_stop(struct sl_warmer *warmer)
{
    if (!warmer->granules)
        return;
    sl_warmer_halt(warmer);
    pthread_join(warmer->thread, NULL);
    free(warmer->granules);
    *warmer = (struct sl_warmer){0};
}
