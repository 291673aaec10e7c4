#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/cli/command.h"
#include "runtime/cli/result_files.h"
#include "runtime/report/comparison.h"
#include "runtime/report/noise.h"
#include "runtime/report/record.h"
#include "runtime/report/text_table.h"

#define FIRST_IN_HELP(name, field, title, unit)    name " (default)"
#define OTHER_IN_HELP(name, field, title, unit)    ", " name
#define FIRST_OF_CHOICES(name, field, title, unit) name
#define OTHER_OF_CHOICES(name, field, title, unit) " " name

static const struct cli_option options[] = {
    {"metric", 0, "M", "what to compare: " SL_METRICS(FIRST_IN_HELP, OTHER_IN_HELP),
     SL_METRICS(FIRST_OF_CHOICES, OTHER_OF_CHOICES), false},
    {"fail-above", 0, "PCT%",
     "exit with 4 when a cell is worse by more than this and its interval lies above 1, or failed",
     NULL, false},
    {"format", 'o', "table|json|csv|md", "how to print (default table)", "table json csv md",
     false},
    {0},
};

struct compare_command {
    const struct sl_metric *metric;
    double threshold; /* -1: not given */
    enum sl_format format;
    struct result_files before, after;
    struct sl_comparison comparison;
};

static void compare_free(struct compare_command *compare)
{
    sl_comparison_free(&compare->comparison);
    result_files_free(&compare->before);
    result_files_free(&compare->after);
}

static int read_threshold(const struct cli_arguments *arguments, double *threshold,
                          struct sl_error *error)
{
    double percent = -100;
    int code = cli_percent(arguments, "fail-above", 0, 100000, &percent, error);
    *threshold = percent / 100;
    return code;
}

static int read_metric(const struct cli_arguments *arguments, const struct sl_metric **metric,
                       struct sl_error *error)
{
    const char *name = cli_text(arguments, "metric");
    *metric = sl_metric_at(0);
    int code = name ? sl_metric_find(name, metric, error) : 0;
    return code < 0 ? cli_wrap(arguments, "metric", error) : 0;
}

static json_t *number(double value, double least)
{
    return value >= least && isfinite(value) ? json_real(value) : json_null();
}

/* Null without a threshold. */
static json_t *regressed(const struct compare_command *compare, const struct sl_comparison_row *row)
{
    return compare->threshold < 0 ? json_null()
                                  : json_boolean(row->before && row->after &&
                                                 sl_comparison_regressed(row, compare->threshold));
}

static json_t *ended(const struct sl_result_cell *cell)
{
    return cell ? json_string(sl_result_cell_ending(cell)) : json_null();
}

static json_t *row_json(const struct compare_command *compare, const struct sl_comparison_row *row)
{
    const struct sl_result_cell *cell = row->before ? row->before : row->after;
    const json_t *record = sl_result_cell_record(cell);
    char name[512];
    json_t *limit = json_object_get(record, "memory_limit");
    return json_pack("{s:s, s:s, s:s, s:s, s:O, s:s, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, "
                     "s:o, s:o, s:o}",
                     "cell", sl_result_cell_name(cell, true, name, sizeof(name)), "network",
                     sl_record_text(record, "network"), "networks", cell->set, "policy",
                     sl_record_text(record, "policy"), "memory_limit", limit ? limit : json_null(),
                     "metric", compare->metric->name, "verdict",
                     !row->before  ? "only after"
                     : !row->after ? "only before"
                                   : sl_verdict_name(row->verdict),
                     "regressed", regressed(compare, row), "before_samples",
                     (json_int_t)row->before_count, "after_samples", (json_int_t)row->after_count,
                     "before_median", number(row->before_median, 0), "after_median",
                     number(row->after_median, 0), "ratio", number(row->ratio, 0), "ratio_low",
                     number(row->low, 0), "ratio_high", number(row->high, 0), "p",
                     number(row->p, 0), "before_ended", ended(row->before), "after_ended",
                     ended(row->after));
}

/* A median, and how often what ended otherwise. */
#define SIDE_BYTES 96

