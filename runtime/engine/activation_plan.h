/* Where every blob of a network lives during a request: one arena, offsets by lifetime. */
#ifndef SLUICE_ENGINE_ACTIVATION_PLAN_H
#define SLUICE_ENGINE_ACTIVATION_PLAN_H

#include <stdint.h>

#include "models/network.h"

/* Offset of a network input, which lives outside the arena. */
#define SL_PLAN_EXTERNAL UINT64_MAX

struct sl_activation_plan {
    uint64_t bytes;         /* of the arena, multiple of 64 */
    uint64_t *offset_bytes; /* [blob], multiple of 64, or SL_PLAN_EXTERNAL; owned */
    int *input; /* [blob]: number of the input that the blob is (a view of), -1; owned */
};

/* Blobs that are alive together never overlap, but: views share their bottom's memory, and kernels
 * that can run in place do so when nobody reads their bottom later. Outputs live to the end.
 * Placement is first-fit by decreasing size. Deterministic. */
int sl_activation_plan_create(const struct sl_network *network, struct sl_activation_plan *plan,
                              struct sl_error *error);
void sl_activation_plan_free(struct sl_activation_plan *plan);

#endif
