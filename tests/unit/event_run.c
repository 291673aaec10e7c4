#include "tests/unit/event_run.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"

#define EVENTS_MOST 20000

static void make_pack(struct event_run *run)
{
    struct sl_error error = {0};
    snprintf(run->directory, sizeof(run->directory), "/tmp/sluice-test-events-XXXXXX");
    cr_assert_not_null(mkdtemp(run->directory));
    snprintf(run->pack, sizeof(run->pack), "%s/lenet.sluice", run->directory);
    struct sl_import_request request = {
        .topology = "lenet", .output = run->pack, .shard_bytes = 65536};
    cr_assert_eq(sl_import(&request, NULL, &error), 0, "%s", error.text);
    cr_assert_eq(sl_model_open(run->pack, &run->model, &error), 0, "%s", error.text);
    struct sl_model_info info;
    sl_model_describe(run->model, &info);
    run->layer_count = info.layer_count;
}

void event_run(struct event_run *run, const struct event_run_options *options)
{
    struct sl_error error = {0};
    size_t bytes = sl_event_ring_bytes(EVENTS_MOST);
    SL_AUTO_FREE void *memory = aligned_alloc(64, bytes);
    struct sl_event_ring *ring = sl_event_ring_init(memory, bytes);
    *run = (struct event_run){.networks = options->networks ? options->networks : 1};
    make_pack(run);
    struct sl_session *session = NULL;
    struct sl_session_options session_options = {
        .policy = options->policy, .threads = 2, .events = ring};
    cr_assert_eq(sl_session_create(&session_options, &session, &error), 0, "%s", error.text);
    for (int n = 0; n < run->networks; n++)
        cr_assert_eq(sl_session_add(session, run->model, &error), n, "%s", error.text);
    for (int i = -options->warmups; i < options->runs; i++) {
        struct sl_result results[4];
        uint64_t makespan_ns;
        sl_event_ring_label(ring, i < 0);
        cr_assert_eq(sl_session_run(session, (uint64_t)(options->runs - 1 - i), results,
                                    &makespan_ns, &error),
                     0, "%s: %s", options->policy, error.text);
        for (int n = 0; i >= 0 && n < run->networks; n++) {
            run->read_bytes += results[n].read_bytes;
            run->latency_ns += results[n].latency_ns;
        }
        run->makespan_ns += i < 0 ? 0 : makespan_ns;
    }
    sl_session_free(session);
    cr_assert_eq(sl_event_ring_lost(ring), 0);
    run->events = calloc(EVENTS_MOST, sizeof(*run->events));
    run->count = sl_event_ring_take(ring, run->events, EVENTS_MOST);
}

void event_run_free(struct event_run *run)
{
    free(run->events);
    sl_model_close(run->model);
    char times[160];
    snprintf(times, sizeof(times), "%s.times", run->pack);
    unlink(times);
    unlink(run->pack);
    rmdir(run->directory);
}
