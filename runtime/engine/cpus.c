#include "runtime/engine/cpus.h"

#include <sched.h>

int sl_usable_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set))
        return 1;
    int count = CPU_COUNT(&set);
    return count > SL_THREADS_MOST ? SL_THREADS_MOST : count;
}
