/* Packs whose index is of another version, lies, or is no index: every checksum is right. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/pack.pb-c.h"
#include "models/pack_format.h"
#include "pack_fixture.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Gives the file another index (or version) with every checksum right. */
static void forge(const char *path, uint32_t version, const unsigned char *index,
                  size_t index_bytes, const unsigned char *original, size_t length)
{
    struct sl_pack_header header = {
        .version = version,
        .index_bytes = index_bytes,
        .index_checksum = XXH3_64bits(index, index_bytes),
        .file_bytes = length,
    };
    SL_AUTO_FREE unsigned char *bytes = malloc(length);
    cr_assert(bytes && SL_PACK_ALIGNMENT + index_bytes <= length);
    memcpy(bytes, original, length);
    memcpy(bytes + SL_PACK_ALIGNMENT, index, index_bytes);
    unsigned char block[SL_PACK_ALIGNMENT];
    sl_pack_header_encode(&header, block);
    memcpy(bytes, block, sizeof(block));
    write_file(path, bytes, length);
}

Test(pack, a_newer_version_is_named)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    write_pack(&scratch, lenet_text, false, 0);
    size_t length;
    SL_AUTO_FREE unsigned char *bytes = read_file(scratch.pack, &length);
    uint64_t index_bytes;
    memcpy(&index_bytes, bytes + 16, sizeof(index_bytes));
    forge(scratch.pack, 7, bytes + SL_PACK_ALIGNMENT, index_bytes, bytes, length);
    expect_pack_refused(scratch.pack, -EPROTO, -EPROTO, "version 7");
    expect_pack_refused(scratch.pack, -EPROTO, -EPROTO, "update sluice");
    forge(scratch.pack, 0, bytes + SL_PACK_ALIGNMENT, index_bytes, bytes, length);
    expect_pack_refused(scratch.pack, -EBADMSG, -EBADMSG, "version 0");
    scratch_end(&scratch);
}

static void wrong_layer(Sluice__PackIndex *index)
{
    index->shard[0]->layer = 2;
}
static void no_such_layer(Sluice__PackIndex *index)
{
    index->shard[index->n_shard - 1]->layer = UINT32_MAX;
}
static void rows_missing(Sluice__PackIndex *index)
{
    index->shard[0]->row_end -= 1;
}
static void rows_beyond(Sluice__PackIndex *index)
{
    index->shard[index->n_shard - 1]->row_end = UINT64_MAX;
}
static void bytes_wrong(Sluice__PackIndex *index)
{
    index->shard[1]->bytes += 4;
}
static void outside_file(Sluice__PackIndex *index)
{
    index->shard[1]->file_offset = UINT64_MAX - 4095;
}
static void overlapping(Sluice__PackIndex *index)
{
    index->shard[1]->file_offset = index->shard[0]->file_offset;
}
static void misaligned(Sluice__PackIndex *index)
{
    index->shard[1]->file_offset += 64;
}
static void shard_missing(Sluice__PackIndex *index)
{
    sluice__pack_shard__free_unpacked(index->shard[--index->n_shard], NULL);
}
static void activation_nowhere(Sluice__PackIndex *index)
{
    index->activation[0]->layer = 1000000;
}
static void activation_on_input(Sluice__PackIndex *index)
{
    index->activation[0]->layer = 0;
}
static void activation_not_a_number(Sluice__PackIndex *index)
{
    index->activation[0]->slope = NAN;
}
static void layer_grown(Sluice__PackIndex *index)
{
    for (size_t i = 0; i < index->network->n_layer; i++)
        if (index->network->layer[i]->convolution_param)
            index->network->layer[i]->convolution_param->num_output = 2000000000;
}
static void mean_does_not_fit(Sluice__PackIndex *index)
{
    index->preprocessing->n_mean = 2;
    index->preprocessing->mean = calloc(2, sizeof(float));
}
static void order_unknown(Sluice__PackIndex *index)
{
    index->preprocessing->order = (Sluice__PackPreprocessing__ChannelOrder)77;
}

static void add_encoding(Sluice__PackIndex *index, uint32_t layer, int encoding)
{
    index->n_encoding = 1;
    index->encoding = malloc(sizeof(*index->encoding));
    index->encoding[0] = malloc(sizeof(**index->encoding));
    sluice__pack_encoding__init(index->encoding[0]);
    index->encoding[0]->has_layer = index->encoding[0]->has_encoding = 1;
    index->encoding[0]->layer = layer;
    index->encoding[0]->encoding = (Sluice__PackEncoding__Encoding)encoding;
}
static void encoding_nowhere(Sluice__PackIndex *index)
{
    add_encoding(index, 1000000, SL_ENCODING_F16);
}
static void encoding_on_input(Sluice__PackIndex *index)
{
    add_encoding(index, 0, SL_ENCODING_F16);
}
static void encoding_unknown(Sluice__PackIndex *index)
{
    add_encoding(index, 1, SL_ENCODINGS);
}
static void encoding_of_others(Sluice__PackIndex *index)
{
    add_encoding(index, 1, SL_ENCODING_I8);
}
static void add_exceptions(Sluice__PackIndex *index, int encoding, uint32_t exceptions)
{
    add_encoding(index, 1, encoding);
    index->encoding[0]->has_exceptions = 1;
    index->encoding[0]->exceptions = exceptions;
}
static void exceptions_of_f16(Sluice__PackIndex *index)
{
    add_exceptions(index, SL_ENCODING_F16, 1);
}
static void exceptions_beyond_depth(Sluice__PackIndex *index)
{
    add_exceptions(index, SL_ENCODING_LOSSLESS, 26); /* of 25 */
}
static void exceptions_of_others(Sluice__PackIndex *index)
{
    add_exceptions(index, SL_ENCODING_LOSSLESS, 25);
}

