/* What cells did, in Chrome's trace event format, which Perfetto opens (docs/trace.md): one process
 * for each cell, one thread for each executor and each read in flight, so that no two events of a
 * thread overlap. */
#ifndef SLUICE_REPORT_TRACE_H
#define SLUICE_REPORT_TRACE_H

#include "runtime/sluice.h"

struct sl_trace;

/* Makes the file. -errno with the path. Free with sl_trace_close. */
int sl_trace_create(const char *path, struct sl_trace **trace, struct sl_error *error);
/* What follows is about another cell. The models are borrowed until the next one, or the close.
 * -ENOMEM. */
int sl_trace_cell(struct sl_trace *trace, const char *name, struct sl_model *const *models,
                  int count, struct sl_error *error);
/* Events of the cell's session, in their order. */
void sl_trace_events(struct sl_trace *trace, const struct sl_event *events, size_t count);
/* Memory, swap and pressure at a time of the events' clock. */
void sl_trace_sample(struct sl_trace *trace, uint64_t now_ns,
                     const struct sl_memory_sample *sample);
/* Puts what was told so far into the file; lost: events that are missing so far. */
void sl_trace_flush(struct sl_trace *trace, uint64_t lost);
/* Completes and frees. 0, or the first failure to write. NULL is fine. */
int sl_trace_close(struct sl_trace *trace, struct sl_error *error);

#endif
