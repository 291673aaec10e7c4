/* What handling shards costs the processor, beside computing: for predictions. */
#ifndef SLUICE_ENGINE_HOST_H
#define SLUICE_ENGINE_HOST_H

#include <stdint.h>

/* All 0: nothing costs anything. */
struct sl_host_costs {
    int threads;      /* of a team, which share what is done to bytes; 0: one (the caller's) */
    uint64_t unit_ns; /* from a unit to the next */
    uint64_t first_unit_ns;    /* more, when the unit runs for the first time and how long that
                                  takes was not measured */
    uint64_t load_ns;          /* to submit a read and take its completion */
    uint64_t hand_over_ns;     /* of a unit to an executor with a thread of its own, and back */
    uint64_t unmap_ns;         /* of a slot that was mapped singly, while the team is awake */
    uint64_t unmap_page_ns;    /* of a page, where other processors are told to forget each one */
    double clear_ns_per_byte;  /* memory in huge pages, touched for the first time */
    double map_ns_per_byte;    /* memory in small pages, which the kernel brings in for a read */
    double touch_ns_per_byte;  /* the first look at it afterwards: a hypervisor may have to learn of
                                  each page, one after the other whoever looks */
    double verify_ns_per_byte; /* the checksum of a shard */
};

/* Kernels tell other processors to forget up to so many pages one by one, and of more all at once
 * (tlb_single_page_flush_ceiling of x86): where a hypervisor is in between, that is cheaper. */
#define SL_PAGES_FORGOTTEN_SINGLY 33

/* Measured by the first call in a process, in some 10 to 20 ms, 0 where there is no memory or
 * thread for that; unit_ns, first_unit_ns and load_ns are constants (host.c). Any thread. */
void sl_host_measure(struct sl_host_costs *costs);

#endif
