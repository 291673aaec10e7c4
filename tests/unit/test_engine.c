/* The engine over real files: one digest whatever the policy, loader, shard size, threads and
 * budget; failures named; nothing left in flight. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "iouring/loader.h"
#include "models/caffe_text.h"
#include "models/import.h"
#include "policies/policy.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"
#include "runtime/engine/engine.h"

/* 1.3 MB of weights: several shards in conv2, fc1 and fc2 at 64 KiB; branches, views, in-place. */
static const char network_text[] =
    "name: 'small' layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: 1 "
    "dim: "
    "3 dim: 20 dim: 20 } } }"
    "layer { name: 'conv1' type: 'Convolution' bottom: 'data' top: 'conv1' convolution_param { "
    "num_output: 32 kernel_size: 3 pad: 1 } }"
    "layer { name: 'relu1' type: 'ReLU' bottom: 'conv1' top: 'conv1' }"
    "layer { name: 'pool1' type: 'Pooling' bottom: 'conv1' top: 'pool1' pooling_param { pool: MAX "
    "kernel_size: 2 stride: 2 } }"
    "layer { name: 'conv2' type: 'Convolution' bottom: 'pool1' top: 'conv2' convolution_param { "
    "num_output: 96 kernel_size: 3 pad: 1 } }"
    "layer { name: 'conv3' type: 'Convolution' bottom: 'pool1' top: 'conv3' convolution_param { "
    "num_output: 32 kernel_size: 1 } }"
    "layer { name: 'both' type: 'Concat' bottom: 'conv2' bottom: 'conv3' top: 'both' }"
    "layer { name: 'relu2' type: 'ReLU' bottom: 'both' top: 'both' }"
    "layer { name: 'pool2' type: 'Pooling' bottom: 'both' top: 'pool2' pooling_param { pool: AVE "
    "kernel_size: 3 stride: 2 } }"
    "layer { name: 'fc1' type: 'InnerProduct' bottom: 'pool2' top: 'fc1' inner_product_param { "
    "num_output: 80 } }"
    "layer { name: 'relu3' type: 'ReLU' bottom: 'fc1' top: 'fc1' }"
    "layer { name: 'fc2' type: 'InnerProduct' bottom: 'fc1' top: 'fc2' inner_product_param { "
    "num_output: 200 } }"
    "layer { name: 'prob' type: 'Softmax' bottom: 'fc2' top: 'prob' }";

static char directory[] = "/tmp/sluice-test-engine-XXXXXX";
static char pack_path[sizeof(directory) + 16];

static struct sl_pack *make_pack(uint64_t shard_bytes)
{
    struct sl_error error = {0};
    struct Caffe__NetParameter *message = NULL;
    struct sl_weight_source *weights = NULL;
    struct sl_import_report report;
    struct sl_import_options options = {
        .output = pack_path, .fold = true, .shard_bytes = shard_bytes, .preprocessing.scale = 1};
    cr_assert_eq(sl_caffe_parse("small", network_text, strlen(network_text), &message, &error), 0,
                 "%s", error.text);
    cr_assert_eq(sl_synthetic_weights_open(7, &weights, &error), 0, "%s", error.text);
    cr_assert_eq(sl_pack_write(message, weights, &options, &report, &error), 0, "%s", error.text);
    weights->close(weights);
    sl_caffe_free(message);
    struct sl_pack *pack = NULL;
    cr_assert_eq(sl_pack_open(pack_path, NULL, &pack, &error), 0, "%s", error.text);
    return pack;
}

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(pack_path, sizeof(pack_path), "%s/net.sluice", directory);
}

static void tear_down(void)
{
    unlink(pack_path);
    rmdir(directory);
}

TestSuite(engine, .init = set_up, .fini = tear_down);

