#include "runtime/engine/planner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"

#define PLAN_PASSES    3 /* simulated; the last is in the steady state */
#define PLAN_WINDOWS   6 /* sizes of the streaming window tried, each twice the one before */
#define PLAN_DISTANCES 6 /* distances of a single pass tried, each twice the one before */
/* The least distance in shards: some times what is in flight at once (engine_pace.c), against what
 * the model of the device does not know. Half of it lost to the whole of 37 MiB by a tenth. */
#define PLAN_DISTANCE_SHARDS 32
/* A distance is far enough when the pass takes no more than this times what it could take. */
#define PLAN_DISTANCE_SLACK 1.005

/* Of a device whose rate nobody told: an SSD of the middle kind. */
#define PLAN_BYTES_PER_S UINT64_C(500000000)
#define PLAN_LATENCY_NS  100000

/* Shards of all networks in order of execution. */
struct plan_shard {
    int network, index;
    uint64_t bytes;
    double run_ns_per_byte; /* of its layer */
};

enum pin_pattern { PIN_EVEN, PIN_PREFIX, PIN_SUFFIX, PIN_LEAST_COMPUTING, PIN_PATTERNS };

struct planner {
    struct sl_schedule_network *networks; /* copies whose pinned point into candidate */
    int network_count;
    const struct sl_schedule_options *options;
    const struct sl_device_model *device;
    struct plan_shard *shards, *by_computing;
    size_t shard_count;
    uint64_t weight_bytes, largest_bytes;
    uint8_t **candidate, **best; /* [network][shard] */
    struct sl_plan result;
};

struct sl_device_model sl_plan_device(uint64_t bytes_per_s, double clear_ns_per_byte, int depth)
{
    return (struct sl_device_model){.bytes_per_s = bytes_per_s ? bytes_per_s : PLAN_BYTES_PER_S,
                                    .latency_ns = PLAN_LATENCY_NS,
                                    .host = {.clear_ns_per_byte = clear_ns_per_byte},
                                    .depth = depth};
}

static void pins_free(uint8_t **pins, int network_count)
{
    for (int n = 0; pins && n < network_count; n++)
        free(pins[n]);
    free(pins);
}

static void planner_release(struct planner *planner)
{
    pins_free(planner->candidate, planner->network_count);
    pins_free(planner->best, planner->network_count);
    free(planner->networks);
    free(planner->shards);
    free(planner->by_computing);
}

void sl_plan_free(struct sl_plan *plan)
{
    pins_free(plan->pinned, plan->network_count);
    *plan = (struct sl_plan){0};
}

static int network_shards(const struct sl_schedule_network *network)
{
    int count = 0;
    for (int l = 0; l < network->layer_count; l++)
        count += network->layers[l].shard_count;
    return count;
}

static uint8_t **pins_create(const struct sl_schedule_network *networks, int network_count)
{
    uint8_t **pins = calloc((size_t)network_count + 1, sizeof(*pins));
    for (int n = 0; pins && n < network_count; n++) {
        pins[n] = calloc((size_t)network_shards(&networks[n]) + 1, 1);
        if (!pins[n]) {
            pins_free(pins, network_count);
            return NULL;
        }
    }
    return pins;
}

static int compare_computing(const void *left, const void *right)
{
    const struct plan_shard *a = left, *b = right;
    if (a->run_ns_per_byte != b->run_ns_per_byte)
        return a->run_ns_per_byte < b->run_ns_per_byte ? -1 : 1;
    if (a->network != b->network)
        return a->network - b->network;
    return a->index - b->index;
}

static void list_shards(struct planner *planner, const struct sl_schedule_network *network, int n)
{
    int index = 0;
    for (int l = 0; l < network->layer_count; l++) {
        const struct sl_schedule_layer *layer = &network->layers[l];
        uint64_t layer_bytes = 0;
        for (int s = 0; s < layer->shard_count; s++)
            layer_bytes += network->shard_bytes[index + s];
        for (int s = 0; s < layer->shard_count; s++, index++) {
            uint64_t bytes = network->shard_bytes[index];
            planner->shards[planner->shard_count++] = (struct plan_shard){
                n, index, bytes, (double)layer->run_ns / (double)(layer_bytes ? layer_bytes : 1)};
            planner->weight_bytes += bytes;
            if (bytes > planner->largest_bytes)
                planner->largest_bytes = bytes;
        }
    }
}

