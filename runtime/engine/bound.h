/* The bound: a time that no schedule can beat on this device with this memory. */
#ifndef SLUICE_ENGINE_BOUND_H
#define SLUICE_ENGINE_BOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Steps in execution order: step k needs bytes[k] in memory and computes for run_ns[k]. For any
 * stretch i..j, sum(bytes) - memory_bytes must arrive while it runs, so it takes at least
 * max(sum(run_ns), (sum(bytes) - memory_bytes) / bytes_per_s); disjoint stretches add up. In a cold
 * pass the first stretch finds nothing in memory. The best partition is found by dynamic
 * programming in O(count^2): count is meant to be layers (for more than 2,000 steps, neighbours are
 * merged, which can only lower the bound). bytes_per_s 0: the device costs nothing. */
uint64_t sl_bound_ns(const uint64_t *bytes, const uint64_t *run_ns, size_t count,
                     uint64_t memory_bytes, double bytes_per_s, bool cold);

struct sl_bound_steps {
    const uint64_t *bytes, *run_ns; /* [count], as above */
    size_t count;
};
struct sl_bound_of {
    uint64_t memory_bytes; /* for shards, at most */
    double bytes_per_s;
    /* After a pause, so before any stretch, it lets what belongs to burst_ns through at once; 0:
     * none. */
    double throttle_bytes_per_s;
    uint64_t burst_ns;
    bool cold;     /* else the mean of passes that follow one another */
    int executors; /* steps that may run at once */
};
/* One request of each of several networks, which may take turns in any order: the greatest of the
 * bounds of each alone, of reading what all of them need and, with one executor, of running it. */
uint64_t sl_bound_of_networks_ns(const struct sl_bound_steps *networks, int count,
                                 const struct sl_bound_of *of);

#endif
