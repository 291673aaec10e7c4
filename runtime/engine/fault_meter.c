#include "runtime/engine/fault_meter.h"

#include <stdatomic.h>
#include <sys/resource.h>

void sl_fault_meter_open(struct sl_fault_meter *meter)
{
    sl_swap_counter_open(&meter->counter);
    atomic_store(&meter->seen_bytes, sl_swap_counter_read(&meter->counter));
}

void sl_fault_meter_close(struct sl_fault_meter *meter)
{
    sl_swap_counter_close(&meter->counter);
}

uint64_t sl_fault_meter_swapped_in(struct sl_fault_meter *meter)
{
    uint64_t now = sl_swap_counter_read(&meter->counter), seen = atomic_load(&meter->seen_bytes);
    /* Whoever read the counter earlier but comes later must not set it back. */
    while (now > seen)
        if (atomic_compare_exchange_weak(&meter->seen_bytes, &seen, now))
            return now - seen;
    return 0;
}

struct sl_faults sl_faults_of_thread(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (struct sl_faults){
        .major = (uint64_t)usage.ru_majflt,
        .minor = (uint64_t)usage.ru_minflt,
        .user_ns = (uint64_t)usage.ru_utime.tv_sec * 1000000000u +
                   (uint64_t)usage.ru_utime.tv_usec * 1000u,
    };
}
