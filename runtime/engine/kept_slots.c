#include "runtime/engine/kept_slots.h"

#include <stddef.h>
#include <string.h>

#include "runtime/base/units.h"

#define KEPT_BYTES (4 * SL_MIB)

bool sl_kept_slots_add(struct sl_kept_slots *kept, void *memory, uint64_t bytes)
{
    if (kept->count == SL_KEPT_MOST || kept->bytes + bytes > KEPT_BYTES)
        return false;
    kept->slots[kept->count++] = (struct sl_kept_slot){memory, bytes};
    kept->bytes += bytes;
    return true;
}

void *sl_kept_slots_take(struct sl_kept_slots *kept, uint64_t bytes)
{
    int k = kept->count - 1;
    while (k >= 0 && kept->slots[k].bytes != bytes)
        k--;
    if (k < 0)
        return NULL;
    void *memory = kept->slots[k].memory;
    kept->bytes -= bytes;
    kept->count--;
    memmove(&kept->slots[k], &kept->slots[k + 1],
            (size_t)(kept->count - k) * sizeof(kept->slots[0]));
    return memory;
}
