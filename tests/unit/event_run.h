/* A small network run with its events recorded, for the tests of what is made of them. */
#ifndef SLUICE_TESTS_EVENT_RUN_H
#define SLUICE_TESTS_EVENT_RUN_H

#include "runtime/sluice.h"

struct event_run_options {
    const char *policy;
    int runs, warmups;
    int networks; /* of the same pack; 0: 1 */
};

struct event_run {
    struct sl_model *model; /* of every network */
    int layer_count, networks;
    struct sl_event *events; /* all of them; owned */
    size_t count;
    uint64_t read_bytes, latency_ns; /* sums over the measured runs and networks */
    uint64_t makespan_ns;            /* sum over the measured runs */
    char directory[64], pack[128];
};

/* Imports LeNet with small shards and runs it; fails the test when something fails. */
void event_run(struct event_run *run, const struct event_run_options *options);
void event_run_free(struct event_run *run);

#endif
