/* Warm compute of a pack: all weights in memory, kernels shard by shard as the engine calls them.
 *
 * usage: bench_kernels PACK THREADS INPUT.f32 OUTPUT.f32
 *            then one line "run" on standard input per inference; prints its nanoseconds; the
 *            output of the last one is written to OUTPUT when standard input ends
 *        bench_kernels PACK THREADS layers [RUNS]
 *            prints each layer's least time over RUNS (20) and its GFLOP/s
 * SLUICE_BENCH_ISA, SLUICE_BENCH_GEMM: force an instruction set or a product back-end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/gemm.h"
#include "kernels/isa.h"
#include "kernels/kernel.h"
#include "models/pack.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/rng.h"
#include "runtime/engine/activation_plan.h"

#define MOST_BLOBS 64 /* bottoms or tops of one layer */

struct bench {
    struct sl_pack *pack;
    struct sl_activation_plan plan;
    struct sl_threads *threads;
    float **blobs;  /* [blob] */
    void **shards;  /* [shard] */
    uint64_t *best; /* [layer] least time in ns */
    void *scratch;
};

static int allocate(size_t bytes, void *result, struct sl_error *error)
{
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    if (!memory)
        return sl_error_set(error, -ENOMEM, "no memory for %zu bytes", bytes);
    *(void **)result = memory;
    return 0;
}

static int load_shards(struct bench *bench, const char *path, struct sl_error *error)
{
    SL_AUTO_FILE FILE *file = fopen(path, "rb");
    if (!file)
        return sl_error_errno(error, "cannot open %s", path);
    bench->shards = calloc((size_t)bench->pack->shard_count, sizeof *bench->shards);
    if (!bench->shards)
        return sl_error_set(error, -ENOMEM, "no memory");
    for (int s = 0; s < bench->pack->shard_count; s++) {
        const struct sl_shard *shard = &bench->pack->shards[s];
        int code = allocate(shard->bytes, &bench->shards[s], error);
        if (code < 0)
            return code;
        if (fseeko(file, (off_t)shard->file_offset, SEEK_SET) < 0 ||
            fread(bench->shards[s], 1, shard->bytes, file) != shard->bytes)
            return sl_error_set(error, -EIO, "cannot read shard %d of %s", s, path);
    }
    return 0;
}

static int make_memory(struct bench *bench, int threads, struct sl_error *error)
{
    const struct sl_network *network = bench->pack->network;
    float *arena = NULL;
    size_t scratch = 0;
    int code = sl_activation_plan_create(network, &bench->plan, error);
    if (code == 0)
        code = allocate(bench->plan.bytes, &arena, error);
    if (code < 0)
        return code;
    bench->blobs = calloc((size_t)network->blob_count, sizeof *bench->blobs);
    bench->best = calloc((size_t)network->layer_count, sizeof *bench->best);
    if (!bench->blobs || !bench->best)
        return sl_error_set(error, -ENOMEM, "no memory");
    for (int i = 0; i < network->input_count && code == 0; i++)
        code = allocate((size_t)sl_shape_count(&network->blobs[network->inputs[i]].shape) *
                            sizeof(float),
                        &bench->blobs[network->inputs[i]], error);
    for (int b = 0; b < network->blob_count; b++) {
        uint64_t offset = bench->plan.offset_bytes[b];
        bench->blobs[b] = offset != SL_PLAN_EXTERNAL
                              ? arena + offset / sizeof(float)
                              : bench->blobs[network->inputs[bench->plan.input[b]]];
    }
    for (int l = 0; l < network->layer_count; l++) {
        const struct sl_kernel *kernel = sl_kernel_find(network->layers[l].type);
        size_t bytes =
            kernel && kernel->scratch_bytes
                ? kernel->scratch_bytes(network, &network->layers[l], threads, SL_SCRATCH_LIMIT)
                : 0;
        scratch = bytes > scratch ? bytes : scratch;
    }
    return code < 0 ? code : allocate(scratch, &bench->scratch, error);
}

static void run_layer(struct bench *bench, int index)
{
    const struct sl_pack *pack = bench->pack;
    const struct sl_layer *layer = &pack->network->layers[index];
    const struct sl_kernel *kernel = sl_kernel_find(layer->type);
    const float *bottoms[MOST_BLOBS];
    float *tops[MOST_BLOBS];
    if (!kernel || kernel->memory == SL_KERNEL_VIEW)
        return;
    for (int i = 0; i < layer->bottom_count; i++)
        bottoms[i] = bench->blobs[layer->bottoms[i]];
    for (int i = 0; i < layer->top_count; i++)
        tops[i] = bench->blobs[layer->tops[i]];
    struct sl_kernel_call call = {
        .network = pack->network,
        .layer = layer,
        .bottoms = bottoms,
        .tops = tops,
        .scratch = bench->scratch,
        .threads = bench->threads,
    };
    int first = pack->layer_first_shard[index], end = pack->layer_first_shard[index + 1];
    if (first == end)
        kernel->run(&call);
    for (int s = first; s < end; s++) {
        const struct sl_shard *shard = &pack->shards[s];
        call.scratch_kept = s > first;
        call.row_begin = shard->row_begin;
        call.row_end = shard->row_end;
        for (int w = 0; w < layer->weight_count; w++) {
            struct sl_segment segment;
            sl_shard_segment(pack->network, shard, w, &segment);
            const char *values = (const char *)bench->shards[s] + segment.offset_bytes;
            call.weights[w] = (const float *)(const void *)values;
        }
        kernel->run(&call);
    }
}

