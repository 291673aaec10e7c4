/* Results files as `compare` and `report` read them. */
#ifndef SLUICE_CLI_RESULT_FILES_H
#define SLUICE_CLI_RESULT_FILES_H

#include <jansson.h>

#include "runtime/report/result_cells.h"

struct result_files {
    json_t *records; /* of all files, in order */
    struct sl_result_cells cells;
    const char *paths; /* the first of them, borrowed */
};

/* Reads and groups; lines that are left out are told on stderr. Fails when a file cannot be read,
 * and when all of them together have no record. Free with result_files_free in any case. */
int result_files_read(const char *const *paths, int count, struct result_files *files,
                      struct sl_error *error);
void result_files_free(struct result_files *files);

/* Prints hints on noise to stderr, a few of them. */
void result_files_print_noise(const struct result_files *files);

#endif
