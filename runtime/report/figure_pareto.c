/* Time against peak memory, with the front. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/report/figure_script.h"
#include "runtime/report/gnuplot.h"

struct point {
    double memory, time;
};

static int compare_points(const void *left, const void *right)
{
    const struct point *a = left, *b = right;
    if (a->memory < b->memory || a->memory > b->memory)
        return a->memory < b->memory ? -1 : 1;
    return (a->time > b->time) - (a->time < b->time);
}

static bool point_of(const struct sl_result_cell *cell, struct point *point)
{
    static const struct sl_metric peak = {"", "peak_bytes", "", SL_UNIT_BYTES};
    struct sl_spread time, memory;
    if (!sl_figure_time(cell, &time) || !sl_result_cell_spread(cell, &peak, &memory))
        return false;
    *point = (struct point){memory.median / (double)SL_MIB, time.median};
    return true;
}

int sl_figures_add_pareto(struct sl_figures *figures, const struct sl_axis *axis)
{
    double least, most;
    SL_AUTO_FREE struct point *points = calloc(axis->cell_count + 1, sizeof(*points));
    size_t count = 0;
    if (!axis->leads || !sl_figure_range(axis, sl_figure_time, &least, &most))
        return 0;
    struct sl_figure *figure = sl_figure_add(figures, SL_FIGURE_PARETO);
    if (!points || !figure)
        return -ENOMEM;
    struct sl_text *script = &figure->script;
    double scale = most < 1e9 ? 1e6 : 1e9;
    sl_figure_begin(script, "peak memory (MiB)", most < 1e9 ? "time (ms)" : "time (s)");
    if (most > LOG_LEAST * least)
        sl_figure_log_axis(script, least / scale * 0.8, most / scale * 1.2);
    for (size_t p = 0; p < axis->policy_count; p++) {
        sl_text_add(script, "$d%zu << EOD\n", p);
        for (size_t l = 0; l < axis->limit_count; l++) {
            const struct sl_result_cell *cell = sl_axis_cell(axis, p, l);
            if (!cell || !point_of(cell, &points[count]))
                continue;
            sl_text_add(script, "%.9g %.9g\n", points[count].memory, points[count].time / scale);
            count++;
        }
        sl_text_add(script, "EOD\n");
    }
    qsort(points, count, sizeof(*points), compare_points);
    SL_AUTO(sl_text_free) struct sl_text description = {0}, title = {0};
    sl_text_add(&description, "Median time against median peak memory of each cell. No cell is "
                              "better in both than those of the front, MiB and time: ");
    sl_text_add(script, "$front << EOD\n");
    double best = INFINITY;
    for (size_t i = 0; i < count; i++) {
        if (points[i].time >= best)
            continue;
        best = points[i].time;
        sl_text_add(script, "%.9g %.9g\n", points[i].memory, best / scale);
        sl_text_add(&description, "%.0f, %.3g %s; ", points[i].memory, best / scale,
                    scale > 1e8 ? "s" : "ms");
    }
    sl_text_add(script, "EOD\nset offsets graph 0.03, graph 0.03, graph 0.03, 0\nplot $front using "
                        "1:2 with steps lw 1.5 dt 2 lc rgb '#808080' title 'front'");
    for (size_t p = 0; p < axis->policy_count; p++) {
        sl_text_add(script, ", $d%zu using 1:2 with points", p);
        sl_figure_style(script, axis->styles[p]);
        sl_text_add(script, " title ");
        sl_gnuplot_quote(script, axis->policies[p]);
    }
    sl_text_add(script, "\n");
    sl_text_add(&title, "%s: time against memory", axis->title);
    if (description.failed || title.failed)
        return -ENOMEM;
    return sl_figure_name(figures, title.bytes, description.bytes);
}