static uint64_t run_network(struct bench *bench)
{
    uint64_t begin = sl_now_ns(), before = begin, now = begin;
    for (int l = 0; l < bench->pack->network->layer_count; l++) {
        run_layer(bench, l);
        now = sl_now_ns();
        if (bench->best[l] == 0 || now - before < bench->best[l])
            bench->best[l] = now - before;
        before = now;
    }
    return now - begin;
}

static void print_layers(struct bench *bench, int runs)
{
    const struct sl_network *network = bench->pack->network;
    uint64_t rng = 1, total = 0;
    for (int i = 0; i < network->input_count; i++) {
        int64_t count = sl_shape_count(&network->blobs[network->inputs[i]].shape);
        for (int64_t j = 0; j < count; j++)
            bench->blobs[network->inputs[i]][j] = (float)sl_rng_unit(&rng);
    }
    for (int i = 0; i < runs; i++)
        run_network(bench);
    for (int l = 0; l < network->layer_count; l++)
        total += bench->best[l];
    for (int l = 0; l < network->layer_count; l++) {
        const struct sl_layer *layer = &network->layers[l];
        char shape[SL_SHAPE_TEXT_BYTES];
        printf("%-32.32s %-16s %-20s %8.3f ms %5.1f %% %7.1f GFLOP/s\n", layer->name,
               sl_layer_type_name(layer->type),
               sl_shape_text(&network->blobs[layer->tops[0]].shape, shape),
               (double)bench->best[l] / 1e6, 100.0 * (double)bench->best[l] / (double)total,
               layer->flops / (double)(bench->best[l] ? bench->best[l] : 1));
    }
    printf("%s, %s, %d threads: %.3f ms\n", sl_kernels_isa(), sl_gemm_backend(),
           sl_threads_count(bench->threads), (double)total / 1e6);
}

static int serve(struct bench *bench, const char *input, const char *output, struct sl_error *error)
{
    const struct sl_network *network = bench->pack->network;
    const int in = network->inputs[0], out = network->outputs[0];
    size_t count = (size_t)sl_shape_count(&network->blobs[in].shape);
    SL_AUTO_FILE FILE *from = fopen(input, "rb");
    if (!from || fread(bench->blobs[in], sizeof(float), count, from) != count)
        return sl_error_set(error, -EIO, "%s does not hold %zu floats", input, count);
    char line[16];
    while (fgets(line, sizeof line, stdin)) {
        printf("%" PRIu64 "\n", run_network(bench));
        fflush(stdout);
    }
    SL_AUTO_FILE FILE *to = fopen(output, "wb");
    count = (size_t)sl_shape_count(&network->blobs[out].shape);
    if (!to || fwrite(bench->blobs[out], sizeof(float), count, to) != count)
        return sl_error_set(error, -EIO, "cannot write %s", output);
    return 0;
}

static int refuse_encoded(const struct sl_pack *pack, struct sl_error *error)
{
    for (int l = 0; l < pack->network->layer_count; l++)
        if (pack->network->layers[l].encoding != SL_ENCODING_F32)
            return sl_error_set(error, -EINVAL,
                                "%s is encoded; measure kernels with a float32 pack", pack->path);
    return 0;
}

static int start(int argc, char **argv, struct sl_error *error)
{
    static struct bench bench; /* lives as long as the process */
    const char *isa = getenv("SLUICE_BENCH_ISA"), *gemm = getenv("SLUICE_BENCH_GEMM");
    int threads = argc > 3 ? atoi(argv[2]) : 0;
    if (argc < 4 || (strcmp(argv[3], "layers") != 0 && argc != 5))
        return sl_error_set(error, -EINVAL,
                            "usage: bench_kernels PACK THREADS INPUT OUTPUT | layers [RUNS]");
    int code = isa ? sl_kernels_force_isa(isa, error) : 0;
    if (code == 0 && gemm)
        code = sl_gemm_select(gemm, error);
    if (code == 0)
        code = sl_pack_open(argv[1], NULL, &bench.pack, error);
    if (code == 0)
        code = refuse_encoded(bench.pack, error);
    if (code == 0)
        code = load_shards(&bench, argv[1], error);
    if (code == 0)
        code = make_memory(&bench, threads, error);
    if (code == 0)
        code = sl_threads_create(threads, &bench.threads, error);
    if (code < 0)
        return code;
    if (strcmp(argv[3], "layers") != 0)
        return serve(&bench, argv[3], argv[4], error);
    print_layers(&bench, argc > 4 ? atoi(argv[4]) : 20);
    return 0;
}

int main(int argc, char **argv)
{
    struct sl_error error = {0};
    if (start(argc, argv, &error) < 0) {
        fprintf(stderr, "bench_kernels: %s\n", error.text);
        return 1;
    }
    return 0;
}
