#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/caffe_text.h"
#include "models/pack.pb-c.h"
#include "models/pack_format.h"
#include "pack_fixture.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"
#include "runtime/base/units.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Fully connected layers of about 4 and 1.3 MB: several shards at all sizes but the largest. */
static const char wide_text[] =
    "name: 'Wide' input: 'x' input_dim: 1 input_dim: 1000 input_dim: 1 input_dim: 1 "
    "layer { name: 'fc1' type: 'InnerProduct' bottom: 'x' top: 'fc1'"
    "  inner_product_param { num_output: 1003 } }"
    "layer { name: 'fc2' type: 'InnerProduct' bottom: 'fc1' top: 'fc2'"
    "  inner_product_param { num_output: 331 bias_term: false } }";

static struct sl_pack *open_pack(const char *path)
{
    struct sl_pack *pack = NULL;
    struct sl_error error = {0};
    int result = sl_pack_open(path, NULL, &pack, &error);
    cr_assert_eq(result, 0, "%s", error.text);
    return pack;
}

/* Opening fails with one of two codes and a message that names the file and a cure. */
static void expect_refused(const char *path, int code, int other_code, const char *words)
{
    struct sl_pack *pack = NULL;
    struct sl_error error = {0};
    int result = sl_pack_open(path, NULL, &pack, &error);
    cr_assert(result == code || result == other_code, "%d: %s", result, error.text);
    cr_assert_null(pack);
    cr_assert(strstr(error.text, path), "%s", error.text);
    cr_assert(!words || strstr(error.text, words), "%s", error.text);
}

static unsigned char *read_shard(int file, const struct sl_shard *shard)
{
    unsigned char *bytes = malloc(sl_align_up(shard->bytes, SL_PACK_ALIGNMENT));
    cr_assert(bytes);
    ssize_t length = (ssize_t)sl_align_up(shard->bytes, SL_PACK_ALIGNMENT);
    cr_assert_eq(pread(file, bytes, (size_t)length, (off_t)shard->file_offset), length);
    return bytes;
}

/* Every element of every weight is in the shards once, in its place, as the rule has it. */
static void expect_rule_weights(const struct sl_pack *pack)
{
    SL_AUTO_FD int file = open(pack->path, O_RDONLY);
    for (int l = 0; l < pack->network->layer_count; l++) {
        const struct sl_layer *layer = &pack->network->layers[l];
        int64_t next[SL_MAX_WEIGHTS] = {0};
        for (int s = pack->layer_first_shard[l]; s < pack->layer_first_shard[l + 1]; s++) {
            const struct sl_shard *shard = &pack->shards[s];
            SL_AUTO_FREE unsigned char *bytes = read_shard(file, shard);
            struct sl_error error = {0};
            cr_assert_eq(sl_shard_verify(pack, s, bytes, &error), 0, "%s", error.text);
            for (int w = 0; w < layer->weight_count; w++) {
                struct sl_segment segment;
                sl_shard_segment(pack->network, shard, w, &segment);
                const uint64_t offset = segment.offset_bytes;
                const int64_t count = segment.count;
                cr_assert_eq(segment.encoding, SL_ENCODING_F32);
                cr_assert(offset % SL_SEGMENT_ALIGNMENT == 0);
                cr_assert(offset + (uint64_t)count * sizeof(float) <= shard->bytes || count == 0);
                SL_AUTO_FREE float *wanted = malloc((size_t)count * sizeof(*wanted) + 1);
                cr_assert(wanted);
                rule_values(layer->name, sl_layer_type_name(layer->type), w, next[w], count,
                            wanted);
                next[w] += count;
                cr_assert(memcmp(wanted, bytes + offset, (size_t)count * sizeof(*wanted)) == 0,
                          "layer %s weight %d shard %d", layer->name, w, s);
            }
        }
        for (int w = 0; w < layer->weight_count; w++)
            cr_assert_eq(next[w], layer->weights[w].count, "layer %s weight %d", layer->name, w);
    }
}

