/* gnuplot as an external process: scripts in, pictures out. */
#ifndef SLUICE_REPORT_GNUPLOT_H
#define SLUICE_REPORT_GNUPLOT_H

#include <stddef.h>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

enum sl_picture { SL_PICTURE_SVG, SL_PICTURE_PNG };

/* Runs the `count` scripts in one gnuplot, each beginning from gnuplot's defaults, and appends what
 * each draws to its output. Scripts must not set terminal or output. Blocks. -ENOSYS, with the
 * package to install, when there is no gnuplot; -EIO, with gnuplot's first complaint, when a script
 * fails. Any thread. */
int sl_gnuplot_draw(const struct sl_text *scripts, size_t count, enum sl_picture picture,
                    struct sl_text *outputs, struct sl_error *error);

/* Adds text as a quoted string of gnuplot: nothing in it is a command, a substitution or a line
 * end. */
void sl_gnuplot_quote(struct sl_text *script, const char *text);

#endif
