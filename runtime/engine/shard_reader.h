/* Brings the shards of networks into memory and gives them back: the engine's loader, the slots
 * that it fills or, when the loader maps packs, the mapped spans in their stead, and the checksums.
 * Used by the engine's event loop alone. */
#ifndef SLUICE_ENGINE_SHARD_READER_H
#define SLUICE_ENGINE_SHARD_READER_H

#include "iouring/loader.h"
#include "policies/policy.h"
#include "runtime/engine/contents.h"
#include "runtime/engine/network_state.h"

struct sl_shard_reader {
    struct sl_loader *loader; /* NULL: it broke, and could not be opened again yet */
    const char *wanted;       /* by name, NULL: chosen by itself */
    struct sl_loader_options options;
    char reason[160]; /* of the loader's choice */
    bool broken;      /* the loader failed as a whole */
    bool maps;        /* the loader hands out mapped spans, not slots of the pool */
    bool verify;      /* checksums are compared, after the read or, when late or lazy, */
    bool verify_late; /* before the first use: it finds the shard in the processor's cache */
    struct sl_pool *pool;
    struct sl_network_state *const *networks;
    int network_count;
    struct sl_contents *contents; /* the engine sets it, before the first read */
    int in_flight;
    uint64_t reading_since_ns; /* when in_flight became 1, or the batch began */
    uint64_t load_ns;          /* some read was in flight; the engine sets it to 0 */
};

/* Opens the loader of that name with those options; strings must outlive the reader. */
int sl_shard_reader_open(struct sl_shard_reader *reader, const char *loader,
                         const struct sl_loader_options *options, bool verify, struct sl_pool *pool,
                         struct sl_error *error);
/* Waits for reads in flight, closes the loader, gives the memory of all shards back. A reader that
 * was never opened is fine. */
void sl_shard_reader_close(struct sl_shard_reader *reader);
/* The networks so far; the array is borrowed, and told again when it moves. */
void sl_shard_reader_know(struct sl_shard_reader *reader, struct sl_network_state *const *networks,
                          int count);
/* Opens the network's pack; sets state->file. */
int sl_shard_reader_add(struct sl_shard_reader *reader, struct sl_network_state *state,
                        struct sl_error *error);
/* What the kernel may read besides shards (sl_loader.read_ahead_bytes). */
uint64_t sl_shard_reader_ahead_bytes(const struct sl_shard_reader *reader);
/* Opens the loader again when it broke: 0, or -errno and no batch can run. */
int sl_shard_reader_ready(struct sl_shard_reader *reader, struct sl_error *error);

/* Whether memory for the shard can be had (sl_pool_slot_room). */
enum sl_pool_room sl_shard_reader_room(const struct sl_shard_reader *reader, int network, int shard,
                                       bool stays);
/* Moves shards to the end of the pool's region, so that free memory is in one piece but for what
 * reads in flight and shards in use divide. views: of all networks; only what is RESIDENT, and
 * alone of its content, moves. */
void sl_shard_reader_compact(struct sl_shard_reader *reader, const struct sl_policy_network *views);
/* Takes memory for the shard and begins to read it; 1 when its content is in memory already. stays:
 * across requests. */
int sl_shard_reader_begin(struct sl_shard_reader *reader, int network, int shard, bool stays,
                          struct sl_error *error);
/* Finished reads, at most `most`, without waiting; see the loader's hook of that name. A failure is
 * the loader's own: drain, then go on with another. */
int sl_shard_reader_reap(struct sl_shard_reader *reader, struct sl_completion *completions,
                         int most, struct sl_error *error);
/* Compares the checksums of what these completions read, on that team (NULL: on the caller), unless
 * that is done late; leaves what does not match to the functions below. */
void sl_shard_reader_verify(struct sl_shard_reader *reader, const struct sl_completion *completions,
                            int count, struct sl_threads *team);
/* Accounts for a completion and judges it; *network and *shard are what was read. */
int sl_shard_reader_end(struct sl_shard_reader *reader, const struct sl_completion *completion,
                        int *network, int *shard, struct sl_error *error);
/* Before a run of the unit: the checksum of its shard when that was not compared after the read.
 * The threads of the team (NULL: none) take those that come after it and are in memory along. */
int sl_shard_reader_use(struct sl_shard_reader *reader, int network,
                        const struct sl_policy_network *view, int unit, struct sl_threads *team,
                        struct sl_error *error);
/* -EIO when mapped memory failed while it was used: what was computed since is worth nothing. */
int sl_shard_reader_damage(struct sl_shard_reader *reader, struct sl_error *error);
/* The shard, which is in memory, stays across requests from now on. */
void sl_shard_reader_keep(struct sl_shard_reader *reader, int network, int shard);
/* Gives the shard's memory back, unless another shard of the same content holds it; fine when it
 * has none. No read of it is in flight. */
void sl_shard_reader_drop(struct sl_shard_reader *reader, int network, int shard);

/* Cancels and waits for all reads, so that no read lands in memory given back. False when the
 * loader itself failed: it was closed, which waits too, and opened anew if that is possible; shards
 * that it had mapped are gone, and no batch in progress can go on. */
bool sl_shard_reader_drain(struct sl_shard_reader *reader);

#endif
