#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/suggest.h"
#include "runtime/engine/cpus.h"
#include "runtime/engine/engine_state.h"

#define ENGINE_REAPED_AT_ONCE 32

static const struct sl_policy *find_policy(const char *name, struct sl_error *error)
{
    const struct sl_policy *policy = sl_policy_find(name);
    if (policy)
        return policy;
    struct sl_suggestion suggestion = {.wanted = name};
    for (int i = 0; sl_policy_at(i); i++)
        sl_suggest(&suggestion, sl_policy_at(i)->name);
    sl_error_set(error, -EINVAL, "unknown policy '%s'%s%s%s; see sluice list policies", name,
                 suggestion.best ? "; did you mean '" : "", suggestion.best ? suggestion.best : "",
                 suggestion.best ? "'?" : "");
    return NULL;
}

int sl_engine_create(const struct sl_engine_options *options, struct sl_engine **created,
                     struct sl_error *error)
{
    const struct sl_policy *policy = find_policy(options->policy ? options->policy : "auto", error);
    if (!policy)
        return -EINVAL;
    if (options->threads < 0 || options->threads > SL_THREADS_MOST)
        return sl_error_set(error, -EINVAL, "%d threads are not between 1 and %d", options->threads,
                            SL_THREADS_MOST);
    struct sl_engine *engine = calloc(1, sizeof(*engine));
    if (!engine)
        return sl_error_set(error, -ENOMEM, "no memory for the engine");
    engine->options = *options;
    engine->meter.counter.fd = -1;
    if (options->events)
        sl_fault_meter_open(&engine->meter);
    engine->policy = policy;
    engine->threads = options->threads ? options->threads : sl_usable_cpus();
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int result = engine->wake_fd < 0 ? sl_error_errno(error, "cannot make an event descriptor") : 0;
    if (!result)
        result = sl_pool_create(&engine->pool, error);
    struct sl_loader_options reading = options->reading;
    reading.depth = reading.depth ? reading.depth : SL_ENGINE_QUEUE_DEPTH;
    if (!result)
        result = sl_shard_reader_open(&engine->reader, options->loader, &reading, options->verify,
                                      engine->pool, error);
    /* What may be swapped is not: its run would not be blamed for the pages that come back. */
    engine->reader.verify_late = policy->budgeted;
    if (result) {
        sl_engine_free(engine);
        return result;
    }
    *created = engine;
    return 0;
}

void sl_engine_free(struct sl_engine *engine)
{
    if (!engine)
        return;
    sl_shard_reader_close(&engine->reader);
    for (int e = 0; e < engine->executor_count; e++)
        sl_executor_free(engine->executors[e], engine->pool);
    free(engine->executors);
    for (int n = 0; n < engine->network_count; n++)
        sl_network_state_free(engine->networks[n], engine->pool);
    free(engine->networks);
    free(engine->postponed);
    sl_schedule_free(engine->schedule);
    sl_workload_free(&engine->workload);
    sl_pool_free(engine->pool);
    sl_limit_watch_close(&engine->watch);
    sl_fault_meter_close(&engine->meter);
    if (engine->wake_fd >= 0)
        close(engine->wake_fd);
    free(engine);
}

int sl_engine_add(struct sl_engine *engine, const struct sl_pack *pack, struct sl_error *error)
{
    if (engine->executors)
        return sl_error_set(error, -EBUSY, "networks are added before the first batch");
    struct sl_network_state **networks =
        realloc(engine->networks, ((size_t)engine->network_count + 1) * sizeof(*engine->networks));
    if (!networks)
        return sl_error_set(error, -ENOMEM, "no memory for network %s", pack->network->name);
    engine->networks = networks;
    sl_shard_reader_know(&engine->reader, networks, engine->network_count);
    struct sl_network_state *state;
    int result = sl_network_state_create(pack, &state, error);
    if (result)
        return result;
    result = sl_shard_reader_add(&engine->reader, state, error);
    if (result) {
        sl_network_state_free(state, engine->pool);
        return result;
    }
    engine->networks[engine->network_count] = state;
    sl_workload_free(&engine->workload); /* of a first batch that failed */
    sl_shard_reader_know(&engine->reader, networks, engine->network_count + 1);
    return engine->network_count++;
}

