#include "models/blob_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/rng.h"
#include "runtime/base/suggest.h"

int sl_blob_names_reserve(struct sl_blob_names *names, size_t count)
{
    size_t capacity = 16;
    while (capacity < 2 * count)
        capacity *= 2;
    names->entries = calloc(capacity, sizeof(*names->entries));
    if (!names->entries)
        return -ENOMEM;
    names->capacity = capacity;
    return 0;
}

/* Open addressing; the table is at most half full, so the search ends. */
static struct sl_blob_name *find_entry(const struct sl_blob_names *names, const char *name)
{
    size_t mask = names->capacity - 1;
    size_t at = (size_t)sl_mix64(sl_fnv1a(name)) & mask;
    while (names->entries[at].name && strcmp(names->entries[at].name, name))
        at = (at + 1) & mask;
    return &names->entries[at];
}

int sl_blob_names_get(const struct sl_blob_names *names, const char *name)
{
    const struct sl_blob_name *entry = find_entry(names, name);
    return entry->name ? entry->blob : -1;
}

void sl_blob_names_set(struct sl_blob_names *names, const char *name, int blob)
{
    struct sl_blob_name *entry = find_entry(names, name);
    entry->name = name;
    entry->blob = blob;
}

const char *sl_blob_names_nearest(const struct sl_blob_names *names, const char *wrong)
{
    struct sl_suggestion suggestion = {.wanted = wrong};
    for (size_t i = 0; i < names->capacity; i++)
        if (names->entries[i].name)
            sl_suggest(&suggestion, names->entries[i].name);
    return suggestion.best;
}

void sl_blob_names_free(struct sl_blob_names *names)
{
    free(names->entries);
    names->entries = NULL;
    names->capacity = 0;
}
