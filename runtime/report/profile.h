/* The profile of a cell: where the time of its requests went, layer by layer, and what came back
 * from swap meanwhile (docs/profile.md). Made of the events of its session. */
#ifndef SLUICE_REPORT_PROFILE_H
#define SLUICE_REPORT_PROFILE_H

#include <jansson.h>
#include <stdio.h>

#include "runtime/report/text_table.h"
#include "runtime/sluice.h"

struct sl_profile;

/* A profile of nothing; networks: as many as the session has, with so many layers. NULL when memory
 * ran out. Free with sl_profile_free. */
struct sl_profile *sl_profile_create(const int *layer_counts, int networks);
void sl_profile_free(struct sl_profile *profile);
/* Takes events in their order. Batches with a label are warm-ups: they count in the sum of what was
 * swapped in alone. */
void sl_profile_events(struct sl_profile *profile, const struct sl_event *events, size_t count);

/* Means over the measured requests that ended. At every moment of a request one thing is the case,
 * so that the times add up to request_ns. */
struct sl_profile_layer {
    double load_ns; /* first submission to last completion of its reads for this request */
    double run_ns;
    /* Its share of the request: no executor ran, and the loop slept until it could run; its units
     * blocked in page faults; its units computed. Of several executors that run at once each gets
     * its part of the time. */
    double waiting_ns, faulting_ns, computing_ns;
    double major_faults, minor_faults, swap_in_bytes;
};
struct sl_profile_total {
    uint64_t requests; /* batches that ended, warm-ups aside */
    double request_ns; /* arrival to the last result */
    double serving_ns; /* no executor ran, and the event loop worked: reads, checksums, decisions */
    double serving_major_faults, serving_swap_in_bytes; /* of the loop */
    uint64_t all_swap_in_bytes; /* of all events, warm-ups and unfinished batches included */
};
void sl_profile_total(const struct sl_profile *profile, struct sl_profile_total *total);
/* False when there is no such layer. */
bool sl_profile_layer(const struct sl_profile *profile, int network, int layer,
                      struct sl_profile_layer *result);

/* The object `profile` of a network's record; lost: events that are missing; last: the sample at
 * the worker's end. NULL when no request ended, or memory ran out. A new reference. */
json_t *sl_profile_record(const struct sl_profile *profile, int network,
                          const struct sl_model *model, uint64_t lost,
                          const struct sl_memory_sample *last);

/* What happened, in one line, from the records of a cell: "62 % of the time went into swapping fc6
 * back in". Returns line; "" when no record has a profile. */
const char *sl_profile_summary(const json_t *records, char *line, size_t size);
/* The table of layers of a cell, and the line. Nothing when no record has a profile. -ENOMEM. */
int sl_profile_print(const json_t *records, enum sl_format format, FILE *stream);

#endif
