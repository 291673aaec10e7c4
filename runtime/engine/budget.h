/* From what sluice may use in all to what shards may take. */
#ifndef SLUICE_ENGINE_BUDGET_H
#define SLUICE_ENGINE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/error.h"

/* Where the bytes of a budget go. */
struct sl_budget {
    uint64_t total_bytes;      /* UINT64_MAX: no budget */
    uint64_t process_bytes;    /* held now: program, libraries, heap, stacks, page tables */
    uint64_t activation_bytes; /* blobs of the requests that may be active at once */
    uint64_t scratch_bytes;    /* of all executors */
    uint64_t reserve_bytes;    /* for what the kernel charges besides */
    uint64_t read_ahead_bytes; /* and for what it reads besides (sl_loader.read_ahead_bytes) */
    uint64_t room_bytes;       /* for inputs that are decoded between batches */
    uint64_t others_bytes;     /* of the group, beside this process; 0: none, or in process_bytes */
    uint64_t limit_bytes;      /* of the group, where others hold some of it */
    uint64_t shard_bytes;      /* what is left; UINT64_MAX without a budget */
};

/* The total, or what others of the group leave of its limit where that is less. */
uint64_t sl_budget_usable(const struct sl_budget *budget);

/* Fills process, reserve and shard bytes from the other members; call while no slot is taken.
 * free_bytes: of a total that is the limit of this process's group, what may still be charged to
 * that (sl_cgroup_own_free); the rest of it counts as held. UINT64_MAX: this process's resident
 * pages count. pool_bytes: of what is held, activations and scratch that the other members count
 * already. shard_bytes is 0 when nothing is left. -EIO when /proc cannot be read. */
int sl_budget_divide(struct sl_budget *budget, uint64_t free_bytes, uint64_t pool_bytes,
                     struct sl_error *error);

/* What is resident of this process, and its page tables. -EIO when /proc cannot be read. */
int sl_budget_resident(uint64_t *bytes, struct sl_error *error);

/* What a process such as this one is charged in a group of its own: not the pages of the program
 * and its libraries, which others have brought in. -EIO when /proc cannot be read. */
int sl_budget_charged(uint64_t *bytes, struct sl_error *error);

/* Another total, while what shards take goes back to the kernel. unmaps: with its page tables, for
 * which less is reserved then. */
void sl_budget_lower(struct sl_budget *budget, uint64_t total_bytes, bool unmaps);

/* Sets shard_bytes to what the other members leave. */
void sl_budget_rest(struct sl_budget *budget);

/* Shards and activations together; UINT64_MAX without a budget. */
uint64_t sl_budget_networks(const struct sl_budget *budget);

/* Everything but shards. */
uint64_t sl_budget_overhead(const struct sl_budget *budget);

/* The least total that leaves shards so much. */
uint64_t sl_budget_least(const struct sl_budget *budget, uint64_t shard_bytes);

/* What the largest activation arena may take so that shards get least_bytes of the budget, when it
 * takes arena_bytes now; UINT64_MAX: they get them already. */
uint64_t sl_budget_arena(const struct sl_budget *budget, uint64_t least_bytes,
                         uint64_t arena_bytes);

#endif