Test(pack, holds_what_was_imported)
{
    const char *const texts[] = {
        lenet_text,
        residual_text,
        wide_text,
        sl_topology_find("squeezenet")->prototxt,
        sl_topology_find("mobilenet")->prototxt,
    };
    const uint64_t sizes[] = {1, 256 * SL_KIB, SL_MIB, 4 * SL_MIB, UINT64_MAX};
    for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
        for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            struct scratch scratch;
            scratch_begin(&scratch);
            struct sl_import_report report = write_pack(&scratch, texts[t], false, sizes[s]);
            cr_assert_eq(scratch_count(&scratch), 1);
            struct sl_pack *pack = open_pack(scratch.pack);
            expect_rule_weights(pack);
            cr_expect_eq(report.shards, pack->shard_count);
            cr_expect_eq(report.file_bytes, pack->file_bytes);
            cr_expect_eq(report.weight_bytes, pack->weight_bytes);
            cr_expect_eq(report.layers_after, pack->network->layer_count);
            cr_expect_eq(report.layers_before, report.layers_after);
            cr_expect(!pack->folded);
            sl_pack_close(pack);
            scratch_end(&scratch);
        }
    }
}

Test(pack, shards_are_even_and_start_at_quanta)
{
    const uint64_t sizes[] = {100 * SL_KIB, 256 * SL_KIB, 300 * SL_KIB, SL_MIB, 3 * SL_MIB};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct scratch scratch;
        scratch_begin(&scratch);
        write_pack(&scratch, wide_text, false, sizes[i]);
        struct sl_pack *pack = open_pack(scratch.pack);
        for (int l = 0; l < pack->network->layer_count; l++) {
            int64_t least = INT64_MAX, most = 0;
            for (int s = pack->layer_first_shard[l]; s < pack->layer_first_shard[l + 1]; s++) {
                const struct sl_shard *shard = &pack->shards[s];
                int64_t rows = shard->row_end - shard->row_begin;
                cr_expect_eq(shard->row_begin % SL_ROW_QUANTUM, 0);
                cr_expect_eq(shard->file_offset % SL_PACK_ALIGNMENT, 0);
                cr_expect(shard->bytes <= sizes[i] * 3 / 2 || rows <= SL_ROW_QUANTUM);
                least = rows < least ? rows : least;
                most = rows > most ? rows : most;
            }
            cr_expect(most - least < 2 * SL_ROW_QUANTUM || most == 0, "%lld to %lld rows",
                      (long long)least, (long long)most);
        }
        sl_pack_close(pack);
        scratch_end(&scratch);
    }
}

Test(pack, is_the_same_file_every_time)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    size_t length[2];
    unsigned char *bytes[2];
    for (int i = 0; i < 2; i++) {
        write_pack(&scratch, residual_text, true, 0);
        bytes[i] = read_file(scratch.pack, &length[i]);
    }
    cr_assert_eq(length[0], length[1]);
    cr_assert_arr_eq(bytes[0], bytes[1], length[0]);
    cr_assert_eq(length[0] % SL_PACK_ALIGNMENT, 0);
    free(bytes[0]);
    free(bytes[1]);
    scratch_end(&scratch);
}

/* Layers of training, Silence and headers: the network is the same after a round trip. */
Test(pack, keeps_only_inference)
{
    static const char text[] =
        "name: 'Phases' input: 'x' input_shape { dim: 1 dim: 3 dim: 4 dim: 4 } "
        "layer { name: 'noise' type: 'Dropout' bottom: 'x' top: 'n' include { phase: TRAIN } }"
        "layer { name: 'split' type: 'Slice' bottom: 'x' top: 'a' top: 'b' top: 'c' }"
        "layer { name: 'hush' type: 'Silence' bottom: 'b' }"
        "layer { name: 'relu' type: 'ReLU' bottom: 'a' top: 'a' exclude { phase: TRAIN } }";
    for (int fold = 0; fold < 2; fold++) {
        struct scratch scratch;
        scratch_begin(&scratch);
        struct sl_import_report report = write_pack(&scratch, text, fold, 0);
        cr_expect_eq(report.shards, 0);
        struct sl_pack *pack = open_pack(scratch.pack);
        cr_expect_eq(pack->network->layer_count, 3);
        cr_expect_eq(pack->weight_bytes, 0);
        cr_assert_eq(pack->network->output_count, 2);
        cr_expect_str_eq(pack->network->blobs[pack->network->outputs[0]].name, "c");
        cr_expect_str_eq(pack->network->blobs[pack->network->outputs[1]].name, "a");
        sl_pack_close(pack);
        scratch_end(&scratch);
    }
}

