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
    struct sl_pass_times passes = {.first_ns = 2 * usual};
    for (int p = 0; sl_policy_at(p); p += 2) { /* some were not measured */
        passes.policies[p].first_ns = 9 * usual;
        passes.policies[p].later_ns = (3 + (uint64_t)p) * usual;
    }
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
    for (int p = 0; p < SL_POLICIES_MOST; p++) {
        const bool is_known = sl_policy_at(p) && p % 2 == 0;
        cr_expect_eq(passes.policies[p].first_ns, is_known ? 9 * 18 : 0, "%d", p);
        cr_expect_eq(passes.policies[p].later_ns, is_known ? (3 + (uint64_t)p) * 18 : 0, "%d", p);
    }
    cr_expect_eq(times[1].least_ns, 11);
    cr_assert_eq(sl_times_load(pack, 1, times, &passes, NULL), 0);
    cr_expect_eq(times[0].least_ns, 5);
}

/* One text of the file in the place of another. */
static void edit(const char *from, const char *to)
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
}

static int load_edited(const char *from, const char *to)
{
    edit(from, to);
    struct sl_run_times times[LAYERS] = {{.least_ns = 77}};
    struct sl_pass_times passes = {.policies[0] = {.later_ns = 77}};
    int code = sl_times_load(pack, 2, times, &passes, NULL);
    cr_expect_eq(times[0].least_ns, 77, "nothing is taken from a refused file");
    cr_expect_eq(passes.policies[0].later_ns, 77);
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
    store(2, 10, 20);
    cr_expect_eq(load_edited(",60", ""), -EBADMSG);
    store(2, 10, 20);
    cr_expect_eq(load_edited("180,60", "180,6x"), -EBADMSG);
}

/* A policy that another build has. */
Test(times, of_an_unknown_policy_are_passed_over)
{
    struct sl_run_times times[LAYERS];
    struct sl_pass_times passes;
    store(2, 10, 20);
    edit(":180,60", ":180,60 quantum:7,8");
    cr_assert_eq(sl_times_load(pack, 2, times, &passes, NULL), 0);
    cr_expect_eq(passes.policies[0].later_ns, 60);
    cr_expect_eq(times[1].least_ns, 11);
}

Test(times, those_of_another_pack_or_version_are_none)
{
    store(2, 10, 20);
    cr_expect_eq(load_edited("sluice-times 4", "sluice-times 3"), -ENOENT);
    store(2, 10, 20);
    cr_expect_eq(load_edited("\n2 ", "\n3 "), -ENOENT, "of other threads");
}
