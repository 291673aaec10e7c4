#include "runtime/engine/simulate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/engine/kept_slots.h"
#include "runtime/engine/pages.h"

/* A team that has nothing to do for so long sleeps; those of several executors wait for each unit.
 */
#define WAIT_NS 50000

struct pending_read {
    uint64_t end_ns;
    int network, shard;
    bool fresh; /* into memory that was not there before */
};

struct pending_run {
    uint64_t end_ns;
    int network, unit;
    bool busy;
};

struct throttle {
    uint64_t begin_ns; /* of the slices that spent_bytes counts in */
    uint64_t last_ns;  /* a read passed */
    double spent_bytes;
};

/* Reads finish in the order of their submission: one queue is enough. */
struct simulator {
    const struct sl_device_model *device;
    const struct sl_policy *policy;
    struct sl_schedule *schedule;
    const struct sl_policy_view *view;
    uint64_t now_ns, device_free_ns;
    struct throttle throttle;
    struct pending_read *reads; /* ring of `capacity` */
    size_t capacity, head, count;
    uint64_t submitted;   /* reads so far */
    uint64_t *recent_end; /* ring of `depth`: ends of the last reads */
    struct pending_run runs[SL_POLICY_EXECUTORS_MOST];
    int runs_busy;
    uint64_t last_run_end_ns;
    const struct sl_schedule_layer *waited; /* the last layer of which a unit had to wait */
    const struct sl_schedule_network *networks;
    int round;
    uint8_t *admitted;         /* [network]: before */
    struct sl_kept_slots kept; /* without a budget */
    struct sl_simulation result;
    void (*observe)(void *context, const struct sl_simulated_step *step); /* NULL: nobody */
    void *context;
};

void sl_simulation_free(struct sl_simulation *result)
{
    free(result->request_end_ns);
    free(result->round_begin_ns);
    result->request_end_ns = result->round_begin_ns = NULL;
}

static void simulator_release(struct simulator *simulator)
{
    sl_schedule_free(simulator->schedule);
    free(simulator->reads);
    free(simulator->recent_end);
    free(simulator->admitted);
    sl_simulation_free(&simulator->result);
}

static uint64_t transfer_ns(const struct sl_device_model *device, uint64_t bytes)
{
    return device->bytes_per_s ? (uint64_t)((double)bytes * 1e9 / (double)device->bytes_per_s) : 0;
}

/* When a read that arrives at time_ns may pass, both since the throttle's beginning. */
static uint64_t pass_throttle(struct throttle *throttle, double bytes_per_s, uint64_t time_ns,
                              uint64_t bytes)
{
    const double slice_bytes = bytes_per_s * (double)SL_THROTTLE_SLICE_NS / 1e9;
    /* Behind the reads that wait already. */
    if (time_ns < throttle->last_ns)
        time_ns = throttle->last_ns;
    if (time_ns > throttle->last_ns + SL_THROTTLE_SLICE_NS)
        *throttle = (struct throttle){.begin_ns = time_ns};
    uint64_t slices = (time_ns - throttle->begin_ns) / SL_THROTTLE_SLICE_NS;
    if (slices >= 2) {
        double past_bytes = (double)(slices - 1) * slice_bytes;
        throttle->begin_ns += (slices - 1) * SL_THROTTLE_SLICE_NS;
        throttle->spent_bytes =
            throttle->spent_bytes > past_bytes ? throttle->spent_bytes - past_bytes : 0;
        slices = 1;
    }
    throttle->spent_bytes += (double)bytes;
    double over_bytes = throttle->spent_bytes - (double)(slices + 1) * slice_bytes;
    if (over_bytes > 0)
        time_ns = throttle->begin_ns + (slices + 1) * SL_THROTTLE_SLICE_NS +
                  (uint64_t)(over_bytes * 1e9 / bytes_per_s);
    throttle->last_ns = time_ns;
    return time_ns;
}

/* Executors that all idle meanwhile stall, while there is a request. */
static void move_time(struct simulator *simulator, uint64_t to_ns)
{
    if (to_ns <= simulator->now_ns)
        return;
    if (!simulator->runs_busy && !sl_schedule_idle(simulator->schedule)) {
        const uint64_t stall_ns = to_ns - simulator->now_ns;
        simulator->result.stall_ns += stall_ns;
        simulator->result.later_stall_ns += simulator->round ? stall_ns : 0;
    }
    simulator->now_ns = to_ns;
}

/* What the processor does for shards of a network. */
static void spend(struct simulator *simulator, int network, double ns)
{
    const double handling = simulator->networks[network].handling;
    move_time(simulator, simulator->now_ns + (uint64_t)(handling < 0 ? ns * (1 + handling) : ns));
}

/* How many threads check what arrived: a single executor's team, one for each shard, else the
 * loop's thread. Within a budget, shards are checked together with those that follow. */
