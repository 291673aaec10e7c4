#include "runtime/report/figures.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/report/figure_axis.h"
#include "runtime/report/gnuplot.h"
#include "runtime/report/record.h"

/* Points of a line over time: more cannot be told apart. */
#define TIME_POINTS_MOST 240
#define LAYERS_MOST      14

/* Okabe & Ito's palette for all kinds of colour vision, without its yellow. */
const char *const sl_figure_colours[SL_FIGURE_COLOURS] = {
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"};

static struct sl_figure *add_figure(struct sl_figures *figures, enum sl_figure_kind kind)
{
    if (figures->count == figures->capacity) {
        size_t capacity = figures->capacity ? 2 * figures->capacity : 32;
        struct sl_figure *more = reallocarray(figures->figures, capacity, sizeof(*more));
        if (!more)
            return NULL;
        figures->figures = more;
        figures->capacity = capacity;
    }
    struct sl_figure *figure = &figures->figures[figures->count++];
    *figure = (struct sl_figure){.kind = kind};
    return figure;
}

/* Sets title, description and a file name made of kind and title. */
static int name_figure(struct sl_figures *figures, const char *title, const char *description)
{
    static const char *const kinds[] = {"time", "swap", "bound", "pareto", "memory", "layers"};
    struct sl_figure *figure = &figures->figures[figures->count - 1];
    char slug[96];
    size_t length = 0;
    for (const char *c = title; *c && length + 1 < sizeof(slug); c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');
        if (plain || (*c >= 'A' && *c <= 'Z'))
            slug[length++] = plain ? *c : (char)(*c + 'a' - 'A');
        else if (length && slug[length - 1] != '-')
            slug[length++] = '-';
    }
    slug[length] = '\0';
    figure->title = strdup(title);
    figure->description = strdup(description);
    if (asprintf(&figure->name, "%03zu-%s-%s", figures->count, kinds[figure->kind], slug) < 0)
        figure->name = NULL;
    return figure->title && figure->description && figure->name && !figure->script.failed ? 0
                                                                                          : -ENOMEM;
}

static void add_style(struct sl_text *script, size_t series)
{
    static const int shapes[] = {7, 5, 9, 13, 11, 4, 6, 8, 10, 12};
    size_t colour = series % SL_FIGURE_COLOURS;
    sl_text_add(script, " lc rgb '%s' dt %zu lw 2 pt %d ps 0.9", sl_figure_colours[colour],
                series % 5 + 1, shapes[series % 10]);
}

static void begin(struct sl_text *script, const char *x, const char *y)
{
    sl_text_add(script, "set border 3 lw 1\nset xtics nomirror\nset ytics nomirror\n"
                        "set grid ytics lt 1 lc rgb '#808080' lw 0.5 dt 3\n"
                        "set key tmargin center horizontal samplen 3 maxrows 3\nset xlabel ");
    sl_gnuplot_quote(script, x);
    sl_text_add(script, "\nset ylabel ");
    sl_gnuplot_quote(script, y);
    sl_text_add(script, "\n");
}

/* A logarithmic y axis with ticks at 1, 2 and 5 of each power of ten: less than two decades would
 * have a label or two otherwise. */
static void add_log_axis(struct sl_text *script, double least, double most)
{
    sl_text_add(script, "set logscale y\nset yrange [%g:%g]\nset ytics (", least, most);
    bool any = false;
    int first = (int)floor(log10(least)), last = (int)ceil(log10(most));
    for (int exponent = first; exponent <= last; exponent++)
        for (int digit = 1; digit <= 5; digit += digit == 1 ? 1 : 3) {
            double value = digit * pow(10, exponent);
            if (value < least || value > most)
                continue;
            sl_text_add(script, "%s'%g' %g", any ? ", " : "", value, value);
            any = true;
        }
    sl_text_add(script, ") nomirror\n");
}

/* ---- A quantity against the limit ---------------------------------------------------------- */

/* What is drawn of a cell. */
typedef bool (*quantity)(const struct sl_result_cell *cell, struct sl_spread *spread);

static bool time_of(const struct sl_result_cell *cell, struct sl_spread *spread)
{
    const struct sl_metric *metric;
    bool alone = !strcmp(cell->set, sl_record_text(sl_result_cell_record(cell), "network"));
    return sl_metric_find(alone ? "latency" : "makespan", &metric, NULL) == 0 &&
           sl_result_cell_spread(cell, metric, spread);
}

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
    quantity of;
    double scale; /* 0: seconds or milliseconds, as fits */
    bool may_be_log;
};

