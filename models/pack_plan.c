#include "models/pack_plan.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/checksum.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"

void sl_pack_plan_free(struct sl_pack_plan *plan)
{
    free(plan->shards);
    *plan = (struct sl_pack_plan){0};
}

/* How many shards a layer is cut into: as many as hold about shard_bytes each when all have the
 * same number of quanta of rows, give or take one quantum. */
static int64_t shards_of_layer(const struct sl_layer *layer, uint64_t shard_bytes)
{
    if (!sl_pack_row_sharded(layer))
        return 1;
    int64_t rows = sl_pack_rows(layer);
    int64_t quanta = (rows + SL_ROW_QUANTUM - 1) / SL_ROW_QUANTUM;
    uint64_t quantum_bytes = sl_pack_layer_bytes(layer) / (uint64_t)quanta;
    uint64_t quanta_per_shard = (shard_bytes + quantum_bytes / 2) / (quantum_bytes + 1);
    if (quanta_per_shard == 0)
        quanta_per_shard = 1;
    if (quanta_per_shard > (uint64_t)quanta)
        quanta_per_shard = (uint64_t)quanta;
    return (int64_t)(((uint64_t)quanta + quanta_per_shard - 1) / quanta_per_shard);
}

static int add_shard(struct sl_pack_plan *plan, const struct sl_shard *shard,
                     struct sl_error *error)
{
    if (plan->shard_count == plan->shard_capacity) {
        if (plan->shard_capacity > INT_MAX / 2)
            return sl_error_set(error, E2BIG, "too many shards; import with larger ones");
        int capacity = plan->shard_capacity ? plan->shard_capacity * 2 : 64;
        struct sl_shard *grown = realloc(plan->shards, (size_t)capacity * sizeof(*plan->shards));
        if (!grown)
            return sl_error_set(error, ENOMEM, "import: no memory");
        plan->shards = grown;
        plan->shard_capacity = capacity;
    }
    plan->shards[plan->shard_count++] = *shard;
    plan->weight_bytes += shard->bytes;
    return 0;
}

static int plan_layer(struct sl_pack_plan *plan, const struct sl_network *network, int index,
                      uint64_t shard_bytes, struct sl_error *error)
{
    const struct sl_layer *layer = &network->layers[index];
    int64_t rows = sl_pack_rows(layer), row = 0;
    int64_t quanta = (rows + SL_ROW_QUANTUM - 1) / SL_ROW_QUANTUM;
    int64_t count = shards_of_layer(layer, shard_bytes);
    for (int64_t i = 0; i < count; i++) {
        /* quanta, rows and count are below 2^31 (SL_MAX_DIMENSION), so the product is safe. */
        int64_t end = i + 1 == count ? rows : (i + 1) * quanta / count * SL_ROW_QUANTUM;
        struct sl_shard shard = {.layer = index, .row_begin = row, .row_end = end};
        if (sl_pack_shard_bytes(layer, row, end, &shard.bytes)) {
            char most[SL_UNIT_TEXT_BYTES];
            return sl_error_set(error, EFBIG,
                                "layer '%s' (%s): rows %lld to %lld need more than the %s that one "
                                "read can bring; import with smaller shards where it can be cut",
                                layer->name, sl_layer_type_name(layer->type), (long long)row,
                                (long long)end - 1, sl_format_size(SL_PACK_SHARD_MOST_BYTES, most));
        }
        int result = add_shard(plan, &shard, error);
        if (result)
            return result;
        row = end;
    }
    return 0;
}

int sl_pack_plan_make(const struct sl_network *network, uint64_t shard_bytes,
                      struct sl_pack_plan *plan, struct sl_error *error)
{
    if (shard_bytes == 0)
        shard_bytes = SL_SHARD_BYTES;
    if (shard_bytes > SL_PACK_SHARD_MOST_BYTES)
        shard_bytes = SL_PACK_SHARD_MOST_BYTES;
    for (int i = 0; i < network->layer_count; i++) {
        if (network->layers[i].weight_count == 0)
            continue;
        int result = plan_layer(plan, network, i, shard_bytes, error);
        if (result)
            return result;
    }
    return 0;
}

uint64_t sl_pack_plan_place(struct sl_pack_plan *plan, uint64_t index_bytes)
{
    uint64_t offset = SL_PACK_ALIGNMENT + sl_align_up(index_bytes, SL_PACK_ALIGNMENT);
    for (int i = 0; i < plan->shard_count; i++) {
        plan->shards[i].file_offset = offset;
        offset += sl_align_up(plan->shards[i].bytes, SL_PACK_ALIGNMENT);
    }
    return offset;
}

void sl_pack_plan_store(const struct sl_pack_plan *plan, Sluice__PackShard *stored,
                        Sluice__PackShard **list)
{
    for (int i = 0; i < plan->shard_count; i++) {
        const struct sl_shard *shard = &plan->shards[i];
        Sluice__PackShard *message = &stored[i];
        sluice__pack_shard__init(message);
        message->has_layer = message->has_row_begin = message->has_row_end = 1;
        message->has_file_offset = message->has_bytes = message->has_checksum = 1;
        message->layer = (uint32_t)shard->layer;
        message->row_begin = (uint64_t)shard->row_begin;
        message->row_end = (uint64_t)shard->row_end;
        message->file_offset = shard->file_offset;
        message->bytes = shard->bytes;
        message->checksum = shard->checksum;
        list[i] = message;
    }
}

int sl_pack_index_encode(const Sluice__PackIndex *index, unsigned char **bytes, size_t *length,
                         struct sl_error *error)
{
    *length = sluice__pack_index__get_packed_size(index);
    if (*length > SL_PACK_INDEX_MOST_BYTES)
        return sl_error_set(error, EFBIG,
                            "the index would need %zu bytes (most: %llu); import with larger "
                            "shards or a smaller mean",
                            *length, (unsigned long long)SL_PACK_INDEX_MOST_BYTES);
    *bytes = malloc(*length + 1);
    if (!*bytes)
        return sl_error_set(error, ENOMEM, "import: no memory");
    sluice__pack_index__pack(index, *bytes);
    return 0;
}

uint32_t sl_pack_needed_version(const struct sl_network *network, uint64_t shared_bytes)
{
    uint32_t version = shared_bytes > 0 ? SL_PACK_VERSION_COMPACT : 1;
    for (int i = 0; i < network->layer_count; i++) {
        enum sl_encoding encoding = network->layers[i].encoding;
        if (encoding == SL_ENCODING_LOSSLESS)
            return SL_PACK_VERSION_LOSSLESS;
        if (encoding != SL_ENCODING_F32)
            version = SL_PACK_VERSION_COMPACT;
    }
    return version;
}

int sl_pack_index_write(struct sl_output_file *output, const struct sl_pack_header *header,
                        const unsigned char *index, struct sl_error *error)
{
    unsigned char block[SL_PACK_ALIGNMENT];
    struct sl_pack_header filled = *header;
    filled.index_checksum = sl_checksum(index, header->index_bytes);
    sl_pack_header_encode(&filled, block);
    int result = sl_output_file_write(output, index, header->index_bytes, SL_PACK_ALIGNMENT, error);
    if (!result)
        result = sl_output_file_write(output, block, sizeof(block), 0, error);
    /* A pack without shards ends with its index, also in a whole block. */
    if (!result && ftruncate(output->fd, (off_t)header->file_bytes))
        result = sl_error_errno(error, "%s: cannot set the length", output->path);
    return result;
}
