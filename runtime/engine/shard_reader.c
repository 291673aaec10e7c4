#include "runtime/engine/shard_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"

/* A loader that returns nothing so often although reads are outstanding is broken; a signal makes
 * one such return. */
#define DRAIN_FRUITLESS_MOST 100
#define SUSPECTS_MOST        32

static int open_loader(struct sl_shard_reader *reader, struct sl_error *error)
{
    struct sl_loader *loader;
    int result = sl_loader_open(reader->wanted, &reader->options, &loader, reader->reason, error);
    if (!result)
        reader->loader = loader;
    return result;
}

static void close_loader(struct sl_shard_reader *reader)
{
    if (reader->loader)
        reader->loader->ops->close(reader->loader);
    reader->loader = NULL;
    reader->broken = false;
    reader->in_flight = 0;
}

int sl_shard_reader_open(struct sl_shard_reader *reader, const char *loader,
                         const struct sl_loader_options *options, bool verify, struct sl_pool *pool,
                         struct sl_error *error)
{
    *reader = (struct sl_shard_reader){
        .wanted = loader, .options = *options, .verify = verify, .pool = pool};
    int result = open_loader(reader, error);
    if (result < 0)
        return result;
    reader->maps = reader->loader->ops->map != NULL;
    if (verify && reader->loader->ops->without_data)
        return sl_error_set(error, -EINVAL,
                            "loader %s reads no data: checksums can only be left out (no-verify)",
                            reader->loader->ops->name);
    return 0;
}

void sl_shard_reader_close(struct sl_shard_reader *reader)
{
    close_loader(reader);
    for (int n = 0; n < reader->network_count; n++)
        for (int s = 0; s < reader->networks[n]->pack->shard_count; s++)
            sl_shard_reader_drop(reader, n, s);
}

void sl_shard_reader_know(struct sl_shard_reader *reader, struct sl_network_state *const *networks,
                          int count)
{
    reader->networks = networks;
    reader->network_count = count;
}

int sl_shard_reader_add(struct sl_shard_reader *reader, struct sl_network_state *state,
                        struct sl_error *error)
{
    int file = reader->loader->ops->add_file(reader->loader, state->pack->path, error);
    if (file < 0)
        return file;
    state->file = file;
    return 0;
}

uint64_t sl_shard_reader_ahead_bytes(const struct sl_shard_reader *reader)
{
    return reader->loader ? reader->loader->read_ahead_bytes : 0;
}

int sl_shard_reader_ready(struct sl_shard_reader *reader, struct sl_error *error)
{
    if (reader->loader)
        return 0;
    int result = open_loader(reader, error);
    for (int n = 0; !result && n < reader->network_count; n++)
        result = sl_shard_reader_add(reader, reader->networks[n], error);
    if (result) {
        close_loader(reader);
        return sl_error_wrap(error, "the loader broke and cannot be opened again");
    }
    return 0;
}

static uint64_t shard_tag(int network, int shard)
{
    return (uint64_t)network << 32 | (uint32_t)shard;
}

static int tag_network(uint64_t tag)
{
    return (int)(tag >> 32);
}

static int tag_shard(uint64_t tag)
{
    return (int)(uint32_t)tag;
}

static uint64_t shard_memory(const struct sl_network_state *state, int shard)
{
    return sl_shard_memory(&state->pack->shards[shard]);
}

static int take_memory(struct sl_shard_reader *reader, struct sl_network_state *state, int shard,
                       bool stays, struct sl_error *error)
{
    uint64_t bytes = shard_memory(state, shard);
    if (!reader->maps) {
        state->slots[shard] = sl_pool_take_slot(reader->pool, bytes, stays, error);
        return state->slots[shard] ? 0 : -ENOMEM;
    }
    struct sl_error own;
    void *span = reader->loader->ops->map(reader->loader, state->file,
                                          state->pack->shards[shard].file_offset, bytes, &own);
    if (!span)
        return sl_error_set(error, own.code, "%s: %s", state->pack->path, own.text);
    sl_pool_count_slot(reader->pool, bytes);
    state->slots[shard] = span;
    return 0;
}