static const char *side(const struct compare_command *compare, const struct sl_result_cell *cell,
                        double median, char buffer[SIDE_BYTES])
{
    char text[32];
    const char *ended = sl_result_cell_ending(cell);
    snprintf(buffer, SIDE_BYTES, "%s", sl_metric_text(compare->metric, median, text));
    if (!cell->failed)
        return buffer;
    if (median >= 0)
        snprintf(buffer, SIDE_BYTES, "%s, %.12s %zu of %zu", text, ended, cell->failed,
                 json_array_size(cell->records));
    else
        snprintf(buffer, SIDE_BYTES, "%.12s", ended);
    return buffer;
}

static void add_row(struct sl_table *table, const struct compare_command *compare,
                    const struct sl_comparison_row *row)
{
    char name[512], before[SIDE_BYTES], after[SIDE_BYTES];
    sl_table_add(table, "%s%s", sl_verdict_name(row->verdict),
                 compare->threshold >= 0 && sl_comparison_regressed(row, compare->threshold) ? " !"
                                                                                             : "");
    sl_table_add(table, "%s", sl_result_cell_name(row->before, true, name, sizeof(name)));
    sl_table_add(table, "%s", side(compare, row->before, row->before_median, before));
    sl_table_add(table, "%s", side(compare, row->after, row->after_median, after));
    if (row->ratio >= 0)
        sl_table_add(table, "%.3f", row->ratio);
    else
        sl_table_add(table, "-");
    if (row->low >= 0)
        sl_table_add(table, "%.3f-%.3f", row->low, row->high);
    else
        sl_table_add(table, "-");
    if (row->p >= 0)
        sl_table_add(table, "%.2g", row->p);
    else
        sl_table_add(table, "-");
    sl_table_add(table, "%zu/%zu", row->before_count, row->after_count);
}

static const struct sl_column for_people[] = {
    {"verdict", false}, {"cell", false}, {"before", true}, {"after", true},
    {"ratio", true},    {"95 %", true},  {"p", true},      {"samples", true},
};
static const struct sl_column for_programs[] = {
    {"verdict", false},       {"regressed", false},
    {"cell", false},          {"metric", false},
    {"before_median", true},  {"after_median", true},
    {"ratio", true},          {"ratio_low", true},
    {"ratio_high", true},     {"p", true},
    {"before_samples", true}, {"after_samples", true},
    {"before_ended", false},  {"after_ended", false},
};
#define COUNT(columns) ((int)(sizeof(columns) / sizeof((columns)[0])))

static int print_rows(const struct compare_command *compare, struct sl_error *error)
{
    const bool people = sl_format_for_people(compare->format);
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, people ? for_people : for_programs,
                  people ? COUNT(for_people) : COUNT(for_programs));
    int code = 0;
    for (size_t i = 0; i < compare->comparison.count && code == 0; i++) {
        const struct sl_comparison_row *row = &compare->comparison.rows[i];
        /* Cells without a partner have lines of their own (print_doubts). */
        if (compare->format != SL_FORMAT_JSON && (!row->before || !row->after))
            continue;
        if (people)
            add_row(&table, compare, row);
        else
            code = sl_record_give(row_json(compare, row), compare->format, &table, stdout);
    }
    if (code == 0 && compare->format != SL_FORMAT_JSON)
        code = sl_table_write(&table, compare->format, stdout);
    return code < 0 ? sl_error_set(error, code, "cannot print the comparison: %s", strerror(-code))
                    : 0;
}

/* Differences of context, cells without a partner, noise: what makes a ratio doubtful. */
static void print_doubts(const struct compare_command *compare)
{
    static const char *const fields[] = {"version", "commit",         "kernel", "cpu",
                                         "cpus",    "cgroup_version", "isa",    "storage"};
    const json_t *before = json_array_get(compare->before.records, 0);
    const json_t *after = json_array_get(compare->after.records, 0);
    before = json_object_get(before, "context");
    after = json_object_get(after, "context");
    for (size_t i = 0; before && after && i < sizeof(fields) / sizeof(fields[0]); i++) {
        json_t *left = json_object_get(before, fields[i]),
               *right = json_object_get(after, fields[i]);
        if (!left || !right || json_equal(left, right))
            continue;
        SL_AUTO_FREE char *one = json_dumps(left, JSON_ENCODE_ANY);
        SL_AUTO_FREE char *two = json_dumps(right, JSON_ENCODE_ANY);
        fprintf(stderr, "sluice: note: %s differs: %s before, %s after\n", fields[i],
                one ? one : "?", two ? two : "?");
    }
    for (size_t i = 0; i < compare->comparison.count; i++) {
        const struct sl_comparison_row *row = &compare->comparison.rows[i];
        char name[512];
        if (!row->before || !row->after)
            fprintf(stderr, "sluice: note: only in %s: %s\n",
                    row->before ? compare->before.paths : compare->after.paths,
                    sl_result_cell_name(row->before ? row->before : row->after, true, name,
                                        sizeof(name)));
    }
    const struct result_files *const both[] = {&compare->before, &compare->after};
    for (int i = 0; i < 2; i++)
        result_files_print_noise(both[i]);
}

