#include "runtime/report/results_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"

static char path[] = "/tmp/sluice-test-results-XXXXXX";

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

TestSuite(results_file, .init = set_up, .fini = tear_down);

static void put(const char *text)
{
    FILE *stream = fopen(path, "w");
    cr_assert_not_null(stream);
    fputs(text, stream);
    fclose(stream);
}

static long file_size(void)
{
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    return (long)status.st_size;
}

struct complaints {
    int count;
    long lines[8];
    enum sl_results_fault faults[8];
    char last[512];
};

static void note(void *context, long line, enum sl_results_fault fault, const char *why)
{
    struct complaints *complaints = context;
    complaints->lines[complaints->count] = line;
    complaints->faults[complaints->count++] = fault;
    snprintf(complaints->last, sizeof(complaints->last), "%s", why);
}

Test(results_file, reader_reports_lines_and_keeps_the_rest)
{
    put("{\"schema\":1,\"run\":0}\n\nnot json\n{\"schema\":2}\n{\"run\":1}\n[1]\n"
        "{\"schema\":1,\"run\":1}\n{\"schema\":1,\"ru");
    struct complaints complaints = {0};
    struct sl_error error = {0};
    json_t *records = NULL;
    cr_assert_eq(sl_results_read(path, &records, note, &complaints, &error), 0, "%s", error.text);
    cr_expect_eq(json_array_size(records), 2);
    cr_assert_eq(complaints.count, 5);
    const long lines[] = {3, 4, 5, 6, 8};
    const enum sl_results_fault faults[] = {SL_RESULTS_BAD_LINE, SL_RESULTS_OTHER_SCHEMA,
                                            SL_RESULTS_OTHER_SCHEMA, SL_RESULTS_BAD_LINE,
                                            SL_RESULTS_TORN_LINE};
    cr_expect_arr_eq(complaints.lines, lines, sizeof(lines));
    cr_expect_arr_eq(complaints.faults, faults, sizeof(faults));
    cr_expect_not_null(strstr(complaints.last, ":8: cut off"), "%s", complaints.last);
    json_decref(records);
}

Test(results_file, reader_says_when_there_is_no_file)
{
    struct sl_error error = {0};
    json_t *records = NULL;
    cr_expect_eq(sl_results_read("/nonexistent/r.jsonl", &records, NULL, NULL, &error), -ENOENT);
    cr_expect_null(records);
    cr_expect_not_null(strstr(error.text, "/nonexistent/r.jsonl"));
}

static int append(struct sl_results_file *file, int run, struct sl_error *error)
{
    json_t *records = json_pack("[{s:i, s:i}]", "schema", SL_RESULTS_SCHEMA, "run", run);
    int code = sl_results_append(file, records, error);
    json_decref(records);
    return code;
}

static size_t count_records(void)
{
    json_t *records = NULL;
    struct complaints complaints = {0};
    cr_assert_eq(sl_results_read(path, &records, note, &complaints, NULL), 0);
    cr_expect_eq(complaints.count, 0, "%s", complaints.last);
    size_t count = json_array_size(records);
    json_decref(records);
    return count;
}

Test(results_file, appends_and_refuses_what_is_there)
{
    SL_AUTO(sl_results_close) struct sl_results_file file = SL_RESULTS_FILE_EMPTY;
    struct sl_error error = {0};
    cr_assert_eq(sl_results_open(&file, path, SL_RESULTS_NEW, NULL, &error), 0, "%s", error.text);
    cr_assert_eq(append(&file, 0, &error), 0, "%s", error.text);
    cr_assert_eq(append(&file, 1, &error), 0, "%s", error.text);
    sl_results_close(&file);
    cr_expect_eq(count_records(), 2);
    cr_expect_eq(sl_results_open(&file, path, SL_RESULTS_NEW, NULL, &error), -EEXIST);
    cr_expect_not_null(strstr(error.text, "--resume"));
    cr_assert_eq(sl_results_open(&file, path, SL_RESULTS_OVERWRITE, NULL, &error), 0);
    cr_expect_eq(file_size(), 0);
}

Test(results_file, one_writer_at_a_time)
{
    SL_AUTO(sl_results_close) struct sl_results_file file = SL_RESULTS_FILE_EMPTY;
    SL_AUTO(sl_results_close) struct sl_results_file second = SL_RESULTS_FILE_EMPTY;
    struct sl_error error = {0};
    cr_assert_eq(sl_results_open(&file, path, SL_RESULTS_NEW, NULL, &error), 0);
    cr_expect_eq(sl_results_open(&second, path, SL_RESULTS_CONTINUE, NULL, &error), -EBUSY);
    cr_expect_not_null(strstr(error.text, "another sweep"), "%s", error.text);
    sl_results_close(&file);
    cr_expect_eq(sl_results_open(&second, path, SL_RESULTS_CONTINUE, NULL, &error), 0);
}

Test(results_file, torn_tail_is_cut_and_a_whole_one_ended)
{
    SL_AUTO(sl_results_close) struct sl_results_file file = SL_RESULTS_FILE_EMPTY;
    struct sl_error error = {0};
    uint64_t torn;
    put("{\"schema\":1}\n{\"schema\":1,\"la");
    cr_assert_eq(sl_results_open(&file, path, SL_RESULTS_CONTINUE, &torn, &error), 0);
    cr_expect_eq(torn, 15);
    cr_assert_eq(append(&file, 1, &error), 0);
    sl_results_close(&file);
    cr_expect_eq(count_records(), 2);

    put("{\"schema\":1}");
    cr_assert_eq(sl_results_open(&file, path, SL_RESULTS_CONTINUE, &torn, &error), 0);
    cr_expect_eq(torn, 0);
    cr_assert_eq(append(&file, 1, &error), 0);
    cr_expect_eq(count_records(), 2);
}

/* A tail longer than the block that the search for its start reads. */
Test(results_file, long_torn_tail)
{
    SL_AUTO(sl_results_close) struct sl_results_file file = SL_RESULTS_FILE_EMPTY;
    FILE *stream = fopen(path, "w");
    fprintf(stream, "{\"schema\":1}\n{\"a\":\"%010000d", 0);
    fclose(stream);
    uint64_t torn;
    cr_assert_eq(sl_results_open(&file, path, SL_RESULTS_CONTINUE, &torn, NULL), 0);
    cr_expect_eq(torn, 10006);
    cr_expect_eq(file_size(), 13);
}

/* As on a full disk: the write comes back short, and nothing of it stays. */
Test(results_file, failed_append_leaves_no_torn_line)
{
    SL_AUTO(sl_results_close) struct sl_results_file file = SL_RESULTS_FILE_EMPTY;
    struct sl_error error = {0};
    cr_assert_eq(sl_results_open(&file, path, SL_RESULTS_NEW, NULL, &error), 0);
    cr_assert_eq(append(&file, 0, &error), 0);
    long whole = file_size();
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {(rlim_t)whole + 5, RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_expect_lt(append(&file, 1, &error), 0);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    cr_expect_not_null(strstr(error.text, "--resume"), "%s", error.text);
    cr_expect_eq(file_size(), whole);
    cr_expect_eq(count_records(), 1);
}
