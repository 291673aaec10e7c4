#include "runtime/report/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/report/trace_file.h"

/* Threads of a cell's process. */
enum lane {
    LANE_POLICY = 1,
    LANE_LOOP = 2,
    LANE_REQUESTS = 10,   /* + network */
    LANE_EXECUTORS = 100, /* + executor */
    LANE_READS = 1000,    /* + number */
};
#define READ_LANES_MOST 1024
#define EXECUTORS_MOST  64

/* "%s" and two arguments: nanoseconds as microseconds, without rounding. */
#define MICROSECONDS        "%" PRIu64 ".%03u"
#define AS_MICROSECONDS(ns) (ns) / 1000, (unsigned)((ns) % 1000)

/* The last read of a shard that no run has used yet. */
struct pending_read {
    uint64_t end_ns; /* 0: there is none */
    int lane;
};

struct traced_network {
    char *name; /* JSON strings, quotes included; owned */
    char **layers;
    int layer_count, shard_count;
    struct pending_read *reads; /* [shard] */
};

struct sl_trace {
    struct sl_trace_file *file;
    uint64_t start_ns;
    int pid; /* of the current cell; 0: none yet */
    struct traced_network *networks;
    int network_count;
    uint64_t lane_end_ns[READ_LANES_MOST]; /* of its last read */
    int lane_count;
    bool executor_named[EXECUTORS_MOST];
    uint64_t pool_bytes;
    bool pool_told;
    uint64_t flows, lost;
};

static void forget_networks(struct sl_trace *trace)
{
    for (int n = 0; n < trace->network_count; n++) {
        struct traced_network *network = &trace->networks[n];
        for (int l = 0; network->layers && l < network->layer_count; l++)
            free(network->layers[l]);
        free(network->layers);
        free(network->name);
        free(network->reads);
    }
    free(trace->networks);
    trace->networks = NULL;
    trace->network_count = 0;
}

int sl_trace_create(const char *path, struct sl_trace **created, struct sl_error *error)
{
    struct sl_trace *trace = calloc(1, sizeof(*trace));
    if (!trace)
        return sl_error_set(error, -ENOMEM, "no memory for a trace");
    int code = sl_trace_file_create(path, &trace->file, error);
    if (code) {
        free(trace);
        return code;
    }
    trace->start_ns = sl_now_ns();
    *created = trace;
    return 0;
}

/* What an event can hold. */
#define NAME_BYTES 120

static char *json_text(const char *text)
{
    json_t *string = json_stringn(text, strnlen(text, NAME_BYTES));
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
    json_decref(string);
    return quoted ? quoted : strdup("\"?\"");
}

static int know_network(struct traced_network *network, const struct sl_model *model)
{
    struct sl_model_info info;
    sl_model_describe(model, &info);
    network->name = json_text(info.name);
    network->layer_count = info.layer_count;
    network->shard_count = info.shard_count;
    network->layers = calloc((size_t)info.layer_count + 1, sizeof(*network->layers));
    network->reads = calloc((size_t)info.shard_count + 1, sizeof(*network->reads));
    if (!network->name || !network->layers || !network->reads)
        return -ENOMEM;
    struct sl_layer_info layer;
    for (int l = 0; sl_model_layer(model, l, &layer, NULL) == 0; l++) {
        network->layers[l] = json_text(layer.name);
        if (!network->layers[l])
            return -ENOMEM;
    }
    return 0;
}

/* kind: "process" or "thread"; name: a JSON string. */
static void name_lane(struct sl_trace *trace, const char *kind, int tid, const char *name,
                      int number)
{
    char numbered[1024];
    if (number >= 0) {
        snprintf(numbered, sizeof(numbered), "\"%s %d\"", name, number);
        name = numbered;
    }
    sl_trace_file_add(
        trace->file,
        "{\"ph\":\"M\",\"name\":\"%s_name\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":%s}}", kind,
        trace->pid, tid, name);
    sl_trace_file_add(trace->file,
                      "{\"ph\":\"M\",\"name\":\"%s_sort_index\",\"pid\":%d,\"tid\":%d,"
                      "\"args\":{\"sort_index\":%d}}",
                      kind, trace->pid, tid, tid ? tid : trace->pid);
}

