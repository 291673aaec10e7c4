/* Inside of cgroups/: memory and swap of a worker over time. */
#ifndef SLUICE_CGROUPS_OBSERVE_H
#define SLUICE_CGROUPS_OBSERVE_H

#include "cgroups/supervisor.h"

/* Beyond this many samples every second one is dropped and the interval doubles: a long run keeps
 * its whole course in bounded memory. */
#define SL_SAMPLES_MOST 16384

struct sl_observer {
    struct sl_cgroup *group; /* NULL: the process alone is watched */
    pid_t pid;
    int vmstat, pressure; /* /proc/vmstat and /proc/pressure/memory, kept open; -1: not there */
    uint64_t start_ns;
    struct sl_memory_sample start;              /* the machine's counters then */
    uint64_t resident_peak_bytes, major_faults; /* of the process, last seen */
    struct sl_memory_sample *samples;           /* owned */
    size_t count, capacity;
    size_t stride, skipped; /* one sample of `stride` is kept */
};

#define SL_OBSERVER_NONE                                                                           \
    {                                                                                              \
        .vmstat = -1, .pressure = -1                                                               \
    }

/* Appends, thinning out when there are too many. -ENOMEM leaves the samples as they were. */
int sl_observer_add(struct sl_observer *observer, const struct sl_memory_sample *sample);
/* Resident bytes of a process, 0 when it cannot be seen. */
uint64_t sl_process_resident(pid_t pid);

/* Starts the clock and the swap counters. */
void sl_observer_start(struct sl_observer *observer, struct sl_cgroup *group, pid_t pid);
/* Takes a sample now and tells it. */
void sl_observer_sample(struct sl_observer *observer, struct sl_memory_sample *sample);
/* Closes and frees what was not handed on. */
void sl_observer_cleanup(struct sl_observer *observer);

#endif
