#include "runtime/engine/warmer.h"

#include <sched.h>
#include <stdlib.h>

#include "runtime/base/units.h"
#include "runtime/engine/cpus.h"
#include "runtime/engine/pages.h"

#define WARMER_STACK_BYTES ((size_t)64 << 10)

enum granule { UNTOUCHED, CLAIMED, PRESENT };

static uint64_t granule_count(const struct sl_warmer *warmer)
{
    return sl_align_up(warmer->bytes, SL_HUGE_PAGE_BYTES) / SL_HUGE_PAGE_BYTES;
}

/* Claims the granule and brings it in; waits when the other thread is at it. By touching: an advice
 * holds the lock of the whole address space, and who maps something meanwhile waits for it. */
static void bring_granule(struct sl_warmer *warmer, uint64_t index)
{
    unsigned char *state = &warmer->granules[index], found = UNTOUCHED;
    if (__atomic_compare_exchange_n(state, &found, CLAIMED, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_ACQUIRE)) {
        const uint64_t end = (index + 1) * SL_HUGE_PAGE_BYTES;
        for (uint64_t at = index * SL_HUGE_PAGE_BYTES; at < end && at < warmer->bytes;
             at += SL_PAGE_BYTES)
            ((volatile char *)warmer->base)[at] = 0;
        __atomic_store_n(state, PRESENT, __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(state, __ATOMIC_ACQUIRE) != PRESENT)
        sched_yield();
}

static void *warm(void *argument)
{
    struct sl_warmer *warmer = argument;
    for (uint64_t g = 0; g < granule_count(warmer); g++) {
        if (__atomic_load_n(&warmer->stop, __ATOMIC_RELAXED))
            break;
        bring_granule(warmer, g);
    }
    return NULL;
}

void sl_warmer_start(struct sl_warmer *warmer, void *base, uint64_t bytes)
{
    sl_warmer_stop(warmer);
    if (bytes < 2 * SL_HUGE_PAGE_BYTES || sl_usable_cpus() < 2)
        return;
    *warmer = (struct sl_warmer){.base = base, .bytes = bytes};
    warmer->granules = calloc(granule_count(warmer), 1);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, WARMER_STACK_BYTES);
    if (warmer->granules && pthread_create(&warmer->thread, &attributes, warm, warmer)) {
        free(warmer->granules);
        warmer->granules = NULL;
    }
    pthread_attr_destroy(&attributes);
}

void sl_warmer_bring(struct sl_warmer *warmer, void *memory, uint64_t bytes)
{
    const uint64_t first = (uint64_t)((char *)memory - warmer->base);
    if (!warmer->granules || first >= warmer->bytes || bytes > warmer->bytes - first) {
        sl_pages_populate(memory, bytes);
        return;
    }
    for (uint64_t g = first / SL_HUGE_PAGE_BYTES; g * SL_HUGE_PAGE_BYTES < first + bytes; g++)
        bring_granule(warmer, g);
}

void sl_warmer_stop(struct sl_warmer *warmer)
{
    if (!warmer->granules)
        return;
    __atomic_store_n(&warmer->stop, true, __ATOMIC_RELAXED);
    pthread_join(warmer->thread, NULL);
    free(warmer->granules);
    *warmer = (struct sl_warmer){0};
}
