#include "runtime/base/dynamic_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

int sl_dynamic_library_open(const char *soname, const char *package,
                            const struct sl_symbol *symbols, size_t count, void **handle,
                            struct sl_error *error)
{
    void *opened = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    if (!opened)
        return sl_error_set(error, -ENOTSUP,
                            "%s, which that needs, is not installed; on Debian: apt-get install %s",
                            soname, package);
    for (size_t i = 0; i < count; i++) {
        void *address = dlsym(opened, symbols[i].name);
        if (!address) {
            dlclose(opened);
            return sl_error_set(error, -ENOTSUP, "this %s lacks %s", soname, symbols[i].name);
        }
        /* Bytewise: C has no cast from void * to a function. */
        memcpy(symbols[i].target, &address, sizeof(address));
    }
    *handle = opened;
    return 0;
}
