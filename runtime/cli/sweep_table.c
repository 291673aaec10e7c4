/* The summary of a sweep: a row per cell. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/stats.h"
#include "runtime/base/text.h"
#include "runtime/base/units.h"
#include "runtime/cli/sweep.h"
#include "runtime/report/record.h"

/* Numbers of a cell that have a column; -1: none. */
struct summary {
    double median, least, most;
    struct sl_text ended; /* "ok" or "ok 3, oom 2" */
};

static void summarise(struct sweep_cell *cell, struct summary *summary)
{
    size_t count = cell->sample_count;
    *summary = (struct summary){-1, -1, -1, {0}};
    if (count > 0) {
        sl_sort_u64(cell->samples, count);
        summary->median = sl_quantile(cell->samples, count, 0.5);
        summary->least = (double)cell->samples[0];
        summary->most = (double)cell->samples[count - 1];
    }
    int kinds = 0;
    for (int e = 0; e < SWEEP_ENDINGS; e++)
        kinds += cell->endings[e] > 0;
    for (int e = 0; e < SWEEP_ENDINGS; e++) {
        if (cell->endings[e] == 0)
            continue;
        sl_text_add(&summary->ended, "%s%s", summary->ended.length ? ", " : "",
                    sl_ending_name((enum sl_ending)e));
        if (kinds > 1)
            sl_text_add(&summary->ended, " %d", cell->endings[e]);
    }
    if (kinds == 0)
        sl_text_add(&summary->ended, "not run");
}

/* Columns of every table: those of the summary behind those of the options. */
static const struct sl_column for_people[] = {
    {"runs", true}, {"median", true},  {"min", true},      {"max", true},
    {"peak", true}, {"swap in", true}, {"swap out", true}, {"ended", false},
};
static const struct sl_column for_programs[] = {
    {"runs", true},       {"median_ns", true},     {"min_ns", true},         {"max_ns", true},
    {"peak_bytes", true}, {"swap_in_bytes", true}, {"swap_out_bytes", true}, {"ended", false},
};
#define SUMMARY_COLUMNS (int)(sizeof(for_people) / sizeof(for_people[0]))

enum unit { COUNT, TIME, SIZE };

static void add_number(struct sl_table *table, double value, enum unit unit, bool exact)
{
    char text[SL_UNIT_TEXT_BYTES];
    if (value < 0)
        sl_table_add(table, "%s", exact ? "" : "-");
    else if (exact || unit == COUNT)
        sl_table_add(table, "%.0f", value);
    else
        sl_table_add(table, "%s",
                     unit == TIME ? sl_format_duration((uint64_t)value, text)
                                  : sl_format_size((uint64_t)value, text));
}

static bool is_shown(const struct sweep *sweep, int option, bool exact)
{
    const char *name = cell_options[option].name;
    bool always = !strcmp(name, "policy") || !strcmp(name, "memory");
    return always || sweep->varies[option] ||
           (exact && cell_options[option].kind != CELL_REPEATED &&
            sweep->cells[0].point->texts[option]);
}

/* What a column of an option says when it is not given. */
static const char *text_of(const struct sweep_cell *cell, int option, bool exact)
{
    const char *name = cell_options[option].name, *text = cell->point->texts[option];
    if (!strcmp(name, "policy"))
        return cell->point->request.cell.policy;
    if (!text && !strcmp(name, "memory"))
        return "none";
    if (!text)
        return exact ? "" : "-";
    return text;
}

static void add_memory(struct sl_table *table, const struct sweep_cell *cell, bool exact)
{
    char text[SL_UNIT_TEXT_BYTES];
    uint64_t bytes = cell->point->request.limits.memory_bytes;
    if (bytes == SL_NO_LIMIT)
        sl_table_add(table, "%s", exact ? "" : "none");
    else if (exact)
        sl_table_add(table, "%" PRIu64, bytes);
    else
        sl_table_add(table, "%s", sl_format_size(bytes, text));
}

