#include "tests/unit/engine_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "runtime/base/rng.h"
#include "tests/unit/pack_fixture.h"

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

static struct scratch scratch;

void engine_set_up(void)
{
    scratch_begin(&scratch);
}

void engine_tear_down(void)
{
    scratch_end(&scratch);
}

const char *engine_pack_path(void)
{
    return scratch.pack;
}

struct sl_pack *make_pack(uint64_t shard_bytes)
{
    struct sl_pack *pack = NULL;
    struct sl_error error = {0};
    write_pack(&scratch, network_text, true, shard_bytes);
    cr_assert_eq(sl_pack_open(scratch.pack, NULL, &pack, &error), 0, "%s", error.text);
    return pack;
}

struct sl_engine *make_engine(const struct sl_engine_options *options, const struct sl_pack *pack,
                              int networks)
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

uint64_t run_digest(const struct sl_engine_options *options, const struct sl_pack *pack,
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
