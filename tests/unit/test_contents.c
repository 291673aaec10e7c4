/* Shards of the same content: in the file once, read once, held once. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/caffe_text.h"
#include "models/pack_format.h"
#include "pack_fixture.h"
#include "policies/policy.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"
#include "runtime/base/units.h"
#include "runtime/engine/contents.h"
#include "runtime/engine/engine.h"

/* Layers a, b and c have weights of the same shape; last is like none. */
static const char twins_text[] =
    "name: 'Twins' input: 'x' input_dim: 1 input_dim: 256 input_dim: 1 input_dim: 1 "
    "layer { name: 'a' type: 'InnerProduct' bottom: 'x' top: 'a'"
    "  inner_product_param { num_output: 256 } }"
    "layer { name: 'b' type: 'InnerProduct' bottom: 'a' top: 'b'"
    "  inner_product_param { num_output: 256 } }"
    "layer { name: 'c' type: 'InnerProduct' bottom: 'b' top: 'c'"
    "  inner_product_param { num_output: 256 } }"
    "layer { name: 'last' type: 'InnerProduct' bottom: 'c' top: 'y'"
    "  inner_product_param { num_output: 100 } }";

/* Weights that depend on blob and element alone, but for the layer `own`. */
struct twin_weights {
    struct sl_weight_source source; /* first */
    const char *own;
};

static int read_twins(struct sl_weight_source *source, const char *layer, const char *type,
                      int blob, const struct sl_shape *shape, int64_t first, int64_t count,
                      float *destination, struct sl_error *error)
{
    const char *own = ((struct twin_weights *)source)->own;
    const char *name = own && strcmp(layer, own) == 0 ? layer : "twin";
    (void)shape, (void)error;
    for (int64_t i = 0; i < count; i++)
        destination[i] = rule_weight(name, type, blob, first + i) / 16;
    return 0;
}

static void close_nothing(struct sl_weight_source *source)
{
    (void)source;
}

static struct sl_pack *make_twins(const char *path, const char *own, uint64_t shard_bytes)
{
    Caffe__NetParameter *message = parse_network(twins_text);
    struct twin_weights weights = {{read_twins, close_nothing}, own};
    const struct sl_import_options options = {.output = path, .shard_bytes = shard_bytes};
    struct sl_import_report report;
    struct sl_error error = {0};
    struct sl_pack *pack = NULL;
    cr_assert_eq(sl_pack_write(message, &weights.source, &options, &report, &error), 0, "%s",
                 error.text);
    cr_assert_eq(sl_pack_open(path, NULL, &pack, &error), 0, "%s", error.text);
    cr_assert_eq(report.shared_bytes, pack->shared_bytes);
    cr_assert_eq(report.file_bytes, pack->file_bytes);
    sl_caffe_free(message);
    return pack;
}

Test(contents, a_pack_holds_them_once)
{
    const uint64_t sizes[] = {1, 100 * SL_KIB, SL_MIB};
    for (int s = 0; s < 3; s++) {
        struct scratch scratch;
        scratch_begin(&scratch);
        struct sl_pack *pack = make_twins(scratch.pack, "b", sizes[s]);
        const int *first = pack->layer_first_shard;
        int count = first[2] - first[1];
        uint64_t shared = 0;
        for (int i = 0; i < count; i++) {
            const struct sl_shard *a = &pack->shards[first[1] + i], *b = a + count, *c = b + count;
            cr_assert_eq(c->file_offset, a->file_offset);
            cr_assert_neq(b->file_offset, a->file_offset);
            shared += c->bytes;
        }
        cr_assert(pack->shared_bytes >= shared && shared > 250000);
        cr_assert(pack->file_bytes < pack->weight_bytes - shared / 2);
        SL_AUTO_FD int fd = open(scratch.pack, O_RDONLY);
        for (int i = 0; i < pack->shard_count; i++) {
            const struct sl_shard *shard = &pack->shards[i];
            SL_AUTO_FREE unsigned char *bytes = malloc(shard->bytes);
            struct sl_error error = {0};
            cr_assert_eq(pread(fd, bytes, shard->bytes, (off_t)shard->file_offset),
                         (ssize_t)shard->bytes);
            cr_assert_eq(sl_shard_verify(pack, i, bytes, &error), 0, "%s", error.text);
        }
        sl_pack_close(pack);
        scratch_end(&scratch);
    }
}

