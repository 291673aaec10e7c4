/* Encoded weights: error bounds of every encoding, the same bits from every instruction set, packs
 * that hold them, and one digest whatever the way. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/decode.h"
#include "kernels/isa.h"
#include "models/caffe_text.h"
#include "models/encoding.h"
#include "models/lossless.h"
#include "models/pack_format.h"
#include "models/row_scale.h"
#include "pack_fixture.h"
#include "policies/policy.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"
#include "runtime/base/units.h"
#include "runtime/engine/engine.h"

/* Those that round come first. */
static const enum sl_encoding encodings[] = {SL_ENCODING_F16, SL_ENCODING_BF16, SL_ENCODING_I8,
                                             SL_ENCODING_LOSSLESS};
#define ENCODINGS (sizeof(encodings) / sizeof(encodings[0]))
#define ROUNDING  (ENCODINGS - 1)

static float decode_one(enum sl_encoding encoding, const void *encoded, float scale)
{
    float value;
    const struct sl_decode_values decode = {encoding, scale, encoded, 1, 0, &value};
    sl_isa()->decode(&decode);
    return value;
}

static float round_trip(enum sl_encoding encoding, float value, float scale)
{
    uint16_t encoded = 0;
    sl_encode(encoding, &value, 1, scale, &encoded);
    return decode_one(encoding, &encoded, scale);
}

/* A float of any magnitude from 2^least to 2^most. */
static float any_float(uint64_t *rng, int least, int most)
{
    double exponent = least + (most - least) * sl_rng_unit(rng);
    float value = (float)pow(2, exponent);
    return sl_rng_unit(rng) < 0.5 ? value : -value;
}

Test(encoding, f16_is_the_nearest)
{
    uint64_t rng = 1;
    for (int i = 0; i < 200000; i++) {
        float value = any_float(&rng, -30, 15.9);
        double error = fabs((double)round_trip(SL_ENCODING_F16, value, 0) - (double)value);
        double bound = fmax(fabs((double)value) * 0x1p-11, 0x1p-25);
        cr_assert(error <= bound, "%a: error %a, bound %a", (double)value, error, bound);
    }
    /* Halves of the last place go to the even neighbour. */
    cr_assert(round_trip(SL_ENCODING_F16, 1 + 0x1p-11f, 0) == 1);
    cr_assert(round_trip(SL_ENCODING_F16, 1 + 3 * 0x1p-11f, 0) == 1 + 0x1p-9f);
    cr_assert(round_trip(SL_ENCODING_F16, 0x1p-25f, 0) == 0);
    cr_assert(round_trip(SL_ENCODING_F16, 3 * 0x1p-25f, 0) == 0x1p-23f);
    cr_assert(round_trip(SL_ENCODING_F16, 65519, 0) == 65504);
}

Test(encoding, f16_keeps_what_it_can_hold)
{
    for (uint32_t half = 0; half < 0x10000; half++) {
        uint16_t before = (uint16_t)half, after;
        float value = decode_one(SL_ENCODING_F16, &before, 0);
        sl_encode(SL_ENCODING_F16, &value, 1, 0, &after);
        if ((half & 0x7fff) < 0x7c00)
            cr_assert_eq(before, after, "%04x became %04x", before, after);
        else
            cr_assert((half & 0x7fff) == 0x7c00 ? isinf(value) : isnan(value));
    }
}

Test(encoding, bf16_is_the_nearest)
{
    uint64_t rng = 2;
    for (int i = 0; i < 200000; i++) {
        float value = any_float(&rng, -126, 127.9);
        double error = fabs((double)round_trip(SL_ENCODING_BF16, value, 0) - (double)value);
        cr_assert(error <= fabs((double)value) * 0x1p-8, "%a", (double)value);
    }
    cr_assert(round_trip(SL_ENCODING_BF16, 1 + 0x1p-8f, 0) == 1);
    cr_assert(round_trip(SL_ENCODING_BF16, 1 + 3 * 0x1p-8f, 0) == 1 + 0x1p-6f);
}