static int planner_create(const struct sl_schedule_network *networks, int network_count,
                          const struct sl_schedule_options *options,
                          const struct sl_device_model *device, struct planner *planner)
{
    *planner =
        (struct planner){.network_count = network_count, .options = options, .device = device};
    size_t shard_count = 0;
    for (int n = 0; n < network_count; n++)
        shard_count += (size_t)network_shards(&networks[n]);
    planner->networks = calloc((size_t)network_count + 1, sizeof(*planner->networks));
    planner->shards = calloc(shard_count + 1, sizeof(*planner->shards));
    planner->by_computing = calloc(shard_count + 1, sizeof(*planner->by_computing));
    planner->candidate = pins_create(networks, network_count);
    planner->best = pins_create(networks, network_count);
    if (!planner->networks || !planner->shards || !planner->by_computing || !planner->candidate ||
        !planner->best)
        return -ENOMEM;
    for (int n = 0; n < network_count; n++) {
        planner->networks[n] = networks[n];
        planner->networks[n].pinned = planner->candidate[n];
        list_shards(planner, &networks[n], n);
    }
    memcpy(planner->by_computing, planner->shards, shard_count * sizeof(*planner->shards));
    qsort(planner->by_computing, shard_count, sizeof(*planner->shards), compare_computing);
    planner->result.pass_ns = UINT64_MAX;
    return 0;
}

/* Marks shards of the pattern up to `bytes`; returns the bytes marked. */
static uint64_t fill_candidate(struct planner *planner, enum pin_pattern pattern, uint64_t bytes)
{
    uint64_t marked = 0, passed = 0;
    double share = planner->weight_bytes ? (double)bytes / (double)planner->weight_bytes : 0;
    for (size_t k = 0; k < planner->shard_count; k++) {
        size_t at = pattern == PIN_SUFFIX ? planner->shard_count - 1 - k : k;
        const struct plan_shard *shard =
            pattern == PIN_LEAST_COMPUTING ? &planner->by_computing[k] : &planner->shards[at];
        passed += shard->bytes;
        bool wanted = marked + shard->bytes <= bytes;
        if (pattern == PIN_EVEN)
            wanted = wanted && (double)(marked + shard->bytes) <= share * (double)passed + 1;
        planner->candidate[shard->network][shard->index] = wanted;
        marked += wanted ? shard->bytes : 0;
    }
    return marked;
}

static int simulate_pass(const struct sl_schedule_network *networks, int network_count,
                         const struct sl_schedule_options *options,
                         const struct sl_device_model *device, int passes, uint64_t *pass_ns,
                         struct sl_error *error)
{
    struct sl_simulation simulation;
    int result = sl_simulate(networks, network_count, sl_policy_find("auto"), options, device,
                             passes, &simulation, error);
    if (result)
        return result;
    size_t before = simulation.requests_done - (size_t)network_count;
    *pass_ns = simulation.makespan_ns - (before ? simulation.request_end_ns[before - 1] : 0);
    sl_simulation_free(&simulation);
    return 0;
}

int sl_plan_pass_ns(const struct sl_schedule_network *networks, int network_count,
                    const struct sl_schedule_options *options, const struct sl_device_model *device,
                    uint64_t *pass_ns, struct sl_error *error)
{
    return simulate_pass(networks, network_count, options, device, PLAN_PASSES, pass_ns, error);
}

