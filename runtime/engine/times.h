/* Run times per layer, kept beside the pack as text in "<pack>.times": what plan and the bound need
 * to know of a network on this machine. */
#ifndef SLUICE_ENGINE_TIMES_H
#define SLUICE_ENGINE_TIMES_H

#include "models/pack.h"
#include "policies/policy.h"

/* Of one layer, all its shards together. */
struct sl_run_times {    /* 0: not measured */
    uint64_t least_ns;   /* ever seen: what the bound counts */
    uint64_t usual_ns;   /* one layer after the other, all shards in memory */
    uint64_t reading_ns; /* while others are read as fast as the device gives them: large layers
                            share the memory's bandwidth with that */
    uint64_t first_ns;   /* in a process that runs it for the first time */
    uint64_t waited_ns; /* in slots without a budget, of small pages, after the team had to wait for
                           the layer's shards and fell asleep */
};

/* Of a whole pass on the unthrottled device: what it took beyond the runs is how the handling of
 * shards is known. 0: not measured. */
struct sl_pass_times {
    uint64_t first_ns; /* in its process */
    struct {
        uint64_t first_ns, later_ns; /* of an engine in a process where others ran before */
    } policies[SL_POLICIES_MOST];    /* by index, of those that read in every pass */
};

/* Reads times[layer_count] for this pack, thread count and instruction set. -ENOENT when there are
 * none (or only of another pack), -EBADMSG when the file is damaged. */
int sl_times_load(const struct sl_pack *pack, int threads, struct sl_run_times *times,
                  struct sl_pass_times *passes, struct sl_error *error);

/* Keeps passes and times[layer_count] in place of those for the same threads; of the least ones the
 * smaller of each layer, since a disturbance only ever adds. Written to a temporary name and
 * renamed. -errno when the folder cannot be written. */
int sl_times_store(const struct sl_pack *pack, int threads, const struct sl_run_times *times,
                   const struct sl_pass_times *passes, struct sl_error *error);

#endif
