#include "runtime/report/html_report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/report/record.h"
#include "runtime/sluice.h"

/* What an SVG of gnuplot takes its colours from, and the page's names for them. */
static const struct {
    const char *drawn, *shown;
} colours[] = {
    {"rgb(  0, 114, 178)", "var(--c1)"},    {"rgb(213,  94,   0)", "var(--c2)"},
    {"rgb(  0, 158, 115)", "var(--c3)"},    {"rgb(204, 121, 167)", "var(--c4)"},
    {"rgb(230, 159,   0)", "var(--c5)"},    {"rgb( 86, 180, 233)", "var(--c6)"},
    {"rgb(  0,   0,   0)", "currentColor"}, {"rgb(128, 128, 128)", "var(--muted)"},
    {"\"black\"", "\"currentColor\""},      {"'black'", "'currentColor'"},
    {"\"white\"", "\"var(--page)\""},       {"'white'", "'var(--page)'"},
};

static const char style[] =
    ":root{color-scheme:light dark;--page:#fff;--text:#1b1f23;--muted:#5b6570;--line:#d0d7de;"
    "--soft:#f4f6f8;--warn:#8a4b00;--c1:#0072b2;--c2:#c65300;--c3:#00805d;--c4:#a9527f;"
    "--c5:#a36f00;--c6:#2b83ba}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#14181c;--text:#e4e8ec;--muted:#9aa5b1;"
    "--line:#39424c;--soft:#1d2329;--warn:#ffb454;--c1:#5bb3f0;--c2:#ff8f4a;--c3:#2fcb9c;"
    "--c4:#e9a5ca;--c5:#f2b640;--c6:#8fd0f7}}\n"
    "*{box-sizing:border-box}body{margin:0 "
    "auto;max-width:76rem;padding:1rem;background:var(--page);"
    "color:var(--text);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.25rem;margin:2rem 0 .5rem}"
    "h3{font-size:1.05rem;margin:1.2rem 0 .4rem}p{max-width:46rem}.muted,figcaption small{color:"
    "var(--muted)}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));"
    "gap:1.5rem}figure{margin:0}figcaption{font-weight:600;margin-bottom:.25rem}"
    "figure svg{display:block;width:100%;height:auto;max-width:44rem}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:"
    "tabular-nums}th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;"
    "white-space:nowrap}th{background:var(--soft)}th:first-child,td:first-child,.text "
    "td{text-align:"
    "left}td.failed{color:var(--warn);font-weight:600}td b{font-weight:700}\n"
    "details{margin:.5rem 0;border:1px solid var(--line);border-radius:6px}summary{cursor:pointer;"
    "padding:.5rem .8rem;font-weight:600}details>div{padding:.2rem .8rem .8rem}\n"
    ".noise{border-left:4px solid var(--warn);background:var(--soft);padding:.5rem "
    "1rem;margin:1rem "
    "0}.noise li{margin:.25rem 0}\n"
    "@media print{details{border:0}}\n";

void sl_html_escape(struct sl_text *html, const char *text)
{
    while (*text) {
        size_t length = sl_utf8_length(text);
        if (length == 0 || (length == 1 && ((*text < ' ' && *text != '\n') || *text == 127)))
            sl_text_add(html, "\xef\xbf\xbd");
        else if (*text == '&')
            sl_text_add(html, "&amp;");
        else if (*text == '<')
            sl_text_add(html, "&lt;");
        else if (*text == '>')
            sl_text_add(html, "&gt;");
        else if (*text == '"')
            sl_text_add(html, "&quot;");
        else if (*text == '\'')
            sl_text_add(html, "&#39;");
        else
            sl_text_add_bytes(html, text, length);
        text += length ? length : 1;
    }
}

/* The length of the word at `at` that a page replaces, and what by; 0: none. */
static size_t replaced(const char *at, const char **by)
{
    for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
        *by = colours[i].shown;
        if (!strncmp(at, colours[i].drawn, strlen(colours[i].drawn)))
            return strlen(colours[i].drawn);
    }
    return 0;
}

