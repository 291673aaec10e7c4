/* What handling shards takes: fitted to whole passes that were measured, for predictions. */
#ifndef SLUICE_ENGINE_HANDLING_H
#define SLUICE_ENGINE_HANDLING_H

#include "runtime/engine/simulate.h"
#include "runtime/engine/times.h"

/* Under one policy, as struct sl_schedule_network has it. */
struct sl_handling {
    double first, later; /* in a first pass and in later ones */
    uint64_t first_ns;
};

/* handling [SL_POLICIES_MOST], by index: so much that the simulated passes on this device, its
 * throttle aside, take what the measured ones took. A policy that was not measured is taken to be
 * as one that holds shards in the same way (within a budget or not), 0 without one. Pure; -ENOMEM.
 */
int sl_handling_fit(const struct sl_schedule_network *network, const struct sl_pass_times *measured,
                    const struct sl_device_model *device, struct sl_handling *handling,
                    struct sl_error *error);

#endif