static struct sl_engine *make_engine(const struct sl_engine_options *options,
                                     const struct sl_pack *pack, int networks)
{
    struct sl_engine *engine = NULL;
    struct sl_error error = {0};
    cr_assert_eq(sl_engine_create(options, &engine, &error), 0, "%s", error.text);
    float input[3 * 20 * 20];
    for (int i = 0; i < 3 * 20 * 20; i++)
        input[i] = sl_rng_signed_unit(42, (uint64_t)i + 1);
    for (int n = 0; n < networks; n++) {
        cr_assert_eq(sl_engine_add(engine, pack, &error), n, "%s", error.text);
        cr_assert_eq(sl_engine_set_input(engine, n, 0, input, 3 * 20 * 20, &error), 0, "%s",
                     error.text);
    }
    return engine;
}

/* Runs `batches` batches of `networks` requests and returns their one digest. */
static uint64_t run_digest(const struct sl_engine_options *options, const struct sl_pack *pack,
                           int networks, int batches)
{
    struct sl_engine *engine = make_engine(options, pack, networks);
    uint64_t digest = 0;
    for (int b = 0; b < batches; b++) {
        struct sl_network_result results[4];
        uint64_t makespan_ns;
        struct sl_error error = {0};
        cr_assert_eq(
            sl_engine_run(engine, (uint64_t)(batches - 1 - b), results, &makespan_ns, &error), 0,
            "%s: %s", options->policy, error.text);
        for (int n = 0; n < networks; n++) {
            digest = digest ? digest : results[n].digest;
            cr_assert_eq(results[n].digest, digest, "%s: network %d of batch %d differs",
                         options->policy, n, b);
            cr_assert_geq(makespan_ns, results[n].run_ns);
        }
    }
    sl_engine_free(engine);
    return digest;
}

Test(engine, one_digest_whatever_the_way)
{
    static const uint64_t shard_sizes[] = {64 << 10, 256 << 10, 1 << 20};
    static const char *const loaders[] = {"uring", "pread"};
    uint64_t digest = 0;
    for (int size = 0; size < 3; size++) {
        struct sl_pack *pack = make_pack(shard_sizes[size]);
        for (int l = 0; l < 2; l++) {
            struct sl_loader *probe = NULL;
            struct sl_loader_options probe_options = {.depth = 1};
            char reason[160];
            if (sl_loader_open(loaders[l], &probe_options, &probe, reason, NULL))
                continue; /* this kernel denies it: the other one is held to the same digest */
            probe->ops->close(probe);
            for (int p = 0; sl_policy_at(p); p++) {
                for (int threads = 1; threads <= 2; threads++) {
                    struct sl_engine_options options = {
                        .policy = sl_policy_at(p)->name,
                        .loader = loaders[l],
                        .threads = threads,
                        .budget_bytes = UINT64_MAX,
                        .verify = true,
                    };
                    uint64_t got = run_digest(&options, pack, 1 + p % 3, 3);
                    digest = digest ? digest : got;
                    cr_assert_eq(got, digest, "%s, %s, %d threads, %llu KiB shards", options.policy,
                                 options.loader, threads,
                                 (unsigned long long)shard_sizes[size] >> 10);
                }
            }
        }
        sl_pack_close(pack);
    }
}

/* Of the process between a refusal that names the least budget and the next run; the address
 * sanitizer's quarantine grows far more, and most over many runs. */
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_BYTES   (UINT64_C(64) << 20)
#define PROCESS_GROWTH (UINT64_C(8) << 20)
#else
#define GROWTH_BYTES   (UINT64_C(512) << 10)
#define PROCESS_GROWTH GROWTH_BYTES
#endif

/* The least budget as the refusal of a far smaller one names it. */
static uint64_t least_budget(const struct sl_pack *pack, const char *policy)
{
    struct sl_engine_options options = {.policy = policy, .threads = 1, .budget_bytes = UINT64_MAX};
    struct sl_engine *engine = make_engine(&options, pack, 2);
    sl_engine_set_budget(engine, 4096);
    struct sl_network_result results[2];
    uint64_t makespan_ns;
    struct sl_error error = {0};
    cr_assert_eq(sl_engine_run(engine, 0, results, &makespan_ns, &error), -ENOBUFS);
    const char *number = strstr(error.text, "at least ");
    cr_assert_not_null(number, "%s", error.text);
    sl_engine_free(engine);
    return strtoull(number + strlen("at least "), NULL, 10);
}

