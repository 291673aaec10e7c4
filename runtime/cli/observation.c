#include "runtime/cli/observation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/units.h"
#include "runtime/report/profile.h"
#include "runtime/report/record.h"
#include "runtime/report/trace.h"

/* 512 KiB: what the smallest networks record in 80 ms, eight samples. */
#define RING_EVENTS  8191
#define EVENTS_TAKEN 256

struct observed_cell {
    const struct observation *observation;
    struct sl_model **models; /* as many as the cell has packs */
    int model_count;
    int fd;
    void *memory;
    size_t bytes;
    struct sl_event_ring *ring;
    struct sl_profile *profile; /* NULL: not asked for */
    struct sl_memory_sample last;
};

int observation_open(struct observation *observation, bool profile, const char *trace_path,
                     struct sl_error *error)
{
    *observation = (struct observation){.profile = profile};
    int code = trace_path ? sl_trace_create(trace_path, &observation->trace, error) : 0;
    return code < 0 ? sl_error_wrap(error, "--trace") : 0;
}

bool observation_any(const struct observation *observation)
{
    return observation->profile || observation->trace;
}

int observation_close(struct observation *observation, struct sl_error *error)
{
    return sl_trace_close(SL_STEAL(observation->trace), error);
}

static int open_models(struct observed_cell *observed, const struct cell *cell,
                       struct sl_error *error)
{
    observed->models = calloc((size_t)cell->pack_count + 1, sizeof(struct sl_model *));
    if (!observed->models)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int n = 0; n < cell->pack_count; n++) {
        int code = sl_model_open(cell->packs[n], &observed->models[n], error);
        if (code < 0)
            return code;
        observed->model_count++;
    }
    return 0;
}

static int make_ring(struct observed_cell *observed, struct sl_error *error)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    observed->bytes = (sl_event_ring_bytes(RING_EVENTS) + page - 1) / page * page;
    /* The worker inherits it, so it must not lie where its standard streams will. */
    int made = memfd_create("sluice-events", MFD_CLOEXEC);
    observed->fd = made < 0 ? -1 : fcntl(made, F_DUPFD, STDERR_FILENO + 1);
    if (made >= 0)
        close(made);
    if (observed->fd < 0 || ftruncate(observed->fd, (off_t)observed->bytes))
        return sl_error_errno(error, "cannot make memory for events");
    void *memory = mmap(NULL, observed->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, observed->fd, 0);
    if (memory == MAP_FAILED)
        return sl_error_errno(error, "cannot map memory for events");
    observed->memory = memory;
    observed->ring = sl_event_ring_init(memory, observed->bytes);
    return 0;
}

static int make_profile(struct observed_cell *observed, struct sl_error *error)
{
    SL_AUTO_FREE int *layers = calloc((size_t)observed->model_count + 1, sizeof(*layers));
    for (int n = 0; layers && n < observed->model_count; n++) {
        struct sl_model_info info;
        sl_model_describe(observed->models[n], &info);
        layers[n] = info.layer_count;
    }
    observed->profile = layers ? sl_profile_create(layers, observed->model_count) : NULL;
    return observed->profile ? 0 : sl_error_set(error, -ENOMEM, "out of memory");
}

/* The cell's process in the trace. */
static int begin_trace(struct observed_cell *observed, const struct cell *cell,
                       const struct sl_limits *limits, struct sl_error *error)
{
    char name[512] = "", text[SL_UNIT_TEXT_BYTES];
    size_t length = 0;
    for (int n = 0; n < observed->model_count && length < sizeof(name) / 2; n++) {
        struct sl_model_info info;
        sl_model_describe(observed->models[n], &info);
        length += (size_t)snprintf(name + length, sizeof(name) - length, "%s%.60s", n ? "+" : "",
                                   info.name);
    }
    bool limited = limits->memory_bytes != SL_NO_LIMIT;
    snprintf(name + length, sizeof(name) - length, ", %s, %s%s", cell->policy,
             limited ? "limit " : "no limit",
             limited ? sl_format_size(limits->memory_bytes, text) : "");
    return sl_trace_cell(observed->observation->trace, name, observed->models,
                         observed->model_count, error);
}

int observed_cell_begin(struct cell *cell, const struct sl_limits *limits,
                        struct observed_cell **result, struct sl_error *error)
{
    *result = NULL;
    if (!cell->observation || !observation_any(cell->observation))
        return 0;
    struct observed_cell *observed = calloc(1, sizeof(*observed));
    if (!observed)
        return sl_error_set(error, -ENOMEM, "out of memory");
    observed->observation = cell->observation;
    observed->fd = -1;
    int code = open_models(observed, cell, error);
    if (code == 0)
        code = make_ring(observed, error);
    if (code == 0 && observed->observation->profile)
        code = make_profile(observed, error);
    if (code == 0 && observed->observation->trace)
        code = begin_trace(observed, cell, limits, error);
    if (code < 0) {
        observed_cell_end(observed);
        return code;
    }
    cell->events_fd = observed->fd;
    cell->events_bytes = (int64_t)observed->bytes;
    *result = observed;
    return 0;
}

void observed_cell_sample(void *context, const struct sl_memory_sample *sample)
{
    struct observed_cell *observed = context;
    struct sl_trace *trace = observed->observation->trace;
    struct sl_event events[EVENTS_TAKEN];
    size_t count;
    observed->last = *sample;
    do {
        count = sl_event_ring_take(observed->ring, events, EVENTS_TAKEN);
        if (observed->profile)
            sl_profile_events(observed->profile, events, count);
        if (trace)
            sl_trace_events(trace, events, count);
    } while (count == EVENTS_TAKEN);
    if (!trace)
        return;
    sl_trace_sample(trace, sl_now_ns(), sample);
    sl_trace_flush(trace, sl_event_ring_lost(observed->ring));
}

void observed_cell_add(const struct observed_cell *observed, json_t *records)
{
    size_t i;
    json_t *record;
    if (!observed || !observed->profile)
        return;
    json_array_foreach(records, i, record)
    {
        /* One record per network; with several inputs, per input of the only network. */
        int network = (int)(i % (size_t)observed->model_count);
        json_t *profile = sl_profile_record(observed->profile, network, observed->models[network],
                                            sl_event_ring_lost(observed->ring), &observed->last);
        json_object_set_new(record, "profile", profile ? profile : json_null());
    }
}

void observed_cell_end(struct observed_cell *observed)
{
    if (!observed)
        return;
    for (int n = 0; n < observed->model_count; n++)
        sl_model_close(observed->models[n]);
    free(observed->models);
    sl_profile_free(observed->profile);
    if (observed->memory)
        munmap(observed->memory, observed->bytes);
    sl_cleanup_fd(&observed->fd);
    free(observed);
}

int observed_ring(const struct cell *cell, struct sl_event_ring **ring, struct sl_error *error)
{
    *ring = NULL;
    if (cell->events_bytes <= 0)
        return 0;
    size_t bytes = (size_t)cell->events_bytes;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                        (int)cell->events_fd, 0);
    if (memory == MAP_FAILED)
        return sl_error_errno(error, "cannot map the memory for events");
    *ring = sl_event_ring_at(memory, bytes);
    return *ring ? 0 : sl_error_set(error, -EINVAL, "the memory for events holds no ring");
}
