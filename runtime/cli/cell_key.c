#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/cli/cell_set.h"

static void set_limit(json_t *json, const char *name, uint64_t limit)
{
    if (limit != SL_NO_LIMIT)
        json_object_set_new(json, name, json_integer((json_int_t)limit));
}

/* What is as if it were not given leaves no trace. */
static bool is_default(const char *name, const json_t *value)
{
    json_int_t number = json_integer_value(value);
    return json_is_false(value) || (json_is_integer(value) && number == 0) ||
           (!strcmp(name, "batch") && number == 1) ||
           (json_is_array(value) && json_array_size(value) == 0);
}

void cell_key(const struct cell_request *request, char key[CELL_KEY_BYTES])
{
    static const char *const ignored[] = {"device_rate", "top", "labels", "output", "packs"};
    json_t *json = cell_to_json(&request->cell), *value;
    json_t *packs = json_array();
    for (int n = 0; n < request->packs->count; n++) {
        char identity[17];
        snprintf(identity, sizeof(identity), "%016" PRIx64, request->packs->identities[n]);
        json_array_append_new(packs, json_string(identity));
    }
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        json_object_del(json, ignored[i]);
    const char *name;
    void *next;
    json_object_foreach_safe(json, next, name, value)
    {
        if (is_default(name, value))
            json_object_del(json, name);
    }
    json_object_set_new(json, "pack_identities", packs);
    set_limit(json, "memory", request->limits.memory_bytes);
    /* No limit of swap beside one of memory is not the same as no limits at all. */
    set_limit(json, "swap", request->limits.swap_bytes);
    set_limit(json, "read_rate", request->limits.read_bytes_per_s);
    set_limit(json, "write_rate", request->limits.write_bytes_per_s);
    if (request->limits.cores)
        json_object_set_new(json, "cores", json_integer(request->limits.cores));
    if (request->limits.swap_place != SL_SWAP_ANYWHERE)
        json_object_set_new(json, "swap_place", json_integer(request->limits.swap_place));
    if (request->limits.cpus > 0)
        json_object_set_new(json, "cpus", json_real(request->limits.cpus));
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
    snprintf(key, CELL_KEY_BYTES, "%016" PRIx64, text ? XXH3_64bits(text, strlen(text)) : 0);
    free(text);
    json_decref(json);
}
