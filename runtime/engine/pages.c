#include "runtime/engine/pages.h"

#include <stddef.h>
#include <sys/mman.h>

#include "runtime/base/units.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static void *map_anonymous(uint64_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void *sl_pages_map(uint64_t bytes)
{
    if (bytes < SL_HUGE_PAGE_BYTES)
        return map_anonymous(bytes);
    char *mapped = map_anonymous(bytes + SL_HUGE_PAGE_BYTES);
    if (!mapped)
        return NULL;
    const uint64_t before = sl_align_up((uintptr_t)mapped, SL_HUGE_PAGE_BYTES) - (uintptr_t)mapped;
    if (before)
        munmap(mapped, before);
    if (before < SL_HUGE_PAGE_BYTES)
        munmap(mapped + before + bytes, SL_HUGE_PAGE_BYTES - before);
    const uint64_t huge = bytes / SL_HUGE_PAGE_BYTES * SL_HUGE_PAGE_BYTES;
    madvise(mapped + before, huge, MADV_HUGEPAGE);
    if (huge < bytes)
        madvise(mapped + before + huge, bytes - huge, MADV_NOHUGEPAGE);
    return mapped + before;
}

void sl_pages_populate(void *memory, uint64_t bytes)
{
    if (madvise(memory, bytes, MADV_POPULATE_WRITE) == 0)
        return;
    /* Kernels before 5.14 do not know the advice. */
    for (uint64_t at = 0; at < bytes; at += SL_PAGE_BYTES)
        ((volatile char *)memory)[at] = 0;
}
