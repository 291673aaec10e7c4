#include "runtime/report/result_cells.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/text.h"
#include "runtime/cli/command.h"
#include "runtime/report/comparison.h"
#include "runtime/report/figure_axis.h"
#include "runtime/report/figures.h"
#include "runtime/report/html_report.h"
#include "runtime/report/noise.h"
#include "runtime/report/paper_tables.h"

#define OK                                                                                         \
    "\"status\":\"ok\",\"network\":\"A\",\"policy\":\"bulk\",\"loader\":\"uring\",\"threads\":2"
#define FREED "\"memory_limit\":null"

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    cr_assert(json, "%s", error.text);
    return json;
}

static struct sl_result_cells group(const char *text, json_t **records)
{
    struct sl_result_cells cells = {0};
    *records = parse(text);
    cr_assert_eq(sl_result_cells_group(*records, &cells, NULL), 0);
    return cells;
}

Test(result_cells, settings_tell_cells_apart)
{
    json_t *records;
    struct sl_result_cells cells =
        group("[{" OK ",\"memory_limit\":null},{" OK ",\"memory_limit\":67108864},"
              "{" OK ",\"memory_limit\":null,\"depth\":4},{" OK ",\"memory_limit\":null}]",
              &records);
    cr_expect_eq(cells.count, 3);
    cr_expect_eq(json_array_size(cells.cells[0].records), 2);
    sl_result_cells_free(&cells);
    json_decref(records);
}

Test(result_cells, budget_cold_and_verification_tell_cells_apart)
{
    json_t *records;
    struct sl_result_cells cells =
        group("[{" OK "," FREED "},{" OK "," FREED ",\"budget_given\":6291456},"
              "{" OK "," FREED ",\"cold\":true},{" OK "," FREED ",\"no_verify\":true},"
              "{" OK "," FREED ",\"budget_given\":null,\"cold\":null}]",
              &records);
    static const char *const names[] = {
        "A bulk, no limit, threads 2", "A bulk, no limit, budget 6.00 MiB, threads 2",
        "A bulk, no limit, cold, threads 2", "A bulk, no limit, no verify, threads 2"};
    cr_assert_eq(cells.count, 4);
    cr_expect_eq(json_array_size(cells.cells[0].records), 2);
    for (size_t i = 0; i < 4; i++) {
        char name[256];
        cr_expect_str_eq(sl_result_cell_name(&cells.cells[i], true, name, sizeof(name)), names[i]);
    }
    sl_result_cells_free(&cells);
    json_decref(records);
}

#define PACK(name, identity)                                                                       \
    "{" OK "," FREED ",\"pack\":\"" name "\",\"pack_identity\":\"" identity "\"}"

Test(result_cells, packs_tell_cells_apart)
{
    json_t *both, *one, *other;
    struct sl_result_cells cells = group("[" PACK("a", "1") "," PACK("b", "2") "]", &both),
                           before = group("[" PACK("a", "1") "]", &one),
                           after = group("[" PACK("c", "3") "]", &other);
    char name[256];
    cr_assert_eq(cells.count, 2);
    cr_expect_str_eq(sl_result_cell_name(&cells.cells[1], true, name, sizeof(name)),
                     "A bulk, no limit, pack b, threads 2");
    cr_expect_str_eq(sl_result_cell_name(&before.cells[0], true, name, sizeof(name)),
                     "A bulk, no limit, threads 2");
    cr_expect_not(sl_result_cell_same_figure(&cells.cells[0], &cells.cells[1]));
    /* The same pack is found; another one where there is no choice. */
    cr_expect_eq(sl_result_cell_find(&cells, &before.cells[0]), &cells.cells[0]);
    cr_expect_eq(sl_result_cell_find(&after, &before.cells[0]), &after.cells[0]);
    cr_expect_null(sl_result_cell_find(&cells, &after.cells[0]));
    cr_expect_null(sl_result_cell_find(&after, &cells.cells[1]));
    sl_result_cells_free(&cells);
    sl_result_cells_free(&before);
    sl_result_cells_free(&after);
    json_decref(both);
    json_decref(one);
    json_decref(other);
}

