#include "tests/support/trace_rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Times in a trace are microseconds with three decimals: exact below 2^53 ns. */
#define EXACT_US 0.0005

struct breach {
    char *reason;
    size_t size;
    size_t at; /* number of the event */
};

static bool __attribute__((format(printf, 2, 3)))
say(const struct breach *breach, const char *format, ...)
{
    va_list values;
    int length = snprintf(breach->reason, breach->size, "event %zu: ", breach->at);
    va_start(values, format);
    vsnprintf(breach->reason + length, breach->size - (size_t)length, format, values);
    va_end(values);
    return false;
}

static double number(const json_t *event, const char *field)
{
    return json_number_value(json_object_get(event, field));
}

static const char *text(const json_t *event, const char *field)
{
    const char *value = json_string_value(json_object_get(event, field));
    return value ? value : "";
}

static bool has_numbers(const json_t *event, const char *const *fields)
{
    for (; *fields; fields++)
        if (!json_is_number(json_object_get(event, *fields)))
            return false;
    return true;
}

/* A place in the trace: process, thread, and what else tells apart. */
static const char *key_of(const json_t *event, const char *kind, const char *name, char buffer[512])
{
    snprintf(buffer, 512, "%s %.0f %.0f %s", kind, number(event, "pid"), number(event, "tid"),
             name);
    return buffer;
}

static bool check_span(const json_t *event, json_t *state, struct trace_counts *counts,
                       const struct breach *breach)
{
    char key[512];
    static const char *const fields[] = {"ts", "dur", "pid", "tid", NULL};
    if (!has_numbers(event, fields) || !*text(event, "cat"))
        return say(breach, "a span lacks ts, dur, pid, tid or cat");
    if (number(event, "dur") < 0 || number(event, "ts") < 0)
        return say(breach, "a negative time");
    key_of(event, "end", "", key);
    const json_t *last = json_object_get(state, key);
    if (last && json_number_value(last) > number(event, "ts") + EXACT_US)
        return say(breach, "%s begins at %.3f, before the last one of its thread ended at %.3f",
                   text(event, "name"), number(event, "ts"), json_number_value(last));
    json_object_set_new(state, key, json_real(number(event, "ts") + number(event, "dur")));
    counts->spans++;
    if (!json_object_get(state, key_of(event, "thread_name", "", key)))
        return say(breach, "a span on a thread without a name");
    return true;
}

static bool check_counter(const json_t *event, json_t *state, struct trace_counts *counts,
                          const struct breach *breach)
{
    char key[512];
    static const char *const fields[] = {"ts", "pid", NULL};
    const json_t *args = json_object_get(event, "args");
    if (!has_numbers(event, fields) || json_object_size(args) == 0)
        return say(breach, "a counter lacks ts, pid or args");
    const char *series;
    json_t *value;
    json_object_foreach((json_t *)args, series, value)
    {
        if (!json_is_number(value))
            return say(breach, "counter %s has no number", series);
    }
    key_of(event, "counter", text(event, "name"), key);
    counts->counters++;
    const json_t *last = json_object_get(state, key);
    if (last && json_number_value(last) > number(event, "ts") + EXACT_US)
        return say(breach, "counter %s goes back in time", text(event, "name"));
    json_object_set(state, key, json_object_get(event, "ts"));
    return true;
}

static bool check_flow(const json_t *event, bool begins, json_t *state, struct trace_counts *counts,
                       const struct breach *breach)
{
    char key[64];
    static const char *const fields[] = {"ts", "pid", "tid", "id", NULL};
    if (!has_numbers(event, fields))
        return say(breach, "a flow lacks ts, pid, tid or id");
    snprintf(key, sizeof(key), "flow %.0f", number(event, "id"));
    const json_t *open = json_object_get(state, key);
    if (begins ? open != NULL : !json_is_real(open))
        return say(breach, "flow %.0f %s", number(event, "id"),
                   begins ? "begins twice" : "ends without a begin");
    if (!begins && json_number_value(open) > number(event, "ts") + EXACT_US)
        return say(breach, "flow %.0f ends before it begins", number(event, "id"));
    json_object_set_new(state, key, begins ? json_real(number(event, "ts")) : json_true());
    counts->flows += begins ? 0 : 1;
    return true;
}

