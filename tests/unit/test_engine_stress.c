/* The engine over random networks under budgets that change between and within batches: shards of
 * many sizes in as little memory as will do, so that free memory falls to pieces, loads wait and
 * slots are moved, with reads that fail and shards that several networks share. Whatever happens, a
 * batch that ends well has the bits of an unlimited one. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "iouring/loader.h"
#include "models/pack.h"
#include "pack_fixture.h"
#include "runtime/base/rng.h"
#include "runtime/base/units.h"
#include "runtime/engine/engine.h"

#define NETWORKS_MOST 3
#define BATCHES       6
#define SEEDS         40
#define TEXT_BYTES    8192
/* Of the process between a refusal that names the least budget and later plans. */
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_BYTES (4 * SL_MIB)
#else
#define GROWTH_BYTES (SL_MIB / 2)
#endif

struct workload {
    struct scratch scratch[NETWORKS_MOST];
    struct sl_pack *packs[NETWORKS_MOST];
    uint64_t digests[NETWORKS_MOST], weight_bytes;
    int count;
};

/* Layers of the same name and shape have the same weights: some shards are shared. */
static void make_text(uint64_t *rng, char *text)
{
    size_t length = (size_t)snprintf(text, TEXT_BYTES,
                                     "name: 'random' layer { name: 'data' type: 'Input' top: 'b0' "
                                     "input_param { shape { dim: 1 dim: 4 dim: 9 dim: 9 } } }");
    const int layers = 4 + (int)sl_rng_below(rng, 6);
    for (int n = 0; n < layers; n++) {
        const int outputs = 4 + (int)sl_rng_below(rng, n < layers - 3 ? 90 : 500);
        length += (size_t)snprintf(
            text + length, TEXT_BYTES - length,
            "layer { name: 'l%d' bottom: 'b%d' top: 'b%d' type: %s num_output: %d } }", n, n, n + 1,
            n < layers - 3 ? "'Convolution' convolution_param { kernel_size: 3 pad: 1"
                           : "'InnerProduct' inner_product_param {",
            outputs);
    }
}

static struct sl_engine *make_engine(const struct sl_engine_options *options,
                                     const struct workload *workload)
{
    struct sl_engine *engine = NULL;
    struct sl_error error = {0};
    float input[4 * 9 * 9];
    cr_assert_eq(sl_engine_create(options, &engine, &error), 0, "%s", error.text);
    for (size_t i = 0; i < sizeof(input) / sizeof(*input); i++)
        input[i] = sl_rng_signed_unit(42, i + 1);
    for (int n = 0; n < workload->count; n++) {
        cr_assert_eq(sl_engine_add(engine, workload->packs[n], &error), n, "%s", error.text);
        cr_assert_eq(
            sl_engine_set_input(engine, n, 0, input, sizeof(input) / sizeof(*input), &error), 0);
    }
    return engine;
}

static int run(struct sl_engine *engine, uint64_t more, const struct workload *workload,
               struct sl_network_result *results, struct sl_error *error)
{
    uint64_t makespan_ns;
    *error = (struct sl_error){0};
    int result = sl_engine_run(engine, more, results, &makespan_ns, error);
    struct sl_batch_facts batch;
    sl_engine_last_batch(engine, &batch);
    cr_assert(result || batch.load_ns <= makespan_ns);
    for (int n = 0; n < workload->count && !result; n++) {
        cr_assert_leq(results[n].load_ns, makespan_ns);
        cr_assert_leq(results[n].latency_ns, makespan_ns);
    }
    return result;
}

static void workload_make(uint64_t *rng, struct workload *workload)
{
    const struct sl_engine_options unlimited = {
        .policy = "bulk", .threads = 1, .budget_bytes = UINT64_MAX, .verify = true};
    struct sl_network_result results[NETWORKS_MOST];
    struct sl_error error = {0};
    *workload = (struct workload){.count = 1 + (int)sl_rng_below(rng, NETWORKS_MOST)};
    for (int n = 0; n < workload->count; n++) {
        char text[TEXT_BYTES];
        make_text(rng, text);
        scratch_begin(&workload->scratch[n]);
        write_pack(&workload->scratch[n], text, true, 4096u << sl_rng_below(rng, 6));
        cr_assert_eq(sl_pack_open(workload->scratch[n].pack, NULL, &workload->packs[n], &error), 0);
        workload->weight_bytes += workload->packs[n]->weight_bytes;
    }
    struct sl_engine *engine = make_engine(&unlimited, workload);
    cr_assert_eq(run(engine, 0, workload, results, &error), 0, "%s", error.text);
    for (int n = 0; n < workload->count; n++)
        workload->digests[n] = results[n].digest;
    sl_engine_free(engine);
}

static void workload_free(struct workload *workload)
{
    for (int n = 0; n < workload->count; n++) {
        sl_pack_close(workload->packs[n]);
        scratch_end(&workload->scratch[n]);
    }
}

