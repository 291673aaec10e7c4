/* Shared libraries that are loaded when something asks for them: linking them would make every
 * start read them. */
#ifndef SLUICE_BASE_DYNAMIC_LIBRARY_H
#define SLUICE_BASE_DYNAMIC_LIBRARY_H

#include <stddef.h>

#include "runtime/base/error.h"

struct sl_symbol {
    const char *name;
    void *target; /* address of a function pointer */
};

/* Loads a library by its soname and stores the addresses of those functions. package: of Debian,
 * which has it, for the message. -ENOTSUP: it is not installed, or lacks one of them; then nothing
 * stays loaded and *handle is untouched. Close with dlclose. */
int sl_dynamic_library_open(const char *soname, const char *package,
                            const struct sl_symbol *symbols, size_t count, void **handle,
                            struct sl_error *error);

#endif