static int create_executors(struct sl_engine *engine, uint64_t more, struct sl_error *error)
{
    int count = engine->policy->executors;
    int result = sl_engine_check_room(engine, sl_engine_executor_bytes(engine), error);
    if (!result)
        result = sl_engine_size_scratch(engine, more, error);
    if (result)
        return result;
    if (!engine->executors) /* else an earlier run could not make all of them */
        engine->executors = calloc((size_t)count, sizeof(*engine->executors));
    if (!engine->executors)
        return sl_error_set(error, -ENOMEM, "no memory for %d executors", count);
    const struct sl_executor_options options = {
        .threads = engine->threads,
        .scratch_bytes = engine->scratch_bytes,
        .own_thread = count > 1,
        .wake_fd = engine->wake_fd,
        .meter = engine->options.events ? &engine->meter : NULL,
    };
    while (engine->executor_count < count) {
        result = sl_executor_create(&options, engine->pool,
                                    &engine->executors[engine->executor_count], error);
        if (result)
            return result;
        engine->executor_count++;
    }
    return 0;
}

static int begin_read(struct sl_engine *engine, int network, int shard, struct sl_error *error)
{
    bool stays = sl_schedule_view(engine->schedule)->networks[network].pinned[shard];
    int result = sl_shard_reader_begin(&engine->reader, network, shard, stays, error);
    return result > 0 ? sl_schedule_loaded(engine->schedule, network, shard, error) : result;
}

/* Something will happen without another read: shards arrive, or a unit can run. */
static bool goes_on(const struct sl_engine *engine)
{
    const struct sl_policy_view *view = sl_schedule_view(engine->schedule);
    bool runs = engine->executors_busy || engine->reader.in_flight;
    for (int n = 0; n < view->network_count && !runs; n++) {
        const struct sl_policy_network *network = &view->networks[n];
        if (!network->active)
            continue;
        int shard = network->unit_shard[network->next_unit];
        runs = shard < 0 || network->residency[shard] == SL_SHARD_RESIDENT;
    }
    return runs;
}

/* Room in one piece, or as good as the pool can make it. While anything else goes on it is waited
 * for: shards leave in the order in which they came, so that the pieces between them grow together
 * by themselves, and pages are being brought in. Only then are shards moved. */
static bool has_room(struct sl_engine *engine, int network, int shard)
{
    const struct sl_policy_view *view = sl_schedule_view(engine->schedule);
    const enum sl_pool_room room = sl_shard_reader_room(&engine->reader, network, shard,
                                                        view->networks[network].pinned[shard]);
    if (room == SL_POOL_ROOM)
        return true;
    if (goes_on(engine))
        return false;
    if (room == SL_POOL_NO_ROOM)
        sl_shard_reader_compact(&engine->reader, view->networks);
    return true;
}

/* A load that the policy asked for. It stays behind those that wait for room. */
static int start_read(struct sl_engine *engine, const struct sl_step *step, struct sl_error *error)
{
    if (!engine->postponed_count && has_room(engine, step->network, step->index))
        return begin_read(engine, step->network, step->index, error);
    size_t count = (size_t)engine->postponed_count + 1;
    struct sl_step *postponed = realloc(engine->postponed, count * sizeof(*postponed));
    if (!postponed)
        return sl_error_set(error, -ENOMEM, "no memory for %zu loads that wait", count);
    postponed[engine->postponed_count++] = *step;
    engine->postponed = postponed;
    return 0;
}

/* Loads that waited for room, as far as there is some now, and no lower limit to follow first. */
static int resume_reads(struct sl_engine *engine, struct sl_error *error)
{
    int begun = 0, result = 0;
    while (!result && begun < engine->postponed_count) {
        const struct sl_step *step = &engine->postponed[begun];
        if (sl_engine_limit_sank(engine) || !has_room(engine, step->network, step->index))
            break;
        result = begin_read(engine, step->network, step->index, error);
        begun++;
    }
    engine->postponed_count -= begun;
    if (begun)
        memmove(engine->postponed, engine->postponed + begun,
                (size_t)engine->postponed_count * sizeof(*engine->postponed));
    return result;
}

static int end_read(struct sl_engine *engine, const struct sl_completion *completion,
                    struct sl_error *error)
{
    int network, shard, other, shard_there;
    int result = sl_shard_reader_end(&engine->reader, completion, &network, &shard, error);
    if (result)
        return result;
    sl_engine_note_read(engine, network, shard, completion->submitted_ns, completion->completed_ns);
    result = sl_schedule_loaded(engine->schedule, network, shard, error);
    while (!result &&
           sl_contents_arrived(engine->workload.contents, network, shard, &other, &shard_there))
        result = sl_schedule_loaded(engine->schedule, other, shard_there, error);
    return result;
}

