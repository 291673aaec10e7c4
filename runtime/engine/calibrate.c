#include "runtime/engine/calibrate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/cgroup.h"
#include "models/pack_format.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/stats.h"
#include "runtime/base/units.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/times.h"

/* Under a policy that reads ahead, the last pass has no successor to read for: not counted. */
#define PASSES_MOST 5
/* After so long only what must be known is measured. */
#define ENOUGH_NS UINT64_C(6000000000)
/* The process itself, activations and scratch, roughly. */
#define BESIDE_WEIGHTS_BYTES (64 * SL_MIB)
/* A first pass of a process takes at most so much longer than another engine's, undisturbed. */
#define FIRST_SHARE_MORE 4
#define FIRST_MORE_NS    UINT64_C(1000000)

/* Passes under one policy. */
struct passes {
    size_t count, layer_count;
    uint64_t *run_ns; /* [PASSES_MOST][layer_count] */
    uint64_t pass_ns[PASSES_MOST];
};

struct calibration {
    const struct sl_pack *pack;
    int threads;
    uint64_t end_ns;       /* when it is enough */
    uint64_t budget_bytes; /* UINT64_MAX: what the process may have */
};

static int pass(const struct calibration *calibration, const char *policy, size_t least,
                size_t most, struct passes *passes, struct sl_error *error)
{
    const struct sl_engine_options options = {.policy = policy,
                                              .threads = calibration->threads,
                                              .budget_bytes = calibration->budget_bytes,
                                              .verify = true};
    struct sl_engine *engine = NULL;
    int code = sl_engine_create(&options, &engine, error);
    if (code < 0)
        return code;
    code = sl_engine_add(engine, calibration->pack, error);
    while (passes->count < most && code >= 0 &&
           (passes->count < least || sl_now_ns() < calibration->end_ns)) {
        struct sl_network_result result;
        const size_t p = passes->count;
        code = sl_engine_run(engine, most - 1 - p, &result, &passes->pass_ns[p], error);
        for (size_t l = 0; l < passes->layer_count && code >= 0; l++)
            passes->run_ns[p * passes->layer_count + l] = result.layers[l].run_ns;
        passes->count += code >= 0;
    }
    sl_engine_free(engine);
    return code < 0 ? code : 0;
}

/* The median of values [p * stride] over the passes but the first and a last one without successor;
 * 0 when there are none. *least: the least of them, UINT64_MAX. */
static uint64_t later_median(const struct passes *passes, const uint64_t *values, size_t stride,
                             uint64_t *least)
{
    uint64_t sorted[PASSES_MOST];
    size_t count = 0, end = passes->count - (passes->count == PASSES_MOST);
    for (size_t p = 1; p < end; p++)
        sorted[count++] = values[p * stride];
    *least = UINT64_MAX;
    if (!count)
        return 0;
    sl_sort_u64(sorted, count);
    *least = sorted[0];
    return sorted[count / 2];
}

/* A process runs for the first time but once; where that was disturbed, the first pass of its
 * second engine comes next to it. */
