#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/import.h"
#include "models/pack_plan.h"
#include "models/pack_stream.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"

/* A pack that is read and one that is written; owns what it points to. */
struct recutting {
    struct sl_stored_weights stored; /* first */
    struct sl_pack *pack;
    int fd;
    unsigned char *shard_bytes; /* of shard `in_memory` */
    int in_memory;              /* -1: none */
    Sluice__PackIndex *index;
    struct sl_pack_plan plan;
    struct sl_output_file output;
};

static void recutting_free(struct recutting *recutting)
{
    sl_output_file_close(&recutting->output);
    sl_pack_plan_free(&recutting->plan);
    if (recutting->index)
        sluice__pack_index__free_unpacked(recutting->index, NULL);
    free(recutting->shard_bytes);
    if (recutting->fd >= 0)
        close(recutting->fd);
    sl_pack_close(recutting->pack);
}

static int read_whole(const struct recutting *recutting, void *bytes, uint64_t length,
                      uint64_t offset, struct sl_error *error)
{
    int result = sl_fd_read_exactly(recutting->fd, bytes, length, offset, error);
    if (result)
        sl_error_wrap(error, "%s", recutting->pack->path);
    return result;
}

static int fetch(struct recutting *recutting, int shard, struct sl_error *error)
{
    const struct sl_shard *wanted = &recutting->pack->shards[shard];
    if (recutting->in_memory == shard)
        return 0;
    recutting->in_memory = -1;
    int result =
        read_whole(recutting, recutting->shard_bytes, wanted->bytes, wanted->file_offset, error);
    if (!result)
        result = sl_shard_verify(recutting->pack, shard, recutting->shard_bytes, error);
    recutting->in_memory = result ? -1 : shard;
    return result;
}

/* struct sl_stored_weights.read: from each shard of the layer what it has of the wanted bytes. */
static int read_stored(struct sl_stored_weights *stored, int layer, int weight, bool scales,
                       uint64_t first, size_t length, void *destination, struct sl_error *error)
{
    struct recutting *recutting = (struct recutting *)stored;
    const struct sl_pack *pack = recutting->pack;
    const uint64_t end = first + length;
    uint64_t begin = 0; /* of the shard's part, among the bytes of the whole layer */
    for (int s = pack->layer_first_shard[layer]; s < pack->layer_first_shard[layer + 1]; s++) {
        const struct sl_shard *shard = &pack->shards[s];
        struct sl_segment segment;
        sl_shard_segment(pack->network, shard, weight, &segment);
        uint64_t bytes =
            scales ? (uint64_t)(shard->row_end - shard->row_begin) * sizeof(float) : segment.bytes;
        uint64_t from = first > begin ? first : begin;
        uint64_t to = end < begin + bytes ? end : begin + bytes;
        int result = from < to ? fetch(recutting, s, error) : 0;
        if (result)
            return result;
        if (from < to)
            memcpy((char *)destination + (from - first),
                   recutting->shard_bytes +
                       (scales ? segment.scale_offset_bytes : segment.offset_bytes) +
                       (from - begin),
                   to - from);
        begin += bytes;
    }
    return 0;
}

/* The pack's index once more, as the message that it is. */
static int read_message(struct recutting *recutting, struct sl_error *error)
{
    unsigned char block[SL_PACK_ALIGNMENT];
    struct sl_pack_header header;
    int result = read_whole(recutting, block, sizeof(block), 0, error);
    if (!result)
        result = sl_pack_header_decode(block, &header, error);
    if (result)
        return result;
    if (header.index_checksum != recutting->pack->index_checksum)
        return sl_error_set(error, EBADMSG, "%s: changed while it was read; try again",
                            recutting->pack->path);
    SL_AUTO_FREE unsigned char *bytes = malloc(header.index_bytes + 1);
    if (!bytes)
        return sl_error_set(error, ENOMEM, "import: no memory");
    result = read_whole(recutting, bytes, header.index_bytes, SL_PACK_ALIGNMENT, error);
    if (result)
        return result;
    recutting->index = sluice__pack_index__unpack(NULL, header.index_bytes, bytes);
    return recutting->index ? 0 : sl_error_set(error, ENOMEM, "import: no memory");
}

