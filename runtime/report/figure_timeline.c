#include "runtime/report/figure_timeline.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/report/figure_script.h"
#include "runtime/report/gnuplot.h"
#include "runtime/report/record.h"

#define NAMED_MOST 24
#define NETS_MOST  32

/* The records of one worker: the networks that ran together. */
struct together {
    const json_t *records[NETS_MOST];
    size_t count, layers;
    double end_s; /* of the last run, since the batch began */
};

static double seconds(const json_t *row, const char *field)
{
    return sl_record_number(row, field, 0) / 1e9;
}

static void add_record(struct together *together, const json_t *record)
{
    const json_t *rows = json_object_get(record, "layers"), *row;
    size_t i;
    for (i = 0; i < together->count; i++)
        if (json_equal(json_object_get(together->records[i], "layers"), rows))
            return; /* the same network, another input */
    if (together->count == NETS_MOST || !json_object_get(json_array_get(rows, 0), "end_ns"))
        return;
    together->records[together->count++] = record;
    together->layers += json_array_size(rows);
    json_array_foreach(rows, i, row) together->end_s =
        fmax(together->end_s, seconds(row, "end_ns"));
}

static bool same_number(const json_t *one, const json_t *two, const char *field)
{
    return fabs(sl_record_number(one, field, -1) - sl_record_number(two, field, -1)) < 0.5;
}

/* Every record of the worker that `lead` is of has the same makespan and the same wall time. */
static void find_together(const struct sl_result_cells *cells, const struct sl_result_cell *cell,
                          const json_t *lead, struct together *together)
{
    for (size_t c = 0; c < cells->count; c++) {
        const json_t *record;
        size_t i;
        if (strcmp(cells->cells[c].set, cell->set) != 0)
            continue;
        json_array_foreach(cells->cells[c].records, i, record)
        {
            if (same_number(record, lead, "makespan_ns") && same_number(record, lead, "wall_ns"))
                add_record(together, record);
        }
    }
}

/* One box for each layer: x, y and the box, as gnuplot's boxxyerror takes them, large enough to be
 * seen: of many layers they reach into the next rows. */
static void add_boxes(struct sl_text *script, const struct together *together, bool loads)
{
    double y = loads ? 0 : 0.5, least = together->end_s / 400;
    double height = fmax(0.5, (double)together->layers / 80);
    sl_text_add(script, "%s << EOD\n", loads ? "$loads" : "$runs");
    for (size_t n = 0; n < together->count; n++) {
        const json_t *row;
        size_t i;
        json_array_foreach(json_object_get(together->records[n], "layers"), i, row)
        {
            double begin = seconds(row, loads ? "load_start_ns" : "start_ns");
            double end = loads ? begin + seconds(row, "load_ns") : seconds(row, "end_ns");
            if (end > begin)
                sl_text_add(script, "%.9g %.2f %.9g %.9g %.2f %.2f\n", begin, y, begin,
                            fmax(end, begin + least), y, y + height);
            y++;
        }
    }
    sl_text_add(script, "EOD\n");
}

/* Layers by name while there is room for names, else where each network begins. */
static void add_names(struct sl_text *script, const struct together *together)
{
    size_t y = 0, step = (together->layers + NAMED_MOST - 1) / NAMED_MOST;
    bool by_network = together->count > 1 && step > 1;
    sl_text_add(script, "set ytics (");
    for (size_t n = 0; n < together->count; n++) {
        const json_t *rows = json_object_get(together->records[n], "layers"), *row;
        size_t i;
        json_array_foreach(rows, i, row)
        {
            if (by_network ? i == 0 : y % step == 0) {
                double middle = by_network ? (double)json_array_size(rows) / 2 : 0.5;
                sl_text_add(script, y ? ", " : "");
                sl_gnuplot_quote(script, sl_record_text(by_network ? together->records[n] : row,
                                                        by_network ? "network" : "name"));
                sl_text_add(script, " %.1f", (double)y + middle);
            }
            y++;
        }
    }
    sl_text_add(script, ") nomirror scale 0\nset yrange [%zu:0]\n", together->layers);
}

/* Memory over time, as data for gnuplot. The last sample is taken when the worker has ended, which
 * is soon after its last run: so both axes are laid on each other at their ends. Returns how many
 * samples there are since the requests arrived, and the greatest, in MiB. */
