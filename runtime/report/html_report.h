/* The report: one HTML file that needs nothing else, no network and no script. */
#ifndef SLUICE_REPORT_HTML_REPORT_H
#define SLUICE_REPORT_HTML_REPORT_H

#include "runtime/report/figures.h"
#include "runtime/report/noise.h"

/* Adds text so that it means itself in HTML text and in quoted attributes; what is not UTF-8 or a
 * control character becomes U+FFFD. */
void sl_html_escape(struct sl_text *html, const char *text);

/* Makes one of gnuplot's SVG pictures part of a page: colours become those of the page's light or
 * dark side, identifiers unique by `number`, title and description the figure's. */
void sl_html_add_svg(struct sl_text *html, const struct sl_figure *figure, const char *svg,
                     size_t number);

/* The whole page. svgs: one for each figure. -ENOMEM. */
int sl_html_report(struct sl_text *html, const struct sl_result_cells *cells, const json_t *records,
                   const struct sl_figures *figures, const struct sl_text *svgs,
                   const struct sl_noise *noise);

#endif