Test(engine, holds_any_feasible_budget)
{
    struct sl_pack *pack = make_pack(64 << 10);
    struct sl_engine_options options = {
        .policy = "window", .threads = 1, .verify = true, .budget_bytes = UINT64_MAX};
    uint64_t digest = run_digest(&options, pack, 2, 2);
    static const char *const policies[] = {"window", "auto"};
    for (int p = 0; p < 2; p++) {
        uint64_t least = least_budget(pack, policies[p]) + GROWTH_BYTES;
        options.policy = policies[p];
        for (uint64_t more = 0; more < 2 * pack->weight_bytes; more += 150000) {
            options.budget_bytes = least + more;
            cr_assert_eq(run_digest(&options, pack, 2, 3), digest);
        }
    }
    sl_pack_close(pack);
}

/* Budgets set between batches: each batch keeps its own, and the bits stay. */
Test(engine, takes_another_budget_between_batches)
{
    struct sl_pack *pack = make_pack(64 << 10);
    struct sl_engine_options options = {
        .policy = "auto", .threads = 1, .verify = true, .budget_bytes = UINT64_MAX};
    uint64_t digest = run_digest(&options, pack, 1, 1);
    uint64_t least = least_budget(pack, "auto") + GROWTH_BYTES;
    struct sl_engine *engine = make_engine(&options, pack, 1);
    const uint64_t budgets[] = {UINT64_MAX, least, least + pack->weight_bytes / 2, 4096,
                                UINT64_MAX};
    for (size_t b = 0; b < sizeof(budgets) / sizeof(budgets[0]); b++) {
        struct sl_network_result result;
        struct sl_engine_facts facts;
        uint64_t makespan_ns;
        struct sl_error error = {0};
        sl_engine_set_budget(engine, budgets[b]);
        int code = sl_engine_run(engine, 5, &result, &makespan_ns, &error);
        cr_assert_eq(code, budgets[b] == 4096 ? -ENOBUFS : 0, "%s", error.text);
        if (code == 0)
            cr_assert_eq(result.digest, digest);
        sl_engine_facts(engine, &facts);
        cr_assert_leq(facts.shards_peak_bytes,
                      pack->weight_bytes + 4096u * (size_t)pack->shard_count);
    }
    sl_engine_free(engine);
    sl_pack_close(pack);
}

/* Weights go where there is no room otherwise, and the next batch reads them again. */
Test(engine, makes_room_between_batches)
{
    struct sl_pack *pack = make_pack(64 << 10);
    struct sl_engine_options options = {
        .policy = "auto", .threads = 1, .verify = true, .budget_bytes = UINT64_MAX};
    const uint64_t digest = run_digest(&options, pack, 1, 1), too_much = UINT64_C(1) << 40;
    options.budget_bytes = least_budget(pack, "auto") + GROWTH_BYTES + 2 * pack->weight_bytes;
    struct sl_engine *engine = make_engine(&options, pack, 1);
    uint64_t read_bytes[4];
    for (int b = 0; b < 4; b++) {
        struct sl_network_result result;
        uint64_t makespan_ns;
        struct sl_error error = {0};
        cr_assert_eq(sl_engine_run(engine, 5, &result, &makespan_ns, &error), 0, "%s", error.text);
        cr_assert_eq(result.digest, digest);
        read_bytes[b] = result.read_bytes;
        cr_expect_eq(sl_engine_make_room(engine, 1, 1, &error), 0, "%s", error.text);
        if (b == 1)
            cr_expect_eq(sl_engine_make_room(engine, too_much, too_much, &error), -ENOBUFS);
    }
    sl_engine_free(engine);
    cr_expect_geq(read_bytes[0], pack->weight_bytes);
    cr_expect_eq(read_bytes[1], 0);
    cr_expect_eq(read_bytes[2], read_bytes[0]);
    cr_expect_eq(read_bytes[3], 0);
    sl_pack_close(pack);
}

