#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iouring/probe.h"
#include "runtime/base/clock.h"
#include "runtime/base/units.h"

static char path[128];

static void make_file(size_t bytes)
{
    const char *directory = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/sluice-probe-XXXXXX",
             directory && directory[0] ? directory : "/var/tmp");
    int fd = mkstemp(path);
    char block[4096];

    memset(block, 'x', sizeof(block));
    cr_assert_geq(fd, 0);
    for (size_t done = 0; done < bytes; done += sizeof(block)) {
        size_t rest = bytes - done < sizeof(block) ? bytes - done : sizeof(block);
        cr_assert_eq(write(fd, block, rest), (ssize_t)rest);
    }
    close(fd);
}

static void remove_file(void)
{
    unlink(path);
}

Test(probe, measures_every_cell, .fini = remove_file)
{
    struct sl_device_probe probe;
    struct sl_error error = {0};
    const uint64_t budget_ns = 50000000;

    make_file(16 * SL_MIB);
    uint64_t start = sl_now_ns();
    cr_assert_eq(sl_device_probe(path, budget_ns, UINT64_MAX, &probe, &error), 0, "%s", error.text);
    uint64_t elapsed = sl_now_ns() - start;

    cr_assert_lt(elapsed, 100 * budget_ns, "%llu ns", (unsigned long long)elapsed);
    cr_assert_gt(probe.latency_ns, 0);
    cr_assert_gt(probe.rates[0].bytes_per_s, 0, "the first cell always has time");
    bool best_is_a_cell = false;
    for (int i = 0; i < SL_DEVICE_RATES; i++) {
        const struct sl_device_rate *rate = &probe.rates[i];
        cr_assert(rate->block_bytes > 0 && rate->depth > 0);
        cr_assert_leq(rate->bytes_per_s, probe.best_bytes_per_s);
        best_is_a_cell |= rate->bytes_per_s == probe.best_bytes_per_s;
    }
    cr_assert(best_is_a_cell);
    cr_assert(probe.best_block_bytes > 0 && probe.best_depth > 0);
    cr_assert_not_null(probe.loader);
}

Test(probe, small_files_fill_the_cells_they_can, .fini = remove_file)
{
    struct sl_device_probe probe;
    struct sl_error error = {0};

    make_file(600 * 1024);
    cr_assert_eq(sl_device_probe(path, 10000000, UINT64_MAX, &probe, &error), 0, "%s", error.text);
    cr_assert_gt(probe.rates[0].bytes_per_s, 0);
    cr_assert_eq(probe.rates[SL_DEVICE_RATES - 1].bytes_per_s, 0, "1 MiB does not fit");
}

Test(probe, refuses_what_cannot_be_measured, .fini = remove_file)
{
    struct sl_device_probe probe = {.best_depth = 77};
    struct sl_error error = {0};

    make_file(100);
    cr_assert_eq(sl_device_probe(path, 1000000, UINT64_MAX, &probe, &error), -ENODATA);
    cr_assert(strstr(error.text, "too small"), "%s", error.text);
    cr_assert_eq(sl_device_probe("/no/such/file", 1000000, UINT64_MAX, &probe, &error), -ENOENT);
    cr_assert_eq(probe.best_depth, 77);
}

Test(probe, cells_of_the_callers_choice, .fini = remove_file)
{
    struct sl_device_rate rates[] = {{.block_bytes = 64 * SL_KIB, .depth = 1},
                                     {.block_bytes = 4 * SL_MIB, .depth = 3}};
    struct sl_device_probe probe;
    struct sl_error error = {0};

    make_file(16 * SL_MIB);
    cr_assert_eq(sl_device_rates(path, 100000000, UINT64_MAX, rates, 2, &probe, &error), 0, "%s",
                 error.text);
    cr_assert_gt(rates[0].bytes_per_s, 0, "the first cell always has time");
    for (int i = 0; i < 2 && rates[i].bytes_per_s; i++) {
        cr_assert_leq(rates[i].bytes_per_s, probe.best_bytes_per_s);
        double bytes_in_flight = (double)rates[i].block_bytes * rates[i].depth;
        double expected_ns = bytes_in_flight * 1e9 / (double)rates[i].bytes_per_s;
        cr_expect((double)rates[i].latency_ns > expected_ns * 0.99 &&
                      (double)rates[i].latency_ns < expected_ns * 1.01,
                  "%llu ns", (unsigned long long)rates[i].latency_ns);
    }
}

Test(probe, takes_no_more_memory_than_it_may, .fini = remove_file)
{
    struct sl_device_rate rates[] = {{.block_bytes = SL_MIB, .depth = 2},
                                     {.block_bytes = 4 * SL_MIB, .depth = 1}};
    struct sl_device_probe probe;
    struct sl_error error = {0};

    make_file(16 * SL_MIB);
    cr_assert_eq(sl_device_rates(path, 100000000, 8 * SL_MIB, rates, 2, &probe, &error), 0, "%s",
                 error.text);
    cr_expect_gt(rates[0].bytes_per_s, 0);
    cr_expect_eq(rates[1].bytes_per_s, 0, "a block is larger than the memory");
}

Test(probe, takes_a_mebibyte_where_nothing_is_free, .fini = remove_file)
{
    struct sl_device_rate rates[] = {{.block_bytes = SL_MIB, .depth = 2}};
    struct sl_device_probe probe;
    struct sl_error error = {0};

    make_file(4 * SL_MIB);
    for (uint64_t free_bytes = 0; free_bytes <= 4 * SL_MIB; free_bytes += 2 * SL_MIB) {
        rates[0].bytes_per_s = 0;
        cr_assert_eq(sl_device_rates(path, 10000000, free_bytes, rates, 1, &probe, &error), 0, "%s",
                     error.text);
        cr_expect_gt(rates[0].bytes_per_s, 0);
    }
    cr_assert_eq(sl_device_probe(path, 10000000, 0, &probe, &error), 0, "%s", error.text);
    cr_expect_gt(probe.best_bytes_per_s, 0);
}
