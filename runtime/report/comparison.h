/* Two sets of results, cell by cell. */
#ifndef SLUICE_REPORT_COMPARISON_H
#define SLUICE_REPORT_COMPARISON_H

#include "runtime/report/result_cells.h"

enum sl_verdict {
    SL_VERDICT_FAILED,     /* ended ok before, and not every time now */
    SL_VERDICT_WORSE,      /* the interval lies above 1 */
    SL_VERDICT_BETTER,     /* the interval lies below 1 */
    SL_VERDICT_RECOVERED,  /* failed sometimes before, and never now */
    SL_VERDICT_UNDECIDED,  /* the interval holds 1 */
    SL_VERDICT_SAME,       /* the same, and it lies between 0.95 and 1.05 */
    SL_VERDICT_TOO_FEW,    /* fewer than SL_COMPARISON_LEAST samples on a side */
    SL_VERDICT_NO_SAMPLES, /* a side has none: it failed in both, or the metric is not told */
};

/* Samples below which a percentile bootstrap is too narrow to judge by: 3 and 3 that are apart, as
 * one pair in ten is by chance, would make a verdict. */
#define SL_COMPARISON_LEAST 5

struct sl_comparison_row {
    const struct sl_result_cell *before, *after; /* one of them NULL: not matched */
    enum sl_verdict verdict;
    size_t before_count, after_count;
    double before_median, after_median; /* -1: no samples */
    double ratio, low, high;            /* of medians, 95 %; ratio -1: none; low -1: too few */
    double p;                           /* Mann-Whitney; -1: none */
};

struct sl_comparison {
    struct sl_comparison_row *rows; /* regressions (largest first), improvements, the rest */
    size_t count, matched;
};

/* Compares all cells; before and after are borrowed and must outlive it. -ENOMEM. */
int sl_comparison_make(const struct sl_result_cells *before, const struct sl_result_cells *after,
                       const struct sl_metric *metric, struct sl_comparison *comparison,
                       struct sl_error *error);
void sl_comparison_free(struct sl_comparison *comparison);

/* Whether a row is a regression above a threshold (0.05 is 5 %): it failed, or its ratio is above
 * 1 + threshold and its interval lies above 1. */
bool sl_comparison_regressed(const struct sl_comparison_row *row, double threshold);

/* "failed", "worse", ... */
const char *sl_verdict_name(enum sl_verdict verdict);

#endif
