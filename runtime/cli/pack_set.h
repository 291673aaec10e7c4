/* Packs that run as one batch: what their indexes say, read once before anything starts. */
#ifndef SLUICE_CLI_PACK_SET_H
#define SLUICE_CLI_PACK_SET_H

#include <stdint.h>

#include "runtime/base/error.h"

/* Zero-initialise; free with pack_set_free. */
struct pack_set {
    const char **paths;   /* the array is owned, the paths are borrowed */
    uint64_t *identities; /* of their indexes */
    char **names;         /* of the networks */
    int count;
    uint64_t weight_bytes; /* of all */
    int largest;           /* the pack with the most of them */
    uint64_t device_rate;  /* see pack_set_device_rate */
    int measured;
};

/* Opens and closes every pack. -ENOENT, -EBADMSG, ... as sl_model_open. */
int pack_set_read(struct pack_set *set, const char *const *paths, int count,
                  struct sl_error *error);
void pack_set_free(struct pack_set *set);

/* Raw bytes per second of the storage under the largest pack, measured at the first call unless
 * that was done within a day; 0: not known. */
uint64_t pack_set_device_rate(struct pack_set *set);

#endif
