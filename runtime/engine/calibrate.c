#include "runtime/engine/calibrate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/cgroup.h"
#include "models/pack_format.h"
#include "policies/policy.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/stats.h"
#include "runtime/base/units.h"
#include "runtime/engine/cpus.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/times.h"

/* Of one engine under auto and window, the last of which has no successor to read for. */
#define AHEAD_PASSES 5
/* Of an engine under any other policy; as many engines of each, in turns: the machine's speed
 * drifts, and memory is slower for whoever takes it first. */
#define OTHER_PASSES 3
#define OTHER_ROUNDS 2
#define PASSES_MOST  (OTHER_PASSES * OTHER_ROUNDS)
/* After so long only what must be known is measured. */
#define ENOUGH_NS UINT64_C(12000000000)
/* The process itself, activations and scratch, roughly. */
#define BESIDE_WEIGHTS_BYTES (64 * SL_MIB)
/* A first pass of a process takes at most so much longer than another engine's, undisturbed. */
#define FIRST_SHARE_MORE 4
#define FIRST_MORE_NS    UINT64_C(1000000)

_Static_assert(OTHER_PASSES < AHEAD_PASSES && AHEAD_PASSES <= PASSES_MOST, "kinds of passes");

enum pass_kind { FIRST, LATER, LAST }; /* of its engine; LAST: under auto and window */

/* Passes under one policy. */
struct passes {
    size_t count, layer_count;
    uint64_t *run_ns; /* [PASSES_MOST][layer_count] */
    uint64_t pass_ns[PASSES_MOST];
    enum pass_kind kind[PASSES_MOST];
};

struct calibration {
    const struct sl_pack *pack;
    const struct sl_calibration_of *how;
    uint64_t end_ns;       /* when it is enough */
    uint64_t budget_bytes; /* UINT64_MAX: what the process may have */
};

/* least to most passes of an engine. */
static int pass(const struct calibration *calibration, const char *policy, size_t least,
                size_t most, struct passes *passes, struct sl_error *error)
{
    const struct sl_engine_options options = {.policy = policy,
                                              .threads = calibration->how->threads,
                                              .budget_bytes = calibration->budget_bytes,
                                              .device_bytes_per_s =
                                                  calibration->how->device_bytes_per_s,
                                              .verify = true};
    struct sl_engine *engine = NULL;
    int code = sl_engine_create(&options, &engine, error);
    if (code < 0)
        return code;
    code = sl_engine_add(engine, calibration->pack, error);
    for (size_t i = 0; i < most && code >= 0 && (i < least || sl_now_ns() < calibration->end_ns);
         i++) {
        struct sl_network_result result;
        const size_t p = passes->count;
        code = sl_engine_run(engine, most - 1 - i, &result, &passes->pass_ns[p], error);
        for (size_t l = 0; l < passes->layer_count && code >= 0; l++)
            passes->run_ns[p * passes->layer_count + l] = result.layers[l].run_ns;
        passes->kind[p] = i == 0 ? FIRST : i == AHEAD_PASSES - 1 ? LAST : LATER;
        passes->count += code >= 0;
    }
    sl_engine_free(engine);
    return code < 0 ? code : 0;
}

/* The median of times[p * stride] over the passes of a kind; 0 when there are none. *least: the
 * least of them, UINT64_MAX. */