/* A damaged shard is found at its use, named, and the engine can be used again. */
Test(engine, names_a_damaged_shard)
{
    struct sl_pack *pack = make_pack(64 << 10);
    const struct sl_shard *shard = &pack->shards[pack->shard_count / 2];
    const char *layer = pack->network->layers[shard->layer].name;
    SL_AUTO_FD int fd = open(pack_path, O_RDWR | O_CLOEXEC);
    unsigned char byte;
    cr_assert_eq(pread(fd, &byte, 1, (off_t)shard->file_offset + 5), 1);
    byte ^= 0x10;
    cr_assert_eq(pwrite(fd, &byte, 1, (off_t)shard->file_offset + 5), 1);
    cr_assert_eq(fsync(fd), 0);
    for (int p = 0; sl_policy_at(p); p++) {
        struct sl_engine_options options = {.policy = sl_policy_at(p)->name,
                                            .threads = 1,
                                            .budget_bytes = UINT64_MAX,
                                            .verify = true};
        struct sl_engine *engine = make_engine(&options, pack, 2);
        for (int again = 0; again < 2; again++) {
            struct sl_network_result results[2];
            uint64_t makespan_ns;
            struct sl_error error = {0};
            cr_assert_eq(sl_engine_run(engine, 0, results, &makespan_ns, &error), -EBADMSG);
            cr_assert(strstr(error.text, layer) != NULL, "%s", error.text);
        }
        sl_engine_free(engine);
    }
    sl_pack_close(pack);
}

/* The same digest from mapped packs, whatever the kernel is told, and within budgets. */
Test(engine, one_digest_over_mapped_packs)
{
    static const char *const sets[] = {NULL,     "none",    "willneed", "populate,pageout",
                                       "random", "dontneed"};
    struct sl_pack *pack = make_pack(64 << 10);
    struct sl_engine_options options = {
        .policy = "window", .threads = 1, .budget_bytes = UINT64_MAX, .verify = true};
    uint64_t digest = run_digest(&options, pack, 1, 1);
    const char *const paths[] = {pack->path, pack->path};
    options.loader = "mmap";
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        options.reading.hints = sets[i];
        for (int p = 0; sl_policy_at(p); p++) {
            options.policy = sl_policy_at(p)->name;
            options.budget_bytes = UINT64_MAX;
            cr_assert_eq(run_digest(&options, pack, 1 + p % 3, 3), digest, "%s, hints %s",
                         options.policy, sets[i] ? sets[i] : "by itself");
        }
        options.policy = "auto";
        uint64_t ahead = 0;
        cr_assert_eq(sl_loader_read_ahead("mmap", sets[i], paths, 2, &ahead, NULL), 0);
        for (uint64_t more = ahead; more < ahead + pack->weight_bytes; more += 300000) {
            options.budget_bytes = least_budget(pack, "auto") + PROCESS_GROWTH + more;
            cr_assert_eq(run_digest(&options, pack, 2, 4), digest);
        }
    }
    sl_pack_close(pack);
}

/* Reads that go on from one batch into the next count in each from its start at most; those for the
 * next batch do not count as this one's. */
