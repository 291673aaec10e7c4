#include "runtime/report/comparison.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/two_samples.h"

#define SEED 20240601

static enum sl_verdict judge(const struct sl_comparison_row *row)
{
    if (!row->before->failed && row->after->failed)
        return SL_VERDICT_FAILED;
    if (row->before->failed && !row->after->failed)
        return SL_VERDICT_RECOVERED;
    if (!row->before_count || !row->after_count)
        return SL_VERDICT_NO_SAMPLES;
    if (row->low < 0)
        return SL_VERDICT_TOO_FEW;
    if (row->low > 1)
        return SL_VERDICT_WORSE;
    if (row->high < 1)
        return SL_VERDICT_BETTER;
    return row->low > 0.95 && row->high < 1.05 ? SL_VERDICT_SAME : SL_VERDICT_UNDECIDED;
}

static int compare_cells(struct sl_comparison_row *row, const struct sl_metric *metric)
{
    SL_AUTO_FREE double *before = NULL;
    SL_AUTO_FREE double *after = NULL;
    row->before_count = sl_result_cell_samples(row->before, metric, &before);
    row->after_count = sl_result_cell_samples(row->after, metric, &after);
    if (row->before_count && row->after_count) {
        row->p = sl_mann_whitney(before, row->before_count, after, row->after_count);
        if (row->p < 0)
            return -ENOMEM;
    }
    if (row->before_count >= SL_COMPARISON_LEAST && row->after_count >= SL_COMPARISON_LEAST &&
        sl_ratio_interval(before, row->before_count, after, row->after_count, SEED, &row->low,
                          &row->high) < 0)
        return -ENOMEM;
    if (row->before_count)
        row->before_median = sl_median(before, row->before_count);
    if (row->after_count)
        row->after_median = sl_median(after, row->after_count);
    if (row->before_count && row->after_count)
        row->ratio = sl_ratio(row->before_median, row->after_median);
    row->verdict = judge(row);
    return 0;
}

/* Regressions, improvements, what did not change, what is on one side only. */
static int rank(const struct sl_comparison_row *row)
{
    return row->before && row->after ? (int)row->verdict : SL_VERDICT_NO_SAMPLES + 1;
}

static int compare_rows(const void *left, const void *right)
{
    const struct sl_comparison_row *a = left, *b = right;
    if (rank(a) != rank(b))
        return rank(a) - rank(b);
    double order = a->verdict == SL_VERDICT_BETTER ? a->ratio - b->ratio : b->ratio - a->ratio;
    if (order > 0 || order < 0)
        return order > 0 ? 1 : -1;
    /* Rows stay in the order of the files. */
    const struct sl_result_cell *one = a->before ? a->before : a->after;
    const struct sl_result_cell *two = b->before ? b->before : b->after;
    return (one > two) - (one < two);
}

int sl_comparison_make(const struct sl_result_cells *before, const struct sl_result_cells *after,
                       const struct sl_metric *metric, struct sl_comparison *comparison,
                       struct sl_error *error)
{
    *comparison = (struct sl_comparison){
        .rows = calloc(before->count + after->count + 1, sizeof(*comparison->rows))};
    int code = comparison->rows ? 0 : -ENOMEM;
    const struct sl_comparison_row empty = {
        .before_median = -1, .after_median = -1, .ratio = -1, .low = -1, .high = -1, .p = -1};
    for (size_t i = 0; code == 0 && i < before->count; i++) {
        struct sl_comparison_row *row = &comparison->rows[comparison->count++];
        *row = empty;
        row->before = &before->cells[i];
        row->after = sl_result_cell_find(after, row->before);
        if (!row->after)
            continue;
        comparison->matched++;
        code = compare_cells(row, metric);
    }
    for (size_t i = 0; code == 0 && i < after->count; i++) {
        if (sl_result_cell_find(before, &after->cells[i]))
            continue;
        comparison->rows[comparison->count] = empty;
        comparison->rows[comparison->count++].after = &after->cells[i];
    }
    if (code < 0) {
        sl_comparison_free(comparison);
        return sl_error_set(error, code, "out of memory");
    }
    qsort(comparison->rows, comparison->count, sizeof(*comparison->rows), compare_rows);
    return 0;
}

void sl_comparison_free(struct sl_comparison *comparison)
{
    free(comparison->rows);
    *comparison = (struct sl_comparison){0};
}

bool sl_comparison_regressed(const struct sl_comparison_row *row, double threshold)
{
    if (!row->before || !row->after)
        return false;
    return row->verdict == SL_VERDICT_FAILED ||
           (row->verdict == SL_VERDICT_WORSE && row->ratio > 1 + threshold);
}

const char *sl_verdict_name(enum sl_verdict verdict)
{
    static const char *const names[] = {
        [SL_VERDICT_FAILED] = "failed",       [SL_VERDICT_WORSE] = "worse",
        [SL_VERDICT_BETTER] = "better",       [SL_VERDICT_RECOVERED] = "recovered",
        [SL_VERDICT_UNDECIDED] = "undecided", [SL_VERDICT_SAME] = "same",
        [SL_VERDICT_TOO_FEW] = "too few",     [SL_VERDICT_NO_SAMPLES] = "no samples"};
    return names[verdict];
}
