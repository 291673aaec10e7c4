/* The ring of events: order, what is lost when it is full, two sides at once; and what an engine
 * records of a run. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/sluice.h"
#include "tests/unit/event_run.h"

static struct sl_event_ring *make_ring(size_t events)
{
    size_t bytes = sl_event_ring_bytes(events);
    void *memory = aligned_alloc(64, bytes);
    struct sl_event_ring *ring = sl_event_ring_init(memory, bytes);
    cr_assert_not_null(ring);
    cr_assert_eq(sl_event_ring_at(memory, bytes), ring);
    return ring;
}

Test(events, come_out_in_order_until_the_ring_is_full)
{
    SL_AUTO_FREE struct sl_event_ring *ring = make_ring(4);
    struct sl_event events[8];
    for (uint64_t i = 0; i < 6; i++)
        sl_event_record(ring, &(struct sl_event){.bytes = i});
    cr_expect_eq(sl_event_ring_lost(ring), 2, "the later ones are lost, and counted");
    cr_expect_eq(sl_event_ring_take(ring, events, 3), 3);
    cr_expect(events[0].bytes == 0 && events[2].bytes == 2);
    sl_event_record(ring, &(struct sl_event){.bytes = 6});
    cr_expect_eq(sl_event_ring_take(ring, events, 8), 2);
    cr_expect(events[0].bytes == 3 && events[1].bytes == 6);
    cr_expect_eq(sl_event_ring_take(ring, events, 8), 0);
    cr_expect_eq(sl_event_ring_lost(ring), 2);
    sl_event_record(NULL, &events[0]); /* nobody listens */
}

Test(events, memory_that_holds_no_ring)
{
    _Alignas(64) char memory[1024] = {0};
    cr_expect_null(sl_event_ring_at(memory, sizeof(memory)));
    cr_expect_null(sl_event_ring_init(memory, 64));
    cr_expect_not_null(sl_event_ring_init(memory, sizeof(memory)));
    cr_expect_null(sl_event_ring_at(memory, sizeof(memory) / 4), "less than it says it has");
}

#define RECORDED 200000

static void *record_all(void *argument)
{
    for (uint64_t i = 1; i <= RECORDED; i++)
        sl_event_record(argument, &(struct sl_event){.bytes = i, .begin_ns = 7 * i});
    return NULL;
}

Test(events, nothing_is_torn_between_two_threads)
{
    SL_AUTO_FREE struct sl_event_ring *ring = make_ring(64);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, record_all, ring), 0);
    uint64_t last = 0, taken = 0;
    while (last < RECORDED && taken + sl_event_ring_lost(ring) < RECORDED) {
        struct sl_event events[16];
        size_t count = sl_event_ring_take(ring, events, 16);
        for (size_t i = 0; i < count; i++) {
            cr_assert(events[i].bytes > last && events[i].begin_ns == 7 * events[i].bytes);
            last = events[i].bytes;
        }
        taken += count;
    }
    pthread_join(thread, NULL);
    cr_expect_eq(taken + sl_event_ring_lost(ring), RECORDED);
}

Test(events, a_run_is_told_completely)
{
    static const char *const policies[] = {"bulk", "linear", "deepeye", "window", "auto"};
    for (size_t p = 0; p < sizeof(policies) / sizeof(policies[0]); p++) {
        struct event_run run;
        event_run(&run, &(struct event_run_options){.policy = policies[p], .runs = 2});
        uint64_t read_bytes = 0, count[SL_EVENT_END + 1] = {0};
        for (size_t i = 0; i < run.count; i++) {
            const struct sl_event *event = &run.events[i];
            count[event->kind]++;
            cr_assert_leq(event->begin_ns, event->end_ns);
            read_bytes += event->kind == SL_EVENT_READ ? event->bytes : 0;
        }
        cr_expect_eq(count[SL_EVENT_BEGIN], 2);
        cr_expect_eq(count[SL_EVENT_END], 2);
        cr_expect_eq(count[SL_EVENT_RESULT], 2);
        cr_expect_leq(count[SL_EVENT_READ], count[SL_EVENT_LOAD]);
        cr_expect_eq(read_bytes, run.read_bytes, "%s: %llu of %llu", policies[p],
                     (unsigned long long)read_bytes, (unsigned long long)run.read_bytes);
        cr_expect_geq(count[SL_EVENT_RUN], 2 * (uint64_t)run.layer_count);
        event_run_free(&run);
    }
}
