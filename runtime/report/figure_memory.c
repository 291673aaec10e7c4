/* Memory over time, one figure for each limit. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/report/figure_script.h"
#include "runtime/report/gnuplot.h"
#include "runtime/report/record.h"

/* Points of a line over time: more cannot be told apart. */
#define TIME_POINTS_MOST 240

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
    double most = 0;
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
        double peak = sl_record_number(record, "peak_bytes", 0);
        most = fmax(most, peak);
        sl_text_add(&description, "%s peaks at %.0f MiB. ", axis->policies[p],
                    peak / (double)SL_MIB);
    }
    if (!plot.length)
        return 0;
    struct sl_figure *figure = sl_figure_add(figures, SL_FIGURE_MEMORY);
    if (!figure || plot.failed || data.failed)
        return -ENOMEM;
    sl_figure_begin(&figure->script, "time since the worker began (s)",
                    "memory of the group (MiB)");
    sl_text_add(&figure->script, "set yrange [0:*]\nset xrange [0:*]\n");
    sl_text_add_bytes(&figure->script, data.bytes, data.length);
    sl_text_add(&figure->script, "plot %s", plot.bytes);
    char text[32] = "no limit";
    if (axis->limits[limit] >= 0) {
        sl_format_size((uint64_t)axis->limits[limit], text);
        /* A limit far above would flatten the curves. */
        if (axis->limits[limit] < 3 * most)
            sl_text_add(&figure->script,
                        ", %.9g with lines lw 2 dt 4 lc rgb '#808080' title 'limit'",
                        axis->limits[limit] / (double)SL_MIB);
        sl_text_add(&description, "The limit is %s.", text);
    }
    sl_text_add(&figure->script, "\n");
    sl_text_add(&title, "%s: memory over time, %s%s", axis->title,
                axis->limits[limit] >= 0 ? "limit " : "", text);
    if (description.failed || title.failed)
        return -ENOMEM;
    return sl_figure_name(figures, title.bytes, description.bytes);
}

int sl_figures_add_memory(struct sl_figures *figures, const struct sl_axis *axis)
{
    int code = 0;
    for (size_t l = 0; axis->leads && l < axis->limit_count && code == 0; l++)
        code = add_memory(figures, axis, l);
    return code;
}