/* Greatest and least positive value of all cells of the axis. */
static bool value_range(const struct sl_axis *axis, quantity of, double *least, double *most)
{
    *least = INFINITY;
    *most = 0;
    for (size_t i = 0; i < axis->cell_count; i++) {
        struct sl_spread spread;
        if (!of(axis->cells[i], &spread))
            continue;
        *most = fmax(*most, spread.most);
        if (spread.least > 0)
            *least = fmin(*least, spread.least);
    }
    return *most > 0;
}

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

/* A wide range of values is told apart on a logarithmic axis only. */
#define LOG_LEAST 8

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
        add_style(script, axis->styles[p]);
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
    if (!value_range(axis, chart->of, &least, &most))
        return 0;
    struct sl_figure *figure = add_figure(figures, kind);
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
    begin(&figure->script, "memory limit", y.bytes ? y.bytes : "");
    if (logarithmic)
        add_log_axis(&figure->script, least / scale * 0.8, top * 1.2);
    else
        sl_text_add(&figure->script, "set yrange [0:%g]\n", top * 1.05);
    sl_text_add(&description, "%s against the memory limit, median of each cell. ", chart->what);
    add_limit_data(&figure->script, axis, &shown, scale, top, &description);
    add_limit_plot(&figure->script, axis);
    sl_text_add(&title, "%s: %s", axis->title, chart->title);
    if (description.failed || title.failed)
        return -ENOMEM;
    return name_figure(figures, title.bytes, description.bytes);
}

/* ---- Time against memory ------------------------------------------------------------------- */

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
    if (!time_of(cell, &time) || !sl_result_cell_spread(cell, &peak, &memory))
        return false;
    *point = (struct point){memory.median / (double)SL_MIB, time.median};
    return true;
}

static int add_pareto(struct sl_figures *figures, const struct sl_axis *axis)
{
    double least, most;
    SL_AUTO_FREE struct point *points = calloc(axis->cell_count + 1, sizeof(*points));
    size_t count = 0;
    if (!value_range(axis, time_of, &least, &most))
        return 0;
    struct sl_figure *figure = add_figure(figures, SL_FIGURE_PARETO);
    if (!points || !figure)
        return -ENOMEM;
    struct sl_text *script = &figure->script;
    double scale = most < 1e9 ? 1e6 : 1e9;
    begin(script, "peak memory (MiB)", most < 1e9 ? "time (ms)" : "time (s)");
    if (most > LOG_LEAST * least)
        add_log_axis(script, least / scale * 0.8, most / scale * 1.2);
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
        add_style(script, axis->styles[p]);
        sl_text_add(script, " title ");
        sl_gnuplot_quote(script, axis->policies[p]);
    }
    sl_text_add(script, "\n");
    sl_text_add(&title, "%s: time against memory", axis->title);
    if (description.failed || title.failed)
        return -ENOMEM;
    return name_figure(figures, title.bytes, description.bytes);
}

/* ---- Memory over time ---------------------------------------------------------------------- */

/* The greatest value of each of TIME_POINTS_MOST stretches of the samples. */
static void add_samples(struct sl_text *script, const json_t *samples, const char *field)
{
    const json_t *times = json_object_get(samples, "time_ns");
    const json_t *values = json_object_get(samples, field);
    size_t count = json_array_size(times);
    size_t step = (count + TIME_POINTS_MOST - 1) / TIME_POINTS_MOST;
    for (size_t i = 0; i < count && step; i += step) {
        double greatest = 0;
        for (size_t j = i; j < i + step && j < count; j++)
            greatest = fmax(greatest, json_number_value(json_array_get(values, j)));
        sl_text_add(script, "%.4f %.2f\n", json_number_value(json_array_get(times, i)) / 1e9,
                    greatest / (double)SL_MIB);
    }
}

static bool has_samples(const json_t *record)
{
    const json_t *samples = json_object_get(record, "memory_samples");
    return json_array_size(json_object_get(samples, "time_ns")) > 1;
}

