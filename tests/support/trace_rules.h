/* The rules of a trace: what Perfetto needs to show it, checked on the parsed file. */
#ifndef SLUICE_TESTS_TRACE_RULES_H
#define SLUICE_TESTS_TRACE_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct trace_counts {
    size_t events, spans, instants, counters, flows, processes;
};

/* Checks a trace: an array of objects; every event has what its phase needs; spans of one thread do
 * not overlap and come in order, and so do counters; every flow has one begin and one end, of which
 * the first lies inside a span of its thread and the second at the begin of one; every thread with
 * spans has a name. False with the first breach in reason. */
bool trace_keeps_rules(const json_t *trace, struct trace_counts *counts, char *reason, size_t size);

/* The parsed file; NULL with the reason when it is no JSON. A new reference. */
json_t *trace_load(const char *path, char *reason, size_t size);

/* The first event of that phase and name after the event `after` (NULL: from the start); NULL when
 * there is none. */
const json_t *trace_find(const json_t *trace, const char *phase, const char *name,
                         const json_t *after);

#endif