static void add_row(struct sl_table *table, const struct sweep *sweep, struct sweep_cell *cell,
                    bool exact)
{
    struct summary summary;
    summarise(cell, &summary);
    if (exact)
        sl_table_add(table, "%s", cell->key);
    sl_table_add(table, "%s", cell->group->names);
    for (int i = 0; cell_options[i].name; i++) {
        if (is_shown(sweep, i, exact) && !strcmp(cell_options[i].name, "memory"))
            add_memory(table, cell, exact);
        else if (is_shown(sweep, i, exact))
            sl_table_add(table, "%s", text_of(cell, i, exact));
    }
    add_number(table, (double)cell->done, COUNT, exact);
    add_number(table, summary.median, TIME, exact);
    add_number(table, summary.least, TIME, exact);
    add_number(table, summary.most, TIME, exact);
    add_number(table, cell->peak_bytes, SIZE, exact);
    add_number(table, cell->swap_in_bytes, SIZE, exact);
    add_number(table, cell->swap_out_bytes, SIZE, exact);
    sl_table_add(table, "%s", summary.ended.failed ? "" : summary.ended.bytes);
    sl_text_free(&summary.ended);
}

static int print_table(const struct sweep *sweep, enum sl_format format, FILE *stream)
{
    struct sl_column columns[CELL_OPTIONS_MOST + SUMMARY_COLUMNS + 2];
    bool exact = format == SL_FORMAT_CSV;
    int count = 0;
    if (exact)
        columns[count++] = (struct sl_column){"key", false};
    columns[count++] = (struct sl_column){"network", false};
    for (int i = 0; cell_options[i].name; i++) {
        bool memory = !strcmp(cell_options[i].name, "memory");
        const char *name = exact ? "memory_limit" : "limit";
        if (is_shown(sweep, i, exact))
            columns[count++] = (struct sl_column){memory ? name : cell_options[i].name,
                                                  memory || cell_options[i].kind == CELL_RANGED};
    }
    for (int i = 0; i < SUMMARY_COLUMNS; i++)
        columns[count++] = exact ? for_programs[i] : for_people[i];
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, columns, count);
    for (int c = 0; c < sweep->cell_count; c++)
        add_row(&table, sweep, &sweep->cells[c], exact);
    return sl_table_write(&table, format, stream);
}

/* One object per cell and line. */
static int print_json(const struct sweep *sweep, FILE *stream)
{
    int code = 0;
    for (int c = 0; code == 0 && c < sweep->cell_count; c++) {
        struct sweep_cell *cell = &sweep->cells[c];
        struct summary summary;
        summarise(cell, &summary);
        json_t *row = json_pack("{s:s, s:s}", "key", cell->key, "network", cell->group->names);
        for (int i = 0; cell_options[i].name; i++)
            if (is_shown(sweep, i, true) && strcmp(cell_options[i].name, "memory"))
                json_object_set_new(row, cell_options[i].name, json_string(text_of(cell, i, true)));
        uint64_t limit = cell->point->request.limits.memory_bytes;
        json_object_set_new(row, "memory_limit",
                            sl_record_whole(limit == SL_NO_LIMIT ? -1 : (double)limit));
        const double values[] = {(double)cell->done,  summary.median,   summary.least,
                                 summary.most,        cell->peak_bytes, cell->swap_in_bytes,
                                 cell->swap_out_bytes};
        for (int i = 0; i + 1 < SUMMARY_COLUMNS; i++)
            json_object_set_new(row, for_programs[i].name, sl_record_whole(values[i]));
        json_t *samples = json_array();
        for (size_t s = 0; s < cell->sample_count; s++)
            json_array_append_new(samples, json_integer((json_int_t)cell->samples[s]));
        json_object_set_new(row, "samples_ns", samples);
        json_object_set_new(row, "ended",
                            json_string(summary.ended.failed ? "" : summary.ended.bytes));
        code = row ? sl_record_write(row, stream) : -ENOMEM;
        json_decref(row);
        sl_text_free(&summary.ended);
    }
    return code;
}

int sweep_print(const struct sweep *sweep, enum sl_format format, FILE *stream)
{
    return format == SL_FORMAT_JSON ? print_json(sweep, stream)
                                    : print_table(sweep, format, stream);
}
