/* Ceilings: what is measured, kept, found again, and made of records. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/base/units.h"
#include "runtime/cli/ceiling.h"

static const struct sl_bench bench = {
    .read_bytes_per_s = 1000 * SL_MIB,
    .threads = 3,
    .flops_per_s = {100e9, 200e9},
    .bytes_per_s = {10e9, 12e9},
};
static const struct ceiling known = {1000 * SL_MIB, 3, {100e9, 200e9}, {10e9, 12e9}};

static char cache[64];

static void name_cache(void)
{
    snprintf(cache, sizeof(cache), "/var/tmp/sluice-ceilings-%d", getpid());
}

static void remove_cache(void)
{
    unlink(cache);
}

Test(ceiling, kept_and_found, .init = name_cache, .fini = remove_cache)
{
    struct sl_error error = {0};
    struct ceiling found;
    ceiling_find(cache, "/proc", &found);
    cr_expect_eq(found.read_bytes_per_s, 0, "nothing was kept yet");
    cr_assert_eq(ceiling_keep(cache, "/proc", &bench, &error), 0, "%s", error.text);
    struct sl_bench other = bench;
    other.read_bytes_per_s = SL_MIB;
    cr_assert_eq(ceiling_keep(cache, "/dev", &other, &error), 0, "%s", error.text);
    ceiling_find(cache, "/proc", &found);
    cr_expect_eq(found.read_bytes_per_s, known.read_bytes_per_s, "another device's took its place");
    cr_expect_eq(found.threads, known.threads);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(found.flops_per_s[i], known.flops_per_s[i]);
        cr_expect_eq(found.bytes_per_s[i], known.bytes_per_s[i]);
    }
    ceiling_find(cache, "/dev/null", &found);
    cr_expect_eq(found.read_bytes_per_s, SL_MIB, "the same file system");
    other.read_bytes_per_s = 5 * SL_MIB;
    cr_assert_eq(ceiling_keep(cache, "/dev", &other, &error), 0, "%s", error.text);
    ceiling_find(cache, "/dev", &found);
    cr_expect_eq(found.read_bytes_per_s, 5 * SL_MIB, "the newer one counts");
    ceiling_find(NULL, "/dev", &found);
    cr_expect_eq(found.read_bytes_per_s, 0);
    ceiling_find(cache, "/nowhere", &found);
    cr_expect_eq(found.read_bytes_per_s, 0);
    cr_expect(ceiling_keep("/nowhere/cache", "/dev", &bench, &error) < 0);
    cr_expect(strstr(error.text, "/nowhere/cache"), "%s", error.text);
}

Test(ceiling, old_and_damaged_lines_count_for_nothing, .init = name_cache, .fini = remove_cache)
{
    struct sl_error error = {0};
    struct ceiling found;
    char text[1024], line[1024];
    cr_assert_eq(ceiling_keep(cache, "/dev", &bench, &error), 0, "%s", error.text);
    cr_assert(sl_file_read_text(cache, text, sizeof(text)) > 0);
    char host[65], rest[512];
    unsigned major_number, minor_number;
    long long measured_s;
    cr_assert_eq(sscanf(text, "%64s %u:%u %lld %511[^\n]", host, &major_number, &minor_number,
                        &measured_s, rest),
                 5);
    const struct {
        long long age_s;
        bool found;
    } ages[] = {{29 * 86400, true}, {31 * 86400, false}};
    for (size_t i = 0; i < 2; i++) {
        snprintf(line, sizeof(line), "rubbish\n\n%s %u:%u %lld %s\n%s 1", host, major_number,
                 minor_number, measured_s - ages[i].age_s, rest, host);
        FILE *file = fopen(cache, "w");
        cr_assert_not_null(file);
        fputs(line, file);
        fclose(file);
        ceiling_find(cache, "/dev", &found);
        cr_expect_eq(found.read_bytes_per_s > 0, ages[i].found, "%lld s old", ages[i].age_s);
    }
}

Test(ceiling, of_threads_and_shares_of_processors)
{
    cr_expect_eq(ceiling_flops(&known, 1, 0), 100e9);
    cr_expect_eq(ceiling_flops(&known, 2, 0), 150e9);
    cr_expect_eq(ceiling_flops(&known, 3, 0), 200e9);
    cr_expect_eq(ceiling_flops(&known, 8, 0), 200e9);
    cr_expect_eq(ceiling_flops(&known, 1, 0.25), 25e9);
    cr_expect_eq(ceiling_flops(&known, 3, 1.5), 150e9);
    cr_expect_eq(ceiling_flops(&known, 1, 2), 100e9, "one thread takes one processor");
}

static json_t *record(bool direct, double read_bytes, int batch)
{
    return json_pack("{s:b, s:f, s:f, s:f, s:f, s:i}", "direct", direct, "batch_read_bytes",
                     read_bytes * batch, "batch_load_ns", 1e8, "run_ns", 1e8, "batch_flops",
                     5e9 * batch, "threads", 1);
}

static double number(json_t *records, size_t i, const char *field)
{
    const json_t *value = json_object_get(json_array_get(records, i), field);
    cr_assert_not_null(value, "%s", field);
    return json_is_null(value) ? -1 : json_number_value(value);
}

#define NEAR(a, b) cr_expect((a) > (b)*0.999 && (a) < (b)*1.001, "%g is not %g", (a), (b))

Test(ceiling, shares_of_records)
{
    struct sl_limits limits = SL_LIMITS_NONE;
    /* Two inputs of two networks: 50 MiB in 0.1 s of 1000 MiB/s. */
    json_t *records =
        json_pack("[o, o, o, o]", record(true, 40.0 * SL_MIB, 1), record(true, 10.0 * SL_MIB, 1),
                  record(true, 20.0 * SL_MIB, 2), record(true, 1.0 * SL_MIB, 1));
    ceiling_add_shares(records, 2, &known, &limits);
    NEAR(number(records, 0, "read_ceiling_share"), 0.5);
    NEAR(number(records, 1, "read_ceiling_share"), 0.5);
    NEAR(number(records, 2, "read_ceiling_share"), 0.41);
    /* 5 GFLOP in 0.1 s of 100 GFLOP/s; two requests in the common time do twice as much. */
    NEAR(number(records, 0, "compute_ceiling_share"), 0.5);
    NEAR(number(records, 2, "compute_ceiling_share"), 1.0);
    limits.read_bytes_per_s = 500 * SL_MIB;
    limits.cpus = 0.5;
    ceiling_add_shares(records, 2, &known, &limits);
    NEAR(number(records, 0, "read_ceiling_share"), 1.0);
    NEAR(number(records, 0, "compute_ceiling_share"), 1.0);
    const struct ceiling unknown = {0};
    ceiling_add_shares(records, 2, &unknown, &limits);
    cr_expect_eq(number(records, 0, "read_ceiling_share"), -1);
    cr_expect_eq(number(records, 0, "compute_ceiling_share"), -1);
    json_decref(records);
    records = json_pack("[o, o, {s:s}]", record(false, 40.0 * SL_MIB, 1),
                        record(true, 1.0 * SL_MIB, 1), "status", "oom");
    ceiling_add_shares(records, 1, &known, &limits);
    cr_expect_eq(number(records, 0, "read_ceiling_share"), -1, "through the page cache");
    cr_expect_eq(number(records, 1, "read_ceiling_share"), -1, "too little to tell");
    cr_expect_eq(number(records, 2, "read_ceiling_share"), -1);
    cr_expect_eq(number(records, 2, "compute_ceiling_share"), -1);
    json_decref(records);
}
