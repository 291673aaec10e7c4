/* What may fail under an engine: shards, reads, loaders, threads, or somebody interrupts it. Each
 * run says so, nothing is left in flight, and the next run works where it can. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "iouring/loader.h"
#include "policies/policy.h"
#include "runtime/base/cleanup.h"
#include "tests/unit/engine_fixture.h"

TestSuite(engine_failures, .init = engine_set_up, .fini = engine_tear_down);

/* A damaged shard is found at its use, named, and the engine can be used again. */
Test(engine_failures, names_a_damaged_shard)
{
    struct sl_pack *pack = make_pack(64 << 10);
    const struct sl_shard *shard = &pack->shards[pack->shard_count / 2];
    const char *layer = pack->network->layers[shard->layer].name;
    SL_AUTO_FD int fd = open(engine_pack_path(), O_RDWR | O_CLOEXEC);
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

Test(engine_failures, no_checksum_can_match_what_has_no_data)
{
    const struct sl_engine_options options = {
        .policy = "window", .loader = "sim", .threads = 1, .verify = true};
    struct sl_engine *engine = NULL;
    struct sl_error error = {0};
    cr_assert_eq(sl_engine_create(&options, &engine, &error), -EINVAL);
    cr_expect_not_null(strstr(error.text, "sim reads no data"), "%s", error.text);
}

/* A pack cut under its mapping is an error that names pack and layer, in the pass in which the cut
 * part is used and in later ones; whole again, it runs again. */
Test(engine_failures, a_mapped_pack_cut_short_is_an_error)
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
        SL_AUTO_FD int fd = open(engine_pack_path(), O_RDWR | O_CLOEXEC);
        whole = lseek(fd, 0, SEEK_END);
        SL_AUTO_FREE char *rest = malloc((size_t)(whole - half));
        cr_assert_eq(pread(fd, rest, (size_t)(whole - half), half), whole - half);
        cr_assert_eq(ftruncate(fd, half), 0);
        for (int again = 0; again < 2; again++) {
            int code = sl_engine_run(engine, 5, &result, &makespan_ns, &error);
            cr_assert(code == -EIO || code == -ENODATA, "%d %s", code, error.text);
            cr_assert(strstr(error.text, "reading layer") && strstr(error.text, engine_pack_path()),
                      "%s", error.text);
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
Test(engine_failures, failing_reads_end_the_run)
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
Test(engine_failures, a_broken_loader_is_replaced)
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
Test(engine_failures, a_loader_that_cannot_be_replaced_is_an_error)
{
    struct sl_pack *pack = make_pack(64 << 10);
    struct sl_engine_options options = {.policy = "window",
                                        .loader = "fault",
                                        .threads = 1,
                                        .budget_bytes = UINT64_MAX,
                                        .reading = {.fault_reap = 3}};
    struct sl_engine *engine = make_engine(&options, pack, 1);
    cr_assert_eq(unlink(engine_pack_path()), 0);
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
Test(engine_failures, a_loader_that_breaks_between_runs_is_an_error)
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
    cr_assert_eq(unlink(engine_pack_path()), 0);
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
Test(engine_failures, executors_that_could_not_be_made_are_made_later)
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

Test(engine_failures, an_interrupt_ends_the_run)
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
