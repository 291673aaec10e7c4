/* A reader of YAML files, device profiles and job files: a tree of nodes that know their place, and
 * errors "NAME:LINE:COLUMN: ...". libyaml is loaded with the first file, so that other commands
 * start without it. */
#ifndef SLUICE_CLI_YAML_READER_H
#define SLUICE_CLI_YAML_READER_H

#include <stdbool.h>
#include <yaml.h>

#include "runtime/base/error.h"

/* The part of libyaml that is used. */
struct yaml_library {
    void *handle;
    int (*parser_initialize)(yaml_parser_t *);
    void (*parser_delete)(yaml_parser_t *);
    void (*set_input_string)(yaml_parser_t *, const unsigned char *, size_t);
    int (*load)(yaml_parser_t *, yaml_document_t *);
    void (*document_delete)(yaml_document_t *);
    yaml_node_t *(*root)(yaml_document_t *);
    yaml_node_t *(*node)(yaml_document_t *, int);
};

/* Zero-initialise; free with yaml_free. Nodes and their texts live as long. */
struct yaml_file {
    char *name; /* for messages */
    struct yaml_library library;
    yaml_document_t document;
    const yaml_node_t *root; /* a mapping; NULL: nothing read */
};

/* Reads a text; name is what messages call it. -EINVAL when it is not YAML, not one mapping, or
 * has keys that are no words or stand there twice; -ENOTSUP when libyaml is not installed. On
 * failure there is nothing to free. */
int yaml_read_text(const char *name, const char *text, struct yaml_file *file,
                   struct sl_error *error);
/* Reads a file of at most 1 MiB. Besides: -errno of opening and reading it, -EFBIG. */
int yaml_read_file(const char *path, struct yaml_file *file, struct sl_error *error);
void yaml_free(struct yaml_file *file);

/* The node of an item of a list, or of a key or value of a pair. */
const yaml_node_t *yaml_node(struct yaml_file *file, int index);
/* The text of a scalar, quotes taken off; NULL: of no scalar. */
const char *yaml_scalar(const yaml_node_t *node);
/* "a list", "a section with keys", "a value": for messages. */
const char *yaml_type_name(const yaml_node_t *node);

/* Sets -EINVAL "NAME:LINE:COLUMN: ..." at a node, and returns it. */
__attribute__((format(printf, 4, 5))) int yaml_fault(const struct yaml_file *file,
                                                     const yaml_node_t *node,
                                                     struct sl_error *error, const char *format,
                                                     ...);

#endif