static double checkers_of(const struct simulator *simulator)
{
    const int threads = simulator->device->host.threads;
    if (simulator->policy->executors > 1 || threads <= 1)
        return 1;
    size_t arrived = simulator->policy->budgeted ? (size_t)threads : 1;
    while (arrived < (size_t)threads && arrived < simulator->count &&
           simulator->reads[(simulator->head + arrived) % simulator->capacity].end_ns <=
               simulator->now_ns)
        arrived++;
    return (double)arrived;
}

static uint64_t bytes_of(const struct simulator *simulator, const struct sl_step *step)
{
    return simulator->view->networks[step->network].shard_bytes[step->index];
}

/* Slots of a budget are memory that is used again and again, others are mapped one by one. True
 * when this one is. */
static bool pay_load(struct simulator *simulator, const struct sl_step *step)
{
    const struct sl_host_costs *host = &simulator->device->host;
    const uint64_t bytes = bytes_of(simulator, step);
    const bool budgeted = simulator->policy->budgeted;
    const bool mapped = !budgeted && !sl_kept_slots_take(&simulator->kept, bytes);
    const double handling = simulator->networks[step->network].handling;
    double ns = (double)host->load_ns;
    if (handling > 0)
        ns += (double)bytes * handling;
    if (mapped)
        ns += (double)bytes * host->map_ns_per_byte;
    if (budgeted && simulator->view->used_bytes > simulator->result.peak_bytes)
        ns += (double)(simulator->view->used_bytes - simulator->result.peak_bytes) *
              host->clear_ns_per_byte;
    spend(simulator, step->network, ns);
    return mapped;
}

static double unmap_ns(const struct sl_host_costs *host, uint64_t bytes)
{
    const uint64_t pages = bytes / SL_PAGE_BYTES;
    const bool singly = host->unmap_page_ns && pages <= SL_PAGES_FORGOTTEN_SINGLY;
    return (double)(singly ? pages * host->unmap_page_ns : host->unmap_ns);
}

static void pay_drop(struct simulator *simulator, const struct sl_step *step)
{
    const uint64_t bytes = bytes_of(simulator, step);
    if (simulator->policy->budgeted || sl_kept_slots_add(&simulator->kept, simulator, bytes))
        return;
    spend(simulator, step->network, unmap_ns(&simulator->device->host, bytes));
}

/* A network that is alone keeps the memory of its activations. */
static void pay_admission(struct simulator *simulator, int n)
{
    const struct sl_policy_view *view = simulator->view;
    if (!simulator->admitted[n] || view->network_count > 1)
        spend(simulator, n,
              (double)view->networks[n].activation_bytes *
                  simulator->device->host.clear_ns_per_byte);
    if (!simulator->admitted[n])
        move_time(simulator, simulator->now_ns + simulator->networks[n].first_ns);
    simulator->admitted[n] = 1;
    uint64_t active_bytes = 0;
    for (int i = 0; i < view->network_count; i++)
        active_bytes += view->networks[i].active ? view->networks[i].activation_bytes : 0;
    if (active_bytes > simulator->result.activation_peak_bytes)
        simulator->result.activation_peak_bytes = active_bytes;
}

static void tell(const struct simulator *simulator, const struct sl_step *step, uint64_t end_ns)
{
    struct sl_simulated_step told = {*step, simulator->now_ns, end_ns};
    if (simulator->observe)
        simulator->observe(simulator->context, &told);
}

/* The device holds `depth` reads at once; their latencies overlap, their transfers do not. */
static void submit_read(struct simulator *simulator, const struct sl_step *step)
{
    const struct sl_device_model *device = simulator->device;
    const bool fresh = pay_load(simulator, step);
    const uint64_t bytes = bytes_of(simulator, step);
    uint64_t *slot = &simulator->recent_end[simulator->submitted % (uint64_t)device->depth];
    uint64_t issued = *slot > simulator->now_ns ? *slot : simulator->now_ns;
    if (device->throttle_bytes_per_s)
        issued = pass_throttle(&simulator->throttle, (double)device->throttle_bytes_per_s,
                               issued + device->throttle_begun_ns, bytes) -
                 device->throttle_begun_ns;
    uint64_t begin = issued + device->latency_ns;
    if (begin < simulator->device_free_ns)
        begin = simulator->device_free_ns;
    uint64_t end = begin + transfer_ns(device, bytes);
    simulator->device_free_ns = *slot = end;
    simulator->submitted++;
    tell(simulator, step, end);
    size_t tail = (simulator->head + simulator->count++) % simulator->capacity;
    simulator->reads[tail] = (struct pending_read){end, step->network, step->index, fresh};
    simulator->result.bytes_read += bytes;
    simulator->result.loads++;
    if (simulator->view->used_bytes > simulator->result.peak_bytes)
        simulator->result.peak_bytes = simulator->view->used_bytes;
}

