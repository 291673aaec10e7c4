#include "runtime/cli/device_cache.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/text.h"

char *cli_cache_folder(void)
{
    SL_AUTO(sl_text_free) struct sl_text folder = {0};
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache)
        sl_text_add(&folder, "%s", cache);
    else if (home && *home)
        sl_text_add(&folder, "%s/.cache", home);
    else
        return NULL;
    if (folder.failed)
        return NULL;
    mkdir(folder.bytes, 0700);
    sl_text_add(&folder, "/sluice");
    if (folder.failed)
        return NULL;
    mkdir(folder.bytes, 0700);
    return SL_STEAL(folder.bytes);
}

static char *cache_file(const char *name)
{
    SL_AUTO_FREE char *folder = cli_cache_folder();
    SL_AUTO(sl_text_free) struct sl_text path = {0};
    if (folder)
        sl_text_add(&path, "%s/%s", folder, name);
    return path.failed ? NULL : SL_STEAL(path.bytes);
}

char *cli_device_cache(void)
{
    return cache_file("devices");
}

char *cli_ceiling_cache(void)
{
    return cache_file("ceilings");
}