static int finish(const struct compare_command *compare, bool quiet)
{
    size_t regressed = 0, few = 0;
    for (size_t i = 0; i < compare->comparison.count; i++) {
        const struct sl_comparison_row *row = &compare->comparison.rows[i];
        bool matched = row->before && row->after;
        regressed += sl_comparison_regressed(row, fmax(compare->threshold, 0));
        few += matched && row->verdict == SL_VERDICT_TOO_FEW;
    }
    if (few && !quiet)
        fprintf(stderr,
                "sluice: hint: %zu of %zu cells have fewer than %d samples on a side, which tell "
                "nothing of their spread; try --runs 5 or more\n",
                few, compare->comparison.matched, SL_COMPARISON_LEAST);
    if (compare->threshold < 0 || regressed == 0)
        return CLI_OK;
    fprintf(stderr, "sluice: %zu of %zu cells regressed above %g %%\n", regressed,
            compare->comparison.matched, 100 * compare->threshold);
    return CLI_REGRESSION;
}

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    SL_AUTO(compare_free) struct compare_command compare = {0};
    if (cli_format(arguments, &compare.format, &error) < 0 ||
        read_metric(arguments, &compare.metric, &error) < 0 ||
        read_threshold(arguments, &compare.threshold, &error) < 0)
        return cli_usage(arguments->command, &error);
    if (result_files_read(&arguments->operands[0], 1, &compare.before, &error) < 0 ||
        result_files_read(&arguments->operands[1], 1, &compare.after, &error) < 0 ||
        sl_comparison_make(&compare.before.cells, &compare.after.cells, compare.metric,
                           &compare.comparison, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    const bool quiet = cli_flag(arguments, "quiet");
    if (compare.comparison.matched == 0) {
        sl_error_set(&error, -ENOENT, "%s and %s have no cell in common; nothing to compare",
                     arguments->operands[0], arguments->operands[1]);
        if (!quiet)
            print_doubts(&compare);
        return cli_fail(CLI_FAILED, &error);
    }
    if (print_rows(&compare, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    fflush(stdout);
    if (!quiet)
        print_doubts(&compare);
    return finish(&compare, quiet);
}

const struct cli_command command_compare = {
    .name = "compare",
    .summary = "compare two results files, cell by cell",
    .operands = "BEFORE AFTER",
    .least_operands = 2,
    .most_operands = 2,
    .operand_choices = "@files",
    .description =
        "Matches the cells of two files of records (`sluice run -o json`, `sluice sweep`) and "
        "prints the ratio of their medians, after to before, with a 95 % bootstrap interval "
        "(10,000 "
        "resamples, the same ones every time) and the two-sided p of the Mann-Whitney test. "
        "Regressions come first, then improvements. Cells without a partner, differences of "
        "machine and version, and signs of noise are told on stderr.\n\n"
        "A cell is worse when its interval lies above 1, better when it lies below, the same when "
        "it lies between 0.95 and 1.05, else undecided; with fewer "
        "than 5 samples on a side there is no interval and no verdict. A cell that ended ok before "
        "and did not end ok every time now has failed. With --fail-above 5% the exit code is 4 "
        "when "
        "a cell has failed, or when it is worse and its ratio is above 1.05.",
    .examples =
        "sluice compare before.jsonl after.jsonl --fail-above 5%\tfor continuous integration\n"
        "sluice compare before.jsonl after.jsonl --metric peak_bytes -o md\tmemory, as a table\n",
    .options = options,
    .run = run,
};