void sl_html_add_svg(struct sl_text *html, const struct sl_figure *figure, const char *svg,
                     size_t number)
{
    static const char own_title[] = "<title>", description_end[] = "</desc>";
    const char *start = strstr(svg, "<svg"), *by;
    const char *after = start ? strchr(start, '>') : NULL;
    if (!after)
        return;
    sl_text_add(html, "<svg role=\"img\" aria-labelledby=\"t%zu d%zu\"", number, number);
    for (const char *c = start + 4; c <= after; c++)
        sl_text_add_bytes(html, *c == '\n' ? " " : c, 1);
    sl_text_add(html, "<title id=\"t%zu\">", number);
    sl_html_escape(html, figure->title);
    sl_text_add(html, "</title><desc id=\"d%zu\">", number);
    sl_html_escape(html, figure->description);
    sl_text_add(html, "</desc>");
    /* gnuplot's own title and description go. */
    const char *end = strstr(after, description_end);
    const char *at = end && strstr(after, own_title) && strstr(after, own_title) < end
                         ? end + strlen(description_end)
                         : after + 1;
    while (*at) {
        size_t length = replaced(at, &by);
        if (length) {
            sl_text_add(html, "%s", by);
            at += length;
        } else if (!strncmp(at, "gpPt", 4) || !strncmp(at, "gnuplot_", 8)) {
            sl_text_add(html, "f%zu", number);
            sl_text_add_bytes(html, at++, 1);
        } else if (!strncmp(at, "<title>", 7)) {
            /* Names of series: of no use as tooltips, and read aloud out of place. */
            const char *close = strstr(at, "</title>");
            at = close ? close + 8 : at + 7;
        } else {
            const char *next = at + 1;
            while (*next && !strchr("r\"'g<", *next))
                next++;
            sl_text_add_bytes(html, at, (size_t)(next - at));
            at = next;
        }
    }
}

static const struct sl_metric *columns_at(size_t index)
{
    static const char *const names[] = {
        "latency",    "makespan",      "load",           "run",         "stall", "peak_bytes",
        "read_bytes", "swap_in_bytes", "swap_out_bytes", "major_faults"};
    const struct sl_metric *metric = NULL;
    if (index < sizeof(names) / sizeof(names[0]))
        sl_metric_find(names[index], &metric, NULL);
    return metric;
}

/* Median (least-greatest) of the main quantities of every cell. */
static void add_cells_table(struct sl_text *html, const struct sl_result_cells *cells)
{
    const struct sl_metric *metric;
    sl_text_add(html, "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">cell</th><th "
                      "scope=\"col\">ended ok</th>");
    for (size_t m = 0; (metric = columns_at(m)); m++)
        sl_text_add(html, "<th scope=\"col\">%s</th>", metric->title);
    sl_text_add(html, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < cells->count; i++) {
        const struct sl_result_cell *cell = &cells->cells[i];
        size_t all = json_array_size(cell->records);
        char name[512], text[32];
        sl_text_add(html, "<tr><td>");
        sl_html_escape(html, sl_result_cell_name(cell, true, name, sizeof(name)));
        sl_text_add(html, "</td><td%s>%zu of %zu", cell->failed ? " class=\"failed\"" : "",
                    all - cell->failed, all);
        if (cell->failed)
            sl_html_escape(html, ", ");
        if (cell->failed)
            sl_html_escape(html, sl_result_cell_ending(cell));
        sl_text_add(html, "</td>");
        for (size_t m = 0; (metric = columns_at(m)); m++) {
            struct sl_spread spread;
            if (!sl_result_cell_spread(cell, metric, &spread)) {
                sl_text_add(html, "<td>-</td>");
                continue;
            }
            sl_text_add(html, "<td><b>%s</b>", sl_metric_text(metric, spread.median, text));
            if (spread.count > 1 && spread.most > spread.least) {
                sl_text_add(html, " (%s", sl_metric_text(metric, spread.least, text));
                sl_text_add(html, " to %s)", sl_metric_text(metric, spread.most, text));
            }
            sl_text_add(html, "</td>");
        }
        sl_text_add(html, "</tr>\n");
    }
    sl_text_add(html, "</tbody></table></div>\n");
}

static void add_value(struct sl_text *html, const json_t *value)
{
    if (json_is_string(value)) {
        sl_html_escape(html, json_string_value(value));
        return;
    }
    SL_AUTO_FREE char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    sl_html_escape(html, !value || json_is_null(value) ? "-" : text ? text : "?");
}

/* Fields of records that the raw table leaves to tables and figures of their own. */
static bool is_apart(const char *field)
{
    return !strcmp(field, "layers") || !strcmp(field, "memory_samples") ||
           !strcmp(field, "context");
}