/* Simulates the candidate and keeps it when its steady pass is the fastest so far. */
static int try_candidate(struct planner *planner, uint64_t pinned_bytes, int passes,
                         struct sl_error *error)
{
    uint64_t pass_ns;
    int result = simulate_pass(planner->networks, planner->network_count, planner->options,
                               planner->device, passes, &pass_ns, error);
    if (result)
        return result;
    if (pass_ns >= planner->result.pass_ns)
        return 0;
    planner->result.pass_ns = pass_ns;
    planner->result.pinned_bytes = pinned_bytes;
    planner->result.read_bytes = planner->weight_bytes - pinned_bytes;
    uint8_t **previous = planner->best;
    planner->best = planner->candidate;
    planner->candidate = previous;
    for (int n = 0; n < planner->network_count; n++)
        planner->networks[n].pinned = planner->candidate[n];
    return 0;
}

static int try_pattern(struct planner *planner, enum pin_pattern pattern, uint64_t window_bytes,
                       struct sl_error *error)
{
    if (window_bytes > planner->options->budget_bytes)
        return 0;
    uint64_t pinned =
        fill_candidate(planner, pattern, planner->options->budget_bytes - window_bytes);
    return try_candidate(planner, pinned, PLAN_PASSES, error);
}

/* The best size of the window is found with even pins; the other patterns are tried with it. */
static int try_patterns(struct planner *planner, struct sl_error *error)
{
    uint64_t window_bytes = planner->largest_bytes, best_window = window_bytes;
    for (int w = 0; w < PLAN_WINDOWS; w++, window_bytes *= 2) {
        if (window_bytes > planner->options->budget_bytes)
            break;
        uint64_t before_ns = planner->result.pass_ns;
        int result = try_pattern(planner, PIN_EVEN, window_bytes, error);
        if (result)
            return result;
        if (planner->result.pass_ns < before_ns)
            best_window = window_bytes;
    }
    int result = 0;
    for (int pattern = PIN_EVEN + 1; pattern < PIN_PATTERNS && !result; pattern++)
        result = try_pattern(planner, pattern, best_window, error);
    return result;
}

/* Nothing is used twice in a single pass, so memory serves only to read ahead, and what is never
 * touched need not be cleared by the kernel: the shortest distance that takes no longer. */
static int find_distance(struct planner *planner, struct sl_error *error)
{
    struct sl_schedule_options options = *planner->options;
    uint64_t pass_ns[PLAN_DISTANCES], least_ns = planner->result.pass_ns;
    const uint64_t first = PLAN_DISTANCE_SHARDS * planner->largest_bytes;
    int count = 0;
    for (; count < PLAN_DISTANCES && first << count < planner->weight_bytes; count++) {
        options.ahead_bytes = first << count;
        int result = simulate_pass(planner->networks, planner->network_count, &options,
                                   planner->device, 1, &pass_ns[count], error);
        if (result)
            return result;
        least_ns = pass_ns[count] < least_ns ? pass_ns[count] : least_ns;
    }
    for (int d = 0; d < count; d++) {
        if ((double)pass_ns[d] > PLAN_DISTANCE_SLACK * (double)least_ns)
            continue;
        planner->result.pass_ns = pass_ns[d];
        planner->result.ahead_bytes = first << d;
        break;
    }
    return 0;
}

int sl_plan_make(const struct sl_schedule_network *networks, int network_count,
                 const struct sl_schedule_options *options, const struct sl_device_model *device,
                 bool again, struct sl_plan *plan, struct sl_error *error)
{
    SL_AUTO(planner_release) struct planner planner;
    if (planner_create(networks, network_count, options, device, &planner))
        return sl_error_set(error, -ENOMEM, "no memory for the planner");
    const bool fits = planner.weight_bytes <= options->budget_bytes;
    uint64_t pinned = fill_candidate(&planner, PIN_PREFIX, fits && again ? UINT64_MAX : 0);
    int result = try_candidate(&planner, pinned, again ? PLAN_PASSES : 1, error);
    planner.result.ahead_bytes = options->ahead_bytes;
    if (!result && again && !fits)
        result = try_patterns(&planner, error);
    else if (!result && !again && !options->depth && !options->ahead_bytes)
        result = find_distance(&planner, error);
    if (result)
        return result;
    *plan = planner.result;
    plan->network_count = network_count;
    plan->pinned = SL_STEAL(planner.best);
    return 0;
}