int sl_trace_cell(struct sl_trace *trace, const char *name, struct sl_model *const *models,
                  int count, struct sl_error *error)
{
    forget_networks(trace);
    trace->pid++;
    trace->lane_count = 0;
    trace->pool_told = false;
    trace->lost = 0;
    memset(trace->lane_end_ns, 0, sizeof(trace->lane_end_ns));
    memset(trace->executor_named, 0, sizeof(trace->executor_named));
    trace->networks = calloc((size_t)count + 1, sizeof(*trace->networks));
    if (!trace->networks)
        return sl_error_set(error, -ENOMEM, "no memory for a trace");
    trace->network_count = count;
    char *quoted = json_text(name);
    if (quoted)
        name_lane(trace, "process", 0, quoted, -1);
    free(quoted);
    name_lane(trace, "thread", LANE_POLICY, "\"policy\"", -1);
    name_lane(trace, "thread", LANE_LOOP, "\"event loop\"", -1);
    for (int n = 0; n < count; n++) {
        if (know_network(&trace->networks[n], models[n]))
            return sl_error_set(error, -ENOMEM, "no memory for a trace");
        name_lane(trace, "thread", LANE_REQUESTS + n, trace->networks[n].name, -1);
    }
    return 0;
}

static uint64_t since_start(const struct sl_trace *trace, uint64_t ns)
{
    return ns > trace->start_ns ? ns - trace->start_ns : 0;
}

static const char *layer_name(const struct sl_trace *trace, const struct sl_event *event)
{
    const struct traced_network *network = &trace->networks[event->network];
    return event->layer >= 0 && event->layer < network->layer_count ? network->layers[event->layer]
                                                                    : network->name;
}

static void add_instant(struct sl_trace *trace, const struct sl_event *event, int tid,
                        const char *verb, const char *name)
{
    uint64_t ns = since_start(trace, event->end_ns);
    /* name is a JSON string: the verb goes in behind its first quote. */
    sl_trace_file_add(trace->file,
                      "{\"ph\":\"i\",\"s\":\"t\",\"cat\":\"policy\",\"name\":\"%s %s,"
                      "\"ts\":" MICROSECONDS ",\"pid\":%d,\"tid\":%d,\"args\":{\"network\":%s,"
                      "\"shard\":%d,\"bytes\":%" PRIu64 "}}",
                      verb, name + 1, AS_MICROSECONDS(ns), trace->pid, tid,
                      trace->networks[event->network].name, event->shard, event->bytes);
}

/* Spans are most of a trace, and the processor that writes them is one that the worker wants: they
 * are put together by hand. What does not fit is left out. */
struct line {
    char bytes[2048];
    size_t length;
};

static void put(struct line *line, const char *text)
{
    size_t length = strlen(text);
    if (length > sizeof(line->bytes) - line->length)
        length = sizeof(line->bytes) - line->length;
    memcpy(line->bytes + line->length, text, length);
    line->length += length;
}

static void put_number(struct line *line, uint64_t number)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    put(line, digits + at);
}

static void put_microseconds(struct line *line, uint64_t ns)
{
    const char rest[] = {'.', (char)('0' + ns / 100 % 10), (char)('0' + ns / 10 % 10),
                         (char)('0' + ns % 10), '\0'};
    put_number(line, ns / 1000);
    put(line, rest);
}

/* A span of time on a lane; args: the text of a JSON object's inside. */
static void add_span(struct sl_trace *trace, const struct sl_event *event, int tid,
                     const char *category, const char *name, const char *args)
{
    uint64_t begin_ns = since_start(trace, event->begin_ns);
    uint64_t end_ns = since_start(trace, event->end_ns);
    struct line line;
    line.length = 0;
    put(&line, "{\"ph\":\"X\",\"cat\":\"");
    put(&line, category);
    put(&line, "\",\"name\":");
    put(&line, name);
    put(&line, ",\"ts\":");
    put_microseconds(&line, begin_ns);
    put(&line, ",\"dur\":");
    put_microseconds(&line, end_ns > begin_ns ? end_ns - begin_ns : 0);
    put(&line, ",\"pid\":");
    put_number(&line, (uint64_t)trace->pid);
    put(&line, ",\"tid\":");
    put_number(&line, (uint64_t)tid);
    put(&line, ",\"args\":{");
    put(&line, args);
    put(&line, "}}");
    if (line.length < sizeof(line.bytes))
        sl_trace_file_add_text(trace->file, line.bytes, line.length);
}

