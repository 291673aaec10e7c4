/* The simulator: any policy in virtual time over a device model, through the same schedule as the
 * engine. As there, the single executor of a policy is the thread that submits and collects reads:
 * what ends during a run is seen after it. Deterministic; no I/O; milliseconds for a thousand
 * layers. */
#ifndef SLUICE_ENGINE_SIMULATE_H
#define SLUICE_ENGINE_SIMULATE_H

#include "runtime/engine/host.h"
#include "runtime/engine/schedule.h"

/* Reads share one device: each costs latency_ns before its bytes flow, at most `depth` overlap
 * their latencies, bytes flow one read after another at bytes_per_s. A throttle allows, as the
 * kernel's does (block/blk-throttle.c), what belongs to a slice of 100 ms at the slice's start, and
 * keeps up to a slice of what was not used: a group that was idle begins with a burst. */
struct sl_device_model {
    uint64_t bytes_per_s, latency_ns;
    int depth;
    uint64_t throttle_bytes_per_s; /* 0: none */
    uint64_t throttle_begun_ns;    /* the first slice began so long before the first request */
    struct sl_host_costs host;
};

/* Bytes per second: the throttle's where that is slower. */
static inline uint64_t sl_device_rate(const struct sl_device_model *device)
{
    const uint64_t throttle = device->throttle_bytes_per_s;
    return throttle && throttle < device->bytes_per_s ? throttle : device->bytes_per_s;
}

#define SL_THROTTLE_SLICE_NS UINT64_C(100000000)
/* Bytes that a throttle allows in a slice; 0 when there is none that binds. */
static inline uint64_t sl_throttle_slice_bytes(const struct sl_device_model *device)
{
    const uint64_t throttle = device->throttle_bytes_per_s;
    return throttle && throttle < device->bytes_per_s
               ? (uint64_t)((double)throttle * (double)SL_THROTTLE_SLICE_NS / 1e9)
               : 0;
}

struct sl_simulation {
    uint64_t makespan_ns, bytes_read, peak_bytes; /* peak of resident + loading shards */
    uint64_t activation_peak_bytes;               /* of the requests active at once */
    uint64_t loads, runs, drops;
    uint64_t stall_ns;        /* no executor ran while a request was active: waiting for reads, and
                               * handling what they brought, as an engine counts it */
    uint64_t later_stall_ns;  /* of it, after the first round */
    uint64_t *round_begin_ns; /* [rounds], owned */
    uint64_t *request_end_ns; /* [requests] in order of completion, owned */
    size_t requests_done;
};

/* A step that the policy took, in the order in which it took them: when it began and, of loads and
 * runs, when it will have ended. */
struct sl_simulated_step {
    struct sl_step step;
    uint64_t begin_ns, end_ns;
};

/* rounds requests of every network: all networks arrive at once; the next round when the last of
 * the previous one ended. */
int sl_simulate(const struct sl_schedule_network *networks, int network_count,
                const struct sl_policy *policy, const struct sl_schedule_options *options,
                const struct sl_device_model *device, int rounds, struct sl_simulation *result,
                struct sl_error *error);
/* One round, and every step told to observe. */
int sl_simulate_steps(const struct sl_schedule_network *networks, int network_count,
                      const struct sl_policy *policy, const struct sl_schedule_options *options,
                      const struct sl_device_model *device,
                      void (*observe)(void *context, const struct sl_simulated_step *step),
                      void *context, struct sl_error *error);
void sl_simulation_free(struct sl_simulation *result);

#endif