Test(pack, stores_preprocessing_and_takes_a_batch)
{
    static const char text[] = "name: 'P' layer { name: 'x' type: 'Input' top: 'x' input_param {"
                               "  shape { dim: 1 dim: 3 dim: 2 dim: 2 } } }"
                               "layer { name: 'relu' type: 'ReLU' bottom: 'x' top: 'y' }";
    const float mean[] = {104, 117, 123};
    const char *const labels[] = {"tench", "", "great white shark"};
    struct scratch scratch;
    scratch_begin(&scratch);
    struct sl_import_options options = {
        .output = scratch.pack,
        .preprocessing = {.order = SL_CHANNELS_RGB,
                          .resize_short = 256,
                          .crop = 2,
                          .scale = 0.5f,
                          .mean_count = 3,
                          .mean = mean,
                          .label_count = 3,
                          .labels = labels},
    };
    struct rule_weights weights;
    rule_weights_init(&weights);
    Caffe__NetParameter *message = parse_network(text);
    struct sl_error error = {0};
    int result = sl_pack_write(message, &weights.source, &options, NULL, &error);
    cr_assert_eq(result, 0, "%s", error.text);
    struct sl_pack *pack = NULL;
    const struct sl_network_options batch = {.batch = 5};
    cr_assert_eq(sl_pack_open(scratch.pack, &batch, &pack, &error), 0, "%s", error.text);
    cr_expect_eq(pack->network->blobs[0].shape.dim[0], 5);
    cr_expect_eq(pack->preprocessing.order, SL_CHANNELS_RGB);
    cr_expect_eq(pack->preprocessing.resize_short, 256);
    cr_expect_eq(pack->preprocessing.crop, 2);
    cr_expect(pack->preprocessing.scale == 0.5f);
    cr_assert_eq(pack->preprocessing.mean_count, 3);
    cr_expect(pack->preprocessing.mean[2] == 123);
    cr_assert_eq(pack->preprocessing.label_count, 3);
    cr_expect_str_eq(pack->preprocessing.labels[2], "great white shark");
    sl_pack_close(pack);

    options.preprocessing.mean_count = 2;
    cr_expect_eq(sl_pack_write(message, &weights.source, &options, NULL, &error), -EINVAL);
    cr_expect(strstr(error.text, "3 channels"), "%s", error.text);
    sl_caffe_free(message);
    scratch_end(&scratch);
}

Test(pack, truncated_files_are_refused)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    write_pack(&scratch, lenet_text, false, 256 * SL_KIB);
    size_t length;
    SL_AUTO_FREE unsigned char *bytes = read_file(scratch.pack, &length);
    uint64_t state = 1;
    for (size_t cut = 0; cut < 200; cut++) {
        size_t kept = cut < 100 ? cut * 97 : sl_rng_below(&state, length);
        write_file(scratch.pack, bytes, kept);
        expect_refused(scratch.pack, -EBADMSG, -EBADMSG, NULL);
    }
    write_file(scratch.pack, bytes, length - 1);
    expect_refused(scratch.pack, -EBADMSG, -EBADMSG, "truncated");
    scratch_end(&scratch);
}

