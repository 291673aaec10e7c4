/* What the files of the public API share. */
#ifndef SLUICE_RUNTIME_API_H
#define SLUICE_RUNTIME_API_H

#include "models/pack.h"
#include "runtime/sluice.h"

struct sl_model {
    struct sl_pack *pack;
    char **labels; /* instead of the pack's; NULL: none were read */
    int label_count;
};

/* Fills the public view of a blob of the network. */
void sl_blob_view(const struct sl_network *network, int blob, struct sl_blob_info *view);

#endif