Test(engine, times_of_layers_are_within_their_batch)
{
    struct sl_pack *pack = make_pack(64 << 10);
    struct sl_engine_options options = {.policy = "window",
                                        .loader = "sim",
                                        .threads = 1,
                                        .reading = {.sim_bytes_per_s = 50000000}};
    options.budget_bytes = least_budget(pack, "window") + PROCESS_GROWTH;
    struct sl_engine *engine = make_engine(&options, pack, 1);
    for (uint64_t more = 10; more-- > 0;) {
        struct sl_network_result result;
        uint64_t makespan_ns;
        struct sl_error error = {0};
        cr_assert_eq(sl_engine_run(engine, more, &result, &makespan_ns, &error), 0, "%s",
                     error.text);
        struct sl_batch_facts batch;
        sl_engine_last_batch(engine, &batch);
        cr_assert_leq(batch.load_ns, makespan_ns, "batch %d", (int)more);
        cr_assert_leq(result.load_ns, makespan_ns);
        for (int l = 0; l < pack->network->layer_count; l++) {
            const struct sl_layer_time *time = &result.layers[l];
            cr_assert_leq(time->load_start_ns + time->load_ns, time->end_ns, "layer %d", l);
        }
    }
    sl_engine_free(engine);
    sl_pack_close(pack);
}

Test(engine, no_checksum_can_match_what_has_no_data)
{
    const struct sl_engine_options options = {
        .policy = "window", .loader = "sim", .threads = 1, .verify = true};
    struct sl_engine *engine = NULL;
    struct sl_error error = {0};
    cr_assert_eq(sl_engine_create(&options, &engine, &error), -EINVAL);
    cr_expect_not_null(strstr(error.text, "sim reads no data"), "%s", error.text);
}

/* Reads of a slow device bind; memory for half of the weights more saves about half of them. */
Test(engine, advises_what_memory_would_save)
{
    struct sl_pack *pack = make_pack(64 << 10);
    const uint64_t half = pack->weight_bytes / 2;
    struct sl_engine_options options = {.policy = "auto",
                                        .loader = "sim",
                                        .threads = 1,
                                        .reading = {.sim_bytes_per_s = 50000000},
                                        .device_bytes_per_s = 50000000};
    options.budget_bytes = UINT64_MAX;
    struct sl_engine_advice advice;
    for (int unlimited = 0; unlimited < 2; unlimited++) {
        struct sl_engine *engine = make_engine(&options, pack, 1);
        cr_assert_not(sl_engine_advise(engine, half, &advice), "nothing ran yet");
        for (uint64_t more = 6; more-- > 0;) {
            struct sl_network_result result;
            struct sl_engine_facts facts;
            uint64_t makespan_ns;
            struct sl_error error = {0};
            int code = sl_engine_run(engine, more, &result, &makespan_ns, &error);
            cr_assert(code == 0 || (code == -ENOBUFS && more < 5 && !unlimited), "%s", error.text);
            sl_engine_facts(engine, &facts);
            /* From the first batch on what the process takes now, and half. */
            if (!unlimited && (more == 5 || code))
                sl_engine_set_budget(engine, sl_budget_overhead(&facts.budget) + half);
        }
        cr_assert_eq(sl_engine_advise(engine, half, &advice), !unlimited);
        if (!unlimited) {
            cr_expect(advice.reads_bind > 0 && advice.reads_bind <= 1);
            cr_expect(advice.saved > 0.05 && advice.saved < 1, "%g", advice.saved);
        }
        sl_engine_free(engine);
    }
    sl_pack_close(pack);
}

/* Shards that are mapped count as slots do. */
Test(engine, mapped_shards_are_counted)
{
    struct sl_pack *pack = make_pack(64 << 10);
    uint64_t peaks[2];
    for (int mapped = 0; mapped < 2; mapped++) {
        struct sl_engine_options options = {.policy = "linear",
                                            .loader = mapped ? "mmap" : NULL,
                                            .threads = 1,
                                            .budget_bytes = UINT64_MAX};
        struct sl_engine *engine = make_engine(&options, pack, 1);
        struct sl_network_result result;
        uint64_t makespan_ns;
        struct sl_error error = {0};
        cr_assert_eq(sl_engine_run(engine, 0, &result, &makespan_ns, &error), 0, "%s", error.text);
        struct sl_engine_facts facts;
        sl_engine_facts(engine, &facts);
        cr_assert_eq(!facts.hints[0], !mapped);
        peaks[mapped] = facts.shards_peak_bytes;
        sl_engine_free(engine);
    }
    cr_assert_gt(peaks[0], 0);
    cr_assert_eq(peaks[1], peaks[0]);
    sl_pack_close(pack);
}

