#include "runtime/cli/pack_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/text.h"
#include "runtime/cli/device_cache.h"
#include "runtime/sluice.h"

void pack_set_free(struct pack_set *set)
{
    for (int n = 0; set->names && n < set->count; n++)
        free(set->names[n]);
    free(set->names);
    free(set->identities);
    free(set->paths);
    *set = (struct pack_set){0};
}

int pack_set_read(struct pack_set *set, const char *const *paths, int count, struct sl_error *error)
{
    size_t most = (size_t)count + 1;
    uint64_t largest_bytes = 0;
    set->paths = calloc(most, sizeof(*set->paths));
    set->identities = calloc(most, sizeof(*set->identities));
    set->names = calloc(most, sizeof(*set->names));
    if (!set->paths || !set->identities || !set->names)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int n = 0; n < count; n++) {
        struct sl_model *model;
        struct sl_model_info info;
        /* Words of the command line are; folders of the environment need not be. */
        if (!sl_text_is_utf8(paths[n]))
            return sl_error_set(error, -EINVAL,
                                "a pack's path is not UTF-8: no record could hold it");
        int code = sl_model_open(paths[n], &model, error);
        if (code < 0)
            return code;
        sl_model_describe(model, &info);
        set->paths[n] = paths[n];
        set->identities[n] = info.identity;
        set->weight_bytes += info.weight_bytes;
        set->largest = info.weight_bytes > largest_bytes ? n : set->largest;
        largest_bytes = info.weight_bytes > largest_bytes ? info.weight_bytes : largest_bytes;
        set->names[n] = strdup(info.name);
        set->count++;
        sl_model_close(model);
        if (!set->names[n])
            return sl_error_set(error, -ENOMEM, "out of memory");
    }
    return 0;
}

uint64_t pack_set_device_rate(struct pack_set *set)
{
    struct sl_device_info device;
    if (set->measured)
        return set->device_rate;
    SL_AUTO_FREE char *cache = cli_device_cache();
    set->measured = 1;
    if (sl_device_measure(set->paths[set->largest], cache, &device, NULL) == 0)
        set->device_rate = device.bytes_per_s;
    return set->device_rate;
}
