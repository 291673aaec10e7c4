#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/caffe_text.h"
#include "models/pack_format.h"
#include "pack_fixture.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"
#include "runtime/base/units.h"

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

/* The pack in the scratch directory, opened as `file` of it. */
static void expect_name(const struct scratch *scratch, const char *file, const char *wanted)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", scratch->directory, file);
    cr_assert_eq(link(scratch->pack, path), 0);
    struct sl_pack *pack = open_pack(path);
    cr_expect_str_eq(pack->network->name, wanted, "%s", file);
    sl_pack_close(pack);
}

Test(pack, network_without_a_name_has_that_of_the_file)
{
    static const char nameless[] =
        "input: 'x' input_dim: 1 input_dim: 10 input_dim: 1 input_dim: 1 "
        "layer { name: 'fc' type: 'InnerProduct' bottom: 'x' top: 'fc'"
        "  inner_product_param { num_output: 3 } }";
    struct scratch scratch;
    scratch_begin(&scratch);
    write_pack(&scratch, nameless, false, SL_MIB);
    expect_name(&scratch, "mine.sluice", "mine");
    expect_name(&scratch, "mine.v2.sluice", "mine.v2");
    expect_name(&scratch, "mine", "mine");
    expect_name(&scratch, ".hidden", ".hidden");
    scratch_end(&scratch);
    scratch_begin(&scratch);
    write_pack(&scratch, wide_text, false, SL_MIB);
    expect_name(&scratch, "mine.sluice", "Wide");
    scratch_end(&scratch);
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
        expect_pack_refused(scratch.pack, -EBADMSG, -EBADMSG, NULL);
    }
    write_file(scratch.pack, bytes, length - 1);
    expect_pack_refused(scratch.pack, -EBADMSG, -EBADMSG, "truncated");
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
        expect_pack_refused(scratch.pack, -EBADMSG, -EBADMSG, NULL);
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

Test(pack, what_is_no_pack_is_refused)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    expect_pack_refused(scratch.pack, -ENOENT, -ENOENT, "cannot open");
    expect_pack_refused(scratch.directory, -EISDIR, -EISDIR, "directory");
    char junk[8192] = "name: \"LeNet\"";
    write_file(scratch.pack, junk, sizeof(junk));
    expect_pack_refused(scratch.pack, -EBADMSG, -EBADMSG, "sluice import");
    unlink(scratch.pack);
    cr_assert_eq(mkfifo(scratch.pack, 0600), 0);
    expect_pack_refused(scratch.pack, -EBADMSG, -EBADMSG, "regular file");
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
