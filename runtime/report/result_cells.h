/* Cells of an experiment: records of the same network under the same settings, put together. */
#ifndef SLUICE_REPORT_RESULT_CELLS_H
#define SLUICE_REPORT_RESULT_CELLS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/error.h"

/* A quantity that cells are judged by; less is better in all of them. */
struct sl_metric {
    const char *name;
    const char *field; /* of a record: a number, or an array of them (every entry is a sample) */
    const char *title; /* for people: "latency" */
    enum sl_metric_unit { SL_UNIT_NS, SL_UNIT_BYTES, SL_UNIT_COUNT } unit;
};

/* Every metric, once: name, field, title, unit. FIRST is what cells are compared by when nothing
 * else is asked for. */
#define SL_METRICS(FIRST, OTHER)                                                                   \
    FIRST("latency", "latency_ns", "latency", SL_UNIT_NS)                                          \
    OTHER("makespan", "makespan_ns", "makespan", SL_UNIT_NS)                                       \
    OTHER("load", "load_ns", "load", SL_UNIT_NS)                                                   \
    OTHER("run", "run_ns", "run", SL_UNIT_NS)                                                      \
    OTHER("stall", "stall_ns", "stall", SL_UNIT_NS)                                                \
    OTHER("wall", "wall_ns", "wall time of the worker", SL_UNIT_NS)                                \
    OTHER("peak_bytes", "peak_bytes", "peak memory", SL_UNIT_BYTES)                                \
    OTHER("read_bytes", "read_bytes", "bytes read", SL_UNIT_BYTES)                                 \
    OTHER("swap_in_bytes", "swap_in_bytes", "swapped in", SL_UNIT_BYTES)                           \
    OTHER("swap_out_bytes", "swap_out_bytes", "swapped out", SL_UNIT_BYTES)                        \
    OTHER("major_faults", "major_faults", "major faults", SL_UNIT_COUNT)

/* Metric by index from 0, the first one at 0; NULL behind the last. */
const struct sl_metric *sl_metric_at(int index);
/* By name. -EINVAL with the nearest known one. */
int sl_metric_find(const char *name, const struct sl_metric **metric, struct sl_error *error);
/* "1.23 s", "64 MiB" or "12"; "-" for a negative value. Returns buffer. */
const char *sl_metric_text(const struct sl_metric *metric, double value, char buffer[32]);

struct sl_result_cell {
    json_t *records;   /* array; owned */
    char *set;         /* networks that ran together, joined by "+"; owned */
    size_t failed;     /* records whose status is not ok */
    bool one_of_packs; /* other cells have the same network from another pack */
};

struct sl_result_cells {
    struct sl_result_cell *cells; /* in the order of their first record */
    size_t count, capacity;
};

/* Groups records (an array, in the order of the file). Those with a `key` belong together when key,
 * network and input agree; others when pack and every setting agree that either tells, where a
 * record that failed before it told a setting agrees with any. Consecutive records of one worker
 * (same wall_ns, or same makespan_ns without) are a set of networks. Borrows nothing. -ENOMEM. */
int sl_result_cells_group(const json_t *records, struct sl_result_cells *cells,
                          struct sl_error *error);
void sl_result_cells_free(struct sl_result_cells *cells);

/* The cell of `cells` with pack and settings of `cell`; else, where only one pack of the network
 * was run on either side, with its settings (so that two encodings can be compared); NULL when
 * there is none. */
const struct sl_result_cell *sl_result_cell_find(const struct sl_result_cells *cells,
                                                 const struct sl_result_cell *cell);
/* The first record that ended ok, else the first: it tells the settings. Borrowed. */
const json_t *sl_result_cell_record(const struct sl_result_cell *cell);
/* Whether two cells differ in nothing but policy and memory_limit, and so share a figure. */
bool sl_result_cell_same_figure(const struct sl_result_cell *one, const struct sl_result_cell *two);

/* All samples of a metric in records that ended ok: *values is malloc'd, NULL when there are none.
 * Returns their count. When memory ran out there are none. */
size_t sl_result_cell_samples(const struct sl_result_cell *cell, const struct sl_metric *metric,
                              double **values);
/* Least, median and greatest of them; false when there are none. */
struct sl_spread {
    double least, median, most;
    size_t count;
};
bool sl_result_cell_spread(const struct sl_result_cell *cell, const struct sl_metric *metric,
                           struct sl_spread *spread);

/* "FaceNet linear 64 MiB" and the settings that are not usual; in text of `size` bytes, returned.
 * with_place: with network, policy and limit; otherwise the other settings alone, "" when usual. */
const char *sl_result_cell_name(const struct sl_result_cell *cell, bool with_place, char *text,
                                size_t size);
/* How the last record that failed ended ("oom"), or "ok". */
const char *sl_result_cell_ending(const struct sl_result_cell *cell);
/* The record whose latency is the median one of those that ended ok, else the first. Borrowed. */
const json_t *sl_result_cell_typical(const struct sl_result_cell *cell);
/* "none" or "64 MiB". Returns buffer. */
const char *sl_result_cell_limit(const struct sl_result_cell *cell, char buffer[32]);

#endif
