/* Tables of results for papers: limits down, policies across; and one row for each cell. */
#ifndef SLUICE_REPORT_PAPER_TABLES_H
#define SLUICE_REPORT_PAPER_TABLES_H

#include "runtime/base/text.h"
#include "runtime/report/result_cells.h"

enum sl_paper_format { SL_PAPER_MARKDOWN, SL_PAPER_LATEX, SL_PAPER_CSV };

/* Markdown and LaTeX: for each network or set of them, median (least-greatest) of latency or
 * makespan, least median of a row in bold, then what was swapped; a cell that failed says how
 * often. LaTeX needs no package. CSV: one row for each cell with median, least and greatest of all
 * metrics, in nanoseconds and bytes. -ENOMEM. */
int sl_paper_tables(struct sl_text *text, const struct sl_result_cells *cells,
                    enum sl_paper_format format);

#endif