static int add_memory(struct sl_figures *figures, const struct sl_axis *axis, size_t limit)
{
    SL_AUTO(sl_text_free) struct sl_text plot = {0}, description = {0}, title = {0}, data = {0};
    for (size_t p = 0; p < axis->policy_count; p++) {
        const struct sl_result_cell *cell = sl_axis_cell(axis, p, limit);
        const json_t *record = cell ? sl_result_cell_typical(cell) : NULL;
        if (!record || !has_samples(record))
            continue;
        const json_t *samples = json_object_get(record, "memory_samples");
        sl_text_add(&data, "$m%zu << EOD\n", p);
        add_samples(&data, samples, "memory_bytes");
        sl_text_add(&data, "EOD\n");
        sl_text_add(&plot, "%s$m%zu using 1:2 with lines lw 2 dt %zu lc rgb '%s' title ",
                    plot.length ? ", " : "", p, axis->styles[p] % 5 + 1,
                    sl_figure_colours[axis->styles[p] % SL_FIGURE_COLOURS]);
        SL_AUTO(sl_text_free) struct sl_text label = {0};
        const char *status = sl_record_text(record, "status");
        sl_text_add(&label, "%s%s%s%s", axis->policies[p], strcmp(status, "ok") ? " (" : "",
                    strcmp(status, "ok") ? status : "", strcmp(status, "ok") ? ")" : "");
        sl_gnuplot_quote(&plot, label.bytes ? label.bytes : "");
        sl_text_add(&description, "%s peaks at %.0f MiB. ", axis->policies[p],
                    sl_record_number(record, "peak_bytes", 0) / (double)SL_MIB);
    }
    if (!plot.length)
        return 0;
    struct sl_figure *figure = add_figure(figures, SL_FIGURE_MEMORY);
    if (!figure || plot.failed || data.failed)
        return -ENOMEM;
    begin(&figure->script, "time since the worker began (s)", "memory of the group (MiB)");
    sl_text_add(&figure->script, "set yrange [0:*]\nset xrange [0:*]\n");
    sl_text_add_bytes(&figure->script, data.bytes, data.length);
    sl_text_add(&figure->script, "plot %s", plot.bytes);
    char text[32] = "no limit";
    if (axis->limits[limit] >= 0) {
        sl_format_size((uint64_t)axis->limits[limit], text);
        sl_text_add(&figure->script, ", %.9g with lines lw 2 dt 4 lc rgb '#808080' title 'limit'",
                    axis->limits[limit] / (double)SL_MIB);
        sl_text_add(&description, "The limit is %s.", text);
    }
    sl_text_add(&figure->script, "\n");
    sl_text_add(&title, "%s: memory over time, %s%s", axis->title,
                axis->limits[limit] >= 0 ? "limit " : "", text);
    if (description.failed || title.failed)
        return -ENOMEM;
    return name_figure(figures, title.bytes, description.bytes);
}

/* ---- Layers -------------------------------------------------------------------------------- */

struct layer {
    const json_t *row;
    double cost;
    size_t index;
    bool shown;
};

static int compare_cost(const void *left, const void *right)
{
    const struct layer *a = left, *b = right;
    return (a->cost < b->cost) - (a->cost > b->cost);
}

static int compare_index(const void *left, const void *right)
{
    const struct layer *a = left, *b = right;
    return (a->index > b->index) - (a->index < b->index);
}

