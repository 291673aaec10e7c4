#include "runtime/cli/result_files.h"

#include <errno.h>
#include <stdio.h>

#include "runtime/report/noise.h"
#include "runtime/report/results_file.h"

#define COMPLAINTS_MOST 20

static void complain(void *context, long line, enum sl_results_fault fault, const char *why)
{
    int *count = context;
    (void)line;
    (void)fault;
    if (++*count <= COMPLAINTS_MOST)
        fprintf(stderr, "sluice: warning: %s\n", why);
}

int result_files_read(const char *const *paths, int count, struct result_files *files,
                      struct sl_error *error)
{
    *files = (struct result_files){.records = json_array(), .paths = paths[0]};
    int complaints = 0;
    if (!files->records)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int i = 0; i < count; i++) {
        json_t *records = NULL;
        int code = sl_results_read(paths[i], &records, complain, &complaints, error);
        if (code < 0)
            return code;
        code = json_array_extend(files->records, records);
        json_decref(records);
        if (code < 0)
            return sl_error_set(error, -ENOMEM, "out of memory");
    }
    if (complaints > COMPLAINTS_MOST)
        fprintf(stderr, "sluice: warning: and %d more lines left out\n",
                complaints - COMPLAINTS_MOST);
    if (json_array_size(files->records) == 0)
        return sl_error_set(error, -ENODATA,
                            "%s%s: no record; `sluice run ... -o json > FILE` writes some",
                            paths[0], count > 1 ? " and the others" : "");
    return sl_result_cells_group(files->records, &files->cells, error);
}

void result_files_free(struct result_files *files)
{
    sl_result_cells_free(&files->cells);
    json_decref(files->records);
    *files = (struct result_files){0};
}

void result_files_print_noise(const struct result_files *files)
{
    char prefix[256];
    snprintf(prefix, sizeof(prefix), "%.250s: ", files->paths);
    sl_noise_print(&files->cells, prefix, stderr);
}
