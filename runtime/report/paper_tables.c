#include "runtime/report/paper_tables.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/report/figure_axis.h"
#include "runtime/report/record.h"

static void add_escaped(struct sl_text *text, const char *words, enum sl_paper_format format)
{
    for (; *words; words++) {
        bool special = strchr(format == SL_PAPER_LATEX ? "&%$#_{}" : "|*_`<\\", *words) != NULL;
        if (format == SL_PAPER_LATEX && strchr("\\~^<>|", *words))
            sl_text_add(text, "\\char%d{}", *words);
        else
            sl_text_add(text, "%s%c", special ? "\\" : "",
                        *words < ' ' && *words > 0 ? ' ' : *words);
    }
}

static bool time_spread(const struct sl_result_cell *cell, struct sl_spread *spread)
{
    const struct sl_metric *metric;
    bool alone = !strcmp(cell->set, sl_record_text(sl_result_cell_record(cell), "network"));
    return sl_metric_find(alone ? "latency" : "makespan", &metric, NULL) == 0 &&
           sl_result_cell_spread(cell, metric, spread);
}

static double swapped_mib(const struct sl_result_cell *cell)
{
    static const char *const names[] = {"swap_in_bytes", "swap_out_bytes"};
    double sum = 0;
    for (size_t i = 0; i < 2; i++) {
        const struct sl_metric *metric;
        struct sl_spread spread;
        if (sl_metric_find(names[i], &metric, NULL) == 0 &&
            sl_result_cell_spread(cell, metric, &spread))
            sum += spread.median;
    }
    return sum / (double)SL_MIB;
}

static void add_entry(struct sl_text *text, const struct sl_result_cell *cell, double best,
                      double scale, enum sl_paper_format format)
{
    struct sl_spread spread;
    if (!cell)
        return;
    if (time_spread(cell, &spread)) {
        bool bold = spread.median <= best && !cell->failed;
        const char *open = format == SL_PAPER_LATEX ? "\\textbf{" : "**";
        const char *close = format == SL_PAPER_LATEX ? "}" : "**";
        sl_text_add(text, "%s%.3g%s", bold ? open : "", spread.median / scale, bold ? close : "");
        if (spread.count > 1)
            sl_text_add(text, " (%.3g-%.3g)", spread.least / scale, spread.most / scale);
        if (swapped_mib(cell) >= 1)
            sl_text_add(text, ", %.0f", swapped_mib(cell));
        if (cell->failed)
            sl_text_add(text, ", ");
    }
    if (cell->failed)
        sl_text_add(text, "%s %zu of %zu", sl_result_cell_ending(cell), cell->failed,
                    json_array_size(cell->records));
}

static void add_row(struct sl_text *text, const struct sl_axis *axis, size_t limit, double scale,
                    enum sl_paper_format format)
{
    char name[32] = "none";
    double best = INFINITY;
    for (size_t p = 0; p < axis->policy_count; p++) {
        const struct sl_result_cell *cell = sl_axis_cell(axis, p, limit);
        struct sl_spread spread;
        if (cell && !cell->failed && time_spread(cell, &spread))
            best = fmin(best, spread.median);
    }
    if (axis->limits[limit] >= 0)
        sl_format_size((uint64_t)axis->limits[limit], name);
    sl_text_add(text, format == SL_PAPER_LATEX ? "%s" : "| %s", name);
    for (size_t p = 0; p < axis->policy_count; p++) {
        sl_text_add(text, format == SL_PAPER_LATEX ? " & " : " | ");
        add_entry(text, sl_axis_cell(axis, p, limit), best, scale, format);
    }
    sl_text_add(text, format == SL_PAPER_LATEX ? " \\\\\n" : " |\n");
}

