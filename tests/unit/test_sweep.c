#include "runtime/cli/sweep.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/report/record.h"

static char path[] = "/tmp/sluice-test-sweep-XXXXXX";
static const char *paths[] = {"a.sluice", "b.sluice"};
static uint64_t identities[] = {1, 2};
static const struct pack_set packs = {
    .paths = paths, .identities = identities, .count = 2, .weight_bytes = 1 << 20};

static void set_up(void)
{
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void tear_down(void)
{
    unlink(path);
}

TestSuite(sweep, .init = set_up, .fini = tear_down);

/* Two cells of a batch of two networks, three runs each. */
static void make_sweep(struct sweep *sweep)
{
    char *words[] = {(char[]){"x"}, (char[]){"--policy"}, (char[]){"bulk,linear"}};
    struct cli_arguments arguments;
    struct sl_error error = {0};
    *sweep = (struct sweep){.plan = {.runs = 3, .quiet = true}, .file = SL_RESULTS_FILE_EMPTY};
    sweep->groups = calloc(1, sizeof(*sweep->groups));
    sweep->group_count = 1;
    sweep->groups[0].context = json_object();
    cr_assert_eq(cli_parse(&command_sweep, 3, words, &arguments, &error), 0, "%s", error.text);
    cr_assert_eq(cell_set_expand(&sweep->set, &arguments, &packs, true, &error), 0);
    cli_arguments_free(&arguments);
    cr_assert_eq(sweep_prepare(sweep, &error), 0, "%s", error.text);
    for (int c = 0; c < sweep->cell_count; c++)
        sweep->cells[c].group = &sweep->groups[0];
    cr_assert_eq(sl_results_open(&sweep->file, path, SL_RESULTS_CONTINUE, NULL, &error), 0);
}

static json_t *make_records(const char *status, int makespan)
{
    return json_pack("[{s:i, s:s, s:s, s:i}, {s:i, s:s, s:s, s:i}]", "schema", SL_RESULTS_SCHEMA,
                     "network", "a", "status", status, "makespan_ns", makespan, "schema",
                     SL_RESULTS_SCHEMA, "network", "b", "status", status, "makespan_ns", makespan);
}

static void record(struct sweep *sweep, int cell, int run, const char *status, int makespan)
{
    struct sl_error error = {0};
    json_t *records = make_records(status, makespan);
    cr_assert_eq(sweep_record(sweep, &sweep->cells[cell], run, records, &error), 0, "%s",
                 error.text);
    json_decref(records);
}

static size_t count_lines(void)
{
    json_t *records = NULL;
    cr_assert_eq(sl_results_read(path, &records, NULL, NULL, NULL), 0);
    size_t count = json_array_size(records);
    json_decref(records);
    return count;
}

Test(sweep, resumes_with_what_the_file_has)
{
    SL_AUTO(sweep_free) struct sweep sweep;
    SL_AUTO(sweep_free) struct sweep again;
    struct sl_error error = {0};
    make_sweep(&sweep);
    record(&sweep, 0, 1, "ok", 500);
    record(&sweep, 1, 0, "oom", 0);
    cr_expect_eq(sweep.cells[0].done, 1);
    sl_results_close(&sweep.file);

    make_sweep(&again);
    cr_assert_eq(sweep_resume(&again, 0, &error), 0, "%s", error.text);
    cr_expect(!again.cells[0].complete[0] && again.cells[0].complete[1]);
    cr_expect_eq(again.cells[0].sample_count, 1);
    cr_expect_eq(again.cells[0].samples[0], 500);
    cr_expect(again.cells[1].complete[0]);
    cr_expect_eq(again.cells[1].sample_count, 0);
    cr_expect_eq(sweep_failures(&again), 1);
}

/* Of a batch whose records are only partly there the others are added, none twice. */
Test(sweep, completes_a_batch)
{
    SL_AUTO(sweep_free) struct sweep sweep;
    SL_AUTO(sweep_free) struct sweep again;
    struct sl_error error = {0};
    make_sweep(&sweep);
    record(&sweep, 0, 0, "ok", 500);
    sl_results_close(&sweep.file);

    /* The second record is lost. */
    char line[4096];
    FILE *stream = fopen(path, "r+");
    cr_assert_not_null(fgets(line, sizeof(line), stream));
    cr_assert_eq(ftruncate(fileno(stream), (off_t)strlen(line)), 0);
    fclose(stream);

    make_sweep(&again);
    cr_assert_eq(sweep_resume(&again, 0, &error), 0);
    cr_expect_eq(again.cells[0].done, 0);
    record(&again, 0, 0, "ok", 600);
    cr_expect_eq(again.cells[0].done, 1);
    cr_expect_eq(again.cells[0].sample_count, 1);
    cr_expect_eq(count_lines(), 2);
    record(&again, 0, 0, "ok", 700);
    cr_expect_eq(count_lines(), 2);
}

static bool is_settled(double precision, int count, const uint64_t *samples)
{
    bool complete[10] = {0};
    uint64_t copy[10];
    memcpy(copy, samples, (size_t)count * sizeof(*copy));
    struct sweep_plan plan = {.runs = 10, .precision = precision};
    struct sweep_cell cell = {
        .complete = complete, .done = count, .samples = copy, .sample_count = (size_t)count};
    return sweep_cell_is_settled(&plan, &cell);
}

Test(sweep, stops_when_the_median_is_precise)
{
    const uint64_t tight[] = {1010, 990, 1000}, wide[] = {1100, 900, 1000};
    cr_expect_not(is_settled(0.02, 2, tight), "two runs are too few");
    cr_expect(is_settled(0.02, 3, tight));
    cr_expect_not(is_settled(0.02, 3, wide));
    cr_expect(is_settled(0.1, 3, wide));
    cr_expect_not(is_settled(0, 3, tight), "no precision asked for");
}

/* A cell that only fails is not run for ever. */
Test(sweep, what_always_fails_is_settled)
{
    bool complete[10] = {0};
    struct sweep_plan plan = {.runs = 10, .precision = 0.02};
    struct sweep_cell cell = {.complete = complete, .done = 3};
    cr_expect(sweep_cell_is_settled(&plan, &cell));
    plan.precision = 0;
    cr_expect_not(sweep_cell_is_settled(&plan, &cell));
}
