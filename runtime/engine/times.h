/* Run times per layer, kept beside the pack as text in "<pack>.times": what plan and the bound need
 * to know of a network on this machine. */
#ifndef SLUICE_ENGINE_TIMES_H
#define SLUICE_ENGINE_TIMES_H

#include "models/pack.h"

/* Reads run_ns[layer_count] for this pack, thread count and instruction set. -ENOENT when there are
 * none (or only of another pack), -EBADMSG when the file is damaged. */
int sl_times_load(const struct sl_pack *pack, int threads, uint64_t *run_ns,
                  struct sl_error *error);

/* Keeps run_ns; where times for the same threads exist, the smaller one of each layer, since a
 * disturbance only ever adds. Written to a temporary name and renamed. -errno when the folder
 * cannot be written. */
int sl_times_store(const struct sl_pack *pack, int threads, const uint64_t *run_ns,
                   struct sl_error *error);

#endif
