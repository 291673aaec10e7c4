/* What the files of the public API share. */
#ifndef SLUICE_RUNTIME_API_H
#define SLUICE_RUNTIME_API_H

#include "models/pack.h"
#include "runtime/engine/budget.h"
#include "runtime/sluice.h"

struct sl_model {
    struct sl_pack *pack;
    int64_t stack; /* requests that run together: each has its part of every blob */
    char **labels; /* instead of the pack's; NULL: none were read */
    int label_count;
};

/* Shape of one request's part of a blob. */
void sl_blob_shape(const struct sl_model *model, int blob, struct sl_shape *shape);
/* Fills the public view of it. */
void sl_blob_view(const struct sl_model *model, int blob, struct sl_blob_info *view);

/* A division as callers see it. */
static inline struct sl_division sl_division_of(const struct sl_budget *budget, uint64_t slot_bytes,
                                                uint64_t pinned_bytes)
{
    return (struct sl_division){
        .process_bytes = budget->process_bytes,
        .activation_bytes = budget->activation_bytes,
        .scratch_bytes = budget->scratch_bytes,
        .slot_bytes = slot_bytes,
        .pinned_bytes = pinned_bytes,
        .reserve_bytes = budget->reserve_bytes + budget->room_bytes,
        .read_ahead_bytes = budget->read_ahead_bytes,
    };
}

#endif
