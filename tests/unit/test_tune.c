/* The space that tune searches, the sample it takes of a process, and the command line it prints.
 */
#include "runtime/cli/tune.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pack_fixture.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/cli/cell_plan.h"

static struct scratch scratch;

static void set_up(void)
{
    struct sl_error error = {0};
    scratch_begin(&scratch);
    struct sl_import_request request = {.topology = "lenet", .output = scratch.pack};
    cr_assert_eq(sl_import(&request, NULL, &error), 0, "%s", error.text);
}

static void tear_down(void)
{
    scratch_end(&scratch);
}

TestSuite(tune, .init = set_up, .fini = tear_down);

/* Everything up to the search, for that command line. */
struct made {
    struct tune tune;
    struct cli_arguments arguments;
    struct value_list shards;
};

static int begin(struct made *made, int count, char **words, struct sl_error *error)
{
    *made = (struct made){.tune = {.knee = -1, .file = SL_RESULTS_FILE_EMPTY}};
    made->tune.options.requests = 1;
    made->tune.options.quiet = true;
    cr_assert_eq(cli_parse(&command_tune, count, words, &made->arguments, error), 0, "%s",
                 error->text);
    made->tune.given = &made->arguments;
    const char *const paths[] = {scratch.pack};
    int code = tune_open_packs(&made->tune, paths, 1, error);
    return code < 0 ? code : tune_check_options(&made->tune, error);
}

static void make(struct made *made, int count, char **words, const char *shards)
{
    struct sl_error error = {0};
    cr_assert_eq(begin(made, count, words, &error), 0, "%s", error.text);
    cr_assert_eq(value_list_read(&made->shards, shards, false, &error), 0);
    cr_assert_eq(tune_make_variants(&made->tune, &made->shards, &error), 0, "%s", error.text);
    cr_assert_eq(tune_measure(&made->tune, &error), 0, "%s", error.text);
    made->tune.process_bytes = 4 * SL_MIB; /* which the command asks a worker for */
    cr_assert_eq(tune_make_space(&made->tune, &error), 0, "%s", error.text);
}

static void end(struct made *made)
{
    tune_free(&made->tune);
    value_list_free(&made->shards);
    cli_arguments_free(&made->arguments);
}

#define WORD(text) ((char[]){text})

/* LeNet's pack is one of shards of 1 MiB already; 2 policies, one of them with 2 depths, 2 loaders,
 * 2 shard sizes. */
Test(tune, cells_that_are_the_same_are_tried_once)
{
    char *words[] = {WORD("--policy"), WORD("linear,window"), WORD("--depth"),
                     WORD("2,4"),      WORD("--loader"),      WORD("pread,mmap"),
                     WORD("--memory"), WORD("none"),          WORD("--queue-depth"),
                     WORD("8"),        WORD("x.sluice")};
    struct made made;
    make(&made, 11, words, "1M,64K");
    cr_assert_eq(made.tune.variant_count, 2, "%d variants", made.tune.variant_count);
    cr_assert_eq(made.tune.limit_count, 1);
    cr_assert_eq(made.tune.candidate_count, 3 * 2 * 2, "%d", made.tune.candidate_count);
    for (int c = 0; c < made.tune.candidate_count; c++) {
        const struct tune_candidate *candidate = &made.tune.candidates[c];
        cr_assert(candidate->plan.fits && candidate->setting.predicted_ns > 0);
        cr_assert_not_null(candidate->variant);
        for (int other = 0; other < c; other++)
            cr_assert(memcmp(candidate->setting.values, made.tune.candidates[other].setting.values,
                             sizeof(candidate->setting.values)),
                      "%d and %d are the same", other, c);
    }
    end(&made);
    cr_assert_eq(scratch_count(&scratch), 2, "the pack and its times are left, nothing else");
}

Test(tune, auto_limits_fit_and_what_does_not_is_not_predicted)
{
    char *words[] = {WORD("--policy"), WORD("bulk,window"), WORD("x.sluice")};
    struct made made;
    make(&made, 3, words, "64K");
    cr_assert(made.tune.limit_count >= 1 && made.tune.limit_count <= TUNE_LIMITS_AUTO);
    for (int l = 0; l < made.tune.limit_count; l++) {
        const struct tune_limit *limit = &made.tune.limits[l];
        int fit = 0;
        cr_assert(l == 0 || limit->memory_bytes < made.tune.limits[l - 1].memory_bytes ||
                  limit->memory_bytes == SL_NO_LIMIT);
        for (int c = limit->first; c < limit->first + limit->count; c++) {
            const struct tune_candidate *candidate = &made.tune.candidates[c];
            fit += candidate->plan.fits;
            cr_assert_eq(candidate->setting.predicted_ns > 0, candidate->plan.fits);
        }
        cr_assert(fit > 0, "nothing fits limit %d", l);
    }
    end(&made);
}

