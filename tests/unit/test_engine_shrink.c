/* A budget that is lowered within a request. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <time.h>

#include "models/pack.h"
#include "runtime/engine/engine.h"
#include "tests/unit/pack_fixture.h"

#define SHARD_BYTES   (UINT64_C(64) << 10)
#define REQUEST_NS    400000000
#define LOWERED_AT_NS 100000000
/* More than the process grows between two requests, less than what the ends of huge pages take. */
#define LOWERED_BYTES (UINT64_C(512) << 10)

/* Not much more than it takes: page tables of a larger one are given back, too. */
#ifndef __SANITIZE_ADDRESS__
#define BUDGET_BYTES (UINT64_C(32) << 20)
#else
#define BUDGET_BYTES (UINT64_C(128) << 20)
#endif

/* Activations of 5.4 MB, which are 3 whole huge pages, and 2 MB of weights. */
static const char network_text[] =
    "name: 'wide' layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: 1 "
    "dim: 3 dim: 260 dim: 260 } } }"
    "layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv' convolution_param { "
    "num_output: 16 kernel_size: 3 pad: 1 } }"
    "layer { name: 'pool' type: 'Pooling' bottom: 'conv' top: 'pool' pooling_param { pool: MAX "
    "kernel_size: 2 stride: 2 } }"
    "layer { name: 'small' type: 'Pooling' bottom: 'pool' top: 'small' pooling_param { pool: MAX "
    "kernel_size: 26 stride: 26 } }"
    "layer { name: 'fc' type: 'InnerProduct' bottom: 'small' top: 'fc' inner_product_param { "
    "num_output: 1200 } }";

struct lowering {
    struct sl_engine *engine;
    uint64_t budget_bytes;
};

static void *lower_soon(void *argument)
{
    const struct lowering *lowering = argument;
    const struct timespec pause = {0, LOWERED_AT_NS};
    nanosleep(&pause, NULL);
    sl_engine_set_budget(lowering->engine, lowering->budget_bytes);
    sl_engine_reread_limit(lowering->engine);
    return NULL;
}

/* Where everything has room, activations and scratch are whole huge pages. When the budget is less
 * than these and a few shards, a request goes on without their ends. */
Test(engine_shrink, ends_of_huge_pages_are_given_back)
{
    struct scratch scratch;
    struct sl_pack *pack = scratch_pack(&scratch, network_text, SHARD_BYTES);
    struct sl_engine *engine = NULL;
    struct sl_error error = {0};
    const struct sl_engine_options options = {
        .policy = "window",
        .loader = "sim",
        .threads = 1,
        .budget_bytes = BUDGET_BYTES,
        .reading = {.sim_bytes_per_s = pack->weight_bytes * 1000000000 / REQUEST_NS}};
    cr_assert_eq(sl_engine_create(&options, &engine, &error), 0, "%s", error.text);
    cr_assert_eq(sl_engine_add(engine, pack, &error), 0, "%s", error.text);
    struct sl_network_result result;
    struct sl_engine_facts facts;
    uint64_t makespan_ns;
    cr_assert_eq(sl_engine_run(engine, 1, &result, &makespan_ns, &error), 0, "%s", error.text);
    sl_engine_facts(engine, &facts);
    const uint64_t digest = result.digest;
    const struct sl_budget whole = facts.budget;
    struct lowering lowering = {engine,
                                sl_budget_overhead(&whole) + 4 * SHARD_BYTES - LOWERED_BYTES};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, lower_soon, &lowering), 0);
    int code = sl_engine_run(engine, 0, &result, &makespan_ns, &error);
    pthread_join(thread, NULL);
    cr_assert_eq(code, 0, "%s", error.text);
    cr_expect_eq(result.digest, digest);
    sl_engine_facts(engine, &facts);
    cr_expect_eq(facts.budget.total_bytes, lowering.budget_bytes);
    cr_expect_lt(facts.budget.activation_bytes + LOWERED_BYTES, whole.activation_bytes);
    sl_engine_free(engine);
    sl_pack_close(pack);
    scratch_end(&scratch);
}
