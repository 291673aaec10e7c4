/* The part of libyaml that is used, loaded when a job file asks for it: start-up stays cheap for
 * everything else. */
#ifndef SLUICE_CLI_YAML_LIBRARY_H
#define SLUICE_CLI_YAML_LIBRARY_H

#include <stdio.h>
#include <yaml.h>

#include "runtime/base/error.h"

struct yaml_library {
    void *handle;
    int (*parser_initialize)(yaml_parser_t *);
    void (*parser_delete)(yaml_parser_t *);
    void (*set_input_file)(yaml_parser_t *, FILE *);
    int (*load)(yaml_parser_t *, yaml_document_t *);
    void (*document_delete)(yaml_document_t *);
    yaml_node_t *(*root)(yaml_document_t *);
    yaml_node_t *(*node)(yaml_document_t *, int);
};

/* Loads it. -ENOTSUP: not installed; the message says how. Free with yaml_library_close. */
int yaml_library_open(struct yaml_library *library, struct sl_error *error);
/* Accepts a zero-initialised one. */
void yaml_library_close(struct yaml_library *library);

#endif