/* A pack cut under its mapping is an error that names pack and layer, in the pass in which the cut
 * part is used and in later ones; whole again, it runs again. */
Test(engine, a_mapped_pack_cut_short_is_an_error)
{
    static const char *const sets[] = {NULL, "none", "willneed", "populate"};

    struct sl_pack *pack = make_pack(64 << 10);
    struct sl_engine_options options = {
        .policy = "auto", .loader = "mmap", .threads = 1, .budget_bytes = UINT64_MAX};
    uint64_t digest = run_digest(&options, pack, 1, 1);
    off_t half = (off_t)pack->shards[pack->shard_count / 2].file_offset, whole;
    for (size_t i = 0; i < 2 * sizeof(sets) / sizeof(sets[0]); i++) {
        options.reading.hints = sets[i / 2];
        options.verify = i % 2;
        struct sl_engine *engine = make_engine(&options, pack, 1);
        struct sl_network_result result;
        uint64_t makespan_ns;
        struct sl_error error = {0};
        cr_assert_eq(sl_engine_run(engine, 5, &result, &makespan_ns, &error), 0, "%s", error.text);
        SL_AUTO_FD int fd = open(pack_path, O_RDWR | O_CLOEXEC);
        whole = lseek(fd, 0, SEEK_END);
        SL_AUTO_FREE char *rest = malloc((size_t)(whole - half));
        cr_assert_eq(pread(fd, rest, (size_t)(whole - half), half), whole - half);
        cr_assert_eq(ftruncate(fd, half), 0);
        for (int again = 0; again < 2; again++) {
            int code = sl_engine_run(engine, 5, &result, &makespan_ns, &error);
            cr_assert(code == -EIO || code == -ENODATA, "%d %s", code, error.text);
            cr_assert(strstr(error.text, "reading layer") && strstr(error.text, pack_path), "%s",
                      error.text);
        }
        cr_assert_eq(pwrite(fd, rest, (size_t)(whole - half), half), whole - half);
        cr_assert_eq(sl_engine_run(engine, 0, &result, &makespan_ns, &error), 0, "%s", error.text);
        cr_assert_eq(result.digest, digest);
        sl_engine_free(engine);
    }
    sl_pack_close(pack);
}

/* Reads that fail in any place end the run with their reason, also when others are in flight, and
 * leave an engine that can run again. */
Test(engine, failing_reads_end_the_run)
{
    struct sl_pack *pack = make_pack(64 << 10);
    for (int p = 0; sl_policy_at(p); p++) {
        for (uint64_t every = 1; every <= (uint64_t)pack->shard_count; every += 5) {
            struct sl_engine_options options = {
                .policy = sl_policy_at(p)->name,
                .loader = "fault",
                .threads = 1,
                .budget_bytes = UINT64_MAX,
                .verify = true,
                .reading = {.fault_every = every, .fault_errno = EIO, .depth = 4}};
            struct sl_engine *engine = make_engine(&options, pack, 2);
            struct sl_network_result results[2];
            uint64_t makespan_ns;
            int failed = 0;
            for (uint64_t more = 4; more-- > 0;) {
                struct sl_error error = {0};
                int code = sl_engine_run(engine, more, results, &makespan_ns, &error);
                cr_assert(code == 0 || code == -EIO, "%d %s", code, error.text);
                cr_assert(code == 0 || strstr(error.text, "reading layer"), "%s", error.text);
                failed += code != 0;
            }
            cr_assert_gt(failed, 0, "%s", options.policy);
            sl_engine_free(engine);
        }
    }
    sl_pack_close(pack);
}