Test(encoding, i8_stays_within_half_a_step)
{
    uint64_t rng = 3;
    for (int row = 0; row < 2000; row++) {
        float values[97];
        int least = -140 + (int)sl_rng_below(&rng, 240);
        for (int i = 0; i < 97; i++)
            values[i] = any_float(&rng, least, least + 6) * (float)(row % 7 > 0);
        float largest = sl_largest_magnitude(values, 97), scale = sl_i8_scale(largest);
        for (int i = 0; i < 97; i++) {
            double error =
                fabs((double)round_trip(SL_ENCODING_I8, values[i], scale) - (double)values[i]);
            /* A scale that is subnormal has few digits itself. */
            double bound = (double)scale * (0.5 + 1e-5) + 127 * 0x1p-149;
            cr_assert(error <= bound, "%a: error %a, bound %a", (double)values[i], error, bound);
        }
    }
}

Test(encoding, counts_what_it_saturates)
{
    const float values[] = {65504, 65520, -70000, INFINITY, FLT_MAX, -1};
    uint16_t encoded[6];
    cr_assert_eq(sl_encode(SL_ENCODING_F16, values, 6, 0, encoded), 4);
    for (int i = 1; i < 5; i++)
        cr_assert(decode_one(SL_ENCODING_F16, &encoded[i], 0) == (i == 2 ? -65504.0f : 65504.0f));
    cr_assert_eq(sl_encode(SL_ENCODING_BF16, values, 6, 0, encoded), 2);
    cr_assert(isfinite(decode_one(SL_ENCODING_BF16, &encoded[4], 0)));
    cr_assert(isnan(round_trip(SL_ENCODING_F16, NAN, 0)));
    cr_assert(isnan(round_trip(SL_ENCODING_BF16, NAN, 0)));
    cr_assert(isinf(sl_largest_magnitude(values, 4)));
}

Test(encoding, every_instruction_set_decodes_the_same_bits)
{
    static const char *const sets[] = {"generic", "neon", "avx2", "avx512"};
    static uint16_t encoded[0x10000 + 3];
    static float first[0x10000 + 3], other[0x10000 + 3];
    for (uint32_t i = 0; i < 0x10000 + 3; i++)
        encoded[i] = (uint16_t)i;
    for (size_t e = 0; e < ROUNDING; e++) {
        int compared = 0;
        for (size_t s = 0; s < 4; s++) {
            if (sl_kernels_force_isa(sets[s], NULL))
                continue;
            float *destination = compared++ ? other : first;
            for (int offset = 0; offset < 3; offset++) {
                const struct sl_decode_values decode = {encodings[e], 0.37f, encoded + offset,
                                                        0x10000,      0,     destination + offset};
                sl_isa()->decode(&decode);
            }
            if (compared > 1)
                cr_assert_eq(memcmp(first, other, sizeof(first)), 0, "%s decodes %s otherwise",
                             sets[s], sl_encoding_name(encodings[e]));
        }
        cr_assert(compared >= 1);
    }
    sl_kernels_force_isa(NULL, NULL);
}

Test(encoding, names)
{
    struct sl_error error = {0};
    enum sl_encoding encoding;
    for (int i = 0; i < SL_ENCODINGS; i++) {
        const char *name = sl_encoding_name((enum sl_encoding)i);
        cr_assert_eq(sl_encoding_parse(name, &encoding, &error), 0);
        cr_assert_eq((int)encoding, i);
    }
    cr_assert_eq(sl_encoding_parse(NULL, &encoding, &error), 0);
    cr_assert_eq(encoding, SL_ENCODING_F32);
    cr_assert_eq(sl_encoding_parse("fp16", &encoding, &error), -EINVAL);
    cr_assert(strstr(error.text, "bf16"), "%s", error.text);
}

/* ---- Packs --------------------------------------------------------------------------------- */