static size_t add_samples(struct sl_text *script, const json_t *lead, double end_s, double *most)
{
    const json_t *samples = json_object_get(lead, "memory_samples");
    const json_t *times = json_object_get(samples, "time_ns");
    const json_t *values = json_object_get(samples, "memory_bytes");
    size_t count = json_array_size(times), told = 0;
    double last = count ? json_number_value(json_array_get(times, count - 1)) / 1e9 : 0;
    *most = 0;
    sl_text_add(script, "$memory << EOD\n");
    for (size_t i = 0; i + 1 < count; i++) {
        double at = json_number_value(json_array_get(times, i)) / 1e9 - last + end_s;
        double mib = json_number_value(json_array_get(values, i)) / (double)SL_MIB;
        if (at < 0)
            continue;
        told++;
        *most = fmax(*most, mib);
        sl_text_add(script, "%.4f %.2f\n", at, mib);
    }
    sl_text_add(script, "EOD\n");
    return told;
}

static void plot_memory(struct sl_text *script, const json_t *lead, double most)
{
    double limit = sl_record_number(lead, "memory_limit", -1) / (double)SL_MIB;
    double power = pow(10, floor(log10(fmax(most, 1))));
    sl_text_add(script,
                "set size 1,0.34\nset origin 0,0\nset tmargin 1\nset bmargin 3\n"
                "set xlabel 'time since the requests arrived (s)'\nset ylabel 'memory (MiB)'\n"
                "set yrange [0:*]\nset ytics %g\nset format x\nset key default bottom right\n"
                "plot $memory using 1:2 with lines lw 2 lc rgb '#0072B2' "
                "notitle",
                power * (most > 4 * power   ? 5
                         : most > 2 * power ? 2
                                            : 1));
    /* A limit far above would flatten the curve. */
    if (limit >= 0 && limit < 2 * most)
        sl_text_add(script, ", %.9g with lines lw 2 dt 4 lc rgb '#808080' title 'limit'", limit);
    sl_text_add(script, "\n");
}

bool sl_timeline_add(const struct sl_result_cells *cells, const struct sl_result_cell *cell,
                     struct sl_text *script, struct sl_text *description)
{
    const json_t *lead = sl_result_cell_typical(cell);
    struct together together = {0};
    find_together(cells, cell, lead, &together);
    if (!together.layers || together.end_s <= 0)
        return false;
    double most;
    bool sampled = add_samples(script, lead, together.end_s, &most) > 1 && most > 0;
    add_boxes(script, &together, true);
    add_boxes(script, &together, false);
    sl_text_add(script,
                "set multiplot\nset border 3 lw 1\nset lmargin 15\nset rmargin 2\nset size 1,%s\n"
                "set origin 0,%s\nset tmargin 2\nset bmargin %d\nset xrange [0:%.9g]\n"
                "set xtics nomirror\nset style fill solid 0.9 noborder\n"
                "set key tmargin center horizontal samplen 2 maxrows 1\n",
                sampled ? "0.66" : "1", sampled ? "0.34" : "0", sampled ? 1 : 3, together.end_s);
    sl_text_add(script, sampled ? "set format x ''\n"
                                : "set xlabel 'time since the requests arrived (s)'\n");
    add_names(script, &together);
    sl_text_add(script, "plot $loads using 1:2:3:4:5:6 with boxxyerror lc rgb '#56B4E9' title "
                        "'first to last read', $runs using 1:2:3:4:5:6 with boxxyerror lc rgb "
                        "'#D55E00' title 'first to last run'\n");
    if (sampled)
        plot_memory(script, lead, most);
    sl_text_add(script, "unset multiplot\n");
    sl_text_add(description,
                "When the weights of each of %zu layers came in and when it ran, from the top in "
                "the order of the networks%s. The last run ends after %.3g s. ",
                together.layers, sampled ? "; below, memory over the same time" : "",
                together.end_s);
    return true;
}

static int add_timeline(struct sl_figures *figures, const struct sl_axis *axis,
                        const struct sl_result_cell *cell)
{
    SL_AUTO(sl_text_free) struct sl_text script = {0}, description = {0}, title = {0};
    if (!sl_timeline_add(axis->all, cell, &script, &description))
        return 0;
    struct sl_figure *figure = sl_figure_add(figures, SL_FIGURE_TIMELINE);
    if (!figure)
        return -ENOMEM;
    figure->script = script;
    script = (struct sl_text){0};
    char limit[32];
    sl_text_add(&title, "%s: timeline of %s, limit %s", axis->title,
                sl_record_text(sl_result_cell_record(cell), "policy"),
                sl_result_cell_limit(cell, limit));
    if (description.failed || title.failed)
        return -ENOMEM;
    return sl_figure_name(figures, title.bytes, description.bytes);
}

/* Of each policy under the least limit that it got through. */
int sl_figures_add_timelines(struct sl_figures *figures, const struct sl_axis *axis)
{
    int code = 0;
    for (size_t p = 0; axis->leads && p < axis->policy_count && code == 0; p++) {
        const struct sl_result_cell *cell = sl_axis_least_cell(axis, p);
        code = cell ? add_timeline(figures, axis, cell) : 0;
    }
    return code;
}
