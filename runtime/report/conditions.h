/* What the machine did while a cell ran: the ground for hints on noise. */
#ifndef SLUICE_REPORT_CONDITIONS_H
#define SLUICE_REPORT_CONDITIONS_H

#include <jansson.h>
#include <stdint.h>

/* Counters of the whole machine and of this process with its children; -1: not told here. */
struct sl_conditions {
    double wall_ns, busy_ns, steal_ns; /* processors' time, all of them together */
    double own_ns;                     /* of this process and the children that it waited for */
    double pressure_ns;                /* some task waited for a processor (PSI) */
    double throttled_ns;               /* the quota of this process's own group held it up */
    double storage_read_bytes;         /* came in from block devices */
    double load;                       /* average of the last minute */
    double clock, clock_most;          /* of the first processor, kHz */
    int cpus;                          /* online */
};

/* Reads the counters: a few small files of /proc and /sys. Any thread. */
void sl_conditions_read(struct sl_conditions *conditions);

/* What changed between two readings, for the field `conditions` of a record: wall_ns, load_average,
 * others_cpu_share and steal_share (of all processors), cpu_pressure_share and quota_share (of the
 * time), clock_share (of the highest clock, at the end), storage_read_bytes. A field that the
 * kernel does not tell is absent. A new reference; NULL when memory ran out. Pure. */
json_t *sl_conditions_between(const struct sl_conditions *before,
                              const struct sl_conditions *after);

/* Adds `conditions` since `before` to each of the records (an array). */
void sl_conditions_add(json_t *records, const struct sl_conditions *before);

#endif
