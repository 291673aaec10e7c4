#include "runtime/cli/topology_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/text.h"
#include "runtime/cli/device_cache.h"
#include "runtime/cli/value_list.h"
#include "runtime/sluice.h"

char *topology_cache_pack(const char *topology, bool quiet, struct sl_error *error)
{
    SL_AUTO(sl_text_free) struct sl_text path = {0};
    if (cli_check_name(SL_KIND_TOPOLOGY, "topology", topology, error) < 0)
        return NULL;
    SL_AUTO_FREE char *folder = cli_cache_folder();
    if (!folder) {
        sl_error_set(error, -ENOENT,
                     "topology:%s: no folder to keep its pack in; set HOME or XDG_CACHE_HOME",
                     topology);
        return NULL;
    }
    sl_text_add(&path, "%s/%s-%s.sluice", folder, topology, sl_version());
    if (path.failed) {
        sl_error_set(error, -ENOMEM, "out of memory");
        return NULL;
    }
    struct sl_model *model;
    if (sl_model_open(path.bytes, &model, NULL) == 0) {
        sl_model_close(model);
        return SL_STEAL(path.bytes);
    }
    if (!quiet)
        fprintf(stderr, "sluice: note: making %s\n", path.bytes);
    struct sl_import_request request = {.topology = topology, .output = path.bytes};
    if (sl_import(&request, NULL, error) < 0)
        return NULL;
    return SL_STEAL(path.bytes);
}
