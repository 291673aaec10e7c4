/* What the files of the public API share. */
#ifndef SLUICE_RUNTIME_API_H
#define SLUICE_RUNTIME_API_H

#include "models/pack.h"
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

#endif