Test(result_cells, a_killed_record_joins_its_cell)
{
    json_t *records;
    struct sl_result_cells cells = group(
        "[{\"status\":\"oom\",\"network\":\"A\",\"policy\":\"bulk\",\"memory_limit\":1048576},"
        "{" OK ",\"memory_limit\":1048576,\"latency_ns\":[5]},"
        "{\"status\":\"oom\",\"network\":\"A\",\"policy\":\"bulk\",\"memory_limit\":null}]",
        &records);
    cr_assert_eq(cells.count, 2);
    cr_expect_eq(json_array_size(cells.cells[0].records), 2);
    cr_expect_eq(cells.cells[0].failed, 1);
    cr_expect_str_eq(sl_result_cell_ending(&cells.cells[0]), "oom");
    sl_result_cells_free(&cells);
    json_decref(records);
}

Test(result_cells, keys_tell_cells_apart)
{
    json_t *records;
    struct sl_result_cells cells =
        group("[{" OK "," FREED ",\"key\":\"1\"},{" OK "," FREED ",\"key\":\"2\"}]", &records);
    cr_expect_eq(cells.count, 2);
    sl_result_cells_free(&cells);
    json_decref(records);
}

Test(result_cells, networks_of_one_worker_are_a_set)
{
    json_t *records;
    struct sl_result_cells cells = group("[{" OK "," FREED ",\"wall_ns\":7},"
                                         "{\"status\":\"ok\",\"network\":\"B\",\"policy\":\"bulk\","
                                         "\"memory_limit\":null,\"wall_ns\":7},"
                                         "{" OK "," FREED ",\"wall_ns\":8}]",
                                         &records);
    cr_assert_eq(cells.count, 3);
    cr_expect_str_eq(cells.cells[0].set, "A+B");
    cr_expect_str_eq(cells.cells[1].set, "A+B");
    cr_expect_str_eq(cells.cells[2].set, "A");
    sl_result_cells_free(&cells);
    json_decref(records);
}

Test(result_cells, axis_has_no_limit_first)
{
    json_t *records;
    struct sl_result_cells cells =
        group("[{" OK ",\"memory_limit\":1048576},{" OK ",\"memory_limit\":4194304},"
              "{" OK "," FREED "}]",
              &records);
    struct sl_axis axis;
    cr_assert_eq(sl_axis_make(&cells, 0, &axis), 1);
    cr_assert_eq(axis.limit_count, 3);
    cr_expect(axis.limits[0] < 0 && axis.limits[1] > axis.limits[2]);
    cr_expect_eq(sl_axis_cell(&axis, 0, 1), &cells.cells[1]);
    sl_axis_free(&axis);
    cr_expect_eq(sl_axis_make(&cells, 1, &axis), 0);
    sl_axis_free(&axis);
    sl_result_cells_free(&cells);
    json_decref(records);
}

static enum sl_verdict verdict_of(const char *before, const char *after, double threshold,
                                  bool *regressed)
{
    char text[512];
    json_t *one, *two;
    snprintf(text, sizeof(text), "[{" OK "," FREED ",\"latency_ns\":%s}]", before);
    struct sl_result_cells left = group(text, &one);
    if (*after == '[')
        snprintf(text, sizeof(text), "[{" OK "," FREED ",\"latency_ns\":%s}]", after);
    else
        snprintf(
            text, sizeof(text),
            "[{\"status\":\"oom\",\"network\":\"A\",\"policy\":\"bulk\",\"memory_limit\":null}]");
    struct sl_result_cells right = group(text, &two);
    struct sl_comparison comparison;
    cr_assert_eq(sl_comparison_make(&left, &right, sl_metric_at(0), &comparison, NULL), 0);
    cr_assert_eq(comparison.matched, 1);
    enum sl_verdict verdict = comparison.rows[0].verdict;
    *regressed = sl_comparison_regressed(&comparison.rows[0], threshold);
    sl_comparison_free(&comparison);
    sl_result_cells_free(&left);
    sl_result_cells_free(&right);
    json_decref(one);
    json_decref(two);
    return verdict;
}