/* An older sluice would refuse the places, and so does a pack that claims to be older. */
Test(contents, only_the_version_that_knows_them_has_them)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    sl_pack_close(make_twins(scratch.pack, NULL, 0));
    unsigned char block[SL_PACK_ALIGNMENT];
    SL_AUTO_FD int fd = open(scratch.pack, O_RDWR);
    struct sl_pack_header header;
    struct sl_error error = {0};
    cr_assert_eq(pread(fd, block, sizeof(block), 0), (ssize_t)sizeof(block));
    cr_assert_eq(sl_pack_header_decode(block, &header, &error), 0, "%s", error.text);
    cr_assert_eq(header.version, SL_PACK_VERSION_COMPACT);
    header.version = 1;
    sl_pack_header_encode(&header, block);
    cr_assert_eq(pwrite(fd, block, sizeof(block), 0), (ssize_t)sizeof(block));
    struct sl_pack *pack = NULL;
    cr_assert_eq(sl_pack_open(scratch.pack, NULL, &pack, &error), -EBADMSG);
    scratch_end(&scratch);
}

struct outcome {
    uint64_t digest[3];
};

/* Two batches of one request of every pack. */
static struct outcome run_packs(struct sl_pack *const *packs, int count, const char *policy,
                                uint64_t budget_bytes)
{
    const struct sl_engine_options options = {
        .policy = policy, .threads = 1, .budget_bytes = budget_bytes, .verify = true};
    struct sl_engine *engine = NULL;
    struct sl_error error = {0};
    struct outcome outcome = {0};
    float input[256];
    for (int i = 0; i < 256; i++)
        input[i] = sl_rng_signed_unit(42, (uint64_t)i + 1);
    cr_assert_eq(sl_engine_create(&options, &engine, &error), 0, "%s", error.text);
    for (int n = 0; n < count; n++) {
        cr_assert_eq(sl_engine_add(engine, packs[n], &error), n, "%s", error.text);
        cr_assert_eq(sl_engine_set_input(engine, n, 0, input, 256, &error), 0);
    }
    for (uint64_t more = 2; more-- > 0;) {
        struct sl_network_result results[3];
        uint64_t makespan_ns;
        cr_assert_eq(sl_engine_run(engine, more, results, &makespan_ns, &error), 0, "%s: %s",
                     policy, error.text);
        for (int n = 0; n < count; n++) {
            cr_assert(more || outcome.digest[n] == results[n].digest);
            outcome.digest[n] = results[n].digest;
        }
    }
    sl_engine_free(engine);
    return outcome;
}

static uint64_t first_batch_read(struct sl_pack *const *packs, int count, const char *policy)
{
    const struct sl_engine_options options = {
        .policy = policy, .threads = 1, .budget_bytes = UINT64_MAX, .verify = true};
    struct sl_engine *engine = NULL;
    struct sl_error error = {0};
    struct sl_network_result results[3];
    uint64_t makespan_ns, bytes = 0;
    cr_assert_eq(sl_engine_create(&options, &engine, &error), 0, "%s", error.text);
    for (int n = 0; n < count; n++)
        cr_assert_eq(sl_engine_add(engine, packs[n], &error), n, "%s", error.text);
    cr_assert_eq(sl_engine_run(engine, 0, results, &makespan_ns, &error), 0, "%s", error.text);
    for (int n = 0; n < count; n++)
        bytes += results[n].read_bytes;
    sl_engine_free(engine);
    return bytes;
}