/* Every completion taken is accounted for, also after a failure; the first failure is reported. */
static int reap_reads(struct sl_engine *engine, struct sl_error *error)
{
    struct sl_completion completions[ENGINE_REAPED_AT_ONCE];
    int count, failed = 0;
    do {
        count = sl_shard_reader_reap(&engine->reader, completions, ENGINE_REAPED_AT_ONCE,
                                     failed ? NULL : error);
        if (count > 0)
            sl_engine_pace_arrived(engine);
        sl_shard_reader_verify(&engine->reader, completions, count,
                               sl_executor_team(engine->executors[0]));
        for (int i = 0; i < count; i++) {
            int result = end_read(engine, &completions[i], failed ? NULL : error);
            failed = failed ? failed : result;
        }
    } while (count == ENGINE_REAPED_AT_ONCE);
    if (failed || count < 0)
        return failed ? failed : count;
    return resume_reads(engine, error);
}

/* The stall of a layer is the time in which no executor ran before its unit began. */
static int end_run(struct sl_engine *engine, int executor, const struct sl_unit_run *run,
                   struct sl_error *error)
{
    sl_engine_note_run(engine, executor, run);
    struct sl_network_state *state = run->network;
    struct sl_layer_time *time = &state->times[run->layer];
    if (!time->run_ns && !time->start_ns)
        time->start_ns = run->begin_ns - state->arrival_ns;
    time->end_ns = run->end_ns - state->arrival_ns;
    time->run_ns += run->end_ns - run->begin_ns;
    time->major_faults += run->faults.major;
    if (run->shard >= 0)
        state->shards_ran = run->shard + 1;
    state->result.run_ns += run->end_ns - run->begin_ns;
    engine->executors_busy--;
    if (!engine->executors_busy)
        engine->last_run_end_ns = run->end_ns;
    int finished = sl_schedule_ran(engine->schedule, run->network_index, run->unit, error);
    if (finished <= 0)
        return finished;
    uint64_t now_ns = sl_now_ns();
    sl_network_state_finish(state, engine->pool, now_ns, engine->network_count == 1);
    sl_engine_note_result(engine, run->network_index, now_ns);
    return 0;
}

static int collect_runs(struct sl_engine *engine, struct sl_error *error)
{
    struct sl_unit_run run;
    int result = 0;
    for (int e = 0; e < engine->executor_count && !result; e++) {
        if (sl_executor_collect(engine->executors[e], &run))
            result = end_run(engine, e, &run, error);
    }
    return result;
}

static bool was_interrupted(const struct sl_engine *engine)
{
    return __atomic_load_n(&engine->interrupted, __ATOMIC_RELAXED);
}

static void set_interrupted(struct sl_engine *engine, int value)
{
    __atomic_store_n(&engine->interrupted, value, __ATOMIC_RELAXED);
}

static int start_run(struct sl_engine *engine, const struct sl_step *step, struct sl_error *error)
{
    const struct sl_policy_network *view =
        &sl_schedule_view(engine->schedule)->networks[step->network];
    struct sl_network_state *state = engine->networks[step->network];
    struct sl_unit_run run = {
        .network_index = step->network,
        .layer = view->unit_layer[step->index],
        .shard = view->unit_shard[step->index],
        .unit = step->index,
        .network = state,
    };
    int result = sl_shard_reader_use(&engine->reader, step->network, view, step->index,
                                     sl_executor_team(engine->executors[0]), error);
    if (result)
        return result;
    run.loop_faults = sl_engine_note_loop_faults(engine);
    if (!engine->executors_busy++) {
        uint64_t stall_ns = sl_now_ns() - engine->last_run_end_ns;
        state->times[run.layer].stall_ns += stall_ns;
        state->result.stall_ns += stall_ns;
    }
    for (int e = 0; e < engine->executor_count; e++) {
        if (!sl_executor_idle(engine->executors[e]))
            continue;
        sl_executor_start(engine->executors[e], &run);
        break;
    }
    return collect_runs(engine, error);
}

/* Carries out the policy's steps until it waits. A run in the loop's own thread takes long enough
 * for reads to finish, and so do the submissions of many: they are collected after each. */