/* A loader that itself breaks is replaced: the run ends with its error, the next one works. */
Test(engine, a_broken_loader_is_replaced)
{
    struct sl_pack *pack = make_pack(64 << 10);
    struct sl_engine_options options = {
        .policy = "partial", .threads = 1, .budget_bytes = UINT64_MAX, .verify = true};
    uint64_t digest = run_digest(&options, pack, 2, 1);
    for (int p = 0; sl_policy_at(p); p++) {
        options.policy = sl_policy_at(p)->name;
        options.loader = "fault";
        for (uint64_t reads = 1; reads < (uint64_t)pack->shard_count; reads += 3) {
            options.reading = (struct sl_loader_options){.fault_reap = reads, .depth = 4};
            struct sl_engine *engine = make_engine(&options, pack, 2);
            struct sl_network_result results[2];
            uint64_t makespan_ns;
            struct sl_error error = {0};
            int broke = 0;
            for (int batch = 0; batch < 3; batch++) {
                int code = sl_engine_run(engine, 0, results, &makespan_ns, &error);
                cr_assert(code == 0 || code == -EIO, "%d %s", code, error.text);
                if (code)
                    cr_assert(strstr(error.text, "broke") != NULL, "%s", error.text);
                else
                    cr_assert(results[0].digest == digest && results[1].digest == digest);
                broke += code != 0;
            }
            cr_assert_gt(broke, 0, "%s after %llu reads", options.policy,
                         (unsigned long long)reads);
            sl_engine_free(engine);
        }
    }
    sl_pack_close(pack);
}

/* The pack is gone when the loader is to be opened again: every later run says so, none hangs. */
Test(engine, a_loader_that_cannot_be_replaced_is_an_error)
{
    struct sl_pack *pack = make_pack(64 << 10);
    struct sl_engine_options options = {.policy = "window",
                                        .loader = "fault",
                                        .threads = 1,
                                        .budget_bytes = UINT64_MAX,
                                        .reading = {.fault_reap = 3}};
    struct sl_engine *engine = make_engine(&options, pack, 1);
    cr_assert_eq(unlink(pack_path), 0);
    struct sl_network_result result;
    struct sl_engine_facts facts;
    uint64_t makespan_ns;
    struct sl_error error = {0};
    cr_assert_eq(sl_engine_run(engine, 0, &result, &makespan_ns, &error), -EIO);
    for (int again = 0; again < 2; again++) {
        cr_assert_eq(sl_engine_run(engine, 0, &result, &makespan_ns, &error), -ENOENT, "%s",
                     error.text);
        cr_assert(strstr(error.text, "cannot be opened again") != NULL, "%s", error.text);
    }
    sl_engine_facts(engine, &facts);
    sl_engine_free(engine);
    sl_pack_close(pack);
}

/* It breaks while reads for the next request are given up because the budget changed: the least
 * budget that does is too small for all weights, so there are such reads. Where they ended already,
 * it breaks in the run. */
Test(engine, a_loader_that_breaks_between_runs_is_an_error)
{
    struct sl_pack *pack = make_pack(64 << 10);
    struct sl_engine_options options = {.policy = "window",
                                        .loader = "fault",
                                        .threads = 1,
                                        .budget_bytes = UINT64_MAX,
                                        .reading = {.fault_cancelled = true}};
    struct sl_engine *engine = make_engine(&options, pack, 1);
    struct sl_network_result result;
    uint64_t makespan_ns, budget = UINT64_C(8) << 20;
    struct sl_error error = {0};
    int code;
    do {
        budget += 128 << 10;
        sl_engine_set_budget(engine, budget);
        code = sl_engine_run(engine, 1, &result, &makespan_ns, &error);
    } while (code == -ENOBUFS);
    cr_assert_eq(code, 0, "%s", error.text);
    cr_assert_eq(unlink(pack_path), 0);
    sl_engine_set_budget(engine, UINT64_MAX);
    code = sl_engine_run(engine, 0, &result, &makespan_ns, &error);
    cr_assert(code == -ENOENT || code == -EIO, "%s", error.text);
    cr_assert_eq(sl_engine_run(engine, 0, &result, &makespan_ns, &error), -ENOENT, "%s",
                 error.text);
    sl_engine_free(engine);
    sl_pack_close(pack);
}