static void add_counter(struct sl_trace *trace, uint64_t now_ns, const char *name,
                        const char *series, uint64_t value)
{
    sl_trace_file_add(trace->file,
                      "{\"ph\":\"C\",\"name\":\"%s\",\"ts\":" MICROSECONDS
                      ",\"pid\":%d,\"tid\":0,\"args\":{\"%s\":%" PRIu64 "}}",
                      name, AS_MICROSECONDS(since_start(trace, now_ns)), trace->pid, series, value);
}

/* Reads are told as they end: the first lane whose last read ended before this one began. */
static int free_lane(struct sl_trace *trace, const struct sl_event *event)
{
    int lane = 0;
    while (lane < trace->lane_count && trace->lane_end_ns[lane] > event->begin_ns)
        lane++;
    if (lane == READ_LANES_MOST)
        return -1;
    if (lane == trace->lane_count) {
        name_lane(trace, "thread", LANE_READS + lane, "read", lane);
        trace->lane_count++;
    }
    trace->lane_end_ns[lane] = event->end_ns;
    return lane;
}

static void add_read(struct sl_trace *trace, const struct sl_event *event)
{
    struct traced_network *network = &trace->networks[event->network];
    int lane = free_lane(trace, event);
    if (lane < 0) {
        trace->lost++;
        return;
    }
    char args[128];
    snprintf(args, sizeof(args), "\"shard\":%d,\"bytes\":%" PRIu64, event->shard, event->bytes);
    add_span(trace, event, LANE_READS + lane, "read", layer_name(trace, event), args);
    if (event->shard >= 0 && event->shard < network->shard_count)
        network->reads[event->shard] = (struct pending_read){event->end_ns, lane};
}

/* An arrow from the read's end to the run's begin. Both ends are written together, so that none
 * stays alone when the worker is killed between them. */
static void add_flow(struct sl_trace *trace, const struct sl_event *run, struct pending_read *read,
                     int tid)
{
    uint64_t id = ++trace->flows;
    /* The arrow starts inside of the read's span. */
    uint64_t from_ns = since_start(trace, read->end_ns - 1);
    uint64_t to_ns = since_start(trace, run->begin_ns);
    const char *name = layer_name(trace, run);
    sl_trace_file_add(trace->file,
                      "{\"ph\":\"s\",\"cat\":\"load\",\"name\":%s,\"id\":%" PRIu64
                      ",\"ts\":" MICROSECONDS ",\"pid\":%d,\"tid\":%d}",
                      name, id, AS_MICROSECONDS(from_ns), trace->pid, LANE_READS + read->lane);
    sl_trace_file_add(trace->file,
                      "{\"ph\":\"f\",\"bp\":\"e\",\"cat\":\"load\",\"name\":%s,\"id\":%" PRIu64
                      ",\"ts\":" MICROSECONDS ",\"pid\":%d,\"tid\":%d}",
                      name, id, AS_MICROSECONDS(to_ns), trace->pid, tid);
    read->end_ns = 0;
}

