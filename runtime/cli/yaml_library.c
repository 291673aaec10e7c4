#include "runtime/cli/yaml_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

void yaml_library_close(struct yaml_library *library)
{
    if (library->handle)
        dlclose(library->handle);
    library->handle = NULL;
}

int yaml_library_open(struct yaml_library *library, struct sl_error *error)
{
    *library = (struct yaml_library){.handle = dlopen("libyaml-0.so.2", RTLD_NOW | RTLD_LOCAL)};
    if (!library->handle)
        return sl_error_set(error, -ENOTSUP,
                            "job files need libyaml, which is not installed; on Debian: apt-get "
                            "install libyaml-0-2");
    const struct {
        const char *symbol;
        void *target; /* address of a function pointer */
    } symbols[] = {
        {"yaml_parser_initialize", &library->parser_initialize},
        {"yaml_parser_delete", &library->parser_delete},
        {"yaml_parser_set_input_file", &library->set_input_file},
        {"yaml_parser_load", &library->load},
        {"yaml_document_delete", &library->document_delete},
        {"yaml_document_get_root_node", &library->root},
        {"yaml_document_get_node", &library->node},
    };
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        void *address = dlsym(library->handle, symbols[i].symbol);
        memcpy(symbols[i].target, &address, sizeof(address));
        if (!address) {
            yaml_library_close(library);
            return sl_error_set(error, -ENOTSUP, "this libyaml lacks %s", symbols[i].symbol);
        }
    }
    return 0;
}