static const struct passes *first_of(const struct passes *resident, const struct passes *ahead)
{
    const uint64_t second_ns = ahead->pass_ns[0];
    const bool disturbed =
        ahead->count &&
        resident->pass_ns[0] > second_ns + second_ns / FIRST_SHARE_MORE + FIRST_MORE_NS;
    return disturbed ? ahead : resident;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

enum policy { RESIDENT, AHEAD, WAITING, WHOLE, POLICIES };

static void summarise(const struct passes all[POLICIES], struct sl_run_times *times,
                      struct sl_pass_times *summary)
{
    const size_t layers = all[RESIDENT].layer_count;
    const struct passes *first = first_of(&all[RESIDENT], &all[AHEAD]);
    uint64_t least, least_reading;
    for (size_t l = 0; l < layers; l++) {
        times[l].first_ns = first->run_ns[l];
        times[l].waited_ns = later_median(&all[WAITING], all[WAITING].run_ns + l, layers, &least);
        times[l].reading_ns =
            later_median(&all[AHEAD], all[AHEAD].run_ns + l, layers, &least_reading);
        times[l].usual_ns = later_median(&all[RESIDENT], all[RESIDENT].run_ns + l, layers, &least);
        times[l].least_ns = lesser(least, least_reading);
    }
    summary->first_ns = first->pass_ns[0];
    summary->window_ns = later_median(&all[AHEAD], all[AHEAD].pass_ns, 1, &least);
    summary->linear_ns = later_median(&all[WAITING], all[WAITING].pass_ns, 1, &least);
    summary->bulk_ns = later_median(&all[WHOLE], all[WHOLE].pass_ns, 1, &least);
}

/* What may be taken without swapping: UINT64_MAX when nothing tells. */
static uint64_t available_bytes(void)
{
    char text[4096];
    uint64_t kib;
    const char *line = sl_file_read_text("/proc/meminfo", text, sizeof(text)) > 0
                           ? strstr(text, "MemAvailable:")
                           : NULL;
    return line && sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1 ? kib * SL_KIB : UINT64_MAX;
}

static uint64_t largest_layer(const struct sl_network *network)
{
    uint64_t largest = 0;
    for (int l = 0; l < network->layer_count; l++) {
        uint64_t bytes = sl_pack_layer_bytes(&network->layers[l]);
        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

/* Under auto, which is the first, all stays in memory, if it fits; window reads ahead of the runs;
 * linear waits for each layer's shards, bulk for all of them. */
static int measure(struct calibration *calibration, struct passes all[POLICIES],
                   struct sl_error *error)
{
    const struct sl_pack *pack = calibration->pack;
    const uint64_t machine = available_bytes() / 2, group = sl_cgroup_own_free() / 2;
    const uint64_t room = lesser(machine, group);
    if (machine < pack->weight_bytes + BESIDE_WEIGHTS_BYTES && machine < sl_cgroup_own_limit())
        calibration->budget_bytes = machine;
    int code = pass(calibration, "auto", 2, PASSES_MOST, &all[RESIDENT], error);
    if (code == -ENOBUFS && calibration->budget_bytes != UINT64_MAX) {
        calibration->budget_bytes = UINT64_MAX; /* half of it is too little: then what it takes */
        code = pass(calibration, "auto", 2, PASSES_MOST, &all[RESIDENT], error);
    }
    if (!code)
        code = pass(calibration, "window", 0, PASSES_MOST, &all[AHEAD], error);
    if (!code && largest_layer(pack->network) + BESIDE_WEIGHTS_BYTES < room)
        code = pass(calibration, "linear", 0, PASSES_MOST - 1, &all[WAITING], error);
    if (!code && pack->weight_bytes + BESIDE_WEIGHTS_BYTES < room)
        code = pass(calibration, "bulk", 0, PASSES_MOST - 1, &all[WHOLE], error);
    return code;
}

static void release_all(struct passes (*all)[POLICIES])
{
    for (size_t p = 0; p < POLICIES; p++)
        free((*all)[p].run_ns);
}

int sl_calibrate_pack(const struct sl_pack *pack, int threads, struct sl_error *error)
{
    const size_t layer_count = (size_t)pack->network->layer_count;
    struct calibration calibration = {.pack = pack,
                                      .threads = threads,
                                      .end_ns = sl_now_ns() + ENOUGH_NS,
                                      .budget_bytes = UINT64_MAX};
    SL_AUTO(release_all) struct passes all[POLICIES] = {0};
    SL_AUTO_FREE struct sl_run_times *times = calloc(layer_count, sizeof(*times));
    bool failed = !times;
    for (size_t p = 0; p < POLICIES; p++) {
        all[p].layer_count = layer_count;
        all[p].run_ns = calloc(PASSES_MOST * layer_count, sizeof(*all[p].run_ns));
        failed |= !all[p].run_ns;
    }
    if (failed)
        return sl_error_set(error, -ENOMEM, "no memory to calibrate %s", pack->network->name);
    struct sl_pass_times passes;
    int code = measure(&calibration, all, error);
    if (code)
        return code;
    summarise(all, times, &passes);
    return sl_times_store(pack, threads, times, &passes, error);
}
