/* What handling shards costs the processor, beside computing: for predictions. */
#ifndef SLUICE_ENGINE_HOST_H
#define SLUICE_ENGINE_HOST_H

#include <stdint.h>

/* All 0: nothing costs anything. */
struct sl_host_costs {
    int threads;      /* of a team, which share what is done to bytes; 0: one (the caller's) */
    uint64_t unit_ns; /* from a unit to the next */
    uint64_t first_unit_ns;    /* more, when the unit runs for the first time */
    uint64_t load_ns;          /* to submit a read and take its completion */
    uint64_t hand_over_ns;     /* of a unit to an executor with a thread of its own, and back */
    double clear_ns_per_byte;  /* memory in huge pages, touched for the first time */
    double remap_ns_per_byte;  /* memory in small pages: mapped, touched and unmapped */
    double verify_ns_per_byte; /* the checksum of a shard */
};

/* The costs per byte are measured by the first call in a process, on its thread, in some 2 ms, 0
 * where there is no memory for that; the times are constants (host.c). Any thread. */
void sl_host_measure(struct sl_host_costs *costs);

#endif