/* A flipped bit of block 0 or the index is refused at once, one of a shard when it is verified. */
Test(pack, flipped_bits_are_found)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    write_pack(&scratch, lenet_text, true, 256 * SL_KIB);
    struct sl_pack *pack = open_pack(scratch.pack);
    size_t length;
    SL_AUTO_FREE unsigned char *bytes = read_file(scratch.pack, &length);
    uint64_t index_bytes;
    memcpy(&index_bytes, bytes + 16, sizeof(index_bytes));
    for (size_t i = 0; i < SL_PACK_ALIGNMENT + index_bytes; i += i < 64 ? 1 : 13) {
        bytes[i] ^= (unsigned char)(1u << i % 8);
        write_file(scratch.pack, bytes, SL_PACK_ALIGNMENT + sl_align_up(index_bytes, 4096));
        cr_assert_eq(truncate(scratch.pack, (off_t)length), 0);
        expect_refused(scratch.pack, -EBADMSG, -EBADMSG, NULL);
        bytes[i] ^= (unsigned char)(1u << i % 8);
    }
    for (int s = 0; s < pack->shard_count; s++) {
        unsigned char *content = bytes + pack->shards[s].file_offset;
        struct sl_error error = {0};
        cr_assert_eq(sl_shard_verify(pack, s, content, &error), 0);
        for (uint64_t i = 0; i < pack->shards[s].bytes; i += pack->shards[s].bytes / 5 + 1) {
            content[i] ^= 16;
            cr_assert_eq(sl_shard_verify(pack, s, content, &error), -EBADMSG);
            const struct sl_layer *layer = &pack->network->layers[pack->shards[s].layer];
            cr_assert(strstr(error.text, layer->name) && strstr(error.text, scratch.pack));
            cr_assert(strstr(error.text, "import"), "%s", error.text);
            content[i] ^= 16;
        }
    }
    sl_pack_close(pack);
    scratch_end(&scratch);
}

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
    expect_refused(scratch.pack, -EPROTO, -EPROTO, "version 7");
    expect_refused(scratch.pack, -EPROTO, -EPROTO, "update sluice");
    forge(scratch.pack, 0, bytes + SL_PACK_ALIGNMENT, index_bytes, bytes, length);
    expect_refused(scratch.pack, -EBADMSG, -EBADMSG, "version 0");
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
    static void (*const lies[])(Sluice__PackIndex * index) = {
        wrong_layer,       no_such_layer,      rows_missing,        rows_beyond,
        bytes_wrong,       outside_file,       overlapping,         misaligned,
        shard_missing,     activation_nowhere, activation_on_input, activation_not_a_number,
        layer_grown,       mean_does_not_fit,  order_unknown,       encoding_nowhere,
        encoding_on_input, encoding_unknown,   encoding_of_others,
    };
    struct scratch scratch;
    scratch_begin(&scratch);
    write_pack(&scratch, lenet_text, true, 256 * SL_KIB);
    size_t length;
    SL_AUTO_FREE unsigned char *bytes = read_file(scratch.pack, &length);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        forge_lie(scratch.pack, SL_PACK_VERSION, lies[i], bytes, length);
        struct sl_pack *pack = NULL;
        struct sl_error error = {0};
        int result = sl_pack_open(scratch.pack, NULL, &pack, &error);
        cr_expect(result == -EBADMSG, "lie %zu: %d %s", i, result, error.text);
    }
    scratch_end(&scratch);
}

Test(pack, what_an_encoding_cannot_have_is_named)
{
    static const struct {
        uint32_t version;
        void (*lie)(Sluice__PackIndex *index);
        const char *words;
    } lies[] = {
        {1, encoding_of_others, "knows no encodings"},
        {2, exceptions_of_others, "does not know the encoding"},
        {3, exceptions_of_f16, "has no exceptions"},
        {3, exceptions_beyond_depth, "more exceptions than elements"},
        {3, exceptions_of_others, "not the size of its rows"},
        {3, encoding_unknown, "unknown"},
    };
    struct scratch scratch;
    scratch_begin(&scratch);
    write_pack(&scratch, lenet_text, true, 256 * SL_KIB);
    size_t length;
    SL_AUTO_FREE unsigned char *bytes = read_file(scratch.pack, &length);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        forge_lie(scratch.pack, lies[i].version, lies[i].lie, bytes, length);
        expect_refused(scratch.pack, -EBADMSG, -EBADMSG, lies[i].words);
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
    expect_refused(scratch.pack, -EBADMSG, -EBADMSG, NULL);
    scratch_end(&scratch);
}

Test(pack, what_is_no_pack_is_refused)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    expect_refused(scratch.pack, -ENOENT, -ENOENT, "cannot open");
    expect_refused(scratch.directory, -EISDIR, -EISDIR, "directory");
    char junk[8192] = "name: \"LeNet\"";
    write_file(scratch.pack, junk, sizeof(junk));
    expect_refused(scratch.pack, -EBADMSG, -EBADMSG, "sluice import");
    unlink(scratch.pack);
    cr_assert_eq(mkfifo(scratch.pack, 0600), 0);
    expect_refused(scratch.pack, -EBADMSG, -EBADMSG, "regular file");
    scratch_end(&scratch);
}