/* Weights as a pack of that encoding gives them back. */
struct rounded_weights {
    struct sl_weight_source source; /* first */
    enum sl_encoding encoding;
};

static bool is_large(const char *type, int blob)
{
    return blob == 0 && (strcmp(type, "Convolution") == 0 || strcmp(type, "InnerProduct") == 0 ||
                         strcmp(type, "Deconvolution") == 0);
}

static int read_rounded(struct sl_weight_source *source, const char *layer, const char *type,
                        int blob, const struct sl_shape *shape, int64_t first, int64_t count,
                        float *destination, struct sl_error *error)
{
    enum sl_encoding encoding = ((struct rounded_weights *)source)->encoding;
    struct rule_weights rule;
    rule_weights_init(&rule);
    if (encoding == SL_ENCODING_F32 || encoding == SL_ENCODING_LOSSLESS || !is_large(type, blob))
        return rule.source.read(&rule.source, layer, type, blob, shape, first, count, destination,
                                error);
    int64_t depth = sl_shape_count(shape) / shape->dim[0];
    SL_AUTO_FREE float *row_values = malloc((size_t)depth * sizeof(*row_values));
    int64_t row = -1;
    float scale = 0;
    for (int64_t i = first; i < first + count; i++) {
        if (i / depth != row) {
            row = i / depth;
            rule.source.read(&rule.source, layer, type, blob, shape, row * depth, depth, row_values,
                             error);
            scale = sl_i8_scale(sl_largest_magnitude(row_values, depth));
        }
        destination[i - first] = round_trip(encoding, row_values[i % depth], scale);
    }
    return 0;
}

static void close_nothing(struct sl_weight_source *source)
{
    (void)source;
}

/* rounded: the weights are rounded before, and stored as float32. */
static struct sl_pack *make_pack(const struct scratch *scratch, const char *text,
                                 enum sl_encoding encoding, bool rounded, uint64_t shard_bytes)
{
    Caffe__NetParameter *message = parse_network(text);
    struct rounded_weights weights = {.source = {read_rounded, close_nothing},
                                      .encoding = rounded ? encoding : SL_ENCODING_F32};
    const struct sl_import_options options = {
        .output = scratch->pack,
        .shard_bytes = shard_bytes,
        .encoding = rounded ? SL_ENCODING_F32 : encoding,
    };
    struct sl_error error = {0};
    struct sl_pack *pack = NULL;
    cr_assert_eq(sl_pack_write(message, &weights.source, &options, NULL, &error), 0, "%s",
                 error.text);
    cr_assert_eq(sl_pack_open(scratch->pack, NULL, &pack, &error), 0, "%s", error.text);
    sl_caffe_free(message);
    return pack;
}

static uint32_t version_of(const char *path)
{
    SL_AUTO_FD int fd = open(path, O_RDONLY);
    uint32_t version = 0;
    cr_assert_eq(pread(fd, &version, sizeof(version), 8), (ssize_t)sizeof(version));
    return version;
}

/* Shards that hold 100 KB each at most cut every layer of residual_text that can be cut. */
Test(encoding, packs_shrink_and_say_so)
{
    for (size_t e = 0; e < ENCODINGS; e++) {
        struct scratch scratch;
        scratch_begin(&scratch);
        struct sl_pack *plain = make_pack(&scratch, lenet_text, SL_ENCODING_F32, false, 100000);
        cr_assert_eq(version_of(scratch.pack), 1);
        struct sl_pack *pack = make_pack(&scratch, lenet_text, encodings[e], false, 100000);
        cr_assert_eq(version_of(scratch.pack), encodings[e] == SL_ENCODING_LOSSLESS ? 3 : 2);
        double ratio = (double)pack->weight_bytes / (double)plain->weight_bytes;
        double wanted = (double)sl_encoding_row_bytes(encodings[e], 1024, 0) / 4096;
        cr_assert(ratio > wanted && ratio < wanted * 1.05, "%s: %g", sl_encoding_name(encodings[e]),
                  ratio);
        cr_assert(pack->file_bytes < plain->file_bytes);
        cr_assert(pack->shard_count <= plain->shard_count);
        for (int l = 0; l < pack->network->layer_count; l++) {
            const struct sl_layer *layer = &pack->network->layers[l];
            bool large = layer->weight_count > 0;
            cr_assert_eq(layer->encoding, large ? encodings[e] : SL_ENCODING_F32);
        }
        sl_pack_close(plain);
        sl_pack_close(pack);
        scratch_end(&scratch);
    }
}