/* Networks that share layers give what each gives alone, under every policy and tight budgets. */
Test(contents, networks_share_them)
{
    struct scratch scratch[3];
    struct sl_pack *packs[3];
    static const char *const own[3] = {"last", "b", "last"};
    for (int n = 0; n < 3; n++) {
        scratch_begin(&scratch[n]);
        packs[n] = make_twins(scratch[n].pack, own[n], 64 * SL_KIB);
    }
    uint64_t digest[3];
    for (int n = 0; n < 3; n++)
        digest[n] = run_packs(&packs[n], 1, "linear", UINT64_MAX).digest[0];
    cr_assert(digest[0] == digest[2] && digest[0] != digest[1]);
    for (int p = 0; sl_policy_at(p); p++) {
        const struct sl_policy *policy = sl_policy_at(p);
        for (uint64_t budget = 0; budget < (policy->budgeted ? 3 : 1); budget++) {
            struct outcome outcome =
                run_packs(packs, 3, policy->name, budget ? 64 * SL_MIB * budget : UINT64_MAX);
            for (int n = 0; n < 3; n++)
                cr_assert_eq(outcome.digest[n], digest[n], "%s, network %d", policy->name, n);
        }
    }
    /* Bulk keeps all of a network: a, once, and last; then b's own. */
    uint64_t alone = first_batch_read(&packs[0], 1, "bulk");
    cr_assert(alone < packs[0]->weight_bytes * 3 / 5, "%llu of %llu", (unsigned long long)alone,
              (unsigned long long)packs[0]->weight_bytes);
    /* Greedy loads of all networks at once find what the others hold. */
    uint64_t together = first_batch_read(packs, 3, "partial");
    cr_assert(together < 3 * alone, "%llu, alone %llu", (unsigned long long)together,
              (unsigned long long)alone);
    for (int n = 0; n < 3; n++) {
        sl_pack_close(packs[n]);
        scratch_end(&scratch[n]);
    }
}

/* The table alone: joins, waits and leaves in any order. */
Test(contents, one_slot_as_long_as_anyone_holds_it)
{
    struct sl_shard shards[2][3] = {
        {{.bytes = 10, .checksum = 1}, {.bytes = 10, .checksum = 2}, {.bytes = 10, .checksum = 1}},
        {{.bytes = 10, .checksum = 3}, {.bytes = 10, .checksum = 1}, {.bytes = 11, .checksum = 1}},
    };
    struct sl_pack packs[2] = {{.shard_count = 3, .shards = shards[0]},
                               {.shard_count = 3, .shards = shards[1]}};
    struct sl_network_state states[2] = {{.pack = &packs[0]}, {.pack = &packs[1]}};
    struct sl_network_state *const list[] = {&states[0], &states[1]};
    struct sl_contents *contents;
    cr_assert_eq(sl_contents_create(list, 2, &contents, NULL), 0);
    static const bool repeats[2][3] = {{false, false, true}, {false, true, false}};
    for (int n = 0; n < 2; n++)
        for (int s = 0; s < 3; s++)
            cr_assert_eq(sl_contents_repeats(contents, n, s), repeats[n][s], "%d %d", n, s);
    void *slot = NULL;
    int memory = 0, network = -1, shard = -1;
    cr_assert_eq(sl_contents_join(contents, 1, 2, &slot), SL_CONTENT_ABSENT);
    sl_contents_begin(contents, 1, 2, &memory);
    cr_assert(!sl_contents_arrived(contents, 1, 2, &network, &shard));
    cr_assert(sl_contents_leave(contents, 1, 2));
    for (int again = 0; again < 2; again++) {
        cr_assert_eq(sl_contents_join(contents, 0, 2, &slot), SL_CONTENT_ABSENT);
        sl_contents_begin(contents, 0, 2, &memory);
        cr_assert_eq(sl_contents_join(contents, 1, 1, &slot), SL_CONTENT_COMING);
        cr_assert_eq(slot, &memory);
        cr_assert(sl_contents_arrived(contents, 0, 2, &network, &shard));
        cr_assert(network == 1 && shard == 1);
        cr_assert(!sl_contents_arrived(contents, 0, 2, &network, &shard));
        cr_assert_eq(sl_contents_join(contents, 0, 0, &slot), SL_CONTENT_RESIDENT);
        cr_assert(!sl_contents_leave(contents, 0, 2));
        cr_assert(!sl_contents_leave(contents, 1, 1));
        cr_assert(sl_contents_leave(contents, 0, 0));
    }
    sl_contents_free(contents);
}