/* Every field of every record of a cell, one column for each record. */
static void add_raw_table(struct sl_text *html, const struct sl_result_cell *cell)
{
    json_t *fields = json_object(), *record, *value;
    const char *field;
    size_t i;
    json_array_foreach(cell->records, i, record) json_object_foreach(record, field, value)
    {
        if (!is_apart(field))
            json_object_set_new(fields, field, json_true());
    }
    sl_text_add(html, "<div class=\"scroll\"><table><tbody>\n");
    json_object_foreach(fields, field, value)
    {
        sl_text_add(html, "<tr><th scope=\"row\">");
        sl_html_escape(html, field);
        sl_text_add(html, "</th>");
        json_array_foreach(cell->records, i, record)
        {
            sl_text_add(html, "<td>");
            add_value(html, json_object_get(record, field));
            sl_text_add(html, "</td>");
        }
        sl_text_add(html, "</tr>\n");
    }
    sl_text_add(html, "</tbody></table></div>\n");
    json_decref(fields);
}

static void add_layer_table(struct sl_text *html, const struct sl_result_cell *cell)
{
    const json_t *rows = json_object_get(sl_result_cell_typical(cell), "layers"), *row;
    json_t *first = json_array_get(rows, 0), *value;
    const char *field;
    size_t i;
    if (!first)
        return;
    sl_text_add(html, "<h3>Layers, repetition of median latency</h3><div "
                      "class=\"scroll\"><table><thead><tr>");
    json_object_foreach(first, field, value)
    {
        sl_text_add(html, "<th scope=\"col\">");
        sl_html_escape(html, field);
        sl_text_add(html, "</th>");
    }
    sl_text_add(html, "</tr></thead><tbody>\n");
    json_array_foreach(rows, i, row)
    {
        sl_text_add(html, "<tr>");
        json_object_foreach(first, field, value)
        {
            sl_text_add(html, "<td>");
            add_value(html, json_object_get(row, field));
            sl_text_add(html, "</td>");
        }
        sl_text_add(html, "</tr>\n");
    }
    sl_text_add(html, "</tbody></table></div>\n");
}

static void add_raw(struct sl_text *html, const struct sl_result_cells *cells)
{
    sl_text_add(html, "<h2 id=\"numbers\">Every number</h2>\n<p class=\"muted\">All fields of all "
                      "records, one column for each record; what they mean is in docs/records.md. "
                      "Times in nanoseconds, sizes in bytes.</p>\n");
    for (size_t i = 0; i < cells->count; i++) {
        char name[512];
        sl_text_add(html, "<details><summary>");
        sl_html_escape(html, sl_result_cell_name(&cells->cells[i], true, name, sizeof(name)));
        sl_text_add(html, "</summary><div>\n");
        add_raw_table(html, &cells->cells[i]);
        add_layer_table(html, &cells->cells[i]);
        sl_text_add(html, "</div></details>\n");
    }
}

/* Each context that occurs, and how many records it has. */
static void add_environment(struct sl_text *html, const json_t *records)
{
    json_t *contexts = json_array(), *record, *value;
    const char *field;
    size_t i, j;
    sl_text_add(html, "<h2 id=\"environment\">Environment</h2>\n");
    json_array_foreach(records, i, record)
    {
        json_t *context = json_object_get(record, "context");
        for (j = 0; j < json_array_size(contexts); j++)
            if (json_equal(json_array_get(contexts, j), context))
                break;
        if (context && j == json_array_size(contexts))
            json_array_append(contexts, context);
    }
    size_t count = json_array_size(contexts);
    if (count > 1)
        sl_text_add(html,
                    "<p class=\"noise\">These results come from %zu different environments: "
                    "compare across them with care.</p>\n",
                    count);
    for (j = 0; j < count; j++) {
        size_t told = 0;
        json_array_foreach(records, i, record) told +=
            (size_t)json_equal(json_object_get(record, "context"), json_array_get(contexts, j));
        sl_text_add(html,
                    "<div class=\"scroll\"><table class=\"text\"><tbody><tr><th "
                    "scope=\"row\">records</th><td>%zu</td></tr>\n",
                    told);
        json_object_foreach(json_array_get(contexts, j), field, value)
        {
            sl_text_add(html, "<tr><th scope=\"row\">");
            sl_html_escape(html, field);
            sl_text_add(html, "</th><td>");
            add_value(html, value);
            sl_text_add(html, "</td></tr>\n");
        }
        sl_text_add(html, "</tbody></table></div>\n");
    }
    json_decref(contexts);
}

