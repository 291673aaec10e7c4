/* A quantity against the limit: time, swap, time as a multiple of the bound. */
#include <errno.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/report/figure_script.h"
#include "runtime/report/gnuplot.h"

static bool spread_sum(const struct sl_result_cell *cell, struct sl_spread *spread)
{
    static const struct sl_metric in = {"", "swap_in_bytes", "", SL_UNIT_BYTES},
                                  out = {"", "swap_out_bytes", "", SL_UNIT_BYTES};
    struct sl_spread other;
    if (!sl_result_cell_spread(cell, &in, spread) || !sl_result_cell_spread(cell, &out, &other))
        return false;
    spread->least += other.least;
    spread->median += other.median;
    spread->most += other.most;
    return true;
}

static bool bound_multiple(const struct sl_result_cell *cell, struct sl_spread *spread)
{
    static const struct sl_metric makespan = {"", "makespan_ns", "", SL_UNIT_NS},
                                  bound = {"", "bound_ns", "", SL_UNIT_NS};
    struct sl_spread least;
    if (!sl_result_cell_spread(cell, &makespan, spread) ||
        !sl_result_cell_spread(cell, &bound, &least) || least.median <= 0)
        return false;
    spread->least /= least.median;
    spread->median /= least.median;
    spread->most /= least.median;
    return true;
}

struct limit_chart {
    const char *title, *unit, *what;
    sl_quantity of;
    double scale; /* 0: seconds or milliseconds, as fits */
    bool may_be_log;
};

static void add_limit_data(struct sl_text *script, const struct sl_axis *axis,
                           const struct limit_chart *chart, double scale, double top,
                           struct sl_text *description)
{
    char limit[32];
    for (size_t p = 0; p < axis->policy_count; p++) {
        double shift = ((double)p - (double)(axis->policy_count - 1) / 2) * 0.06;
        SL_AUTO(sl_text_free) struct sl_text failures = {0};
        sl_text_add(script, "$d%zu << EOD\n", p);
        for (size_t l = 0; l < axis->limit_count; l++) {
            const struct sl_result_cell *cell = sl_axis_cell(axis, p, l);
            struct sl_spread spread;
            double x = (double)l + shift;
            bool drawn = cell && chart->of(cell, &spread);
            if (drawn)
                sl_text_add(script, "%.3f %.9g %.9g %.9g\n", x, spread.median / scale,
                            spread.least / scale, spread.most / scale);
            else
                sl_text_add(script, "\n");
            if (cell && cell->failed)
                sl_text_add(&failures, "%.3f %.9g\n", x, top);
            if (!cell)
                continue;
            sl_text_add(description, "%s at %s: ", axis->policies[p],
                        sl_result_cell_limit(cell, limit));
            if (drawn)
                sl_text_add(description, "%.3g %s%s", spread.median / scale, chart->unit,
                            cell->failed ? ", " : ". ");
            if (cell->failed)
                sl_text_add(description, "%s %zu of %zu. ", sl_result_cell_ending(cell),
                            cell->failed, json_array_size(cell->records));
        }
        sl_text_add(script, "EOD\n$f%zu << EOD\n%sEOD\n", p, failures.bytes ? failures.bytes : "");
    }
}

static void add_limit_plot(struct sl_text *script, const struct sl_axis *axis)
{
    char limit[32];
    sl_text_add(script, "set xrange [-0.5:%g]\nset xtics (", (double)axis->limit_count - 0.5);
    for (size_t l = 0; l < axis->limit_count; l++) {
        if (axis->limits[l] < 0)
            snprintf(limit, sizeof(limit), "none");
        else
            sl_format_size((uint64_t)axis->limits[l], limit);
        sl_text_add(script, "%s'%s' %zu", l ? ", " : "", limit, l);
    }
    sl_text_add(script, ")\nplot ");
    bool failed = false;
    for (size_t p = 0; p < axis->policy_count; p++) {
        sl_text_add(script, "%s$d%zu using 1:2:3:4 with yerrorlines", p ? ", " : "", p);
        sl_figure_style(script, axis->styles[p]);
        sl_text_add(script, " title ");
        sl_gnuplot_quote(script, axis->policies[p]);
    }
    for (size_t p = 0; p < axis->policy_count; p++) {
        bool any = false;
        for (size_t l = 0; l < axis->limit_count; l++) {
            const struct sl_result_cell *cell = sl_axis_cell(axis, p, l);
            any |= cell && cell->failed;
        }
        if (!any)
            continue;
        sl_text_add(script, ", $f%zu using 1:2 with points pt 2 ps 1.3 lw 3 lc rgb '%s' notitle", p,
                    sl_figure_colours[axis->styles[p] % SL_FIGURE_COLOURS]);
        failed = true;
    }
    if (failed)
        sl_text_add(script, ", 1/0 with points pt 2 ps 1.3 lw 3 lc rgb '#000000' title "
                            "'failed'");
    sl_text_add(script, "\n");
}

static int add_limit_figure(struct sl_figures *figures, enum sl_figure_kind kind,
                            const struct sl_axis *axis, const struct limit_chart *chart)
{
    double least, most;
    if (!sl_figure_range(axis, chart->of, &least, &most))
        return 0;
    struct sl_figure *figure = sl_figure_add(figures, kind);
    if (!figure)
        return -ENOMEM;
    double scale = chart->scale > 0 ? chart->scale : most < 1e9 ? 1e6 : 1e9;
    struct limit_chart shown = *chart;
    if (chart->scale <= 0)
        shown.unit = most < 1e9 ? "ms" : "s";
    bool logarithmic = chart->may_be_log && most > LOG_LEAST * least;
    double top = most / scale * (logarithmic ? 1.6 : 1.08);
    SL_AUTO(sl_text_free) struct sl_text description = {0}, y = {0}, title = {0};
    sl_text_add(&y, "%s (%s)", chart->what, shown.unit);
    sl_figure_begin(&figure->script, "memory limit", y.bytes ? y.bytes : "");
    if (logarithmic)
        sl_figure_log_axis(&figure->script, least / scale * 0.8, top * 1.2);
    else
        sl_text_add(&figure->script, "set yrange [0:%g]\n", top * 1.05);
    sl_text_add(&description, "%s against the memory limit, median of each cell. ", chart->what);
    add_limit_data(&figure->script, axis, &shown, scale, top, &description);
    add_limit_plot(&figure->script, axis);
    sl_text_add(&title, "%s: %s", axis->title, chart->title);
    if (description.failed || title.failed)
        return -ENOMEM;
    return sl_figure_name(figures, title.bytes, description.bytes);
}

int sl_figures_add_limits(struct sl_figures *figures, const struct sl_axis *axis)
{
    static const struct limit_chart charts[] = {
        [SL_FIGURE_LATENCY] = {"time against limit", "s", "time", sl_figure_time, 0, true},
        [SL_FIGURE_SWAP] = {"swap against limit", "MiB", "swapped in and out", spread_sum,
                            (double)SL_MIB, false},
        [SL_FIGURE_BOUND] = {"time and bound", "multiple of the bound", "time", bound_multiple, 1,
                             true},
    };
    int code = 0;
    for (int kind = SL_FIGURE_LATENCY; axis->leads && kind <= SL_FIGURE_BOUND && code == 0; kind++)
        code = add_limit_figure(figures, (enum sl_figure_kind)kind, axis, &charts[kind]);
    return code;
}
