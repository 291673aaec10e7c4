/* A reader of flat YAML files, device profiles and job files: one mapping of known keys, each with
 * a scalar or a list of scalars, and where in the file each of them stands. Everything else is an
 * error "NAME:LINE:COLUMN: ...", unknown keys with the nearest known one. */
#ifndef SLUICE_CLI_YAML_READER_H
#define SLUICE_CLI_YAML_READER_H

#include <stdbool.h>

#include "runtime/base/error.h"

/* What a file may say; a name of NULL ends the table. */
struct yaml_key {
    const char *name;
    bool list; /* may have several values: [a, b], or lines of "- a" */
};

/* Text is as written, quotes taken off; line and column count from 1. */
struct yaml_value {
    const char *text;
    int line, column;
};

struct yaml_entry {
    struct yaml_value key;
    struct yaml_value *values;
    int count; /* 1 unless the key takes a list; a list may be empty */
};

/* Strings live as long as the document. */
struct yaml_document {
    char *name; /* of the file, for messages */
    struct yaml_entry *entries;
    int count; /* in the order of the file; none twice */
};

/* Reads a text; name is what messages call it. -EINVAL when it is not YAML or not of that shape.
 * Free with yaml_free; on failure there is nothing to free. */
int yaml_read_text(const char *name, const char *text, const struct yaml_key *keys,
                   struct yaml_document *document, struct sl_error *error);
/* Reads a file of at most 1 MiB. Besides: -errno of opening and reading it, -EFBIG. */
int yaml_read_file(const char *path, const struct yaml_key *keys, struct yaml_document *document,
                   struct sl_error *error);
/* Frees what was read and leaves an empty document; also of a zero-initialised one. */
void yaml_free(struct yaml_document *document);

/* The entry of a key; NULL when the file does not have it. */
const struct yaml_entry *yaml_find(const struct yaml_document *document, const char *key);

/* Puts "NAME:LINE:COLUMN: KEY: " before the message of an error about a value. Returns the error's
 * code. */
int yaml_fault(const struct yaml_document *document, const struct yaml_entry *entry,
               const struct yaml_value *value, struct sl_error *error);

#endif