static int follow_policy(struct sl_engine *engine, struct sl_error *error)
{
    for (;;) {
        struct sl_step step;
        int result = sl_schedule_next(engine->schedule, sl_now_ns(), &step, error);
        if (result)
            return result;
        switch (step.kind) {
        case SL_STEP_WAIT:
            return 0;
        case SL_STEP_ADMIT:
            result = sl_network_state_admit(engine->networks[step.network], engine->whole_pages,
                                            engine->pool, error);
            break;
        case SL_STEP_LOAD:
            result = start_read(engine, &step, error);
            break;
        case SL_STEP_RUN:
            sl_engine_pace(engine);
            result = start_run(engine, &step, error);
            break;
        case SL_STEP_DROP:
            sl_shard_reader_drop(&engine->reader, step.network, step.index);
            result = resume_reads(engine, error);
            break;
        }
        if (!result)
            sl_engine_note_step(engine, &step);
        const bool takes_time = step.kind == SL_STEP_LOAD || step.kind == SL_STEP_RUN;
        if (!result && takes_time)
            result = reap_reads(engine, error);
        if (result)
            return result;
        if (was_interrupted(engine))
            return sl_error_set(error, -EINTR, "interrupted");
        if (takes_time)
            result = sl_engine_follow_limit(engine, error);
        if (result)
            return result;
    }
}

/* Sleeps until a read finished, an executor ran a unit, or an interrupt came. */
static int wait_for_event(struct sl_engine *engine, struct sl_error *error)
{
    int result = resume_reads(engine, error);
    /* Nothing to wait for: what was resumed is there already, as content of another shard. */
    if (result || (!engine->reader.in_flight && !engine->executors_busy))
        return result;
    struct sl_loader *loader = engine->reader.loader;
    struct pollfd descriptors[2] = {
        {.fd = loader->ops->event_fd(loader), .events = POLLIN},
        {.fd = engine->wake_fd, .events = POLLIN},
    };
    sl_engine_pace(engine);
    uint64_t begin_ns = sl_now_ns();
    if (poll(descriptors, 2, -1) < 0 && errno != EINTR)
        return sl_error_errno(error, "cannot wait for events");
    sl_engine_note_wait(engine, begin_ns);
    if (descriptors[1].revents) {
        eventfd_t count;
        eventfd_read(engine->wake_fd, &count);
    }
    result = collect_runs(engine, error);
    return result ? result : reap_reads(engine, error);
}

/* Until no executor runs; what it ran is forgotten. */
static void wait_for_executors(struct sl_engine *engine)
{
    for (int e = 0; e < engine->executor_count; e++) {
        struct sl_unit_run run;
        sl_executor_collect(engine->executors[e], &run);
        while (!sl_executor_idle(engine->executors[e])) {
            struct pollfd descriptor = {.fd = engine->wake_fd, .events = POLLIN};
            eventfd_t count;
            poll(&descriptor, 1, -1);
            eventfd_read(engine->wake_fd, &count);
            sl_executor_collect(engine->executors[e], &run);
        }
    }
    engine->executors_busy = 0;
}

void sl_engine_drain(struct sl_engine *engine)
{
    wait_for_executors(engine);
    engine->postponed_count = 0;
    sl_shard_reader_drain(&engine->reader);
    for (int n = 0; n < engine->network_count; n++) {
        struct sl_network_state *state = engine->networks[n];
        for (int s = 0; s < state->pack->shard_count; s++)
            sl_shard_reader_drop(&engine->reader, n, s);
        sl_network_state_give_arena(state, engine->pool);
    }
    sl_pool_release_slots(engine->pool);
    sl_schedule_free(engine->schedule);
    engine->schedule = NULL;
}

static int run_batch(struct sl_engine *engine, struct sl_error *error)
{
    while (!sl_schedule_idle(engine->schedule)) {
        int result = follow_policy(engine, error);
        if (!result && !sl_schedule_idle(engine->schedule))
            result = wait_for_event(engine, error);
        if (!result)
            result = sl_engine_follow_limit(engine, error);
        if (!result && was_interrupted(engine))
            result = sl_error_set(error, -EINTR, "interrupted");
        if (result)
            return result;
    }
    /* What ended with the last run is dropped before the batch ends. */
    int result = follow_policy(engine, error);
    return result ? result : sl_shard_reader_damage(&engine->reader, error);
}

/* Reads for the next pass may still be in flight: their time so far belongs to this batch. */
static void end_batch(struct sl_engine *engine, uint64_t begin_ns)
{
    uint64_t now_ns = sl_now_ns();
    engine->batch.makespan_ns = now_ns - begin_ns;
    if (engine->reader.in_flight) {
        engine->reader.load_ns += now_ns - engine->reader.reading_since_ns;
        engine->reader.reading_since_ns = now_ns;
    }
    engine->batch.load_ns = engine->reader.load_ns;
}