void sl_shard_reader_drop(struct sl_shard_reader *reader, int network, int shard)
{
    struct sl_network_state *state = reader->networks[network];
    uint64_t bytes = shard_memory(state, shard);
    void *slot = SL_STEAL(state->slots[shard]);
    if (!slot || !sl_contents_leave(reader->contents, network, shard))
        return;
    if (!reader->maps) {
        sl_pool_give(reader->pool, SL_POOL_SLOTS, slot, bytes);
        return;
    }
    if (reader->loader)
        reader->loader->ops->release(reader->loader, slot, bytes);
    sl_pool_uncount_slot(reader->pool, bytes);
}

void sl_shard_reader_keep(struct sl_shard_reader *reader, int network, int shard)
{
    struct sl_network_state *state = reader->networks[network];
    if (reader->maps && state->slots[shard])
        reader->loader->ops->keep(reader->loader, state->slots[shard], shard_memory(state, shard));
}

/* Memory for the shard: that of another one of its content, or its own. */
static int find_memory(struct sl_shard_reader *reader, int network, int index, bool stays,
                       enum sl_content_state *content, struct sl_error *error)
{
    struct sl_network_state *state = reader->networks[network];
    void *slot;
    *content = sl_contents_join(reader->contents, network, index, &slot);
    if (*content != SL_CONTENT_ABSENT) {
        state->slots[index] = slot;
        return 0;
    }
    int result = take_memory(reader, state, index, stays, error);
    if (result) {
        const struct sl_shard *shard = &state->pack->shards[index];
        sl_error_wrap(error, "layer %s", state->network->layers[shard->layer].name);
        return result;
    }
    sl_contents_begin(reader->contents, network, index, state->slots[index]);
    return 0;
}

static size_t list_slots(const struct sl_shard_reader *reader,
                         const struct sl_policy_network *views, struct sl_piece *pieces)
{
    size_t count = 0;
    for (int n = 0; n < reader->network_count; n++) {
        const struct sl_network_state *state = reader->networks[n];
        for (int s = 0; s < state->pack->shard_count; s++) {
            if (!state->slots[s])
                continue;
            pieces[count++] = (struct sl_piece){
                .memory = state->slots[s],
                .bytes = shard_memory(state, s),
                .tag = shard_tag(n, s),
                .movable = views[n].residency[s] == SL_SHARD_RESIDENT &&
                           !sl_contents_shared(reader->contents, n, s),
            };
        }
    }
    return count;
}

void sl_shard_reader_compact(struct sl_shard_reader *reader, const struct sl_policy_network *views)
{
    size_t shards = 0;
    for (int n = 0; n < reader->network_count; n++)
        shards += (size_t)reader->networks[n]->pack->shard_count;
    SL_AUTO_FREE struct sl_piece *pieces = calloc(shards + 1, sizeof(*pieces));
    if (!pieces)
        return;
    size_t taken = list_slots(reader, views, pieces);
    int inside = sl_pool_compact_slots(reader->pool, pieces, taken);
    for (int k = 0; k < inside; k++) {
        struct sl_network_state *state = reader->networks[tag_network(pieces[k].tag)];
        state->slots[tag_shard(pieces[k].tag)] = pieces[k].moved;
    }
}

enum sl_pool_room sl_shard_reader_room(const struct sl_shard_reader *reader, int network, int shard,
                                       bool stays)
{
    if (reader->maps)
        return SL_POOL_ROOM;
    return sl_pool_slot_room(reader->pool, shard_memory(reader->networks[network], shard), stays);
}

static bool verifies_late(const struct sl_shard_reader *reader)
{
    return reader->verify_late || reader->loader->lazy;
}