/* Rows longer than what import stages at once, and a bias behind an odd number of bytes. */
static const char long_rows_text[] =
    "name: 'Long' input: 'x' input_dim: 1 input_dim: 70001 input_dim: 1 input_dim: 1 "
    "layer { name: 'fc1' type: 'InnerProduct' bottom: 'x' top: 'fc1'"
    "  inner_product_param { num_output: 35 } }"
    "layer { name: 'fc2' type: 'InnerProduct' bottom: 'fc1' top: 'fc2'"
    "  inner_product_param { num_output: 301 } }";

/* Convolutions over the whole map are row dots, here in groups and for two images. */
static const char whole_map_text[] =
    "name: 'Whole' layer { name: 'x' type: 'Input' top: 'x'"
    "  input_param { shape { dim: 2 dim: 6 dim: 5 dim: 7 } } }"
    "layer { name: 'whole' type: 'Convolution' bottom: 'x' top: 'whole' convolution_param {"
    "  num_output: 94 kernel_h: 5 kernel_w: 7 group: 2 } }"
    "layer { name: 'point' type: 'Convolution' bottom: 'whole' top: 'y' convolution_param {"
    "  num_output: 600 kernel_size: 1 } }";

/* Layers that are not row-sharded are decoded whole. */
static const char uncut_text[] =
    "name: 'Uncut' layer { name: 'x' type: 'Input' top: 'x'"
    "  input_param { shape { dim: 1 dim: 6 dim: 7 dim: 5 } } }"
    "layer { name: 'up' type: 'Deconvolution' bottom: 'x' top: 'up' convolution_param {"
    "  num_output: 33 kernel_size: 3 stride: 2 } }"
    "layer { name: 'fc' type: 'InnerProduct' bottom: 'up' top: 'y' inner_product_param {"
    "  num_output: 35 transpose: true } }";

static uint64_t run_digest(const struct sl_pack *pack, const struct sl_engine_options *options)
{
    struct sl_engine *engine = NULL;
    struct sl_error error = {0};
    cr_assert_eq(sl_engine_create(options, &engine, &error), 0, "%s", error.text);
    cr_assert_eq(sl_engine_add(engine, pack, &error), 0, "%s", error.text);
    int64_t count = sl_shape_count(&pack->network->blobs[pack->network->inputs[0]].shape);
    SL_AUTO_FREE float *input = malloc((size_t)count * sizeof(*input));
    for (int64_t i = 0; i < count; i++)
        input[i] = sl_rng_signed_unit(42, (uint64_t)i + 1);
    cr_assert_eq(sl_engine_set_input(engine, 0, 0, input, count, &error), 0, "%s", error.text);
    uint64_t digest = 0;
    for (int again = 1; again >= 0; again--) {
        struct sl_network_result result;
        uint64_t makespan_ns;
        cr_assert_eq(sl_engine_run(engine, (uint64_t)again, &result, &makespan_ns, &error), 0, "%s",
                     error.text);
        cr_assert(again || result.digest == digest);
        digest = result.digest;
    }
    struct sl_engine_facts facts;
    sl_engine_facts(engine, &facts);
    cr_assert(facts.scratch_bytes < 16 * SL_MIB);
    sl_engine_free(engine);
    return digest;
}

/* The bits are those of float32 kernels on the weights, rounded or not: nothing else is lost,
 * whatever the shards, the threads and the policy. */
