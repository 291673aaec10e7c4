/* The newest blob of each name while a network is built. */
#ifndef SLUICE_MODELS_BLOB_NAMES_H
#define SLUICE_MODELS_BLOB_NAMES_H

#include <stddef.h>

/* Zero-initialise; the names are borrowed and must outlive the table. One thread. */
struct sl_blob_names {
    struct sl_blob_name {
        const char *name;
        int blob;
    } * entries;
    size_t capacity;
};

/* Room for count names; -ENOMEM. Call once, before the first set. */
int sl_blob_names_reserve(struct sl_blob_names *names, size_t count);
/* Blob id of name, or -1. */
int sl_blob_names_get(const struct sl_blob_names *names, const char *name);
/* Enters or replaces name. No more names than reserved. */
void sl_blob_names_set(struct sl_blob_names *names, const char *name, int blob);
/* The known name nearest to a wrong one; NULL when none is near. */
const char *sl_blob_names_nearest(const struct sl_blob_names *names, const char *wrong);
void sl_blob_names_free(struct sl_blob_names *names);

#endif