/* What share of its rate the device reads at: with a throttle that much less disturbs. */
static double reading_share(const struct sl_device_model *device)
{
    return device->bytes_per_s ? (double)sl_device_rate(device) / (double)device->bytes_per_s : 1;
}

/* A unit's part of its layer's time. */
static uint64_t unit_ns(struct simulator *simulator, const struct sl_step *step)
{
    const struct sl_policy_network *network = &simulator->view->networks[step->network];
    const int l = network->unit_layer[step->index];
    const struct sl_policy_layer *layer = &network->layers[l];
    const struct sl_schedule_layer *times = &simulator->networks[step->network].layers[l];
    uint64_t run_ns = times->run_ns;
    if (times->reading_ns > run_ns && simulator->device_free_ns > simulator->now_ns)
        run_ns +=
            (uint64_t)((double)(times->reading_ns - run_ns) * reading_share(simulator->device));
    if (!simulator->round)
        run_ns = times->first_ns ? times->first_ns : run_ns + simulator->device->host.first_unit_ns;
    const bool asleep = simulator->policy->executors > 1 ||
                        simulator->now_ns > simulator->last_run_end_ns + WAIT_NS;
    if (asleep)
        simulator->waited = times;
    else if (simulator->waited != times)
        simulator->waited = NULL;
    if (!simulator->policy->budgeted && simulator->waited == times && times->waited_ns > run_ns)
        run_ns = times->waited_ns;
    if (layer->shard_count > 1)
        run_ns = (uint64_t)((double)run_ns *
                            (double)network->shard_bytes[network->unit_shard[step->index]] /
                            (double)layer->bytes);
    if (simulator->policy->budgeted && asleep)
        run_ns += simulator->device->host.hand_over_ns / 2;
    return run_ns;
}

static void start_run(struct simulator *simulator, const struct sl_step *step)
{
    uint64_t run_ns = unit_ns(simulator, step);
    run_ns += simulator->device->host.unit_ns;
    if (simulator->policy->executors > 1)
        run_ns += simulator->device->host.hand_over_ns;
    for (int r = 0; r < SL_POLICY_EXECUTORS_MOST; r++) {
        struct pending_run *run = &simulator->runs[r];
        if (run->busy)
            continue;
        *run = (struct pending_run){simulator->now_ns + run_ns, step->network, step->index, true};
        simulator->runs_busy++;
        break;
    }
    simulator->result.runs++;
    tell(simulator, step, simulator->now_ns + run_ns);
}

static int end_read(struct simulator *simulator, struct sl_error *error)
{
    struct pending_read read = simulator->reads[simulator->head];
    move_time(simulator, read.end_ns);
    const struct sl_host_costs *host = &simulator->device->host;
    spend(simulator, read.network,
          (double)simulator->view->networks[read.network].shard_bytes[read.shard] *
              (host->verify_ns_per_byte / checkers_of(simulator) +
               (read.fresh ? host->touch_ns_per_byte : 0)));
    simulator->head = (simulator->head + 1) % simulator->capacity;
    simulator->count--;
    return sl_schedule_loaded(simulator->schedule, read.network, read.shard, error);
}

/* Reads that ended while others were submitted. */
static int collect_reads(struct simulator *simulator, struct sl_error *error)
{
    int result = 0;
    while (!result && simulator->count &&
           simulator->reads[simulator->head].end_ns <= simulator->now_ns)
        result = end_read(simulator, error);
    return result;
}

/* Carries out steps until the policy waits or this thread runs a unit. */
static int follow_policy(struct simulator *simulator, struct sl_error *error)
{
    for (;;) {
        struct sl_step step;
        int result = sl_schedule_next(simulator->schedule, simulator->now_ns, &step, error);
        if (result)
            return result;
        switch (step.kind) {
        case SL_STEP_WAIT:
            return 0;
        case SL_STEP_LOAD:
            submit_read(simulator, &step);
            result = collect_reads(simulator, error);
            if (result)
                return result;
            break;
        case SL_STEP_RUN:
            start_run(simulator, &step);
            if (simulator->policy->executors == 1)
                return 0; /* the loop's thread is busy */
            break;
        case SL_STEP_DROP:
            simulator->result.drops++;
            pay_drop(simulator, &step);
            tell(simulator, &step, simulator->now_ns);
            break;
        case SL_STEP_ADMIT:
            pay_admission(simulator, step.network);
            break;
        }
    }
}

static struct pending_run *earliest_run(struct simulator *simulator)
{
    struct pending_run *earliest = NULL;
    for (int r = 0; r < SL_POLICY_EXECUTORS_MOST; r++) {
        struct pending_run *run = &simulator->runs[r];
        if (run->busy && (!earliest || run->end_ns < earliest->end_ns))
            earliest = run;
    }
    return earliest;
}

