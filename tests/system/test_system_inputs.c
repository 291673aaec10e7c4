/* Inputs count: what reading them takes, and what holds them, stays within the limit, too. */
#include <criterion/criterion.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"
#include "runtime/base/units.h"
#include "tests/support/run_command.h"

#define PATH_BYTES   64
#define INPUT_VALUES (3 * 227 * 227)

static char directory[] = "/var/tmp/sluice-test-inputs-XXXXXX";
static char pack[PATH_BYTES], small[PATH_BYTES], large[PATH_BYTES], raw[PATH_BYTES];

/* An image whose rows are shifts of one another. */
static void write_image(const char *path, png_uint_32 side)
{
    const size_t row = (size_t)side * 3;
    SL_AUTO_FREE unsigned char *pixels = malloc(row * side);
    cr_assert_not_null(pixels);
    for (size_t i = 0; i < row * side; i++)
        pixels[i] = (unsigned char)(i * 7 / row + i % row);
    png_image png = {
        .version = PNG_IMAGE_VERSION, .width = side, .height = side, .format = PNG_FORMAT_RGB};
    cr_assert(png_image_write_to_file(&png, path, 0, pixels, 0, NULL), "%s", png.message);
}

static void write_values(const char *path)
{
    SL_AUTO_FILE FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    for (uint64_t i = 0; i < INPUT_VALUES; i++) {
        const float value = sl_rng_signed_unit(5, i + 1);
        cr_assert_eq(fwrite(&value, sizeof(value), 1, file), 1);
    }
}

static void set_up(void)
{
    struct command command;
    cr_assert_not_null(mkdtemp(directory));
    snprintf(pack, sizeof(pack), "%s/net.sluice", directory);
    snprintf(small, sizeof(small), "%s/small.png", directory);
    snprintf(large, sizeof(large), "%s/large.png", directory);
    snprintf(raw, sizeof(raw), "%s/raw.f32", directory);
    write_image(small, 300);
    write_image(large, 1000);
    write_values(raw);
    command_run(&command, "synth gendernet -o %s", pack);
    cr_assert_eq(command.exit_code, 0, "%s", command.errors);
    command_free(&command);
}

static void tear_down(void)
{
    char times[PATH_BYTES + 8];
    snprintf(times, sizeof(times), "%s.times", pack);
    const char *const files[] = {times, pack, small, large, raw};
    for (size_t f = 0; f < sizeof(files) / sizeof(*files); f++)
        unlink(files[f]);
    rmdir(directory);
}

TestSuite(system_inputs, .init = set_up, .fini = tear_down);

static void require_limits(void)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    if (!rights.memory)
        SKIP("skipped: needs a cgroup memory controller (%s)", rights.reason);
}

/* Weights of the first request fill what the limit leaves; the images that follow take 3 MiB each
 * while they are decoded. */
Test(system_inputs, later_ones_are_read_within_the_limit)
{
    require_limits();
    static const char *const ways[] = {"--loader uring", "--loader mmap", "--policy window"};
    struct command whole, tight;
    command_run(&whole, "run %s -i %s -i %s -i %s -i %s -q -o json", pack, small, large, raw,
                large);
    json_t *expected = command_records(&whole);
    cr_assert_eq(json_array_size(expected), 4, "%s", whole.errors);
    for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++) {
        command_run(&tight, "run %s -i %s -i %s -i %s -i %s %s --memory %dM --swap 0 -q -o json",
                    pack, small, large, raw, large, ways[w], 12 + 3 * SANITIZER_MIB);
        json_t *records = command_records(&tight), *record;
        cr_expect_eq(tight.exit_code, 0, "%s: %s", ways[w], tight.errors);
        cr_assert_eq(json_array_size(records), 4, "%s: %s", ways[w], tight.errors);
        size_t i;
        json_array_foreach(records, i, record)
        {
            cr_expect_str_eq(record_text(record, "status"), "ok", "%s", ways[w]);
            cr_expect_str_eq(record_text(record, "digest"),
                             record_text(json_array_get(expected, i), "digest"),
                             "%s: digest of input %zu", ways[w], i);
            cr_expect_eq(record_number(record, "oom_kills"), 0, "%s", ways[w]);
            cr_expect_leq(record_number(record, "peak_bytes"),
                          record_number(record, "memory_limit"));
        }
        json_decref(records);
        command_free(&tight);
    }
    json_decref(expected);
    command_free(&whole);
}

/* What was finished before it stays. */
Test(system_inputs, an_image_that_does_not_fit_is_refused)
{
    require_limits();
    write_image(large, 4000);
    struct command command;
    command_run(&command, "run %s -i %s -i %s --memory %dM --swap 0 -q -o json", pack, small, large,
                12 + 2 * SANITIZER_MIB);
    json_t *records = command_records(&command);
    cr_assert_eq(json_array_size(records), 2, "%s", command.errors);
    cr_expect_str_eq(record_text(json_array_get(records, 0), "status"), "ok");
    const json_t *refused = json_array_get(records, 1);
    cr_expect_str_eq(record_text(refused, "status"), "error");
    cr_expect(strstr(record_text(refused, "error"), "large.png: to decode it: "), "%s",
              record_text(refused, "error"));
    cr_expect(strstr(record_text(refused, "error"), "are needed for a while"), "%s",
              record_text(refused, "error"));
    json_decref(records);
    command_free(&command);
}

/* They are taken before anything else is: as a refusal, not by being killed. */
Test(system_inputs, what_cannot_hold_them_is_refused)
{
    require_limits();
    static const char *const ways[] = {"--batch 16 --runs 16", "--batch 16 --runs 16 --budget 1G",
#ifndef __SANITIZE_ADDRESS__ /* its threads take much more */
                                       "--threads 64"
#endif
    };
    for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++) {
        struct command command;
        command_run(&command, "run %s %s --memory %dM --swap 0 -q", pack, ways[w],
                    5 + 2 * SANITIZER_MIB);
        cr_expect_eq(command.exit_code, 1, "%s: %d", ways[w], command.exit_code);
        cr_expect(strstr(command.errors, "is too small for policy auto: it needs at least"),
                  "%s: %s", ways[w], command.errors);
        command_free(&command);
    }
}

/* The lower of the two counts, and is what the record names. */
Test(system_inputs, a_budget_above_the_limit_is_the_limit)
{
    require_limits();
    struct command command;
    command_run(&command, "run %s --memory %dM --swap 0 --budget 1G --runs 2 -q -o json", pack,
                12 + 2 * SANITIZER_MIB);
    json_t *records = command_records(&command);
    const json_t *record = json_array_get(records, 0);
    cr_assert_eq(command.exit_code, 0, "%s", command.errors);
    cr_expect_str_eq(record_text(record, "status"), "ok");
    cr_expect_eq(record_number(record, "budget"), (12 + 2 * SANITIZER_MIB) * SL_MIB);
    json_decref(records);
    command_free(&command);
}