int sl_shard_reader_begin(struct sl_shard_reader *reader, int network, int index, bool stays,
                          struct sl_error *error)
{
    struct sl_network_state *state = reader->networks[network];
    enum sl_content_state content;
    int result = find_memory(reader, network, index, stays, &content, error);
    if (result)
        return result;
    if (stays)
        sl_shard_reader_keep(reader, network, index);
    state->unverified[index] = content == SL_CONTENT_ABSENT || verifies_late(reader);
    if (content != SL_CONTENT_ABSENT)
        return content == SL_CONTENT_RESIDENT;
    struct sl_read read = {
        .tag = shard_tag(network, index),
        .file = state->file,
        .offset = state->pack->shards[index].file_offset,
        .length = shard_memory(state, index),
        .destination = state->slots[index],
    };
    uint64_t now_ns = sl_now_ns();
    result = reader->loader->ops->submit(reader->loader, &read, error);
    if (result)
        return result;
    sl_network_state_read_begins(state, index, now_ns);
    if (reader->in_flight++ == 0)
        reader->reading_since_ns = now_ns;
    return 0;
}

int sl_shard_reader_reap(struct sl_shard_reader *reader, struct sl_completion *completions,
                         int most, struct sl_error *error)
{
    int count = reader->loader->ops->reap(reader->loader, completions, most, 0, error);
    reader->broken |= count < 0;
    return count;
}

static int reading_failed(const struct sl_network_state *state, int index, int code,
                          const char *circumstance, struct sl_error *error)
{
    const struct sl_shard *shard = &state->pack->shards[index];
    return sl_error_set(
        error, code,
        "%s: reading layer %s, rows %" PRId64 " to %" PRId64 ", at offset %" PRIu64 ": %s%s",
        state->pack->path, state->network->layers[shard->layer].name, shard->row_begin,
        shard->row_end, shard->file_offset, strerror(code < 0 ? -code : code), circumstance);
}

static int verify(struct sl_shard_reader *reader, int network, int shard, struct sl_error *error)
{
    struct sl_network_state *state = reader->networks[network];
    if (!reader->verify || !state->unverified[shard])
        return 0;
    int result = sl_shard_verify(state->pack, shard, state->slots[shard], error);
    state->unverified[shard] = false;
    if (!result)
        return 0;
    /* The checksum of zeroes: the better reason first. */
    int damaged = sl_shard_reader_damage(reader, error);
    return damaged ? damaged : result;
}

/* Shards to be compared, by one thread each. */
struct suspects {
    struct sl_network_state *states[SUSPECTS_MOST];
    int shards[SUSPECTS_MOST];
    int count;
};

static void add_suspect(struct suspects *suspects, struct sl_network_state *state, int shard)
{
    if (!state->unverified[shard] || suspects->count == SUSPECTS_MOST)
        return;
    suspects->states[suspects->count] = state;
    suspects->shards[suspects->count++] = shard;
}

static void verify_suspect(void *context, int64_t task, int worker)
{
    const struct suspects *suspects = context;
    struct sl_network_state *state = suspects->states[task];
    const int shard = suspects->shards[task];
    (void)worker;
    if (!sl_shard_verify(state->pack, shard, state->slots[shard], NULL))
        state->unverified[shard] = false;
}

void sl_shard_reader_verify(struct sl_shard_reader *reader, const struct sl_completion *completions,
                            int count, struct sl_threads *team)
{
    struct suspects suspects = {.count = 0};
    for (int i = 0; i < count && reader->verify && !verifies_late(reader); i++) {
        const uint64_t tag = completions[i].tag;
        if (!completions[i].result)
            add_suspect(&suspects, reader->networks[tag_network(tag)], tag_shard(tag));
    }
    sl_parallel_for(team, suspects.count, verify_suspect, &suspects);
}