/* What the help and the completions of --metric name is what there is. */
Test(comparison, offers_every_metric)
{
    SL_AUTO(sl_text_free) struct sl_text choices = {0}, help = {0};
    const struct cli_option *option = cli_option_find(command_compare.options, "metric", 6);
    const struct sl_metric *metric, *found;
    sl_text_add(&help, "what to compare: ");
    for (int i = 0; (metric = sl_metric_at(i)); i++) {
        sl_text_add(&choices, "%s%s", i ? " " : "", metric->name);
        sl_text_add(&help, "%s%s%s", i ? ", " : "", metric->name, i ? "" : " (default)");
        cr_expect_eq(sl_metric_find(metric->name, &found, NULL), 0);
        cr_expect_eq(found, metric);
    }
    cr_assert_not_null(option);
    cr_expect_str_eq(option->choices, choices.bytes);
    cr_expect_str_eq(option->help, help.bytes);
}

Test(comparison, verdicts)
{
    bool regressed;
    const char *before = "[100,101,102,103,104]";
    cr_expect_eq(verdict_of(before, "[120,121,122,123,124]", 0.05, &regressed), SL_VERDICT_WORSE);
    cr_expect(regressed);
    cr_expect_eq(verdict_of(before, "[120,121,122,123,124]", 0.25, &regressed), SL_VERDICT_WORSE);
    cr_expect(!regressed);
    cr_expect_eq(verdict_of(before, "[80,81,82,83,84]", 0.05, &regressed), SL_VERDICT_BETTER);
    cr_expect(!regressed);
    cr_expect_eq(verdict_of(before, before, 0.05, &regressed), SL_VERDICT_SAME);
    cr_expect_eq(verdict_of(before, "[90,95,130,150,160]", 0.05, &regressed), SL_VERDICT_UNDECIDED);
    cr_expect(!regressed);
    cr_expect_eq(verdict_of(before, "[200,201]", 0.05, &regressed), SL_VERDICT_TOO_FEW);
    cr_expect(!regressed);
    cr_expect_eq(verdict_of(before, "oom", 0.05, &regressed), SL_VERDICT_FAILED);
    cr_expect(regressed);
}

/* The kinds of noise that one record with these further fields shows, as bits. */
static unsigned noise_of(const char *fields)
{
    char text[1024];
    json_t *records;
    snprintf(text, sizeof(text), "[{" OK "," FREED ",%s}]", fields);
    struct sl_result_cells cells = group(text, &records);
    struct sl_noise noise;
    unsigned kinds = 0;
    sl_noise_find(&cells, &noise);
    for (size_t i = 0; i < noise.count; i++)
        kinds |= 1u << noise.kinds[i];
    sl_noise_free(&noise);
    sl_result_cells_free(&cells);
    json_decref(records);
    return kinds;
}

Test(noise, planted)
{
    cr_expect_eq(noise_of("\"latency_ns\":[300,100,101,102,103,104]"), 1u << SL_NOISE_SLOW_FIRST);
    cr_expect_eq(noise_of("\"latency_ns\":[300,100,101,102,103,104],\"weights_bytes\":1000,"
                          "\"read_bytes\":400"),
                 0, "a policy that keeps weights is slow at first by design");
    cr_expect_eq(noise_of("\"latency_ns\":[100,101,102,400,103,104]"), 1u << SL_NOISE_OUTLIERS);
    cr_expect_eq(noise_of("\"conditions\":{\"wall_ns\":1e9,\"others_cpu_share\":0.5}"),
                 1u << SL_NOISE_BUSY);
    cr_expect_eq(noise_of("\"conditions\":{\"wall_ns\":1e9,\"steal_share\":0.2}"),
                 1u << SL_NOISE_STOLEN);
    cr_expect_eq(noise_of("\"conditions\":{\"wall_ns\":1e9,\"clock_share\":0.5}"),
                 1u << SL_NOISE_THROTTLED);
    cr_expect_eq(noise_of("\"conditions\":{\"wall_ns\":1e9,\"quota_share\":0.5}"),
                 1u << SL_NOISE_THROTTLED);
    cr_expect_eq(noise_of("\"latency_ns\":[5],\"direct\":false,\"read_bytes\":100000000,"
                          "\"conditions\":{\"wall_ns\":1e9,\"storage_read_bytes\":1000}"),
                 1u << SL_NOISE_WARM_CACHE);
}