static bool check_name(const json_t *event, json_t *state, struct trace_counts *counts,
                       const struct breach *breach)
{
    char key[512];
    const json_t *args = json_object_get(event, "args");
    if (!json_is_object(args))
        return say(breach, "metadata without args");
    if (!strcmp(text(event, "name"), "process_name"))
        counts->processes++;
    if (!strcmp(text(event, "name"), "thread_name") && !*text(args, "name"))
        return say(breach, "an empty name");
    json_object_set_new(state, key_of(event, text(event, "name"), "", key), json_true());
    return true;
}

static bool check_event(const json_t *event, json_t *state, struct trace_counts *counts,
                        const struct breach *breach)
{
    const char *phase = text(event, "ph");
    static const char *const fields[] = {"ts", "pid", "tid", NULL};
    if (!*text(event, "name") || !json_is_number(json_object_get(event, "pid")))
        return say(breach, "without a name or a pid");
    switch (strlen(phase) == 1 ? phase[0] : 0) {
    case 'X':
        return check_span(event, state, counts, breach);
    case 'C':
        return check_counter(event, state, counts, breach);
    case 's':
    case 'f':
        return check_flow(event, phase[0] == 's', state, counts, breach);
    case 'M':
        return check_name(event, state, counts, breach);
    case 'i':
        counts->instants++;
        return has_numbers(event, fields) && !strcmp(text(event, "s"), "t")
                   ? true
                   : say(breach, "an instant lacks ts, pid, tid or its scope");
    default:
        return say(breach, "phase '%s' is not known", phase);
    }
}

/* A flow is bound to the span that it lies in. */
static bool flow_is_bound(const json_t *trace, const json_t *flow)
{
    size_t i;
    json_t *event;
    bool begins = !strcmp(text(flow, "ph"), "s");
    double ts = number(flow, "ts");
    json_array_foreach(trace, i, event)
    {
        if (strcmp(text(event, "ph"), "X") || number(event, "pid") != number(flow, "pid") ||
            number(event, "tid") != number(flow, "tid"))
            continue;
        double begin = number(event, "ts"), end = begin + number(event, "dur");
        if (begins ? begin <= ts + EXACT_US && ts < end + EXACT_US
                   : begin > ts - EXACT_US && begin < ts + EXACT_US)
            return true;
    }
    return false;
}

static bool check_flows(const json_t *trace, json_t *state, struct breach *breach)
{
    const char *key;
    json_t *value, *event;
    size_t i;
    json_object_foreach(state, key, value)
    {
        if (!strncmp(key, "flow ", 5) && !json_is_true(value))
            return say(breach, "%s has no end", key);
    }
    json_array_foreach(trace, i, event)
    {
        const char *phase = text(event, "ph");
        breach->at = i;
        if ((!strcmp(phase, "s") || !strcmp(phase, "f")) && !flow_is_bound(trace, event))
            return say(breach, "flow %.0f touches no span", number(event, "id"));
    }
    return true;
}

bool trace_keeps_rules(const json_t *trace, struct trace_counts *counts, char *reason, size_t size)
{
    struct breach breach = {reason, size, 0};
    *counts = (struct trace_counts){0};
    reason[0] = '\0';
    if (!json_is_array(trace))
        return say(&breach, "a trace is an array");
    json_t *state = json_object();
    json_t *event;
    bool good = true;
    json_array_foreach(trace, breach.at, event)
    {
        counts->events++;
        good = check_event(event, state, counts, &breach);
        if (!good)
            break;
    }
    good = good && check_flows(trace, state, &breach);
    json_decref(state);
    return good;
}

json_t *trace_load(const char *path, char *reason, size_t size)
{
    json_error_t error;
    json_t *trace = json_load_file(path, 0, &error);
    reason[0] = '\0';
    if (!trace)
        snprintf(reason, size, "%s: line %d: %s", path, error.line, error.text);
    return trace;
}

const json_t *trace_find(const json_t *trace, const char *phase, const char *name,
                         const json_t *after)
{
    size_t i;
    json_t *event;
    json_array_foreach(trace, i, event)
    {
        if (after) {
            after = event == after ? NULL : after;
            continue;
        }
        if (!strcmp(text(event, "ph"), phase) && !strcmp(text(event, "name"), name))
            return event;
    }
    return NULL;
}
