/* What deciding costs: the planner over many layers and shards, and what happens to a shard in the
 * schedule alone and in the engine, with a device that takes no time and kernels that have next to
 * nothing to do. Prints each figure beside its target. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/caffe_text.h"
#include "models/import.h"
#include "runtime/base/cleanup.h"

#include "runtime/base/clock.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/planner.h"

#define MIB (UINT64_C(1) << 20)

static double plan_ms(int layer_count, int shards_per_layer)
{
    size_t shard_count = (size_t)layer_count * (size_t)shards_per_layer;
    struct sl_schedule_layer *layers = calloc((size_t)layer_count, sizeof(*layers));
    uint64_t *bytes = calloc(shard_count, sizeof(*bytes));
    if (!layers || !bytes)
        exit(1);
    for (int l = 0; l < layer_count; l++)
        layers[l] = (struct sl_schedule_layer){.shard_count = shards_per_layer,
                                               .run_ns = 100000u * (uint64_t)(1 + l % 7)};
    for (size_t s = 0; s < shard_count; s++)
        bytes[s] = MIB;
    struct sl_schedule_network network = {
        .name = "bench", .layer_count = layer_count, .layers = layers, .shard_bytes = bytes};
    struct sl_schedule_options options = {.budget_bytes = shard_count * MIB / 2, .reads_most = 32};
    struct sl_device_model device = {.bytes_per_s = 1000 * MIB, .latency_ns = 100000, .depth = 32};
    struct sl_plan plan;
    struct sl_error error = {0};
    uint64_t begin_ns = sl_now_ns();
    if (sl_plan_make(&network, 1, &options, &device, true, &plan, &error)) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    double ms = (double)(sl_now_ns() - begin_ns) / 1e6;
    sl_plan_free(&plan);
    free(layers);
    free(bytes);
    return ms;
}

/* All that happens to a shard in the schedule and its simulator: load, loaded, run, ran, drop. */
static double shard_us(int shard_count)
{
    struct sl_schedule_layer layer = {.shard_count = shard_count};
    uint64_t *bytes = calloc((size_t)shard_count, sizeof(*bytes));
    if (!bytes)
        exit(1);
    for (int s = 0; s < shard_count; s++)
        bytes[s] = MIB;
    struct sl_schedule_network network = {
        .name = "bench", .layer_count = 1, .layers = &layer, .shard_bytes = bytes};
    struct sl_schedule_options options = {.budget_bytes = 64 * MIB, .reads_most = 32};
    struct sl_device_model device = {.depth = 32};
    struct sl_simulation result;
    uint64_t begin_ns = sl_now_ns();
    if (sl_simulate(&network, 1, sl_policy_find("window"), &options, &device, 1, &result, NULL))
        exit(1);
    double us = (double)(sl_now_ns() - begin_ns) / 1e3 / shard_count;
    sl_simulation_free(&result);
    free(bytes);
    return us;
}

/* The layers with weights of VGG-19, in thousands of floats: what a changed budget is planned for.
 */
static double replan_ms(void)
{
    static const uint64_t thousands[] = {2,    37,   74,     147,   295,  590,  590,
                                         590,  1180, 2360,   2360,  2360, 2360, 2360,
                                         2360, 2360, 102760, 16777, 4096};
    enum { LAYERS = sizeof(thousands) / sizeof(thousands[0]), SHARDS_MOST = 1000 };
    struct sl_schedule_layer layers[LAYERS];
    uint64_t bytes[SHARDS_MOST];
    int shard = 0;
    for (int l = 0; l < LAYERS; l++) {
        uint64_t left = thousands[l] * 4000;
        layers[l] = (struct sl_schedule_layer){.run_ns = l < 16 ? 15000000 : left / 20};
        for (; left; left -= bytes[shard++]) {
            bytes[shard] = left < MIB ? left : MIB;
            layers[l].shard_count++;
        }
    }
    struct sl_schedule_network network = {
        .name = "vgg19", .layer_count = LAYERS, .layers = layers, .shard_bytes = bytes};
    struct sl_schedule_options options = {.budget_bytes = 200 * MIB, .reads_most = 32};
    struct sl_device_model device = {.bytes_per_s = 1000 * MIB, .latency_ns = 100000, .depth = 32};
    struct sl_plan plan;
    uint64_t begin_ns = sl_now_ns();
    if (sl_plan_make(&network, 1, &options, &device, true, &plan, NULL))
        exit(1);
    double ms = (double)(sl_now_ns() - begin_ns) / 1e6;
    sl_plan_free(&plan);
    return ms;
}