Test(noise, clean)
{
    cr_expect_eq(noise_of("\"latency_ns\":[100]"), 0);
    cr_expect_eq(noise_of("\"latency_ns\":[104,100,101,102,103,104]"), 0);
    cr_expect_eq(noise_of("\"latency_ns\":[100,100,100,100,100,101]"), 0);
    cr_expect_eq(noise_of("\"conditions\":{\"wall_ns\":1e9,\"others_cpu_share\":0.05,"
                          "\"steal_share\":0.01,\"clock_share\":0.98,\"quota_share\":0}"),
                 0);
    /* Ticks tell nothing of so short a cell. */
    cr_expect_eq(noise_of("\"conditions\":{\"wall_ns\":1e7,\"others_cpu_share\":1}"), 0);
    cr_expect_eq(noise_of("\"latency_ns\":[5],\"direct\":true,\"read_bytes\":100000000,"
                          "\"conditions\":{\"wall_ns\":1e9,\"storage_read_bytes\":0}"),
                 0);
    cr_expect_eq(noise_of("\"latency_ns\":[5],\"direct\":false,\"read_bytes\":100000000,"
                          "\"conditions\":{\"wall_ns\":1e9,\"storage_read_bytes\":101000000}"),
                 0);
}

/* Uniform jitter of 5 % is no noise worth a word, whatever the seed. */
Test(noise, jitter_is_clean)
{
    for (unsigned seed = 0; seed < 200; seed++) {
        char text[256];
        size_t length = (size_t)snprintf(text, sizeof(text), "\"latency_ns\":[");
        unsigned state = seed;
        for (int i = 0; i < 12; i++) {
            state = state * 1103515245u + 12345u;
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%u", i ? "," : "",
                                       1000 + (state >> 16) % 50);
        }
        snprintf(text + length, sizeof(text) - length, "]");
        cr_expect_eq(noise_of(text), 0, "seed %u: %s", seed, text);
    }
}

Test(html, escapes)
{
    SL_AUTO(sl_text_free) struct sl_text html = {0};
    sl_html_escape(&html, "<b a=\"1\" c='2'>&\xc3\xa9\xff\x01\xe2\x82");
    cr_expect_str_eq(html.bytes, "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;\xc3\xa9"
                                 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

Test(html, svg_is_named_and_unique)
{
    char title[] = "a < b", description[] = "d";
    const struct sl_figure figure = {.title = title, .description = description};
    SL_AUTO(sl_text_free) struct sl_text html = {0};
    sl_html_add_svg(
        &html, &figure,
        "<?xml?>\n<svg viewBox=\"0 0 1 1\">\n<title>Gnuplot</title>\n<desc>Produced</desc>"
        "<path id='gpPt0' stroke='rgb(  0, 114, 178)'/><text fill=\"black\">x</text></svg>",
        3);
    cr_expect_str_eq(html.bytes, "<svg role=\"img\" aria-labelledby=\"t3 d3\" viewBox=\"0 0 1 1\">"
                                 "<title id=\"t3\">a &lt; b</title><desc id=\"d3\">d</desc>"
                                 "<path id='f3gpPt0' stroke='var(--c1)'/>"
                                 "<text fill=\"currentColor\">x</text></svg>");
}

Test(paper_tables, escape_what_latex_and_markdown_read)
{
    json_t *records;
    struct sl_result_cells cells = group(
        "[{\"status\":\"ok\",\"network\":\"A_%|B\",\"policy\":\"bulk\",\"latency_ns\":[2000000]}]",
        &records);
    SL_AUTO(sl_text_free) struct sl_text latex = {0}, markdown = {0};
    cr_assert_eq(sl_paper_tables(&latex, &cells, SL_PAPER_LATEX), 0);
    cr_assert_eq(sl_paper_tables(&markdown, &cells, SL_PAPER_MARKDOWN), 0);
    cr_expect(strstr(latex.bytes, "A\\_\\%\\char124{}B") != NULL);
    cr_expect(strstr(latex.bytes, "none & \\textbf{2} \\\\") != NULL, "%s", latex.bytes);
    cr_expect(strstr(markdown.bytes, "A\\_%\\|B") != NULL);
    sl_result_cells_free(&cells);
    json_decref(records);
}