int sl_shard_reader_end(struct sl_shard_reader *reader, const struct sl_completion *completion,
                        int *network, int *shard, struct sl_error *error)
{
    *network = tag_network(completion->tag);
    *shard = tag_shard(completion->tag);
    struct sl_network_state *state = reader->networks[*network];
    sl_network_state_read_ends(state, *shard, !completion->result, completion->completed_ns);
    /* It may have ended before the batch that looks began. */
    if (--reader->in_flight == 0 && completion->completed_ns > reader->reading_since_ns)
        reader->load_ns += completion->completed_ns - reader->reading_since_ns;
    if (completion->result)
        return reading_failed(state, *shard, completion->result, "", error);
    return verifies_late(reader) ? 0 : verify(reader, *network, *shard, error);
}

/* One for each thread: the unit's, and those after it that are in memory as well. */
static void list_coming(struct sl_network_state *state, const struct sl_policy_network *view,
                        int unit, int most, struct suspects *suspects)
{
    for (int u = unit; u < view->unit_count && suspects->count < most; u++) {
        const int shard = view->unit_shard[u];
        if (shard < 0)
            continue;
        if (u > unit && view->residency[shard] != SL_SHARD_RESIDENT)
            break;
        add_suspect(suspects, state, shard);
    }
}

int sl_shard_reader_use(struct sl_shard_reader *reader, int network,
                        const struct sl_policy_network *view, int unit, struct sl_threads *team,
                        struct sl_error *error)
{
    const int shard = view->unit_shard[unit];
    struct sl_network_state *state = reader->networks[network];
    if (shard < 0 || !reader->verify || !verifies_late(reader) || !state->unverified[shard])
        return 0;
    if (!reader->loader->lazy && team) {
        struct suspects suspects = {.count = 0};
        const int threads = sl_threads_count(team);
        list_coming(state, view, unit, threads < SUSPECTS_MOST ? threads : SUSPECTS_MOST,
                    &suspects);
        sl_parallel_for(team, suspects.count, verify_suspect, &suspects);
    }
    return verify(reader, network, shard, error);
}

static int find_shard(const struct sl_pack *pack, uint64_t offset)
{
    for (int s = 0; s < pack->shard_count; s++) {
        const struct sl_shard *shard = &pack->shards[s];
        if (offset >= shard->file_offset && offset - shard->file_offset < sl_shard_memory(shard))
            return s;
    }
    return -1;
}

int sl_shard_reader_damage(struct sl_shard_reader *reader, struct sl_error *error)
{
    int file;
    uint64_t offset;
    int result = reader->maps ? reader->loader->ops->damaged(reader->loader, &file, &offset) : 0;
    if (!result)
        return 0;
    for (int n = 0; n < reader->network_count; n++) {
        const struct sl_network_state *state = reader->networks[n];
        int shard = state->file == file ? find_shard(state->pack, offset) : -1;
        if (shard >= 0)
            return reading_failed(state, shard, result,
                                  " while it was mapped; was the file cut short?", error);
    }
    return sl_error_set(error, result, "a mapped pack cannot be read at offset %" PRIu64, offset);
}

/* False when the loader cannot be waited for. */
static bool reap_all(struct sl_shard_reader *reader)
{
    const struct sl_loader_ops *ops = reader->loader->ops;
    int fruitless = 0;
    while (reader->in_flight) {
        struct sl_completion completions[16];
        int count = ops->reap(reader->loader, completions, 16, UINT64_MAX, NULL);
        if (count < 0 || (count == 0 && ++fruitless == DRAIN_FRUITLESS_MOST))
            return false;
        reader->in_flight -= count;
    }
    return true;
}

bool sl_shard_reader_drain(struct sl_shard_reader *reader)
{
    bool drained = reader->loader != NULL;
    if (drained) {
        reader->loader->ops->cancel(reader->loader);
        drained = !reader->broken && reap_all(reader);
    }
    if (!drained) {
        close_loader(reader);
        /* A failure is told when it matters: by the next batch. */
        sl_shard_reader_ready(reader, NULL);
    }
    const uint64_t now_ns = sl_now_ns();
    for (int n = 0; n < reader->network_count; n++)
        sl_network_state_reads_dropped(reader->networks[n], now_ns);
    return drained;
}
