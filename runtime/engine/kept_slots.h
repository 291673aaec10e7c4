/* Slots that were given back and are still mapped, for those that map them one by one: a policy
 * that loads a layer, runs it and drops it finds the pages of the last one in place. Pure; the
 * simulator keeps the same ones as the pool. */
#ifndef SLUICE_ENGINE_KEPT_SLOTS_H
#define SLUICE_ENGINE_KEPT_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#define SL_KEPT_MOST 4

struct sl_kept_slots {
    struct sl_kept_slot {
        void *memory;
        uint64_t bytes;
    } slots[SL_KEPT_MOST]; /* oldest first */
    int count;
    uint64_t bytes; /* their sum */
};

/* False when there are SL_KEPT_MOST, or too many bytes: the caller unmaps it. */
bool sl_kept_slots_add(struct sl_kept_slots *kept, void *memory, uint64_t bytes);

/* The youngest of exactly this size, which is the likeliest to be in a cache; NULL: none. */
void *sl_kept_slots_take(struct sl_kept_slots *kept, uint64_t bytes);

#endif
