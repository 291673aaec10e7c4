/* What deciding costs: the planner over many layers and shards, and a step of the schedule with a
 * device and kernels that take no time. Prints each figure beside its target. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/clock.h"
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
    if (sl_plan_make(&network, 1, &options, &device, 10, &plan, &error)) {
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
    double layers[RUNS], shards[RUNS], steps[RUNS];
    for (int r = 0; r < RUNS; r++) {
        layers[r] = plan_ms(1000, 1);
        shards[r] = plan_ms(100, 100);
        steps[r] = shard_us(10000);
    }
    report("planning, 1,000 layers", layers, RUNS, "ms", 5);
    report("planning, 10,000 shards", shards, RUNS, "ms", 100);
    report("schedule, per shard (no device, no kernels)", steps, RUNS, "us", 5);
    return 0;
}
