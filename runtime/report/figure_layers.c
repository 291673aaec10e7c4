/* Load, run and stall of layers, one figure for each policy. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"
#include "runtime/report/figure_script.h"
#include "runtime/report/record.h"

#define LAYERS_MOST 14

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

/* What is drawn of each layer. */
struct bars {
    size_t count;
    const char *fields[4], *words[4];
    int colours[4];
};

static int add_layers(struct sl_figures *figures, const struct sl_axis *axis,
                      const struct sl_result_cell *cell)
{
    /* A profile tells faults apart; without one they are part of the run. */
    static const struct bars measured = {
        3, {"load_ns", "run_ns", "stall_ns"}, {"load", "run", "stall"}, {6, 1, 5}};
    static const struct bars profiled = {4,
                                         {"load_ns", "computing_ns", "waiting_ns", "faulting_ns"},
                                         {"load", "computing", "waiting", "faulting"},
                                         {6, 1, 5, 3}};
    const json_t *record = sl_result_cell_typical(cell);
    const json_t *rows = json_object_get(json_object_get(record, "profile"), "layers");
    const struct bars *bars = json_array_size(rows) ? &profiled : &measured;
    if (bars == &measured)
        rows = json_object_get(record, "layers");
    size_t count = json_array_size(rows);
    SL_AUTO_FREE struct layer *layers = calloc(count + 1, sizeof(*layers));
    struct sl_figure *figure = count ? sl_figure_add(figures, SL_FIGURE_LAYERS) : NULL;
    if (count == 0)
        return 0;
    if (!layers || !figure)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        layers[i].row = json_array_get(rows, i);
        layers[i].index = i;
        for (size_t f = 0; f < bars->count; f++)
            layers[i].cost =
                fmax(layers[i].cost, sl_record_number(layers[i].row, bars->fields[f], 0));
    }
    qsort(layers, count, sizeof(*layers), compare_cost);
    size_t shown = count < LAYERS_MOST ? count : LAYERS_MOST;
    qsort(layers, shown, sizeof(*layers), compare_index);
    struct sl_text *script = &figure->script;
    sl_figure_begin(script, "", "time (ms)");
    sl_text_add(script, "set style data histograms\nset style histogram clustered gap 1\n"
                        "set style fill solid 0.85 noborder\nset boxwidth 0.9\n"
                        "set xtics rotate by 40 right scale 0\nset yrange [0:*]\n$d << EOD\n");
    SL_AUTO(sl_text_free) struct sl_text description = {0}, title = {0};
    sl_text_add(&description,
                "Milliseconds of the %zu of %zu layers that take longest, in the order of their "
                "runs. ",
                shown, count);
    for (size_t i = 0; i < shown; i++) {
        SL_AUTO(sl_text_free) struct sl_text name = {0};
        /* A quoted column: gnuplot knows no escape in it. */
        for (const char *c = sl_record_text(layers[i].row, "name"); *c; c++)
            sl_text_add(&name, "%c", (unsigned char)*c <= ' ' || *c == '"' ? '_' : *c);
        sl_text_add(script, "\"%.24s\"", name.bytes ? name.bytes : "");
        sl_text_add(&description, "%s%s:", i ? ". " : "", sl_record_text(layers[i].row, "name"));
        for (size_t f = 0; f < bars->count; f++) {
            double ms = sl_record_number(layers[i].row, bars->fields[f], 0) / 1e6;
            sl_text_add(script, " %.6g", ms);
            sl_text_add(&description, "%s %s %.3g", f ? "," : "", bars->words[f], ms);
        }
        sl_text_add(script, "\n");
    }
    sl_text_add(script, "EOD\nplot ");
    for (size_t f = 0; f < bars->count; f++)
        sl_text_add(script, "%s$d using %zu%s lc rgb '%s' title '%s'", f ? ", " : "", f + 2,
                    f ? "" : ":xtic(1)", sl_figure_colours[bars->colours[f]], bars->words[f]);
    sl_text_add(script, "\n");
    char limit[32];
    sl_text_add(&title, "%s: layers under %s, limit %s", axis->title,
                sl_record_text(sl_result_cell_record(cell), "policy"),
                sl_result_cell_limit(cell, limit));
    if (description.failed || title.failed)
        return -ENOMEM;
    return sl_figure_name(figures, title.bytes, description.bytes);
}

/* Layers of each policy under the least limit that it got through. */
int sl_figures_add_layers(struct sl_figures *figures, const struct sl_axis *axis)
{
    int code = 0;
    for (size_t p = 0; p < axis->policy_count && code == 0; p++) {
        const struct sl_result_cell *cell = sl_axis_least_cell(axis, p);
        code = cell ? add_layers(figures, axis, cell) : 0;
    }
    return code;
}