static uint64_t least_budget(struct sl_engine_options options, const struct workload *workload)
{
    options.budget_bytes = UINT64_MAX;
    struct sl_engine *engine = make_engine(&options, workload);
    sl_engine_set_budget(engine, 4096);
    struct sl_network_result results[NETWORKS_MOST];
    struct sl_error error;
    cr_assert_eq(run(engine, 0, workload, results, &error), -ENOBUFS);
    const char *number = strstr(error.text, "at least ");
    cr_assert_not_null(number, "%s", error.text);
    sl_engine_free(engine);
    return strtoull(number + strlen("at least "), NULL, 10) + GROWTH_BYTES;
}

/* Sets another budget again and again while the engine runs. */
struct changer {
    struct sl_engine *engine;
    uint64_t rng, least, more, pause_most_ns;
    atomic_bool end;
};

static void *change_budgets(void *argument)
{
    struct changer *changer = argument;
    while (!atomic_load(&changer->end)) {
        const struct timespec pause = {0,
                                       (long)sl_rng_below(&changer->rng, changer->pause_most_ns)};
        nanosleep(&pause, NULL);
        sl_engine_set_budget(changer->engine,
                             changer->least + sl_rng_below(&changer->rng, changer->more));
        sl_engine_reread_limit(changer->engine);
    }
    return NULL;
}

/* Batches under changing budgets; returns how many ended well. gone: a loader that breaks cannot be
 * opened again. */
static int stress(const struct sl_engine_options *options, const struct workload *workload,
                  uint64_t seed, uint64_t least, bool gone)
{
    const bool breaks = options->reading.fault_reap > 0;
    struct changer changer = {.rng = seed,
                              .least = least,
                              .more = workload->weight_bytes / (1 + seed % 4) + 1,
                              .pause_most_ns = breaks ? 20000 : 2000000};
    struct sl_network_result results[NETWORKS_MOST];
    struct sl_error error;
    const bool faults = breaks || options->reading.fault_every;
    pthread_t thread;
    int well = 0;
    changer.engine = make_engine(options, workload);
    if (gone)
        cr_assert_eq(unlink(workload->scratch[0].pack), 0);
    cr_assert_eq(pthread_create(&thread, NULL, change_budgets, &changer), 0);
    for (uint64_t more = BATCHES; more-- > 0;) {
        int result = run(changer.engine, more, workload, results, &error);
        /* The process may have grown by more than was thought. */
        cr_assert(result == 0 || result == -ENOBUFS ||
                      (faults && (result == -EIO || result == -ENOENT)),
                  "seed %d, %s: %s", (int)seed, options->policy, error.text);
        for (int n = 0; n < workload->count && !result; n++)
            cr_assert_eq(results[n].digest, workload->digests[n], "seed %d, %s, %s: network %d",
                         (int)seed, options->policy, options->loader, n);
        well += !result;
    }
    atomic_store(&changer.end, true);
    pthread_join(thread, NULL);
    sl_engine_free(changer.engine);
    return well;
}

static bool loader_works(const char *name)
{
    const struct sl_loader_options options = {.depth = 1};
    struct sl_loader *loader;
    char reason[160];
    if (sl_loader_open(name, &options, &loader, reason, NULL))
        return false;
    loader->ops->close(loader);
    return true;
}

Test(engine_stress, budgets_that_change_leave_the_bits, .timeout = 300)
{
    static const char *const loaders[] = {"uring", "pread", "mmap", "fault"};
    int well = 0, asked = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const char *loader = loaders[seed % 4];
        struct workload workload;
        uint64_t rng = seed;
        if (!loader_works(loader))
            continue;
        workload_make(&rng, &workload);
        for (int p = 0; p < 2; p++) {
            struct sl_engine_options options = {
                .policy = p ? "auto" : "window", .loader = loader, .threads = 1, .verify = true};
            options.reading.depth = 1 + (int)sl_rng_below(&rng, 32);
            const uint64_t least = least_budget(options, &workload);
            options.budget_bytes = least;
            if (strcmp(loader, "fault") == 0) {
                options.reading.fault_every = 30 + sl_rng_below(&rng, 300);
                options.reading.fault_errno = EIO;
            }
            asked += BATCHES;
            well += stress(&options, &workload, seed, least, false);
        }
        workload_free(&workload);
    }
    cr_assert_gt(well, asked / 2, "only %d batches of %d ended well", well, asked);
}

/* A loader that breaks, also while a lower budget has its reads cancelled, ends that batch; the
 * next one runs when the loader can be opened again and says so when not. */
Test(engine_stress, a_loader_may_break_at_any_moment, .timeout = 300)
{
    int well = 0;
    for (uint64_t seed = 1; seed <= 2 * SEEDS; seed++) {
        const bool gone = seed % 2;
        struct workload workload;
        uint64_t rng = seed;
        workload_make(&rng, &workload);
        struct sl_engine_options options = {.policy = "window",
                                            .loader = "fault",
                                            .threads = 1,
                                            .verify = true,
                                            .reading = {.depth = 8}};
        const uint64_t least = least_budget(options, &workload);
        options.budget_bytes = least;
        options.reading.fault_reap = 1 + sl_rng_below(&rng, gone ? 20 : 400);
        int ended = stress(&options, &workload, seed, least, gone);
        well += gone ? 0 : ended;
        workload_free(&workload);
    }
    cr_assert_gt(well, 0);
}
