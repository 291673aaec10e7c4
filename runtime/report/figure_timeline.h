/* The timeline of a cell: when the shards of each layer came in, when it ran, and what memory the
 * worker held meanwhile, on one axis of time. */
#ifndef SLUICE_REPORT_FIGURE_TIMELINE_H
#define SLUICE_REPORT_FIGURE_TIMELINE_H

#include "runtime/base/text.h"
#include "runtime/report/result_cells.h"

/* Appends a gnuplot script for the typical repetition of `cell`, with the layers of all networks
 * that ran together, and what it shows in words. false, and nothing appended, when its records do
 * not tell when layers ran. */
bool sl_timeline_add(const struct sl_result_cells *cells, const struct sl_result_cell *cell,
                     struct sl_text *script, struct sl_text *description);

#endif