static int open_pack(struct recutting *recutting, const char *path, struct sl_error *error)
{
    int result = sl_pack_open(path, NULL, &recutting->pack, error);
    if (result)
        return result;
    recutting->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (recutting->fd < 0)
        return sl_error_errno(error, "%s", path);
    uint64_t most = 1;
    for (int s = 0; s < recutting->pack->shard_count; s++)
        if (recutting->pack->shards[s].bytes > most)
            most = recutting->pack->shards[s].bytes;
    recutting->shard_bytes = malloc(most);
    if (!recutting->shard_bytes)
        return sl_error_set(error, ENOMEM, "import: no memory");
    return read_message(recutting, error);
}

/* The index with the shards of the plan in place of its own. */
static int encode(const struct recutting *recutting, unsigned char **bytes, size_t *length,
                  struct sl_error *error)
{
    const struct sl_pack_plan *plan = &recutting->plan;
    size_t count = (size_t)plan->shard_count;
    SL_AUTO_FREE Sluice__PackShard *shards = calloc(count + 1, sizeof(*shards));
    SL_AUTO_FREE Sluice__PackShard **list = calloc(count + 1, sizeof(*list));
    if (!shards || !list)
        return sl_error_set(error, ENOMEM, "import: no memory");
    sl_pack_plan_store(plan, shards, list);
    Sluice__PackIndex index = *recutting->index;
    index.n_shard = count;
    index.shard = list;
    return sl_pack_index_encode(&index, bytes, length, error);
}

static int write_shards(struct recutting *recutting, struct sl_pack_streamed *streamed,
                        struct sl_error *error)
{
    if (recutting->plan.shard_count == 0)
        return 0;
    const struct sl_pack_stream stream = {
        .network = recutting->pack->network,
        .stored = &recutting->stored,
        .output = &recutting->output,
        .offset = recutting->plan.shards[0].file_offset,
    };
    return sl_pack_stream(&stream, recutting->plan.shards, recutting->plan.shard_count, streamed,
                          error);
}

static int write_pack(struct recutting *recutting, const char *output,
                      struct sl_pack_streamed *streamed, struct sl_error *error)
{
    SL_AUTO_FREE unsigned char *draft = NULL, *index = NULL;
    size_t length;
    int result = encode(recutting, &draft, &length, error);
    if (result)
        return result;
    streamed->end = sl_pack_plan_place(&recutting->plan, length);
    result = sl_output_file_open(&recutting->output, output, streamed->end, error);
    if (!result)
        result = write_shards(recutting, streamed, error);
    if (!result)
        result = encode(recutting, &index, &length, error);
    if (result)
        return result;
    const struct sl_pack_header header = {
        .version = sl_pack_needed_version(recutting->pack->network, streamed->shared_bytes),
        .index_bytes = length,
        .file_bytes = streamed->end,
    };
    result = sl_pack_index_write(&recutting->output, &header, index, error);
    return result ? result : sl_output_file_commit(&recutting->output, error);
}

int sl_pack_recut(const char *path, uint64_t shard_bytes, const char *output,
                  struct sl_import_report *report, struct sl_error *error)
{
    SL_AUTO(recutting_free)
    struct recutting recutting = {
        .stored = {read_stored}, .fd = -1, .in_memory = -1, .output = SL_OUTPUT_FILE_NONE};
    struct sl_pack_streamed streamed = {0};
    int result = open_pack(&recutting, path, error);
    if (!result)
        result = sl_pack_plan_make(recutting.pack->network, shard_bytes, &recutting.plan, error);
    if (!result)
        result = write_pack(&recutting, output, &streamed, error);
    if (!result && report)
        *report = (struct sl_import_report){
            .layers_before = recutting.pack->network->layer_count,
            .layers_after = recutting.pack->network->layer_count,
            .shards = recutting.plan.shard_count,
            .weight_bytes = recutting.plan.weight_bytes,
            .file_bytes = streamed.end,
            .shared_bytes = streamed.shared_bytes,
        };
    return result;
}
