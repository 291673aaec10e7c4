#include "runtime/engine/region.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/engine/pages.h"

int sl_region_create(struct sl_region *region, uint64_t bytes)
{
    struct sl_extent *extents = calloc(16, sizeof(*extents));
    if (!extents)
        return -ENOMEM;
    void *base = sl_pages_map(bytes);
    if (!base) {
        free(extents);
        return -ENOMEM;
    }
    extents[0] = (struct sl_extent){0, bytes};
    *region = (struct sl_region){
        .base = base, .bytes = bytes, .free = extents, .free_count = 1, .free_capacity = 16};
    return 0;
}

void sl_region_destroy(struct sl_region *region)
{
    if (region->base)
        munmap(region->base, region->bytes);
    free(region->free);
    *region = (struct sl_region){0};
}

static void remove_extent(struct sl_region *region, size_t index)
{
    region->free_count--;
    memmove(&region->free[index], &region->free[index + 1],
            (region->free_count - index) * sizeof(*region->free));
}

/* The extent that a piece would be taken from; free_count: none. */
static size_t find_extent(const struct sl_region *region, uint64_t bytes, bool high)
{
    for (size_t k = 0; k < region->free_count; k++) {
        size_t index = high ? region->free_count - 1 - k : k;
        if (region->free[index].bytes >= bytes)
            return index;
    }
    return region->free_count;
}

void *sl_region_peek(const struct sl_region *region, uint64_t bytes, bool high)
{
    const size_t index = find_extent(region, bytes, high);
    if (index == region->free_count)
        return NULL;
    const struct sl_extent *extent = &region->free[index];
    return region->base + (high ? extent->offset + extent->bytes - bytes : extent->offset);
}

void *sl_region_take(struct sl_region *region, uint64_t bytes, bool high)
{
    char *piece = sl_region_peek(region, bytes, high);
    if (!piece)
        return NULL;
    const size_t index = find_extent(region, bytes, high);
    struct sl_extent *extent = &region->free[index];
    extent->bytes -= bytes;
    if (!high)
        extent->offset += bytes;
    if (!extent->bytes)
        remove_extent(region, index);
    return piece;
}

bool sl_region_owns(const struct sl_region *region, const void *memory)
{
    const char *at = memory;
    return region->base && at >= region->base && at < region->base + region->bytes;
}

/* Room for one more extent. Taking a piece never adds one, so an extent that cannot be recorded can
 * only come from many pieces given back out of order; its pages then stay unused until the end. */
static bool grow(struct sl_region *region)
{
    if (region->free_count < region->free_capacity)
        return true;
    size_t capacity = 2 * region->free_capacity + 1;
    struct sl_extent *extents = realloc(region->free, capacity * sizeof(*extents));
    if (!extents)
        return false;
    region->free = extents;
    region->free_capacity = capacity;
    return true;
}

void sl_region_give(struct sl_region *region, void *memory, uint64_t bytes)
{
    uint64_t offset = (uint64_t)((char *)memory - region->base);
    size_t after = 0;
    while (after < region->free_count && region->free[after].offset < offset)
        after++;
    struct sl_extent *before = after ? &region->free[after - 1] : NULL;
    struct sl_extent *next = after < region->free_count ? &region->free[after] : NULL;
    bool joins_before = before && before->offset + before->bytes == offset;
    bool joins_next = next && offset + bytes == next->offset;
    if (joins_before) {
        before->bytes += bytes + (joins_next ? next->bytes : 0);
        if (joins_next)
            remove_extent(region, after);
    } else if (joins_next) {
        next->offset = offset;
        next->bytes += bytes;
    } else if (grow(region)) {
        memmove(&region->free[after + 1], &region->free[after],
                (region->free_count - after) * sizeof(*region->free));
        region->free[after] = (struct sl_extent){offset, bytes};
        region->free_count++;
    }
}

static int from_high_to_low(const void *left, const void *right)
{
    const struct sl_piece *a = left, *b = right;
    return a->memory < b->memory ? 1 : a->memory > b->memory ? -1 : 0;
}

int sl_region_compact(struct sl_region *region, struct sl_piece *pieces, size_t count)
{
    /* At most one extent below every piece and one above all. */
    struct sl_extent *extents = calloc(count + 1, sizeof(*extents));
    if (!extents)
        return -ENOMEM;
    qsort(pieces, count, sizeof(*pieces), from_high_to_low);
    size_t free_count = count + 1;
    uint64_t top = region->bytes;
    for (size_t k = 0; k <= count; k++) {
        uint64_t end = 0;
        if (k < count && pieces[k].movable) {
            top -= pieces[k].bytes;
            pieces[k].moved = region->base + top;
            if (pieces[k].moved != pieces[k].memory)
                memmove(pieces[k].moved, pieces[k].memory, pieces[k].bytes);
            continue;
        }
        if (k < count) {
            pieces[k].moved = pieces[k].memory;
            end = (uint64_t)((char *)pieces[k].memory - region->base) + pieces[k].bytes;
        }
        if (end < top)
            extents[--free_count] = (struct sl_extent){end, top - end};
        top = k < count ? end - pieces[k].bytes : 0;
    }
    free(region->free);
    region->free_capacity = count + 1;
    region->free_count = count + 1 - free_count;
    memmove(extents, extents + free_count, region->free_count * sizeof(*extents));
    region->free = extents;
    return 0;
}

static struct sl_span cut_high_end(struct sl_region *region, uint64_t bytes, uint64_t granule)
{
    struct sl_extent *highest = &region->free[region->free_count - 1];
    if (highest->offset + highest->bytes < region->bytes)
        return (struct sl_span){0};
    uint64_t left = bytes > highest->offset ? bytes : highest->offset;
    const uint64_t part = ((uint64_t)(uintptr_t)region->base + left) % granule;
    if (part <= left - highest->offset)
        left -= part;
    const struct sl_span end = {region->base + left, region->bytes - left};
    region->bytes = left;
    highest->bytes = left - highest->offset;
    if (!highest->bytes)
        remove_extent(region, region->free_count - 1);
    return end;
}

static struct sl_span cut_low_end(struct sl_region *region, uint64_t bytes, uint64_t granule)
{
    struct sl_extent *lowest = region->free;
    if (lowest->offset)
        return (struct sl_span){0};
    uint64_t least = region->bytes - bytes;
    uint64_t end = (uint64_t)(uintptr_t)region->base + least;
    uint64_t cut = least + (granule - end % granule) % granule;
    if (cut > lowest->bytes)
        cut = least < lowest->bytes ? least : lowest->bytes;
    const struct sl_span low = {region->base, cut};
    region->base += cut;
    region->bytes -= cut;
    for (size_t k = 1; k < region->free_count; k++)
        region->free[k].offset -= cut;
    lowest->bytes -= cut;
    if (!lowest->bytes)
        remove_extent(region, 0);
    return low;
}

void sl_region_cut(struct sl_region *region, uint64_t bytes, uint64_t granule,
                   struct sl_span ends[2])
{
    ends[0] = ends[1] = (struct sl_span){0};
    if (bytes < region->bytes && region->free_count)
        ends[0] = cut_high_end(region, bytes, granule);
    if (bytes < region->bytes && region->free_count)
        ends[1] = cut_low_end(region, bytes, granule);
}

void sl_region_trim(struct sl_region *region)
{
    for (size_t k = 0; k < region->free_count; k++)
        madvise(region->base + region->free[k].offset, region->free[k].bytes, MADV_DONTNEED);
}