static void add_figures(struct sl_text *html, const struct sl_figures *figures,
                        const struct sl_text *svgs)
{
    static const struct {
        const char *id, *title, *text;
        bool folded;
    } sections[SL_FIGURE_KINDS] = {
        {"time", "Time against limit",
         "Median of each cell, whiskers from the least to the greatest sample; a cross at the top "
         "marks cells that did not end ok. One network: latency; networks together: makespan.",
         false},
        {"swap", "Swap against limit", "Pages swapped in and out while the cell ran.", false},
        {"bound", "Bound and gap",
         "Time as a multiple of what no schedule beats with this memory and storage: 1 is the "
         "bound, what is above it is the gap.",
         false},
        {"pareto", "Time against memory",
         "Each cell at its peak memory. Those on the dashed front are not beaten in both.", false},
        {"memory", "Memory over time",
         "Sampled from outside the group, the repetition of median latency.", false},
        {"timeline", "Timeline",
         "Of each policy, under the least limit that it got through, the repetition of median "
         "latency: each row is a layer, with the span in which its weights were read and the span "
         "in which it ran.",
         true},
        {"layers", "Layers",
         "Where time goes in each policy, under the least limit that it got through. Loads overlap "
         "with the others, so they do not add up.",
         true},
    };
    for (int kind = 0; kind < SL_FIGURE_KINDS; kind++) {
        bool begun = false;
        for (size_t i = 0; i < figures->count; i++) {
            const struct sl_figure *figure = &figures->figures[i];
            if ((int)figure->kind != kind)
                continue;
            if (!begun)
                sl_text_add(html,
                            "<h2 id=\"%s\">%s</h2>\n<p class=\"muted\">%s</p>\n%s<div "
                            "class=\"figures\">\n",
                            sections[kind].id, sections[kind].title, sections[kind].text,
                            sections[kind].folded ? "<details><summary>Show</summary><div>" : "");
            begun = true;
            sl_text_add(html, "<figure><figcaption>");
            sl_html_escape(html, figure->title);
            sl_text_add(html, "</figcaption>\n");
            sl_html_add_svg(html, figure, svgs[i].bytes ? svgs[i].bytes : "", i);
            sl_text_add(html, "</figure>\n");
        }
        if (begun)
            sl_text_add(html, "</div>%s\n", sections[kind].folded ? "</div></details>" : "");
    }
}

int sl_html_report(struct sl_text *html, const struct sl_result_cells *cells, const json_t *records,
                   const struct sl_figures *figures, const struct sl_text *svgs,
                   const struct sl_noise *noise)
{
    size_t failed = 0;
    for (size_t i = 0; i < cells->count; i++)
        failed += cells->cells[i].failed > 0;
    sl_text_add(html,
                "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta "
                "name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta "
                "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                "'unsafe-inline'; img-src data:\">\n<link rel=\"icon\" href=\"data:,\">\n"
                "<title>sluice report</title>\n<style>\n%s</style></head><body>\n"
                "<h1>sluice report</h1>\n<p>%zu records in %zu cells; ",
                style, json_array_size(records), cells->count);
    if (failed)
        sl_text_add(html, "%zu cell%s did not always end ok.", failed, failed > 1 ? "s" : "");
    else
        sl_text_add(html, "all ended ok.");
    sl_text_add(html, " <span class=\"muted\">Written by sluice %s.</span></p>\n", sl_version());
    if (noise->count) {
        sl_text_add(html, "<section class=\"noise\" aria-label=\"Noise\"><strong>Noise: read these "
                          "results with care</strong><ul>\n");
        for (size_t i = 0; i < noise->count; i++) {
            sl_text_add(html, "<li>");
            sl_html_escape(html, noise->lines[i]);
            sl_text_add(html, "</li>\n");
        }
        sl_text_add(html, "</ul></section>\n");
    }
    add_figures(html, figures, svgs);
    sl_text_add(html, "<h2 id=\"cells\">Cells</h2>\n<p class=\"muted\">Median (least to "
                      "greatest).</p>\n");
    add_cells_table(html, cells);
    add_environment(html, records);
    add_raw(html, cells);
    sl_text_add(html, "</body></html>\n");
    return html->failed ? -ENOMEM : 0;
}