static void add_axis(struct sl_text *text, const struct sl_axis *axis, enum sl_paper_format format)
{
    bool latex = format == SL_PAPER_LATEX, seconds = false;
    for (size_t i = 0; i < axis->cell_count; i++) {
        struct sl_spread spread;
        seconds |= time_spread(axis->cells[i], &spread) && spread.most >= 1e9;
    }
    if (latex)
        sl_text_add(text, "\\begin{table}\n\\caption{");
    else
        sl_text_add(text, "%s**", text->length ? "\n" : "");
    add_escaped(text, axis->title, format);
    sl_text_add(text, "%s: %s, median (least-greatest)%s; MiB swapped in and out%s\n",
                latex ? "" : "**", seconds ? "seconds" : "milliseconds",
                latex ? "" : ", best in bold", latex ? "}" : "\n");
    if (latex)
        sl_text_add(text, "\\begin{tabular}{l");
    for (size_t p = 0; latex && p < axis->policy_count; p++)
        sl_text_add(text, "r");
    sl_text_add(text, latex ? "}\n\\hline\nlimit" : "| limit");
    for (size_t p = 0; p < axis->policy_count; p++) {
        sl_text_add(text, latex ? " & " : " | ");
        add_escaped(text, axis->policies[p], format);
    }
    sl_text_add(text, latex ? " \\\\\n\\hline\n" : " |\n|---");
    for (size_t p = 0; !latex && p < axis->policy_count; p++)
        sl_text_add(text, "|---:");
    sl_text_add(text, latex ? "" : "|\n");
    for (size_t l = 0; l < axis->limit_count; l++)
        add_row(text, axis, l, seconds ? 1e9 : 1e6, format);
    if (latex)
        sl_text_add(text, "\\hline\n\\end{tabular}\n\\end{table}\n");
}

static void add_csv_text(struct sl_text *text, const char *words)
{
    sl_text_add(text, "\"");
    for (; *words; words++)
        sl_text_add(text, *words == '"' ? "\"\"" : "%c", *words);
    sl_text_add(text, "\"");
}

static void add_csv(struct sl_text *text, const struct sl_result_cells *cells)
{
    const struct sl_metric *metric;
    sl_text_add(text, "network,networks,policy,memory_limit,settings,records,failed,ended");
    for (int m = 0; (metric = sl_metric_at(m)); m++)
        sl_text_add(text, ",%s_samples,%s_median,%s_least,%s_greatest", metric->field,
                    metric->field, metric->field, metric->field);
    sl_text_add(text, "\n");
    for (size_t i = 0; i < cells->count; i++) {
        const struct sl_result_cell *cell = &cells->cells[i];
        const json_t *record = sl_result_cell_record(cell);
        char settings[512];
        double limit = sl_record_number(record, "memory_limit", -1);
        add_csv_text(text, sl_record_text(record, "network"));
        sl_text_add(text, ",");
        add_csv_text(text, cell->set);
        sl_text_add(text, ",");
        add_csv_text(text, sl_record_text(record, "policy"));
        sl_text_add(text, ",");
        if (limit >= 0)
            sl_text_add(text, "%.0f", limit);
        sl_text_add(text, ",");
        add_csv_text(text, sl_result_cell_name(cell, false, settings, sizeof(settings)));
        sl_text_add(text, ",%zu,%zu,%s", json_array_size(cell->records), cell->failed,
                    sl_result_cell_ending(cell));
        for (int m = 0; (metric = sl_metric_at(m)); m++) {
            struct sl_spread spread;
            if (sl_result_cell_spread(cell, metric, &spread))
                sl_text_add(text, ",%zu,%.0f,%.0f,%.0f", spread.count, spread.median, spread.least,
                            spread.most);
            else
                sl_text_add(text, ",0,,,");
        }
        sl_text_add(text, "\n");
    }
}

int sl_paper_tables(struct sl_text *text, const struct sl_result_cells *cells,
                    enum sl_paper_format format)
{
    if (format == SL_PAPER_CSV) {
        add_csv(text, cells);
        return text->failed ? -ENOMEM : 0;
    }
    for (size_t i = 0; i < cells->count; i++) {
        SL_AUTO(sl_axis_free) struct sl_axis axis = {0};
        int code = sl_axis_make(cells, i, &axis);
        if (code < 0)
            return code;
        if (code > 0 && axis.leads)
            add_axis(text, &axis, format);
    }
    return text->failed ? -ENOMEM : 0;
}
