/* One mapped region that pieces are taken from and given back to, page by page: lowest fit for what
 * comes and goes, highest fit for what stays, so that the two do not mix. Pieces given back keep
 * their pages for the next taker. Used by the pool; one thread at a time. */
#ifndef SLUICE_ENGINE_REGION_H
#define SLUICE_ENGINE_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_extent {
    uint64_t offset, bytes;
};

/* Zero-initialised: no region, nothing fits. */
struct sl_region {
    char *base;
    uint64_t bytes;
    struct sl_extent *free; /* ascending, never adjacent */
    size_t free_count, free_capacity;
};

/* Maps the region, in huge pages where the kernel has them. -ENOMEM leaves it empty. */
int sl_region_create(struct sl_region *region, uint64_t bytes);
void sl_region_destroy(struct sl_region *region);

/* bytes: a multiple of the page size. NULL when no free extent is large enough. */
void *sl_region_take(struct sl_region *region, uint64_t bytes, bool high);
bool sl_region_owns(const struct sl_region *region, const void *memory);
/* What sl_region_take would return. */
void *sl_region_peek(const struct sl_region *region, uint64_t bytes, bool high);
/* Gives back what sl_region_take returned, with the same bytes. */
void sl_region_give(struct sl_region *region, void *memory, uint64_t bytes);
/* A piece in use. */
struct sl_piece {
    void *memory;
    uint64_t bytes;
    uint64_t tag; /* the caller's */
    bool movable;
    void *moved; /* where it lies after sl_region_compact; memory when it did not move */
};
/* Joins free extents: slides the movable pieces up, contents included, as far as the others let
 * them. pieces are all pieces in use, and are sorted; one that does not move may be listed twice.
 * -ENOMEM changes nothing. */
int sl_region_compact(struct sl_region *region, struct sl_piece *pieces, size_t count);
struct sl_span {
    void *memory;
    uint64_t bytes;
};
/* Gives up the region's ends, as far as they are free, the high one first, so that `bytes` remain;
 * a page of granule bytes that would remain in part goes whole where it is free. They are the
 * caller's to unmap; one that was not cut has no bytes. */
void sl_region_cut(struct sl_region *region, uint64_t bytes, uint64_t granule,
                   struct sl_span ends[2]);
/* Hands the pages of all free extents back to the kernel. */
void sl_region_trim(struct sl_region *region);

#endif
