/* The pool: the one owner of big memory. Page-aligned anonymous memory, counted by purpose. */
#ifndef SLUICE_ENGINE_POOL_H
#define SLUICE_ENGINE_POOL_H

#include <stdint.h>

#include "runtime/base/error.h"

enum sl_pool_purpose {
    SL_POOL_SLOTS,       /* shards */
    SL_POOL_ACTIVATIONS, /* blobs, inputs and outputs */
    SL_POOL_SCRATCH,     /* of kernels */
    SL_POOL_PURPOSES,
};

struct sl_pool;

/* An empty pool. Free with sl_pool_free. */
int sl_pool_create(struct sl_pool **pool, struct sl_error *error);
/* Everything taken must have been given back. NULL is fine. */
void sl_pool_free(struct sl_pool *pool);

/* Slots, taken or kept, never hold more than bytes together (UINT64_MAX: no such bound). Before the
 * first slot is taken. */
void sl_pool_bound_slots(struct sl_pool *pool, uint64_t bytes);

/* One region of huge pages for all slots, where the kernel has them: for workloads whose weights
 * all fit and stay, since a huge page is only given back as a whole. Faulting them in costs a
 * fraction of what small pages cost. A refusal is no error: slots are then taken one by one. */
void sl_pool_reserve_slots(struct sl_pool *pool, uint64_t bytes);

/* Memory of at least bytes, aligned to a page, content undefined; NULL with an error when the
 * kernel gives none or the bound of slots would be passed. Slots given back are kept mapped for the
 * next taker of the same size, within the bound (a few MiB without one), so that loading in turn
 * does not fault every page anew. One thread at a time. */
void *sl_pool_take(struct sl_pool *pool, enum sl_pool_purpose purpose, uint64_t bytes,
                   struct sl_error *error);
/* bytes as given to sl_pool_take. NULL is fine. */
void sl_pool_give(struct sl_pool *pool, enum sl_pool_purpose purpose, void *memory, uint64_t bytes);

/* Bytes taken now for a purpose. */
uint64_t sl_pool_used(const struct sl_pool *pool, enum sl_pool_purpose purpose);
/* Most bytes that were taken at once for a purpose. */
uint64_t sl_pool_peak(const struct sl_pool *pool, enum sl_pool_purpose purpose);

#endif