static void add_run(struct sl_trace *trace, const struct sl_event *event)
{
    struct traced_network *network = &trace->networks[event->network];
    int executor = event->executor % EXECUTORS_MOST, tid = LANE_EXECUTORS + executor;
    if (!trace->executor_named[executor])
        name_lane(trace, "thread", tid, "executor", executor);
    trace->executor_named[executor] = true;
    struct line args;
    args.length = 0;
    put(&args, "\"network\":");
    put(&args, network->name);
    if (event->shard >= 0) {
        put(&args, ",\"shard\":");
        put_number(&args, (uint64_t)event->shard);
    }
    if (event->major_faults || event->minor_faults) {
        put(&args, ",\"major_faults\":");
        put_number(&args, event->major_faults);
        put(&args, ",\"minor_faults\":");
        put_number(&args, event->minor_faults);
        put(&args, ",\"swap_in_bytes\":");
        put_number(&args, event->bytes);
        put(&args, ",\"faulting_us\":");
        put_microseconds(&args, event->faulting_ns);
    }
    args.bytes[args.length < sizeof(args.bytes) ? args.length : sizeof(args.bytes) - 1] = '\0';
    add_span(trace, event, tid, "run", layer_name(trace, event), args.bytes);
    bool read = event->shard >= 0 && event->shard < network->shard_count &&
                network->reads[event->shard].end_ns;
    if (read)
        add_flow(trace, event, &network->reads[event->shard], tid);
}

static void add_event(struct sl_trace *trace, const struct sl_event *event)
{
    switch ((enum sl_event_kind)event->kind) {
    case SL_EVENT_BEGIN:
        add_instant(trace, event, LANE_POLICY, event->bytes ? "warm-up" : "arrival", "\"of all\"");
        break;
    case SL_EVENT_ADMIT:
        add_instant(trace, event, LANE_POLICY, "admit", layer_name(trace, event));
        break;
    case SL_EVENT_LOAD:
        add_instant(trace, event, LANE_POLICY, "load", layer_name(trace, event));
        break;
    case SL_EVENT_DROP:
        add_instant(trace, event, LANE_POLICY, "drop", layer_name(trace, event));
        break;
    case SL_EVENT_SERVE:
        add_instant(trace, event, LANE_LOOP, "page faults beside", "\"runs\"");
        break;
    case SL_EVENT_READ:
        add_read(trace, event);
        break;
    case SL_EVENT_WAIT:
        add_span(trace, event, LANE_LOOP, "loop", "\"wait\"", "");
        break;
    case SL_EVENT_RUN:
        add_run(trace, event);
        break;
    case SL_EVENT_RESULT:
        add_span(trace, event, LANE_REQUESTS + event->network, "request", "\"request\"", "");
        break;
    case SL_EVENT_END:
        break;
    }
    /* Weights come and go with decisions, which are told as they happen. */
    bool decision = event->kind == SL_EVENT_BEGIN || event->kind == SL_EVENT_LOAD ||
                    event->kind == SL_EVENT_DROP;
    if (!decision || (trace->pool_told && trace->pool_bytes == event->pool_bytes))
        return;
    trace->pool_told = true;
    trace->pool_bytes = event->pool_bytes;
    add_counter(trace, event->end_ns, "weights in memory", "bytes", event->pool_bytes);
}

void sl_trace_events(struct sl_trace *trace, const struct sl_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (events[i].network < trace->network_count)
            add_event(trace, &events[i]);
}

void sl_trace_sample(struct sl_trace *trace, uint64_t now_ns, const struct sl_memory_sample *sample)
{
    add_counter(trace, now_ns, "memory", "bytes", sample->memory_bytes);
    add_counter(trace, now_ns, "swap", "bytes", sample->swap_bytes);
    add_counter(trace, now_ns, "swapped in", "bytes", sample->swap_in_bytes);
    add_counter(trace, now_ns, "swapped out", "bytes", sample->swap_out_bytes);
    add_counter(trace, now_ns, "major faults", "faults", sample->major_faults);
    add_counter(trace, now_ns, "pressure some", "us", sample->pressure_some_ns / 1000);
    add_counter(trace, now_ns, "pressure full", "us", sample->pressure_full_ns / 1000);
}

void sl_trace_flush(struct sl_trace *trace, uint64_t lost)
{
    if (lost > trace->lost)
        add_counter(trace, sl_now_ns(), "events lost", "events", lost);
    trace->lost = lost > trace->lost ? lost : trace->lost;
    sl_trace_file_flush(trace->file);
}

int sl_trace_close(struct sl_trace *trace, struct sl_error *error)
{
    if (!trace)
        return 0;
    forget_networks(trace);
    int code = sl_trace_file_close(trace->file, error);
    free(trace);
    return code;
}