Test(tune, what_a_worker_holds_is_part_of_the_least_limit)
{
    char *words[] = {WORD("--policy"), WORD("window"), WORD("--memory"), WORD("64M"),
                     WORD("x.sluice")};
    struct made made;
    make(&made, 5, words, "64K");
    const struct tune_candidate *candidate = &made.tune.candidates[0];
    struct cell_ground ground = tune_ground(&made.tune, candidate->variant);
    struct sl_plan_result plan;
    ground.process_bytes += 3 * SL_MIB;
    cr_assert_eq(cell_plan(&candidate->point->request, &ground, &plan, NULL), 0);
    cr_assert_eq(plan.division.process_bytes, 7 * SL_MIB);
    /* Page tables are part of it, too. */
    const uint64_t more = plan.least_limit_bytes - candidate->plan.least_limit_bytes;
    cr_assert(more >= 3 * SL_MIB && more < 3 * SL_MIB + SL_MIB / 50, "%" PRIu64, more);
    end(&made);
}

Test(tune, the_least_limit_is_one_that_run_takes)
{
    char *words[] = {WORD("--policy"), WORD("window"), WORD("x.sluice")};
    struct made made;
    make(&made, 3, words, "64K");
    const struct tune_candidate *candidate = &made.tune.candidates[0];
    struct cell_ground ground = tune_ground(&made.tune, candidate->variant);
    struct sl_plan_result plan;
    char size[SL_UNIT_TEXT_BYTES];
    uint64_t taken;
    ground.process_bytes = SL_MIB;
    cr_assert_eq(cell_plan(&candidate->point->request, &ground, &plan, NULL), 0);
    cr_expect_geq(plan.least_limit_bytes, SL_LEAST_PROCESS_BYTES);
#ifndef __SANITIZE_ADDRESS__ /* with its reserve more is needed */
    cr_expect_eq(plan.least_limit_bytes, SL_LEAST_PROCESS_BYTES);
#endif
    snprintf(size, sizeof(size), "%" PRIu64, plan.least_limit_bytes);
    cr_expect_eq(cell_parse_memory(size, 0, &taken, NULL), 0);
    end(&made);
}

Test(tune, lists_of_devices_are_refused)
{
    static const char *const wrong[][2] = {
        {"--read-rate", "4M,5M"}, {"--swap", "0,1G"}, {"--cpus", "1,2"}, {"--batch", "1-4"}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char option[32], value[32];
        snprintf(option, sizeof(option), "%s", wrong[i][0]);
        snprintf(value, sizeof(value), "%s", wrong[i][1]);
        char *words[] = {option, value, WORD("x.sluice")};
        struct made made;
        struct sl_error error = {0};
        cr_assert_eq(begin(&made, 3, words, &error), -EINVAL);
        cr_assert(strstr(error.text, wrong[i][0]) && strstr(error.text, "one value"), "%s",
                  error.text);
        end(&made);
    }
}

Test(tune, command_line_is_one_for_a_shell)
{
    char *words[] = {WORD("--policy"), WORD("window"), WORD("--depth"), WORD("4"),
                     WORD("--memory"), WORD("64M"),    WORD("--input"), WORD("it's a cat.jpg"),
                     WORD("--loader"), WORD("pread"),  WORD("--cold"),  WORD("x.sluice")};
    struct made made;
    make(&made, 12, words, "64K");
    SL_AUTO(sl_text_free) struct sl_text plain = {0}, cut = {0};
    tune_command(&made.tune, &made.tune.candidates[0], &plain);
    cr_assert(strstr(plain.bytes, "sluice run ") == plain.bytes, "%s", plain.bytes);
    cr_assert(strstr(plain.bytes, " --input 'it'\\''s a cat.jpg' --policy window"), "%s",
              plain.bytes);
    cr_assert(strstr(plain.bytes, " --depth 4 ") && strstr(plain.bytes, " --cold"));
    int last = made.tune.candidate_count - 1;
    cr_assert_not_null(made.tune.candidates[last].variant->shard);
    tune_command(&made.tune, &made.tune.candidates[last], &cut);
    cr_assert(strstr(cut.bytes, "sluice repack ") == cut.bytes, "%s", cut.bytes);
    cr_assert(strstr(cut.bytes, " --shard 64K -o ") && strstr(cut.bytes, "-64K.sluice && sluice "));
    end(&made);
}

static double objective(bool later, int packs, int batch, json_t *records)
{
    struct tune_options options = {.later = later};
    struct cell cell = {.pack_count = packs, .batch = batch};
    double sample = tune_objective(&options, &cell, records);
    json_decref(records);
    return sample;
}

static json_t *latencies(const char *text)
{
    json_t *records = json_loads(text, 0, NULL);
    cr_assert_not_null(records);
    return records;
}

Test(tune, objective)
{
    const char *one = "[{\"latency_ns\":[90,10,30,20]}]";
    cr_assert_eq(objective(false, 1, 0, latencies(one)), 90);
    cr_assert_eq(objective(true, 1, 0, latencies(one)), 20);
    cr_assert_eq(objective(true, 1, 2, latencies(one)), 25, "behind the first batch of two");
    cr_assert_eq(objective(true, 1, 4, latencies(one)), -1);
    /* Two networks: the last result counts. Two inputs of one network: one after the other. */
    const char *two = "[{\"latency_ns\":[50,10]},{\"latency_ns\":[40,30]}]";
    cr_assert_eq(objective(false, 2, 0, latencies(two)), 50);
    cr_assert_eq(objective(true, 2, 0, latencies(two)), 30);
    cr_assert_eq(objective(true, 1, 0, latencies(two)), 30);
    cr_assert_eq(objective(false, 1, 0, latencies("[{\"latency_ns\":[]}]")), -1);
    cr_assert_eq(objective(false, 1, 0, latencies("[]")), -1);
}
