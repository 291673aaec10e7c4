/* What the event loop records of its doing. */
#include "runtime/base/clock.h"
#include "runtime/engine/engine_state.h"

/* An instant, now or at its time, that is about no shard. */
static struct sl_event event_of(const struct sl_engine *engine, enum sl_event_kind kind,
                                int network, uint64_t begin_ns, uint64_t end_ns)
{
    return (struct sl_event){
        .kind = (uint8_t)kind,
        .network = (uint16_t)network,
        .begin_ns = begin_ns,
        .end_ns = end_ns,
        .layer = -1,
        .shard = -1,
        .pool_bytes = sl_pool_used(engine->pool, SL_POOL_SLOTS),
    };
}

static void set_shard(const struct sl_engine *engine, int shard, struct sl_event *event)
{
    const struct sl_shard *found = &engine->networks[event->network]->pack->shards[shard];
    event->shard = shard;
    event->layer = found->layer;
    event->bytes = sl_shard_memory(found);
}

void sl_engine_note_begin(struct sl_engine *engine, uint64_t begin_ns)
{
    engine->thread_faults = sl_faults_of_thread();
    if (!engine->options.events)
        return;
    struct sl_event event = event_of(engine, SL_EVENT_BEGIN, 0, begin_ns, begin_ns);
    event.bytes = sl_event_label(engine->options.events);
    sl_event_record(engine->options.events, &event);
    engine->loop_seen_ns = begin_ns;
    engine->loop_major_faults = engine->thread_faults.major;
    engine->run_major_faults = 0;
}

void sl_engine_note_end(struct sl_engine *engine, uint64_t begin_ns, uint64_t end_ns)
{
    if (!engine->options.events)
        return;
    struct sl_event event = event_of(engine, SL_EVENT_END, 0, begin_ns, end_ns);
    sl_event_record(engine->options.events, &event);
}

void sl_engine_note_step(struct sl_engine *engine, const struct sl_step *step)
{
    enum sl_event_kind kind;
    if (!engine->options.events)
        return;
    switch (step->kind) {
    case SL_STEP_ADMIT:
        kind = SL_EVENT_ADMIT;
        break;
    case SL_STEP_LOAD:
        kind = SL_EVENT_LOAD;
        break;
    case SL_STEP_DROP:
        kind = SL_EVENT_DROP;
        break;
    default: /* runs are events themselves */
        return;
    }
    uint64_t now_ns = sl_now_ns();
    struct sl_event event = event_of(engine, kind, step->network, now_ns, now_ns);
    if (kind != SL_EVENT_ADMIT)
        set_shard(engine, step->index, &event);
    sl_event_record(engine->options.events, &event);
}

void sl_engine_note_read(struct sl_engine *engine, int network, int shard, uint64_t begin_ns,
                         uint64_t end_ns)
{
    if (!engine->options.events)
        return;
    struct sl_event event = event_of(engine, SL_EVENT_READ, network, begin_ns, end_ns);
    set_shard(engine, shard, &event);
    sl_event_record(engine->options.events, &event);
}

void sl_engine_note_wait(struct sl_engine *engine, uint64_t begin_ns)
{
    if (!engine->options.events)
        return;
    struct sl_event event = event_of(engine, SL_EVENT_WAIT, 0, begin_ns, sl_now_ns());
    sl_event_record(engine->options.events, &event);
}

void sl_engine_note_run(struct sl_engine *engine, int executor, const struct sl_unit_run *run)
{
    if (engine->executor_count == 1)
        engine->thread_faults = run->own_faults;
    if (!engine->options.events)
        return;
    struct sl_event event =
        event_of(engine, SL_EVENT_RUN, run->network_index, run->begin_ns, run->end_ns);
    event.executor = (uint8_t)executor;
    event.layer = run->layer;
    event.shard = run->shard;
    event.bytes = run->swap_in_bytes;
    event.faulting_ns = run->faulting_ns;
    event.major_faults = (uint32_t)run->faults.major;
    event.minor_faults = (uint32_t)run->faults.minor;
    sl_event_record(engine->options.events, &event);
    if (engine->executor_count == 1)
        engine->run_major_faults += run->own_major_faults;
}

void sl_engine_note_result(struct sl_engine *engine, int network, uint64_t end_ns)
{
    if (!engine->options.events)
        return;
    struct sl_event event =
        event_of(engine, SL_EVENT_RESULT, network, engine->networks[network]->arrival_ns, end_ns);
    sl_event_record(engine->options.events, &event);
}

struct sl_faults sl_engine_note_loop_faults(struct sl_engine *engine)
{
    if (!engine->options.events)
        return engine->thread_faults;
    struct sl_faults thread = sl_faults_of_thread();
    uint64_t faults = thread.major - engine->run_major_faults;
    uint64_t now_ns = sl_now_ns();
    if (faults > engine->loop_major_faults) {
        struct sl_event event = event_of(engine, SL_EVENT_SERVE, 0, engine->loop_seen_ns, now_ns);
        event.major_faults = (uint32_t)(faults - engine->loop_major_faults);
        event.bytes = sl_fault_meter_swapped_in(&engine->meter);
        sl_event_record(engine->options.events, &event);
    }
    engine->loop_major_faults = faults;
    engine->loop_seen_ns = now_ns;
    return thread;
}
