/* Opens hostile packs. The first byte of an input chooses what the rest is: 0, a whole file; else
 * four bytes with the file's length in blocks, and an index that gets a valid block 0 around it, so
 * that mutations pass the checksums. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "models/pack_format.h"
#include "runtime/base/cleanup.h"
#include "tests/fuzz/fuzz.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static void write_forged(int file, const uint8_t *bytes, size_t length)
{
    uint32_t blocks;
    if (length < sizeof(blocks))
        return;
    memcpy(&blocks, bytes, sizeof(blocks));
    const uint8_t *index = bytes + sizeof(blocks);
    const struct sl_pack_header header = {
        .version = SL_PACK_VERSION,
        .index_bytes = length - sizeof(blocks),
        .index_checksum = XXH3_64bits(index, length - sizeof(blocks)),
        .file_bytes = (uint64_t)blocks * SL_PACK_ALIGNMENT,
    };
    unsigned char block[SL_PACK_ALIGNMENT];
    sl_pack_header_encode(&header, block);
    if (pwrite(file, block, sizeof(block), 0) != sizeof(block) ||
        pwrite(file, index, header.index_bytes, SL_PACK_ALIGNMENT) < 0 ||
        ftruncate(file, (off_t)header.file_bytes))
        abort();
}

/* What every pack that opens must hold. */
static void check(const struct sl_pack *pack)
{
    for (int s = 0; s < pack->shard_count; s++) {
        const struct sl_shard *shard = &pack->shards[s];
        const struct sl_layer *layer = &pack->network->layers[shard->layer];
        if (shard->file_offset + shard->bytes > pack->file_bytes ||
            s < pack->layer_first_shard[shard->layer] ||
            s >= pack->layer_first_shard[shard->layer + 1])
            abort();
        for (int weight = 0; weight < layer->weight_count; weight++) {
            struct sl_segment segment;
            sl_shard_segment(pack->network, shard, weight, &segment);
            if (segment.count < 0 ||
                (segment.count > 0 && segment.offset_bytes + segment.bytes > shard->bytes))
                abort();
        }
    }
    size_t letters = 0;
    for (int i = 0; i < pack->preprocessing.label_count; i++)
        letters += strlen(pack->preprocessing.labels[i]);
    if (letters > pack->file_bytes)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < 1)
        return 0;
    SL_AUTO_FD int file = memfd_create("pack", MFD_CLOEXEC);
    if (file < 0)
        abort();
    if (bytes[0] != 0)
        write_forged(file, bytes + 1, length - 1);
    else if (write(file, bytes + 1, length - 1) < 0)
        abort();
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    struct sl_pack *pack = NULL;
    struct sl_error error = {0};
    int result = sl_pack_open(path, NULL, &pack, &error);
    if (result && (!error.text[0] || pack))
        abort();
    if (!result)
        check(pack);
    sl_pack_close(pack);
    return 0;
}