Test(encoding, one_digest_that_of_the_rounded_weights)
{
    static const char *const texts[] = {lenet_text, residual_text, long_rows_text, whole_map_text,
                                        uncut_text};
    for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
        for (size_t e = 0; e < ENCODINGS; e++) {
            struct scratch scratch;
            scratch_begin(&scratch);
            struct sl_engine_options options = {
                .threads = 1, .budget_bytes = UINT64_MAX, .verify = true};
            struct sl_pack *rounded = make_pack(&scratch, texts[t], encodings[e], true, 0);
            uint64_t digest = run_digest(rounded, &options);
            sl_pack_close(rounded);
            const uint64_t sizes[] = {1, 100 * SL_KIB, SL_MIB, UINT64_MAX};
            for (int s = 0; s < 4; s++) {
                struct sl_pack *pack = make_pack(&scratch, texts[t], encodings[e], false, sizes[s]);
                for (int p = 0; sl_policy_at(p); p++) {
                    options.policy = sl_policy_at(p)->name;
                    options.threads = 1 + (p + s) % 3;
                    cr_assert_eq(run_digest(pack, &options), digest, "%s, network %zu, %s, size %d",
                                 sl_encoding_name(encodings[e]), t, options.policy, s);
                }
                sl_pack_close(pack);
            }
            scratch_end(&scratch);
        }
    }
}

static int infinite_read(struct sl_weight_source *source, const char *layer, const char *type,
                         int blob, const struct sl_shape *shape, int64_t first, int64_t count,
                         float *destination, struct sl_error *error)
{
    (void)source, (void)layer, (void)type, (void)blob, (void)shape, (void)first, (void)error;
    for (int64_t i = 0; i < count; i++)
        destination[i] = i == count - 1 ? INFINITY : 1;
    return 0;
}

Test(encoding, i8_refuses_what_is_not_finite)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    struct sl_weight_source weights = {infinite_read, close_nothing};
    Caffe__NetParameter *message = parse_network(lenet_text);
    struct sl_import_options options = {.output = scratch.pack, .encoding = SL_ENCODING_I8};
    struct sl_import_report report;
    struct sl_error error = {0};
    cr_assert_eq(sl_pack_write(message, &weights, &options, &report, &error), -ERANGE);
    cr_assert(strstr(error.text, "conv1") && strstr(error.text, "--encode f32"), "%s", error.text);
    cr_assert_eq(scratch_count(&scratch), 0);
    options.encoding = SL_ENCODING_F16;
    cr_assert_eq(sl_pack_write(message, &weights, &options, &report, &error), 0, "%s", error.text);
    cr_assert(report.saturated > 0);
    sl_caffe_free(message);
    scratch_end(&scratch);
}

/* Weights that lossless finds hard: of any bits in some layers, so that most are exceptions, and in
 * each row of ip1 one number that is none, with a payload. */
static uint32_t hard_bits(const char *layer, int64_t element, int64_t depth)
{
    uint64_t key = sl_fnv1a(layer);
    float value = sl_rng_signed_unit(key, (uint64_t)element + 1);
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    if (strcmp(layer, "conv2") == 0)
        return (uint32_t)sl_mix64(key + (uint64_t)element);
    if (strcmp(layer, "ip1") == 0 && element % depth == element / depth)
        return 0xffc00000 | (uint32_t)element;
    return bits;
}

static int hard_read(struct sl_weight_source *source, const char *layer, const char *type, int blob,
                     const struct sl_shape *shape, int64_t first, int64_t count, float *destination,
                     struct sl_error *error)
{
    (void)source, (void)type, (void)blob, (void)error;
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = hard_bits(layer, first + i, sl_shape_count(shape) / shape->dim[0]);
        memcpy(&destination[i], &bits, sizeof(bits));
    }
    return 0;
}

