/* Row bands: the bits of whole blobs whatever the layers, the height of the bands, the shards, the
 * batch and the threads; and the search for chains keeps its promises. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/threads.h"
#include "models/pack.h"
#include "pack_fixture.h"
#include "runtime/base/rng.h"
#include "runtime/engine/network_state.h"
#include "runtime/engine/pool.h"

#define TEXT_BYTES    8192
#define SCRATCH_BYTES ((size_t)32 << 20)
#define NETWORKS      60

static void add_layer(char *text, uint64_t *rng, int n, int64_t channels)
{
    char *end = text + strlen(text);
    const size_t left = TEXT_BYTES - strlen(text);
    const int kernel = 1 + (int)(sl_rng_next(rng) % 4), stride = 1 + (int)(sl_rng_next(rng) % 2);
    const int pad = kernel > 1 ? (int)(sl_rng_next(rng) % 2) : 0;
    static const char layer[] = "layer { name: 'l%d' bottom: 'b%d' top: 'b%d' type: ";
    end += snprintf(end, left, layer, n, n, n + 1);
    switch (sl_rng_next(rng) % 8) {
    case 0:
        snprintf(end, left,
                 "'Pooling' pooling_param { pool: MAX kernel_size: 3 stride: %d pad: %d } }",
                 stride, pad);
        break;
    case 1:
        snprintf(end, left, "'Pooling' pooling_param { pool: AVE kernel_size: %d stride: 1 } }",
                 kernel);
        break;
    case 2:
        snprintf(end, left, "'ReLU' relu_param { negative_slope: 0.1 } }");
        break;
    case 3:
        snprintf(end, left, "'LRN' lrn_param { local_size: 5 alpha: 0.1 beta: 0.75 } }");
        break;
    case 4: /* depthwise */
        snprintf(
            end, left,
            "'Convolution' convolution_param { num_output: %d kernel_size: 3 pad: %d stride: %d"
            " group: %d } }",
            (int)channels, pad, stride, (int)channels);
        break;
    case 5:
        snprintf(
            end, left,
            "'Convolution' convolution_param { num_output: %d kernel_size: 3 pad: 2 dilation: 2"
            " group: 2 } }",
            (int)channels);
        break;
    default:
        snprintf(
            end, left,
            "'Convolution' convolution_param { num_output: %d kernel_size: %d pad: %d stride: %d"
            " } }",
            (int)channels, kernel, pad, stride);
        break;
    }
}

/* A random tower of 3 to 6 row-local layers over maps of 24 to 63 rows and columns. */
static void make_text(uint64_t seed, char *text)
{
    uint64_t rng = seed;
    const int64_t channels = 8 * (1 + (int64_t)(sl_rng_next(&rng) % 3));
    const int layers = 3 + (int)(sl_rng_next(&rng) % 4);
    snprintf(text, TEXT_BYTES,
             "name: 'tower' layer { name: 'data' type: 'Input' top: 'b0' input_param { shape { "
             "dim: 1 dim: %d dim: %d dim: %d } } }",
             (int)channels, 24 + (int)(sl_rng_next(&rng) % 40), 24 + (int)(sl_rng_next(&rng) % 40));
    for (int n = 0; n < layers; n++)
        add_layer(text, &rng, n, channels);
}

struct bench {
    struct sl_pack *pack;
    struct sl_pool *pool;
    struct sl_threads *threads;
    struct sl_network_state *state;
    void *scratch;
    unsigned char *file;
};

static void bench_open(struct bench *bench, const char *path, int64_t batch)
{
    struct sl_error error = {0};
    const struct sl_network_options options = {.batch = batch};
    size_t length;
    cr_assert_eq(sl_pack_open(path, &options, &bench->pack, &error), 0, "%s", error.text);
    cr_assert_eq(sl_pool_create(&bench->pool, &error), 0);
    cr_assert_eq(sl_threads_create(2, &bench->threads, &error), 0);
    cr_assert_eq(sl_network_state_create(bench->pack, &bench->state, &error), 0);
    cr_assert_eq(sl_network_state_take_blobs(bench->state, bench->pool, &error), 0);
    bench->scratch = aligned_alloc(64, SCRATCH_BYTES);
    bench->file = read_file(path, &length);
    int64_t count = sl_shape_count(&bench->pack->network->blobs[0].shape);
    for (int64_t i = 0; i < count; i++)
        bench->state->inputs[0][i] = sl_rng_signed_unit(3, (uint64_t)i + 1);
}

static void bench_close(struct bench *bench)
{
    sl_network_state_free(bench->state, bench->pool);
    sl_threads_free(bench->threads);
    sl_pool_free(bench->pool);
    sl_pack_close(bench->pack);
    free(bench->scratch);
    free(bench->file);
}