/* Moves time to the next event and applies it. At equal times reads come first; during a run in the
 * thread that would collect them, they wait for its end. */
static int next_event(struct simulator *simulator, struct sl_error *error)
{
    struct pending_run *run = earliest_run(simulator);
    struct pending_read *read = simulator->count ? &simulator->reads[simulator->head] : NULL;
    const bool alone = simulator->policy->executors == 1;
    if (read && (!run || (!alone && read->end_ns <= run->end_ns)))
        return end_read(simulator, error);
    move_time(simulator, run->end_ns);
    run->busy = false;
    simulator->runs_busy--;
    simulator->last_run_end_ns = simulator->now_ns;
    int finished = sl_schedule_ran(simulator->schedule, run->network, run->unit, error);
    if (finished > 0)
        simulator->result.request_end_ns[simulator->result.requests_done++] = simulator->now_ns;
    if (finished < 0)
        return finished;
    return alone ? collect_reads(simulator, error) : 0;
}

static int simulator_create(const struct sl_schedule_network *networks, int network_count,
                            const struct sl_policy *policy,
                            const struct sl_schedule_options *options,
                            const struct sl_device_model *device, int rounds,
                            struct simulator *simulator, struct sl_error *error)
{
    if (device->depth < 1)
        return sl_error_set(error, -EINVAL, "device depth %d is less than 1", device->depth);
    size_t shards = 0;
    for (int n = 0; n < network_count; n++) {
        for (int l = 0; l < networks[n].layer_count; l++)
            shards += (size_t)networks[n].layers[l].shard_count;
    }
    *simulator = (struct simulator){
        .device = device, .policy = policy, .networks = networks, .capacity = shards + 1};
    simulator->admitted = calloc((size_t)network_count + 1, 1);
    simulator->reads = calloc(simulator->capacity, sizeof(*simulator->reads));
    simulator->recent_end = calloc((size_t)device->depth, sizeof(*simulator->recent_end));
    simulator->result.request_end_ns =
        calloc((size_t)network_count * (size_t)rounds + 1, sizeof(uint64_t));
    simulator->result.round_begin_ns = calloc((size_t)rounds + 1, sizeof(uint64_t));
    if (!simulator->reads || !simulator->recent_end || !simulator->result.request_end_ns ||
        !simulator->result.round_begin_ns || !simulator->admitted)
        return sl_error_set(error, -ENOMEM, "no memory for the simulation");
    int result =
        sl_schedule_create(networks, network_count, policy, options, &simulator->schedule, error);
    if (!result)
        simulator->view = sl_schedule_view(simulator->schedule);
    return result;
}

static int run_rounds(struct simulator *simulator, int rounds, struct sl_error *error)
{
    int failed = 0;
    for (int round = 0; round < rounds && !failed; round++) {
        for (int n = 0; n < simulator->view->network_count; n++)
            sl_schedule_arrive(simulator->schedule, n, simulator->now_ns,
                               (uint64_t)(rounds - 1 - round));
        simulator->round = round;
        simulator->result.round_begin_ns[round] = simulator->now_ns;
        failed = follow_policy(simulator, error);
        while (!failed && !sl_schedule_idle(simulator->schedule)) {
            failed = next_event(simulator, error);
            if (!failed)
                failed = follow_policy(simulator, error);
        }
    }
    return failed;
}

int sl_simulate_steps(const struct sl_schedule_network *networks, int network_count,
                      const struct sl_policy *policy, const struct sl_schedule_options *options,
                      const struct sl_device_model *device,
                      void (*observe)(void *context, const struct sl_simulated_step *step),
                      void *context, struct sl_error *error)
{
    SL_AUTO(simulator_release) struct simulator simulator = {0};
    int failed =
        simulator_create(networks, network_count, policy, options, device, 1, &simulator, error);
    simulator.observe = observe;
    simulator.context = context;
    return failed ? failed : run_rounds(&simulator, 1, error);
}

int sl_simulate(const struct sl_schedule_network *networks, int network_count,
                const struct sl_policy *policy, const struct sl_schedule_options *options,
                const struct sl_device_model *device, int rounds, struct sl_simulation *result,
                struct sl_error *error)
{
    SL_AUTO(simulator_release) struct simulator simulator = {0};
    int failed = simulator_create(networks, network_count, policy, options, device, rounds,
                                  &simulator, error);
    if (!failed)
        failed = run_rounds(&simulator, rounds, error);
    if (failed)
        return failed;
    simulator.result.makespan_ns = simulator.now_ns;
    *result = simulator.result;
    simulator.result.request_end_ns = simulator.result.round_begin_ns = NULL;
    return 0;
}
