/* What makes measurements doubtful, found in the records themselves. */
#ifndef SLUICE_REPORT_NOISE_H
#define SLUICE_REPORT_NOISE_H

#include <stdio.h>

#include "runtime/report/result_cells.h"

enum sl_noise_kind {
    SL_NOISE_SLOW_FIRST, /* the first request took long: --warmup */
    SL_NOISE_OUTLIERS,   /* modified z-score above 3.5: more --runs */
    SL_NOISE_BUSY,       /* others used the processors: wait, --cpus */
    SL_NOISE_STOLEN,     /* the hypervisor took the processors away */
    SL_NOISE_THROTTLED,  /* clock or quota slowed the processors */
    SL_NOISE_WARM_CACHE, /* weights came from the page cache: --cold */
    SL_NOISE_KINDS,
};

/* Findings: one line for each kind at most, which tells how many cells show it, the worst of them
 * and the flag to try. */
struct sl_noise {
    char *lines[SL_NOISE_KINDS];
    enum sl_noise_kind kinds[SL_NOISE_KINDS];
    size_t count;
};

/* Looks at every cell. Clean data gives nothing: thresholds are those of noise.c, each with its
 * reason. Pure: reads no clock and no file. Lines that memory lacks for are left out. */
void sl_noise_find(const struct sl_result_cells *cells, struct sl_noise *noise);
void sl_noise_free(struct sl_noise *noise);

/* Prints the findings, one line "sluice: hint: <prefix>..." each; it is for the command line. */
void sl_noise_print(const struct sl_result_cells *cells, const char *prefix, FILE *stream);

#endif
