#include "runtime/report/figure_script.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/report/gnuplot.h"
#include "runtime/report/record.h"

/* Okabe & Ito's palette for all kinds of colour vision, without its yellow. */
const char *const sl_figure_colours[SL_FIGURE_COLOURS] = {
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9"};

struct sl_figure *sl_figure_add(struct sl_figures *figures, enum sl_figure_kind kind)
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

int sl_figure_name(struct sl_figures *figures, const char *title, const char *description)
{
    static const char *const kinds[] = {"time",   "swap",     "bound", "pareto",
                                        "memory", "timeline", "layers"};
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

void sl_figure_style(struct sl_text *script, size_t series)
{
    static const int shapes[] = {7, 5, 9, 13, 11, 4, 6, 8, 10, 12};
    size_t colour = series % SL_FIGURE_COLOURS;
    sl_text_add(script, " lc rgb '%s' dt %zu lw 2 pt %d ps 0.9", sl_figure_colours[colour],
                series % 5 + 1, shapes[series % 10]);
}

void sl_figure_begin(struct sl_text *script, const char *x, const char *y)
{
    sl_text_add(script, "set border 3 lw 1\nset xtics nomirror\nset ytics nomirror\n"
                        "set grid ytics lt 1 lc rgb '#808080' lw 0.5 dt 3\n"
                        "set key tmargin center horizontal samplen 3 maxrows 3\nset xlabel ");
    sl_gnuplot_quote(script, x);
    sl_text_add(script, "\nset ylabel ");
    sl_gnuplot_quote(script, y);
    sl_text_add(script, "\n");
}

void sl_figure_log_axis(struct sl_text *script, double least, double most)
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

bool sl_figure_time(const struct sl_result_cell *cell, struct sl_spread *spread)
{
    const struct sl_metric *metric;
    bool alone = !strcmp(cell->set, sl_record_text(sl_result_cell_record(cell), "network"));
    return sl_metric_find(alone ? "latency" : "makespan", &metric, NULL) == 0 &&
           sl_result_cell_spread(cell, metric, spread);
}

bool sl_figure_range(const struct sl_axis *axis, sl_quantity of, double *least, double *most)
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