/* A plan that no longer holds goes, then all is there that a batch needs. */
static int prepare(struct sl_engine *engine, uint64_t more, struct sl_error *error)
{
    if (engine->schedule && (sl_engine_budget_changed(engine) || (engine->planned_once && more)))
        sl_engine_drain(engine);
    int result = sl_shard_reader_ready(&engine->reader, error);
    for (int n = 0; n < engine->network_count && !result; n++)
        result = sl_engine_take_blobs(engine, engine->networks[n], error);
    if (!result && engine->executor_count < engine->policy->executors)
        result = create_executors(engine, more, error);
    if (!result && !engine->schedule)
        result = sl_engine_plan(engine, more, error);
    return result;
}

int sl_engine_run(struct sl_engine *engine, uint64_t more, struct sl_network_result *results,
                  uint64_t *makespan_ns, struct sl_error *error)
{
    if (!engine->network_count)
        return sl_error_set(error, -EINVAL, "there is no network to run");
    int result = prepare(engine, more, error);
    if (result) {
        set_interrupted(engine, 0); /* it was for this run */
        return result;
    }
    uint64_t begin_ns = sl_now_ns();
    engine->last_run_end_ns = begin_ns;
    engine->batch = (struct sl_batch_facts){0};
    engine->batch_shard_bytes = engine->budget.shard_bytes;
    engine->reader.load_ns = 0;
    engine->reader.reading_since_ns = begin_ns;
    sl_engine_note_begin(engine, begin_ns);
    sl_engine_pace_begin(engine);
    for (int n = 0; n < engine->network_count; n++) {
        sl_network_state_begin(engine->networks[n], begin_ns);
        sl_schedule_arrive(engine->schedule, n, begin_ns, more);
    }
    result = run_batch(engine, error);
    if (result) {
        sl_engine_drain(engine);
        set_interrupted(engine, 0);
        return result;
    }
    end_batch(engine, begin_ns);
    sl_engine_note_loop_faults(engine);
    sl_engine_note_end(engine, begin_ns, begin_ns + engine->batch.makespan_ns);
    *makespan_ns = engine->batch.makespan_ns;
    for (int n = 0; n < engine->network_count; n++)
        results[n] = engine->networks[n]->result;
    return sl_engine_learn(engine, more, error);
}

void sl_engine_set_budget(struct sl_engine *engine, uint64_t budget_bytes)
{
    __atomic_store_n(&engine->options.budget_bytes, budget_bytes, __ATOMIC_RELAXED);
}

void sl_engine_interrupt(struct sl_engine *engine)
{
    set_interrupted(engine, 1);
    eventfd_write(engine->wake_fd, 1);
}

void sl_engine_reread_limit(struct sl_engine *engine)
{
    __atomic_store_n(&engine->limit_asked, 1, __ATOMIC_RELAXED);
    eventfd_write(engine->wake_fd, 1);
}

void sl_engine_last_batch(const struct sl_engine *engine, struct sl_batch_facts *batch)
{
    *batch = engine->batch;
}

static uint64_t pinned_bytes(const struct sl_schedule *schedule)
{
    const struct sl_policy_view *view = sl_schedule_view(schedule);
    uint64_t pinned = 0;
    for (int n = 0; n < view->network_count; n++)
        for (int s = 0; s < view->networks[n].shard_count; s++)
            pinned += view->networks[n].pinned[s] ? view->networks[n].shard_bytes[s] : 0;
    return pinned;
}

void sl_engine_facts(const struct sl_engine *engine, struct sl_engine_facts *facts)
{
    const struct sl_loader *loader = engine->reader.loader;
    *facts = (struct sl_engine_facts){
        .policy = engine->policy->name,
        .loader = loader ? loader->ops->name : "none",
        .loader_reason = engine->reader.reason,
        .loader_notes = loader ? loader->notes : "",
        .hints = loader ? loader->hints : "",
        .threads = engine->threads,
        .direct = loader && loader->direct,
        .shards_peak_bytes = sl_pool_peak(engine->pool, SL_POOL_SLOTS),
        .activation_bytes = sl_pool_peak(engine->pool, SL_POOL_ACTIVATIONS),
        .scratch_bytes = sl_pool_peak(engine->pool, SL_POOL_SCRATCH),
        .budget = engine->budget,
        .pinned_bytes = engine->schedule ? pinned_bytes(engine->schedule) : 0,
    };
    uint64_t shards = sl_engine_slot_bytes(engine);
    facts->slot_bytes = shards > facts->pinned_bytes ? shards - facts->pinned_bytes : 0;
}
