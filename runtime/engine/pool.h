/* The pool: the one owner of big memory. Page-aligned anonymous memory, counted by purpose. */
#ifndef SLUICE_ENGINE_POOL_H
#define SLUICE_ENGINE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "cgroups/limit_watch.h"
#include "runtime/base/error.h"
#include "runtime/engine/region.h"

enum sl_pool_purpose {
    SL_POOL_SLOTS,       /* shards */
    SL_POOL_ACTIVATIONS, /* blobs, inputs and outputs */
    SL_POOL_SCRATCH,     /* of kernels */
    SL_POOL_PURPOSES,
};

struct sl_pool;

/* An empty pool: memory is reserved as it is asked for. -ENOMEM. Free with sl_pool_free. */
int sl_pool_create(struct sl_pool **pool, struct sl_error *error);
/* Everything taken must have been given back. NULL is fine. */
void sl_pool_free(struct sl_pool *pool);

/* Slots come from one region of `bytes` from now on, and never hold more than that together. Pages
 * once faulted in are used again, and huge ones are cheap to fault in: small ones cost a cold run
 * of a 100 MB network 50 ms. Call while no slot is taken. A region that cannot be mapped is no
 * error: slots are then mapped one by one. */
void sl_pool_bound_slots(struct sl_pool *pool, uint64_t bytes);

/* Begins to bring in the first so many bytes of the region, on a thread of its own: slots taken
 * there are resident the sooner. Ends when the watched limit is lowered; the watch stays open until
 * the slots are released or shrunk. */
void sl_pool_warm_slots(struct sl_pool *pool, uint64_t bytes, const struct sl_limit_watch *watch);

/* A lower bound, which the slots taken now fit: what the region has beyond it goes back to the
 * kernel, as far as no slot lies there. False when some do: sl_pool_compact_slots moves them out of
 * the way. */
bool sl_pool_shrink_slots(struct sl_pool *pool, uint64_t bytes);

/* Gives all memory of slots back to the kernel and lifts the bound. No slot is taken. */
void sl_pool_release_slots(struct sl_pool *pool);

/* So many bytes in whole pages, the last huge one whole when half of it would be filled: small
 * pages are slow to come by. */
uint64_t sl_pool_whole_bytes(uint64_t bytes);
/* Memory of at least bytes, aligned to a page, resident, content undefined; NULL with an error when
 * the kernel gives none. One thread at a time. */
void *sl_pool_take(struct sl_pool *pool, enum sl_pool_purpose purpose, uint64_t bytes,
                   struct sl_error *error);
/* A slot for a shard, resident where it is of the region; stays: it will be kept across requests.
 * -ENOBUFS when the bound of slots would be passed. Given back as SL_POOL_SLOTS. */
void *sl_pool_take_slot(struct sl_pool *pool, uint64_t bytes, bool stays, struct sl_error *error);
/* With the last one taken, slots take more memory than since they were bounded: the next may take
 * more still. */
bool sl_pool_slots_grow(const struct sl_pool *pool);
/* Whether sl_pool_take_slot would return a slot of the region, and at once: not where the warming
 * thread is. Without a region it always does. */
enum sl_pool_room { SL_POOL_ROOM, SL_POOL_ROOM_SOON, SL_POOL_NO_ROOM };
enum sl_pool_room sl_pool_slot_room(const struct sl_pool *pool, uint64_t bytes, bool stays);
/* Makes room in one piece out of several: slots that are movable are moved within the region.
 * pieces: all slots that are taken, with the bytes given to sl_pool_take_slot. Returns how many of
 * them lie in the region: those come first now, with `moved` filled in. -ENOMEM moves nothing. */
int sl_pool_compact_slots(struct sl_pool *pool, struct sl_piece *pieces, size_t count);
/* Gives the end of taken memory back, which is of to_bytes (> 0) from now on. NULL is fine. */
void sl_pool_trim(struct sl_pool *pool, enum sl_pool_purpose purpose, void *memory, uint64_t bytes,
                  uint64_t to_bytes);
/* purpose and bytes as given to sl_pool_take or last to sl_pool_trim. NULL is fine. */
void sl_pool_give(struct sl_pool *pool, enum sl_pool_purpose purpose, void *memory, uint64_t bytes);

/* Counts memory that stands in for a slot but is not the pool's (a mapped file) as taken, and as
 * given back. */
void sl_pool_count_slot(struct sl_pool *pool, uint64_t bytes);
void sl_pool_uncount_slot(struct sl_pool *pool, uint64_t bytes);

/* What bringing in fresh memory has taken so far, slots aside; 0: nothing was. */
double sl_pool_clear_ns_per_byte(const struct sl_pool *pool);

/* Bytes taken now for a purpose. */
uint64_t sl_pool_used(const struct sl_pool *pool, enum sl_pool_purpose purpose);
/* Most bytes that were taken at once for a purpose. */
uint64_t sl_pool_peak(const struct sl_pool *pool, enum sl_pool_purpose purpose);

#endif
