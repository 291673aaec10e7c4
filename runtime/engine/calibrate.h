/* How long a network's layers and passes take on this machine: what predictions begin with. */
#ifndef SLUICE_ENGINE_CALIBRATE_H
#define SLUICE_ENGINE_CALIBRATE_H

#include "models/pack.h"

/* Of the team, 0: the CPUs this process may use; of the storage, as in struct sl_engine_options;
 * for all of it, roughly, 0: 12 s. */
struct sl_calibration_of {
    int threads;
    uint64_t device_bytes_per_s, most_ns;
};
/* Runs the network a few times under every policy and keeps the times (times.h); the first pass is
 * that of a process where no network ran in it before. Two passes are always made; once the time is
 * over, policies are left out, as are those that would need more than half of the memory that is
 * free, and what only they tell is kept as 0. Blocks. Errors of the engine; -errno when the times
 * cannot be written. */
int sl_calibrate_pack(const struct sl_pack *pack, const struct sl_calibration_of *how,
                      struct sl_error *error);

#endif
