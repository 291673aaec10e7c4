/* The cells of one figure, by policy and limit. */
#ifndef SLUICE_REPORT_FIGURE_AXIS_H
#define SLUICE_REPORT_FIGURE_AXIS_H

#include "runtime/report/result_cells.h"

struct sl_axis {
    const struct sl_result_cells *all; /* that it is a part of; borrowed */
    char *title;                       /* networks and unusual settings; owned */
    double *limits;                    /* bytes, none (-1) first, then falling; owned */
    const char **policies;             /* in the order of the results; the array is owned */
    size_t *styles;                    /* which series of the whole results each policy is; owned */
    const struct sl_result_cell **cells; /* owned array of borrowed cells */
    size_t limit_count, policy_count, cell_count;
    bool leads; /* the network is the first, or only one, of those that ran together */
};

/* The cells that share a figure with cells->cells[first]. 1; 0 when a cell before it shares that
 * figure; -ENOMEM. Borrows from cells. Free in any case. */
int sl_axis_make(const struct sl_result_cells *cells, size_t first, struct sl_axis *axis);
void sl_axis_free(struct sl_axis *axis);

/* The cell of a policy and a limit; NULL when there is none. */
const struct sl_result_cell *sl_axis_cell(const struct sl_axis *axis, size_t policy, size_t limit);
/* The cell of a policy under the least limit that it got through; NULL when there is none. */
const struct sl_result_cell *sl_axis_least_cell(const struct sl_axis *axis, size_t policy);

#endif