static void check_lossless_shard(const struct sl_pack *pack, int index, const unsigned char *file)
{
    const struct sl_shard *shard = &pack->shards[index];
    const struct sl_layer *layer = &pack->network->layers[shard->layer];
    const unsigned char *bytes = file + shard->file_offset;
    struct sl_segment segment;
    sl_shard_segment(pack->network, shard, 0, &segment);
    const int64_t rows = shard->row_end - shard->row_begin, depth = sl_pack_depth(layer);
    const struct sl_decode decode = {
        .encoding = layer->encoding,
        .values = bytes + segment.offset_bytes,
        .scales = (const float *)(const void *)(bytes + segment.scale_offset_bytes),
        .depth = depth,
        .exceptions = layer->exceptions,
    };
    SL_AUTO_FREE float *decoded = malloc((size_t)(rows * depth) * sizeof(*decoded));
    sl_decode_rows(&decode, 0, rows, decoded, NULL);
    for (int64_t i = 0; i < rows * depth; i++) {
        uint32_t bits, expected = hard_bits(layer->name, shard->row_begin * depth + i, depth);
        memcpy(&bits, &decoded[i], sizeof(bits));
        cr_assert_eq(bits, expected, "%s, element %d", layer->name, (int)i);
    }
}

/* What does not become smaller stays float32; what does keeps every bit. */
Test(encoding, lossless_packs_hold_any_weights)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    struct sl_weight_source weights = {hard_read, close_nothing};
    Caffe__NetParameter *message = parse_network(lenet_text);
    const struct sl_import_options options = {
        .output = scratch.pack, .encoding = SL_ENCODING_LOSSLESS, .shard_bytes = 100000};
    struct sl_error error = {0};
    struct sl_pack *pack = NULL;
    cr_assert_eq(sl_pack_write(message, &weights, &options, NULL, &error), 0, "%s", error.text);
    cr_assert_eq(sl_pack_open(scratch.pack, NULL, &pack, &error), 0, "%s", error.text);
    size_t length;
    SL_AUTO_FREE unsigned char *file = read_file(scratch.pack, &length);
    int encoded = 0;
    for (int s = 0; s < pack->shard_count; s++) {
        const struct sl_layer *layer = &pack->network->layers[pack->shards[s].layer];
        bool hard = strcmp(layer->name, "conv2") == 0;
        cr_assert_eq(layer->encoding, hard ? SL_ENCODING_F32 : SL_ENCODING_LOSSLESS, "%s",
                     layer->name);
        cr_assert(strcmp(layer->name, "ip1") != 0 || layer->exceptions > 0);
        if (layer->encoding == SL_ENCODING_LOSSLESS)
            check_lossless_shard(pack, s, file);
        encoded += layer->encoding == SL_ENCODING_LOSSLESS;
    }
    cr_assert(encoded > 3);
    sl_pack_close(pack);
    sl_caffe_free(message);
    scratch_end(&scratch);
}

static int refuse_read(struct sl_weight_source *source, const char *layer, const char *type,
                       int blob, const struct sl_shape *shape, int64_t first, int64_t count,
                       float *destination, struct sl_error *error)
{
    (void)source, (void)layer, (void)type, (void)blob, (void)shape, (void)first, (void)count;
    (void)destination;
    return sl_error_set(error, EIO, "read for nothing");
}

/* An exception's index has 24 bits: longer rows stay float32. */
Test(encoding, lossless_leaves_very_long_rows_alone)
{
    struct sl_weight_source weights = {refuse_read, close_nothing};
    struct sl_error error = {0};
    for (int64_t more = 0; more < 2; more++) {
        struct sl_layer layer = {.type = SL_LAYER_INNER_PRODUCT, .weight_count = 1};
        const int64_t depth = SL_LOSSLESS_DEPTH_MOST + more;
        layer.weights[0] = (struct sl_weight){{.axes = 2, .dim = {1, depth}}, depth};
        int result = sl_layer_encode(&weights, &layer, SL_ENCODING_LOSSLESS, &error);
        cr_assert_eq(result, more ? 0 : -EIO);
        cr_assert(!more || layer.encoding == SL_ENCODING_F32);
    }
}