static void forge_lie(const char *path, uint32_t version, void (*lie)(Sluice__PackIndex *index),
                      const unsigned char *original, size_t length)
{
    uint64_t index_bytes;
    memcpy(&index_bytes, original + 16, sizeof(index_bytes));
    Sluice__PackIndex *index =
        sluice__pack_index__unpack(NULL, index_bytes, original + SL_PACK_ALIGNMENT);
    cr_assert(index);
    lie(index);
    size_t forged_bytes = sluice__pack_index__get_packed_size(index);
    SL_AUTO_FREE unsigned char *forged = malloc(forged_bytes);
    sluice__pack_index__pack(index, forged);
    forge(path, version, forged, forged_bytes, original, length);
    sluice__pack_index__free_unpacked(index, NULL);
}

/* An index that decodes and has the right checksum, but is not true. */
Test(pack, an_index_that_lies_is_refused)
{
    static const struct {
        void (*lie)(Sluice__PackIndex *index);
        uint32_t version;
        const char *words; /* of the message; NULL: any */
    } lies[] = {
        {wrong_layer, SL_PACK_VERSION, NULL},
        {no_such_layer, SL_PACK_VERSION, NULL},
        {rows_missing, SL_PACK_VERSION, NULL},
        {rows_beyond, SL_PACK_VERSION, NULL},
        {bytes_wrong, SL_PACK_VERSION, NULL},
        {outside_file, SL_PACK_VERSION, NULL},
        {overlapping, SL_PACK_VERSION, NULL},
        {misaligned, SL_PACK_VERSION, NULL},
        {shard_missing, SL_PACK_VERSION, NULL},
        {activation_nowhere, SL_PACK_VERSION, NULL},
        {activation_on_input, SL_PACK_VERSION, NULL},
        {activation_not_a_number, SL_PACK_VERSION, NULL},
        {layer_grown, SL_PACK_VERSION, NULL},
        {mean_does_not_fit, SL_PACK_VERSION, NULL},
        {order_unknown, SL_PACK_VERSION, NULL},
        {encoding_nowhere, SL_PACK_VERSION, NULL},
        {encoding_on_input, SL_PACK_VERSION, NULL},
        {encoding_unknown, SL_PACK_VERSION, "unknown"},
        {encoding_of_others, SL_PACK_VERSION, NULL},
        {encoding_of_others, 1, "knows no encodings"},
        {exceptions_of_others, 2, "does not know the encoding"},
        {exceptions_of_f16, SL_PACK_VERSION, "has no exceptions"},
        {exceptions_beyond_depth, SL_PACK_VERSION, "more exceptions than elements"},
        {exceptions_of_others, SL_PACK_VERSION, "not the size of its rows"},
    };
    struct scratch scratch;
    scratch_begin(&scratch);
    write_pack(&scratch, lenet_text, true, 256 * SL_KIB);
    size_t length;
    SL_AUTO_FREE unsigned char *bytes = read_file(scratch.pack, &length);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        forge_lie(scratch.pack, lies[i].version, lies[i].lie, bytes, length);
        expect_pack_refused(scratch.pack, -EBADMSG, -EBADMSG, lies[i].words);
    }
    scratch_end(&scratch);
}

/* Millions of empty messages in a few megabytes must not become gigabytes. */
Test(pack, a_bomb_is_refused)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    const size_t index_bytes = 8 * SL_MIB, length = index_bytes + SL_PACK_ALIGNMENT;
    SL_AUTO_FREE unsigned char *index = malloc(index_bytes);
    SL_AUTO_FREE unsigned char *original = calloc(1, length);
    cr_assert(index && original);
    for (size_t i = 0; i < index_bytes; i += 2) {
        index[i] = 3 << 3 | 2; /* shard, length-delimited */
        index[i + 1] = 0;
    }
    forge(scratch.pack, SL_PACK_VERSION, index, index_bytes, original, length);
    expect_pack_refused(scratch.pack, -EBADMSG, -EBADMSG, NULL);
    scratch_end(&scratch);
}
