/* What figures have in common: their list, their gnuplot preamble, series and axes. */
#ifndef SLUICE_REPORT_FIGURE_SCRIPT_H
#define SLUICE_REPORT_FIGURE_SCRIPT_H

#include "runtime/report/figure_axis.h"
#include "runtime/report/figures.h"

/* A chart: adds the figures that the cells of an axis have data for. 0 or -ENOMEM. Of networks that
 * ran together all but the layers are told once, with the first (axis->leads). */
int sl_figures_add_limits(struct sl_figures *figures, const struct sl_axis *axis);
int sl_figures_add_pareto(struct sl_figures *figures, const struct sl_axis *axis);
int sl_figures_add_memory(struct sl_figures *figures, const struct sl_axis *axis);
int sl_figures_add_timelines(struct sl_figures *figures, const struct sl_axis *axis);
int sl_figures_add_layers(struct sl_figures *figures, const struct sl_axis *axis);

/* A wide range of values is told apart on a logarithmic axis only. */
#define LOG_LEAST 8

/* An empty figure behind the others; NULL when memory ran out. It is named when it is done. */
struct sl_figure *sl_figure_add(struct sl_figures *figures, enum sl_figure_kind kind);
/* Sets title, description and a file name made of kind and title, of the last figure. -ENOMEM, also
 * when its script lacks something for that. */
int sl_figure_name(struct sl_figures *figures, const char *title, const char *description);

/* The start of a script: axes with those labels. */
void sl_figure_begin(struct sl_text *script, const char *x, const char *y);
/* A logarithmic y axis with ticks at 1, 2 and 5 of each power of ten: less than two decades would
 * have a label or two otherwise. */
void sl_figure_log_axis(struct sl_text *script, double least, double most);
/* Colours of the series in the order of the policies' first appearance; others follow in turn. Each
 * series has a dash and a shape of its own too. */
#define SL_FIGURE_COLOURS 7
extern const char *const sl_figure_colours[SL_FIGURE_COLOURS];
/* Colour, dash and shape of a series. */
void sl_figure_style(struct sl_text *script, size_t series);

/* What is drawn of a cell; false: it has none. */
typedef bool (*sl_quantity)(const struct sl_result_cell *cell, struct sl_spread *spread);
/* The latency of one network, the makespan of a batch. */
bool sl_figure_time(const struct sl_result_cell *cell, struct sl_spread *spread);
/* Least and greatest positive value in all cells of the axis; false when there is none. */
bool sl_figure_range(const struct sl_axis *axis, sl_quantity of, double *least, double *most);

#endif