static int add_layers(struct sl_figures *figures, const struct sl_axis *axis,
                      const struct sl_result_cell *cell)
{
    static const char *const fields[] = {"load_ns", "run_ns", "stall_ns", "fault_ns"};
    static const char *const words[] = {"load", "run", "stall", "fault"};
    static const int colours[] = {5, 1, 6, 2};
    const json_t *rows = json_object_get(sl_result_cell_typical(cell), "layers");
    size_t count = json_array_size(rows);
    SL_AUTO_FREE struct layer *layers = calloc(count + 1, sizeof(*layers));
    struct sl_figure *figure = count ? add_figure(figures, SL_FIGURE_LAYERS) : NULL;
    if (count == 0)
        return 0;
    if (!layers || !figure)
        return -ENOMEM;
    bool faults = false;
    for (size_t i = 0; i < count; i++) {
        layers[i].row = json_array_get(rows, i);
        layers[i].index = i;
        for (size_t f = 0; f < 3; f++)
            layers[i].cost = fmax(layers[i].cost, sl_record_number(layers[i].row, fields[f], 0));
        faults |= sl_record_number(layers[i].row, fields[3], 0) > 0;
    }
    qsort(layers, count, sizeof(*layers), compare_cost);
    size_t shown = count < LAYERS_MOST ? count : LAYERS_MOST;
    qsort(layers, shown, sizeof(*layers), compare_index);
    struct sl_text *script = &figure->script;
    begin(script, "", "time (ms)");
    sl_text_add(script, "set style data histograms\nset style histogram clustered gap 1\n"
                        "set style fill solid 0.85 noborder\nset boxwidth 0.9\n"
                        "set xtics rotate by 40 right scale 0\nset yrange [0:*]\n$d << EOD\n");
    SL_AUTO(sl_text_free) struct sl_text description = {0}, title = {0};
    sl_text_add(&description,
                "Load, run and stall of the %zu of %zu layers that take longest, in the order of "
                "their runs. ",
                shown, count);
    for (size_t i = 0; i < shown; i++) {
        SL_AUTO(sl_text_free) struct sl_text name = {0};
        /* A quoted column: gnuplot knows no escape in it. */
        for (const char *c = sl_record_text(layers[i].row, "name"); *c; c++)
            sl_text_add(&name, "%c", (unsigned char)*c <= ' ' || *c == '"' ? '_' : *c);
        sl_text_add(script, "\"%.24s\"", name.bytes ? name.bytes : "");
        for (size_t f = 0; f < 4; f++)
            sl_text_add(script, " %.6g", sl_record_number(layers[i].row, fields[f], 0) / 1e6);
        sl_text_add(script, "\n");
        sl_text_add(&description, "%s: %.3g, %.3g, %.3g ms. ",
                    sl_record_text(layers[i].row, "name"),
                    sl_record_number(layers[i].row, fields[0], 0) / 1e6,
                    sl_record_number(layers[i].row, fields[1], 0) / 1e6,
                    sl_record_number(layers[i].row, fields[2], 0) / 1e6);
    }
    sl_text_add(script, "EOD\nplot ");
    for (size_t f = 0; f < (faults ? 4 : 3); f++)
        sl_text_add(script, "%s$d using %zu%s lc rgb '%s' title '%s'", f ? ", " : "", f + 2,
                    f ? "" : ":xtic(1)", sl_figure_colours[colours[f]], words[f]);
    sl_text_add(script, "\n");
    char limit[32];
    sl_text_add(&title, "%s: layers under %s, limit %s", axis->title,
                sl_record_text(sl_result_cell_record(cell), "policy"),
                sl_result_cell_limit(cell, limit));
    if (description.failed || title.failed)
        return -ENOMEM;
    return name_figure(figures, title.bytes, description.bytes);
}

/* Layers of each policy under the least limit that it got through. */
static int add_all_layers(struct sl_figures *figures, const struct sl_axis *axis)
{
    int code = 0;
    for (size_t p = 0; p < axis->policy_count && code == 0; p++)
        for (size_t l = axis->limit_count; l-- > 0;) {
            const struct sl_result_cell *cell = sl_axis_cell(axis, p, l);
            if (!cell || cell->failed == json_array_size(cell->records))
                continue;
            code = add_layers(figures, axis, cell);
            break;
        }
    return code;
}

static int add_axis(struct sl_figures *figures, const struct sl_axis *axis)
{
    static const struct limit_chart charts[] = {
        [SL_FIGURE_LATENCY] = {"time against limit", "s", "time", time_of, 0, true},
        [SL_FIGURE_SWAP] = {"swap against limit", "MiB", "swapped in and out", spread_sum,
                            (double)SL_MIB, false},
        [SL_FIGURE_BOUND] = {"time and bound", "multiple of the bound", "time", bound_multiple, 1,
                             true},
    };
    int code = 0;
    /* Of networks that ran together, the batch as a whole is told once. */
    for (int kind = SL_FIGURE_LATENCY; axis->leads && kind <= SL_FIGURE_BOUND && code == 0; kind++)
        code = add_limit_figure(figures, (enum sl_figure_kind)kind, axis, &charts[kind]);
    if (code == 0 && axis->leads)
        code = add_pareto(figures, axis);
    for (size_t l = 0; axis->leads && l < axis->limit_count && code == 0; l++)
        code = add_memory(figures, axis, l);
    return code == 0 ? add_all_layers(figures, axis) : code;
}

int sl_figures_make(const struct sl_result_cells *cells, struct sl_figures *figures,
                    struct sl_error *error)
{
    *figures = (struct sl_figures){0};
    int code = 0;
    for (size_t i = 0; i < cells->count && code == 0; i++) {
        SL_AUTO(sl_axis_free) struct sl_axis axis = {0};
        code = sl_axis_make(cells, i, &axis);
        if (code > 0)
            code = add_axis(figures, &axis);
    }
    if (code < 0) {
        sl_figures_free(figures);
        return sl_error_set(error, code, "out of memory");
    }
    return 0;
}

void sl_figures_free(struct sl_figures *figures)
{
    for (size_t i = 0; i < figures->count; i++) {
        sl_text_free(&figures->figures[i].script);
        free(figures->figures[i].name);
        free(figures->figures[i].title);
        free(figures->figures[i].description);
    }
    free(figures->figures);
    *figures = (struct sl_figures){0};
}
