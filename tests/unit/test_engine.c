/* The engine over real files: one digest whatever the policy, loader, shard size, threads and
 * budget; budgets are kept. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iouring/loader.h"
#include "policies/policy.h"
#include "runtime/base/cleanup.h"
#include "tests/unit/engine_fixture.h"

TestSuite(engine, .init = engine_set_up, .fini = engine_tear_down);

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
