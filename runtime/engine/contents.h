/* Shards of the same content, in one pack or in several: read once and held in one slot, as long as
 * any of them is in memory. Policies do not see this: to them such a load ends at once, and every
 * shard counts its bytes, so a budget is kept with room to spare. Content is told by length and
 * XXH3-64. Used by the engine's event loop only. */
#ifndef SLUICE_ENGINE_CONTENTS_H
#define SLUICE_ENGINE_CONTENTS_H

#include <stdbool.h>

#include "runtime/base/error.h"
#include "runtime/engine/network_state.h"

struct sl_contents;

/* Knows the shards of all networks. */
int sl_contents_create(struct sl_network_state *const *states, int network_count,
                       struct sl_contents **contents, struct sl_error *error);
/* NULL is fine. */
void sl_contents_free(struct sl_contents *contents);

/* Whether a shard before this one, of the same network or one added earlier, has its content. */
bool sl_contents_repeats(const struct sl_contents *contents, int network, int shard);

/* Whether some other shard has its content. */
bool sl_contents_shared(const struct sl_contents *contents, int network, int shard);

enum sl_content_state {
    SL_CONTENT_ABSENT,   /* in no slot: take one, sl_contents_begin, read */
    SL_CONTENT_COMING,   /* *slot is being read into; sl_contents_arrived will name the shard */
    SL_CONTENT_RESIDENT, /* *slot holds it */
};
/* A shard is to be loaded. Unless absent it holds the slot from now on. */
enum sl_content_state sl_contents_join(struct sl_contents *contents, int network, int shard,
                                       void **slot);
/* The shard whose content was absent is read into the slot, which it holds. */
void sl_contents_begin(struct sl_contents *contents, int network, int shard, void *slot);
/* Its read ended well. Every call names one shard that waited for it; false: none is left. */
bool sl_contents_arrived(struct sl_contents *contents, int network, int shard, int *waiting_network,
                         int *waiting_shard);
/* The shard no longer holds its slot. True: it was the last one, the slot is free. */
bool sl_contents_leave(struct sl_contents *contents, int network, int shard);

#endif