/* The user may have no more threads, then one more at each run: neither of deepeye's executors can
 * be made, then the first alone. Each run says so and the next one goes on from there. */
Test(engine, executors_that_could_not_be_made_are_made_later)
{
    struct sl_pack *pack = make_pack(64 << 10);
    struct sl_engine_options options = {
        .policy = "deepeye", .loader = "pread", .threads = 1, .budget_bytes = UINT64_MAX};
    uint64_t digest = run_digest(&options, pack, 2, 1);
    /* The loader's threads are there before the limit. */
    struct sl_engine *engine = make_engine(&options, pack, 2);
    const bool root = geteuid() == 0;
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NPROC, &limit), 0);
    /* The limit does not hold for root, who comes back to remove the files. */
    if (root && setresuid(65534, 65534, 0))
        cr_skip_test("skipped: root may not become an ordinary user here");
    struct sl_network_result results[2];
    uint64_t makespan_ns;
    struct sl_error error = {0};
    int code = -EAGAIN, refused = 0;
    for (limit.rlim_cur = 0; code && limit.rlim_cur < limit.rlim_max; limit.rlim_cur++) {
        cr_assert_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
        code = sl_engine_run(engine, 0, results, &makespan_ns, &error);
        cr_assert(code == 0 || code == -EAGAIN, "%d %s", code, error.text);
        cr_assert(code == 0 || strstr(error.text, "executor thread"), "%s", error.text);
        refused += code != 0;
    }
    if (root)
        cr_assert_eq(setresuid(0, 0, 0), 0);
    cr_assert_eq(code, 0, "%s", error.text);
    cr_assert_gt(refused, 0);
    cr_assert(results[0].digest == digest && results[1].digest == digest);
    sl_engine_free(engine);
    sl_pack_close(pack);
}

Test(engine, an_interrupt_ends_the_run)
{
    struct sl_pack *pack = make_pack(64 << 10);
    struct sl_engine_options options = {
        .policy = "linear", .threads = 1, .budget_bytes = UINT64_MAX};
    struct sl_engine *engine = make_engine(&options, pack, 1);
    struct sl_network_result result;
    uint64_t makespan_ns;
    struct sl_error error = {0};
    sl_engine_interrupt(engine);
    cr_assert_eq(sl_engine_run(engine, 0, &result, &makespan_ns, &error), -EINTR);
    cr_assert_eq(sl_engine_run(engine, 0, &result, &makespan_ns, &error), 0, "%s", error.text);
    sl_engine_free(engine);
    options.policy = "window";
    engine = make_engine(&options, pack, 1);
    sl_engine_set_budget(engine, 1);
    sl_engine_interrupt(engine);
    cr_assert_eq(sl_engine_run(engine, 0, &result, &makespan_ns, &error), -ENOBUFS);
    sl_engine_set_budget(engine, UINT64_MAX);
    cr_assert_eq(sl_engine_run(engine, 0, &result, &makespan_ns, &error), 0,
                 "it was for the run before: %s", error.text);
    sl_engine_free(engine);
    sl_pack_close(pack);
}

Test(engine, refuses_unknown_names_and_sizes)
{
    struct sl_error error = {0};
    struct sl_engine *engine = NULL;
    struct sl_engine_options options = {.policy = "partal", .budget_bytes = UINT64_MAX};
    cr_assert_eq(sl_engine_create(&options, &engine, &error), -EINVAL);
    cr_assert(strstr(error.text, "'partial'") != NULL, "%s", error.text);
    options.policy = "partial";
    cr_assert_eq(sl_engine_create(&options, &engine, &error), 0);
    struct sl_network_result result;
    uint64_t makespan_ns;
    cr_assert_eq(sl_engine_run(engine, 0, &result, &makespan_ns, &error), -EINVAL);
    float value = 0;
    cr_assert_eq(sl_engine_set_input(engine, 0, 0, &value, 1, &error), -EINVAL);
    sl_engine_free(engine);
}
