/* Watching what cells do inside, for `run --profile` and `run --trace`: the worker records events
 * in memory that it shares with its watcher, who takes them with every sample. That memory is the
 * watcher's, outside the limit, so that it neither costs the worker any nor dies with it. */
#ifndef SLUICE_CLI_OBSERVATION_H
#define SLUICE_CLI_OBSERVATION_H

#include "runtime/cli/cell.h"

struct sl_trace;

/* What a command asks for, over all its cells. */
struct observation {
    bool profile;
    struct sl_trace *trace; /* owned; NULL: none */
};

/* trace_path NULL: no trace. -errno when the file cannot be made. */
int observation_open(struct observation *observation, bool profile, const char *trace_path,
                     struct sl_error *error);
/* True when cells must run in workers to be watched. */
bool observation_any(const struct observation *observation);
/* Completes the trace. 0, or the first failure to write it. */
int observation_close(struct observation *observation, struct sl_error *error);

/* One cell under observation: the watcher's side. */
struct observed_cell;
/* Prepares the cell's worker: sets cell->events_fd and cell->events_bytes. *observed is NULL when
 * nobody asked for anything. */
int observed_cell_begin(struct cell *cell, const struct sl_limits *limits,
                        struct observed_cell **observed, struct sl_error *error);
/* For struct sl_cell. */
void observed_cell_sample(void *observed, const struct sl_memory_sample *sample);
/* Adds the profile to the cell's records. */
void observed_cell_add(const struct observed_cell *observed, json_t *records);
void observed_cell_end(struct observed_cell *observed);

/* The worker's side: the ring that its description names; *ring is NULL when there is none. It
 * stays mapped until the process ends. */
int observed_ring(const struct cell *cell, struct sl_event_ring **ring, struct sl_error *error);

#endif
