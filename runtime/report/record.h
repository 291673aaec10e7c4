/* Result records: one JSON object per network and input of a cell. Field names are a contract with
 * every reader of results (docs/records.md). */
#ifndef SLUICE_REPORT_RECORD_H
#define SLUICE_REPORT_RECORD_H

#include <jansson.h>
#include <stdio.h>

#include "runtime/report/text_table.h"
#include "runtime/sluice.h"

/* The requests that one record tells of, in order. */
struct sl_request_samples {
    const struct sl_result *results;
    const struct sl_batch *batches;
    const int *together; /* requests of the network that ran with it, itself included */
    int count;           /* >= 1 */
};

/* What a record says of its network under its session after the last request: network, policy,
 * loader, weights_bytes, flops, input, latency_ns (all samples) and its percentiles, load_ns,
 * run_ns, stall_ns, makespan_ns, batch_load_ns, read_bytes (means per request), batch (the most
 * that ran together) and what a run of that took: batch_read_bytes, batch_flops (means), bound_ns
 * (of the last request), digest, top, layers. input: what was fed, for people. NULL when memory ran
 * out. A new reference. */
json_t *sl_record_network(const struct sl_session *session, int network,
                          const struct sl_model *model, const char *input,
                          const struct sl_request_samples *samples, int top);

/* What the watcher of a worker adds: exit_code, signal, peak_bytes, swap_in_bytes, swap_out_bytes,
 * major_faults, refaults, wall_ns, zram_peak_bytes, memory_samples. */
void sl_record_add_outcome(json_t *record, const struct sl_outcome *outcome);

/* What a process can say of itself when nobody watches it: the same fields from getrusage;
 * peak_source tells the difference. */
void sl_record_add_own_usage(json_t *record);

/* The cell's limits: memory_limit, swap_limit, read_rate, cpus, write_rate, cores, swap_place; null
 * where there is none. */
void sl_record_add_limits(json_t *record, const struct sl_limits *limits);

/* Where it was measured: version, commit, kernel, cpu, isa, cgroup version, storage of path. A new
 * reference; NULL when memory ran out. */
json_t *sl_record_context(const char *path);

/* Number of a field, or `missing` when it is absent or null. */
double sl_record_number(const json_t *record, const char *field, double missing);
/* Text of a field, or "". */
const char *sl_record_text(const json_t *record, const char *field);

/* A whole number for a field; null for a negative value, which is not known. A new reference. */
json_t *sl_record_whole(double value);

/* A row of exact numbers: the fields that the table's columns name; of what is null, an object or a
 * list, nothing. */
void sl_record_add_row(struct sl_table *table, const json_t *record);
/* For programs: JSON is written at once, CSV becomes a row of the table. Takes the reference; NULL
 * is -ENOMEM. */
int sl_record_give(json_t *record, enum sl_format format, struct sl_table *table, FILE *stream);

/* Writes the record as one line. -EIO when the stream failed, -ENOMEM. */
int sl_record_write(const json_t *record, FILE *stream);

/* Where memory goes, as an object; a new reference, NULL when memory ran out. And as one line. */
json_t *sl_record_division(const struct sl_division *division);
void sl_record_print_division(const json_t *division, FILE *stream);

#endif
