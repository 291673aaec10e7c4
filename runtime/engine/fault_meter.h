/* Page faults and what they brought back from swap, for an engine whose events are recorded. */
#ifndef SLUICE_ENGINE_FAULT_METER_H
#define SLUICE_ENGINE_FAULT_METER_H

#include <stdint.h>

#include "cgroups/swap_counter.h"

/* Page faults since the start of whoever had them, and a thread's time in user mode. Where that is
 * sampled at clock ticks (CONFIG_TICK_CPU_ACCOUNTING), the time of one unit says little, and the
 * sum of many is right. */
struct sl_faults {
    uint64_t major, minor, user_ns;
};

struct sl_fault_meter {
    struct sl_swap_counter counter;
    _Atomic uint64_t seen_bytes; /* of the counter, by the last one who read it */
};

/* Begins to count. */
void sl_fault_meter_open(struct sl_fault_meter *meter);
/* One that was never opened must have counter.fd -1. */
void sl_fault_meter_close(struct sl_fault_meter *meter);
/* Swapped in since the last call, whichever thread made it: what is brought in is told once. The
 * kernel brings neighbours of a page along, so that only its own counter knows the bytes; pages
 * come in through major faults alone, so reading it after those is enough. Any thread. */
uint64_t sl_fault_meter_swapped_in(struct sl_fault_meter *meter);

/* Of the calling thread alone. */
struct sl_faults sl_faults_of_thread(void);

#endif
