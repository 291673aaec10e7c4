/* Run times beside a pack: what is kept, what is replaced, and what is refused. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/engine/times.h"
#include "tests/unit/pack_fixture.h"

#define LAYERS 2

static struct scratch scratch;
static struct sl_pack *pack;
static char path[sizeof(scratch.pack) + 8];

static void set_up(void)
{
    struct sl_error error = {0};
    scratch_begin(&scratch);
    write_pack(&scratch,
               "name: 'n' layer { name: 'data' type: 'Input' top: 'data' input_param { shape { "
               "dim: 1 dim: 4 } } } layer { name: 'ip' type: 'InnerProduct' bottom: 'data' top: "
               "'ip' inner_product_param { num_output: 8 } }",
               false, 4096);
    cr_assert_eq(sl_pack_open(scratch.pack, NULL, &pack, &error), 0, "%s", error.text);
    cr_assert_eq(pack->network->layer_count, LAYERS);
    snprintf(path, sizeof(path), "%s.times", scratch.pack);
}

static void tear_down(void)
{
    sl_pack_close(pack);
    scratch_end(&scratch);
}

TestSuite(times, .init = set_up, .fini = tear_down);

static void store(int threads, uint64_t least, uint64_t usual)
{
    struct sl_error error = {0};
    const struct sl_run_times times[LAYERS] = {{least, usual, 25, 30, 40},
                                               {least + 1, usual + 1, 0, 0, 0}};
    const struct sl_pass_times passes = {2 * usual, 3 * usual, 4 * usual, 5 * usual};
    cr_assert_eq(sl_times_store(pack, threads, times, &passes, &error), 0, "%s", error.text);
}

Test(times, the_least_is_kept_and_the_rest_replaced)
{
    struct sl_run_times times[LAYERS];
    struct sl_pass_times passes;
    cr_expect_eq(sl_times_load(pack, 2, times, &passes, NULL), -ENOENT);
    store(2, 10, 20);
    store(1, 5, 6);
    store(2, 15, 18);
    cr_assert_eq(sl_times_load(pack, 2, times, &passes, NULL), 0);
    cr_expect_eq(times[0].least_ns, 10);
    cr_expect_eq(times[0].usual_ns, 18);
    cr_expect_eq(times[0].reading_ns, 25);
    cr_expect_eq(times[0].first_ns, 30);
    cr_expect_eq(times[0].waited_ns, 40);
    cr_expect_eq(passes.first_ns, 2 * 18);
    cr_expect_eq(passes.window_ns, 3 * 18);
    cr_expect_eq(passes.linear_ns, 4 * 18);
    cr_expect_eq(passes.bulk_ns, 5 * 18);
    cr_expect_eq(times[1].least_ns, 11);
    cr_assert_eq(sl_times_load(pack, 1, times, &passes, NULL), 0);
    cr_expect_eq(times[0].least_ns, 5);
}

/* Of the file with one text in the place of another. */
static int load_edited(const char *from, const char *to)
{
    char text[1024] = "", edited[1024];
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    cr_assert_gt(fread(text, 1, sizeof(text) - 1, file), 0);
    fclose(file);
    const char *at = strstr(text, from);
    cr_assert_not_null(at, "%s has no %s", text, from);
    snprintf(edited, sizeof(edited), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    file = fopen(path, "w");
    fputs(edited, file);
    fclose(file);
    struct sl_run_times times[LAYERS] = {{.least_ns = 77}};
    struct sl_pass_times passes = {.window_ns = 77};
    int code = sl_times_load(pack, 2, times, &passes, NULL);
    cr_expect_eq(times[0].least_ns, 77, "nothing is taken from a refused file");
    cr_expect_eq(passes.window_ns, 77);
    return code;
}

Test(times, damaged_ones_are_told)
{
    store(2, 10, 20);
    cr_expect_eq(load_edited(" 11,21,0,0,0", ""), -EBADMSG);
    store(2, 10, 20);
    cr_expect_eq(load_edited("10,20,25", "10,x,25"), -EBADMSG);
    store(2, 10, 20);
    cr_expect_eq(load_edited("10,20,25", "10,99999999999999999999,25"), -EBADMSG);
}

Test(times, those_of_another_pack_or_version_are_none)
{
    store(2, 10, 20);
    cr_expect_eq(load_edited("sluice-times 3", "sluice-times 2"), -ENOENT);
    store(2, 10, 20);
    cr_expect_eq(load_edited("\n2 ", "\n3 "), -ENOENT, "of other threads");
}