/* A failed import leaves an older pack as it was, and nothing else. */
Test(pack, a_failure_leaves_no_file)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    write_pack(&scratch, lenet_text, false, 0);
    size_t length, length_after;
    SL_AUTO_FREE unsigned char *before = read_file(scratch.pack, &length);
    for (int fold = 0; fold < 2; fold++) {
        struct rule_weights weights;
        rule_weights_init(&weights);
        weights.missing = fold ? "scale" : "slope";
        Caffe__NetParameter *message = parse_network(residual_text);
        struct sl_import_options options = {.output = scratch.pack, .fold = fold};
        struct sl_import_report report;
        struct sl_error error = {0};
        cr_assert_eq(sl_pack_write(message, &weights.source, &options, &report, &error), -ENOENT);
        cr_expect(strstr(error.text, "Residual") && strstr(error.text, weights.missing), "%s",
                  error.text);
        cr_expect(strstr(error.text, "import"), "%s", error.text);
        sl_caffe_free(message);
        cr_assert_eq(scratch_count(&scratch), 1);
    }
    SL_AUTO_FREE unsigned char *after = read_file(scratch.pack, &length_after);
    cr_assert_eq(length, length_after);
    cr_assert_arr_eq(before, after, length);
    scratch_end(&scratch);
}

static int try_output(const char *path, struct sl_error *error)
{
    struct rule_weights weights;
    rule_weights_init(&weights);
    Caffe__NetParameter *message = parse_network(wide_text);
    struct sl_import_options options = {.output = path};
    struct sl_import_report report;
    int result = sl_pack_write(message, &weights.source, &options, &report, error);
    sl_caffe_free(message);
    return result;
}

Test(pack, outputs_that_cannot_be)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    char path[300];
    struct sl_error error = {0};
    snprintf(path, sizeof(path), "%s/none/net.sluice", scratch.directory);
    cr_expect_eq(try_output(path, &error), -ENOENT, "%s", error.text);
    cr_expect(strstr(error.text, "none"), "%s", error.text);
    cr_expect_eq(try_output(scratch.directory, &error), -EISDIR, "%s", error.text);
    snprintf(path, sizeof(path), "%s/", scratch.directory);
    cr_expect_eq(try_output(path, &error), -EISDIR, "%s", error.text);
    cr_expect_eq(try_output("/dev/null", &error), -EINVAL, "%s", error.text);
    struct stat status;
    cr_expect(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
    cr_expect_eq(scratch_count(&scratch), 0);
    scratch_end(&scratch);
}

Test(pack, no_room_is_said_up_front)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    /* In a mount namespace of its own, so that the mount ends with this process at the latest. */
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", scratch.directory, "tmpfs", 0, "size=2m")) {
        scratch_end(&scratch);
        cr_skip_test("skipped: a small tmpfs cannot be mounted (needs root): %s", strerror(errno));
    }
    struct sl_error error = {0};
    int result = try_output(scratch.pack, &error);
    int left = scratch_count(&scratch);
    umount(scratch.directory);
    scratch_end(&scratch);
    cr_expect_eq(result, -ENOSPC, "%s", error.text);
    cr_expect(strstr(error.text, "are needed"), "%s", error.text);
    cr_expect_eq(left, 0);
}

/* Whatever the size of shards: what import holds does not grow with the network. */
Test(pack, weights_pass_in_small_pieces)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    struct rule_weights weights;
    rule_weights_init(&weights);
    Caffe__NetParameter *message = parse_network(wide_text);
    struct sl_import_options options = {.output = scratch.pack, .shard_bytes = UINT64_MAX};
    struct sl_import_report report;
    struct sl_error error = {0};
    int result = sl_pack_write(message, &weights.source, &options, &report, &error);
    cr_assert_eq(result, 0, "%s", error.text);
    cr_expect_eq(report.shards, 2);
    cr_expect(weights.longest_read * (int64_t)sizeof(float) <= (int64_t)SL_MIB);
    sl_caffe_free(message);
    scratch_end(&scratch);
}