static const char many_shards[] =
    "name: 'shards' layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: 1 "
    "dim: 16 } } } layer { name: 'ip' type: 'InnerProduct' bottom: 'data' top: 'ip' "
    "inner_product_param { num_output: 262144 bias_term: false } }";

static void fail(const struct sl_error *error)
{
    fprintf(stderr, "%s\n", error->text);
    exit(1);
}

/* A pack of 4,096 shards of 4 KiB: 64 rows of 16 floats each. */
static struct sl_pack *make_pack(const char *path)
{
    struct sl_error error = {0};
    struct Caffe__NetParameter *message = NULL;
    struct sl_weight_source *weights = NULL;
    struct sl_import_report report;
    struct sl_pack *pack = NULL;
    struct sl_import_options options = {
        .output = path, .shard_bytes = 4096, .preprocessing.scale = 1};
    if (sl_caffe_parse("shards", many_shards, strlen(many_shards), &message, &error) ||
        sl_synthetic_weights_open(7, &weights, &error) ||
        sl_pack_write(message, weights, &options, &report, &error) ||
        sl_pack_open(path, NULL, &pack, &error))
        fail(&error);
    weights->close(weights);
    sl_caffe_free(message);
    return pack;
}

/* Least of some batches, so that another process on this processor does not count. */
static double engine_us(const struct sl_pack *pack, const char *policy)
{
    struct sl_engine_options options = {
        .policy = policy, .loader = "sim", .threads = 1, .budget_bytes = 64 * MIB};
    struct sl_engine *engine = NULL;
    struct sl_error error = {0};
    if (sl_engine_create(&options, &engine, &error) || sl_engine_add(engine, pack, &error) < 0)
        fail(&error);
    double least = 0;
    for (int batch = 0; batch < 5; batch++) {
        struct sl_network_result result;
        uint64_t makespan_ns;
        if (sl_engine_run(engine, 0, &result, &makespan_ns, &error))
            fail(&error);
        double us = (double)makespan_ns / 1e3 / pack->shard_count;
        least = !batch || us < least ? us : least;
    }
    sl_engine_free(engine);
    return least;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void report(const char *what, double *samples, int count, const char *unit, double target)
{
    qsort(samples, (size_t)count, sizeof(*samples), compare);
    printf("%-44s %8.3f %s  target < %g %s  %s\n", what, samples[count / 2], unit, target, unit,
           samples[count / 2] < target ? "ok" : "MISSED");
}

int main(void)
{
    enum { RUNS = 7 };
    double layers[RUNS], shards[RUNS], steps[RUNS], replans[RUNS], units[RUNS];
    char path[] = "/tmp/sluice-bench-XXXXXX";
    close(mkstemp(path));
    struct sl_pack *pack = make_pack(path);
    for (int r = 0; r < RUNS; r++) {
        layers[r] = plan_ms(1000, 1);
        shards[r] = plan_ms(100, 100);
        steps[r] = shard_us(10000);
        replans[r] = replan_ms();
        units[r] = engine_us(pack, "window");
    }
    report("planning, 1,000 layers", layers, RUNS, "ms", 5);
    report("planning, 10,000 shards", shards, RUNS, "ms", 100);
    report("planning, VGG-19 after its limit changed", replans, RUNS, "ms", 100);
    report("schedule, per shard (no device, no kernels)", steps, RUNS, "us", 5);
    report("engine, per shard (null loader, 64 x 16 FMA)", units, RUNS, "us", 5);
    sl_pack_close(pack);
    unlink(path);
    return 0;
}