static uint64_t median_of(const struct passes *passes, enum pass_kind kind, const uint64_t *times,
                          size_t stride, uint64_t *least)
{
    uint64_t sorted[PASSES_MOST];
    size_t count = 0;
    for (size_t p = 0; p < passes->count; p++)
        if (passes->kind[p] == kind)
            sorted[count++] = times[p * stride];
    *least = UINT64_MAX;
    if (!count)
        return 0;
    sl_sort_u64(sorted, count);
    *least = sorted[0];
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static uint64_t later_run(const struct passes *passes, size_t layer, uint64_t *least)
{
    return median_of(passes, LATER, passes->run_ns + layer, passes->layer_count, least);
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

/* NULL when there is no such policy. */
static struct passes *passes_of(struct passes *all, const char *policy)
{
    for (int p = 0; sl_policy_at(p); p++)
        if (!strcmp(sl_policy_at(p)->name, policy))
            return &all[p];
    return NULL;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void summarise(struct passes *all, struct sl_run_times *times, struct sl_pass_times *summary)
{
    static const struct passes none;
    const struct passes *resident = passes_of(all, "auto"), *ahead = passes_of(all, "window"),
                        *waiting = passes_of(all, "linear");
    ahead = ahead ? ahead : &none;
    const struct passes *first = first_of(resident, ahead);
    uint64_t least, least_reading;
    for (size_t l = 0; l < resident->layer_count; l++) {
        times[l].first_ns = first->run_ns[l];
        times[l].waited_ns = waiting ? later_run(waiting, l, &least) : 0;
        times[l].reading_ns = later_run(ahead, l, &least_reading);
        times[l].usual_ns = later_run(resident, l, &least);
        times[l].least_ns = lesser(least, least_reading);
    }
    *summary = (struct sl_pass_times){.first_ns = first->pass_ns[0]};
    for (int p = 0; sl_policy_at(p); p++)
        if (!sl_policy_at(p)->planned) {
            summary->policies[p].first_ns = median_of(&all[p], FIRST, all[p].pass_ns, 1, &least);
            summary->policies[p].later_ns = median_of(&all[p], LATER, all[p].pass_ns, 1, &least);
        }
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

/* Of a policy that heeds no budget: everything, or one layer after the other. */
static uint64_t needed_bytes(const struct sl_pack *pack, const struct sl_policy *policy)
{
    if (policy->budgeted)
        return 0;
    return BESIDE_WEIGHTS_BYTES +
           (strcmp(policy->name, "linear") ? pack->weight_bytes : largest_layer(pack->network));
}

/* The policies that are not measured first of all, in turns. */
static int measure_others(struct calibration *calibration, struct passes *all, uint64_t room,
                          struct sl_error *error)
{
    const uint64_t all_end_ns = calibration->end_ns;
    int others[SL_POLICIES_MOST], count = 0, code = 0;
    for (int p = 0; sl_policy_at(p); p++)
        if (!all[p].count && needed_bytes(calibration->pack, sl_policy_at(p)) < room)
            others[count++] = p;
    for (int i = 0; i < OTHER_ROUNDS * count && !code; i++) {
        const uint64_t now_ns = sl_now_ns();
        const int p = others[i % count];
        if (now_ns >= all_end_ns)
            break;
        calibration->end_ns = now_ns + (all_end_ns - now_ns) / (uint64_t)(OTHER_ROUNDS * count - i);
        code = pass(calibration, sl_policy_at(p)->name, 2, OTHER_PASSES, &all[p], error);
    }
    return code;
}

/* Under auto, which is the first, all stays in memory, if it fits; window reads ahead of the runs;
 * the others share what is left of the time. */
static int measure(struct calibration *calibration, struct passes *all, struct sl_error *error)
{
    const struct sl_pack *pack = calibration->pack;
    const uint64_t machine = available_bytes() / 2, group = sl_cgroup_own_free() / 2;
    const uint64_t room = lesser(machine, group);
    if (machine < pack->weight_bytes + BESIDE_WEIGHTS_BYTES && machine < sl_cgroup_own_limit())
        calibration->budget_bytes = machine;
    struct passes *resident = passes_of(all, "auto"), *ahead = passes_of(all, "window");
    int code = pass(calibration, "auto", 2, AHEAD_PASSES, resident, error);
    if (code == -ENOBUFS && calibration->budget_bytes != UINT64_MAX) {
        calibration->budget_bytes = UINT64_MAX; /* half of it is too little: then what it takes */
        code = pass(calibration, "auto", 2, AHEAD_PASSES, resident, error);
    }
    if (!code && ahead)
        code = pass(calibration, "window", 0, AHEAD_PASSES, ahead, error);
    return code ? code : measure_others(calibration, all, room, error);
}

static void release_all(struct passes (*all)[SL_POLICIES_MOST])
{
    for (size_t p = 0; p < SL_POLICIES_MOST; p++)
        free((*all)[p].run_ns);
}

int sl_calibrate_pack(const struct sl_pack *pack, const struct sl_calibration_of *how,
                      struct sl_error *error)
{
    const size_t layer_count = (size_t)pack->network->layer_count;
    const int threads = how->threads ? how->threads : sl_usable_cpus();
    struct calibration calibration = {.pack = pack,
                                      .how = how,
                                      .end_ns =
                                          sl_now_ns() + (how->most_ns ? how->most_ns : ENOUGH_NS),
                                      .budget_bytes = UINT64_MAX};
    SL_AUTO(release_all) struct passes all[SL_POLICIES_MOST] = {0};
    SL_AUTO_FREE struct sl_run_times *times = calloc(layer_count, sizeof(*times));
    bool failed = !times;
    for (int p = 0; sl_policy_at(p); p++) {
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