/* Runs every unit; each shard is in memory only while its own unit runs. */
static uint64_t bench_digest(struct bench *bench, struct sl_threads *threads)
{
    struct sl_network_state *state = bench->state;
    const int *first_shard = bench->pack->layer_first_shard;
    struct sl_error error = {0};
    cr_assert_eq(sl_network_state_admit(state, false, bench->pool, &error), 0, "%s", error.text);
    memset(state->arena, 0xff, state->plan.bytes);
    for (int l = 0; l < state->network->layer_count; l++) {
        if (first_shard[l] == first_shard[l + 1])
            sl_network_state_run(state, l, -1, threads, bench->scratch, false);
        for (int s = first_shard[l]; s < first_shard[l + 1]; s++) {
            const struct sl_shard *shard = &bench->pack->shards[s];
            void *slot = aligned_alloc(SL_PACK_ALIGNMENT, sl_shard_memory(shard));
            memcpy(slot, bench->file + shard->file_offset, shard->bytes);
            state->slots[s] = slot;
            sl_network_state_run(state, l, s, threads, bench->scratch, s > first_shard[l]);
            state->slots[s] = NULL;
            free(slot);
        }
    }
    sl_network_state_finish(state, bench->pool, 0, false);
    return state->result.digest;
}

/* Every chain of neighbours in bands of this height; how many could be banded so. */
static int check_chains(struct bench *bench, int64_t rows, uint64_t digest, const char *text)
{
    const struct sl_network *network = bench->pack->network;
    int banded = 0;
    for (int first = 0; first < network->layer_count; first++) {
        for (int last = first; sl_chain_links(network, last); last++) {
            struct sl_chain chain = {.first_layer = first, .last_layer = last + 1, .rows = rows};
            struct sl_error error = {0};
            if (!sl_chain_measure(bench->pack, &chain))
                continue;
            sl_activation_plan_free(&bench->state->plan);
            cr_assert_eq(
                sl_activation_plan_chained(network, &chain, 1, &bench->state->plan, &error), 0);
            struct sl_threads *threads = rows % 2 ? NULL : bench->threads;
            cr_assert_eq(bench_digest(bench, threads), digest, "layers %d to %d by %d rows of %s",
                         first, last + 1, (int)rows, text);
            banded++;
        }
    }
    return banded;
}

Test(chain, bands_have_the_bits_of_whole_blobs)
{
    static const int64_t heights[] = {1, 2, 3, 4, 7, 16};
    struct scratch scratch;
    char text[TEXT_BYTES];
    int banded = 0;
    scratch_begin(&scratch);
    for (uint64_t seed = 1; seed <= NETWORKS; seed++) {
        make_text(seed, text);
        write_pack(&scratch, text, seed % 2, seed % 3 ? 1 << 20 : 4096);
        struct bench bench;
        bench_open(&bench, scratch.pack, seed % 4 ? 1 : 3);
        uint64_t digest = bench_digest(&bench, bench.threads);
        for (size_t h = 0; h < sizeof(heights) / sizeof(*heights); h++)
            banded += check_chains(&bench, heights[h], digest, text);
        bench_close(&bench);
    }
    scratch_end(&scratch);
    cr_assert_gt(banded, NETWORKS * 6, "only %d chains were run in bands", banded);
}

/* Whatever is asked for: never more memory than whole blobs, as little as asked where it can be
 * had, less wherever less is asked, the same bits. */
Test(chain, bounded_plans_shrink_to_what_is_asked)
{
    struct scratch scratch;
    char text[TEXT_BYTES];
    int smaller = 0;
    scratch_begin(&scratch);
    for (uint64_t seed = 1; seed <= NETWORKS; seed++) {
        make_text(seed, text);
        write_pack(&scratch, text, true, 1 << 20);
        struct bench bench;
        struct sl_error error = {0};
        bench_open(&bench, scratch.pack, 1);
        const uint64_t digest = bench_digest(&bench, NULL), whole = bench.state->plan.bytes;
        const uint64_t needed = sl_network_state_scratch(bench.state, 1);
        cr_assert_eq(sl_network_state_bound(bench.state, 0, 1, &error), 0);
        const uint64_t least = bench.state->plan.bytes;
        cr_assert_leq(least, whole);
        cr_assert_eq(bench_digest(&bench, NULL), digest, "%s", text);
        for (uint64_t most = least; most <= whole; most += (whole - least) / 3 + 1) {
            cr_assert_eq(sl_network_state_bound(bench.state, most, 1, &error), 0);
            cr_assert_leq(bench.state->plan.bytes, most);
            cr_assert_eq(bench_digest(&bench, NULL), digest, "%s", text);
            cr_assert_eq(sl_network_state_scratch(bench.state, 1), needed);
        }
        cr_assert_eq(sl_network_state_bound(bench.state, UINT64_MAX, 1, &error), 0);
        cr_assert_eq(bench.state->plan.chain_count, 0);
        smaller += least < whole;
        bench_close(&bench);
    }
    scratch_end(&scratch);
    cr_assert_gt(smaller, NETWORKS / 4);
}
