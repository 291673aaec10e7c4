#include "runtime/cli/cell_set.h"

#include <criterion/criterion.h>
#include <string.h>

#include "runtime/base/cleanup.h"

/* Packs that need not be there: a key is made of identities. */
static const char *paths[] = {"a.sluice", "b.sluice"};
static uint64_t identities[] = {0x0123456789abcdef, 0xfedcba9876543210};
static const struct pack_set one = {
    .paths = paths, .identities = identities, .count = 1, .weight_bytes = 100 << 20};
static const struct pack_set two = {
    .paths = paths, .identities = identities, .count = 2, .weight_bytes = 200 << 20};

static void expand(struct cell_set *set, const struct pack_set *packs, const char *line)
{
    static char text[512]; /* inputs point into it */
    char *words[32], *rest = text;
    int count = 0;
    struct cli_arguments arguments;
    struct sl_error error = {0};
    snprintf(text, sizeof(text), "%s", line);
    for (char *word; (word = strsep(&rest, " "));)
        words[count++] = word;
    cr_assert_eq(cli_parse(&command_sweep, count, words, &arguments, &error), 0, "%s", error.text);
    cr_assert_eq(cell_set_expand(set, &arguments, packs, true, &error), 0, "%s", error.text);
    cli_arguments_free(&arguments);
}

static int count_cells(const char *line, int *collapsed)
{
    SL_AUTO(cell_set_free) struct cell_set set = {0};
    expand(&set, &one, line);
    int count = set.count;
    *collapsed = cell_set_collapse(&set);
    cr_expect_eq(set.count, count - *collapsed);
    return count;
}

Test(cell_set, product_of_lists)
{
    SL_AUTO(cell_set_free) struct cell_set set = {0};
    expand(&set, &one, "x --policy bulk,window --memory none,50% --depth 2-4*2");
    cr_assert_eq(set.count, 8);
    cr_expect_str_eq(set.points[0].request.cell.policy, "bulk");
    cr_expect_str_eq(set.points[1].request.cell.policy, "window"); /* the first option fastest */
    cr_expect_eq(set.points[1].request.limits.memory_bytes, SL_NO_LIMIT);
    cr_expect_eq(set.points[2].request.limits.memory_bytes, 50 << 20);
    cr_expect_eq(set.points[3].request.cell.depth, 2);
    cr_expect_eq(set.points[4].request.cell.depth, 4);
}

Test(cell_set, depth_in_shards_or_bytes)
{
    SL_AUTO(cell_set_free) struct cell_set set = {0};
    expand(&set, &one, "x --policy window --depth 8,16M,1K");
    cr_assert_eq(set.count, 3);
    const int64_t shards[] = {8, 0, 0}, bytes[] = {0, 16 << 20, 1 << 10};
    for (int c = 0; c < 3; c++) {
        cr_expect_eq(set.points[c].request.cell.depth, shards[c]);
        cr_expect_eq(set.points[c].request.cell.depth_bytes, bytes[c]);
    }
}

Test(cell_set, same_cells_run_once)
{
    int collapsed;
    cr_expect_eq(count_cells("x --policy bulk --depth 1,2,4M", &collapsed), 3);
    cr_expect_eq(collapsed, 2);
    cr_expect_eq(count_cells("x --policy window --depth 1,2,4", &collapsed), 3);
    cr_expect_eq(collapsed, 0);
    /* masa admits by it, and the bound is told for it. */
    cr_expect_eq(count_cells("x --policy linear --budget auto,64M", &collapsed), 2);
    cr_expect_eq(collapsed, 0);
    cr_expect_eq(count_cells("x --memory none,64M --swap 0,max", &collapsed), 4);
    cr_expect_eq(collapsed, 1);
}

static const char *key_of(const struct pack_set *packs, const char *line)
{
    static char key[CELL_KEY_BYTES];
    SL_AUTO(cell_set_free) struct cell_set set = {0};
    expand(&set, packs, line);
    cell_set_collapse(&set);
    cr_assert_eq(set.count, 1);
    cell_key(&set.points[0].request, key);
    return key;
}

/* Keys stand in files: they never change, whatever options are added. */
Test(cell_set, keys_are_stable)
{
    cr_expect_str_eq(key_of(&one, "x"), "a824ec38772baba6");
    cr_expect_str_eq(key_of(&two, "x --policy window --memory 50% --swap 0 --depth 4 --cpus 1.5"),
                     "0b75382d199addd4");
}

Test(cell_set, keys_tell_cells_apart)
{
    char base[CELL_KEY_BYTES];
    snprintf(base, sizeof(base), "%s", key_of(&one, "x --policy window --memory 64M"));
    cr_expect_str_eq(base, key_of(&one, "x --policy window --memory 64M --batch 1 --budget auto "
                                        "--timeout 3s --top 0"));
    static const char *const others[] = {
        "x --policy auto --memory 64M",
        "x --policy window --memory 65M",
        "x --policy window",
        "x --policy window --memory 64M --swap 0",
        "x --policy window --memory 64M --read-rate 1M",
        "x --policy window --memory 64M --cpus 1",
        "x --policy window --memory 64M --depth 1",
        "x --policy window --memory 64M --queue-depth 1",
        "x --policy window --memory 64M --threads 1",
        "x --policy window --memory 64M --loader pread",
        "x --policy window --memory 64M --cold",
        "x --policy window --memory 64M --budget 32M",
        "x --policy window --memory 64M --input a.jpg",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_expect_str_neq(base, key_of(&one, others[i]), "%s", others[i]);
    cr_expect_str_neq(base, key_of(&two, "x --policy window --memory 64M"));
}

Test(cell_set, every_limit_that_is_refused_is_named)
{
    SL_AUTO(cell_set_free) struct cell_set set = {0};
    SL_AUTO(sl_text_free) struct sl_text lost = {0};
    const struct sl_cgroup_rights rights = {.version = 2, .memory = true, .read_rate = true};
    expand(&set, &one, "x --memory none,64M --read-rate 40M --write-rate 20M --cpus 0.5,2");
    cr_expect(cell_set_drop_refused(&set, &rights, &lost));
    cr_expect_str_eq(lost.bytes, "--write-rate, --cpus");
    cr_assert_eq(set.count, 4);
    for (int i = 0; i < set.count; i++) {
        const struct sl_limits *limits = &set.points[i].request.limits;
        cr_expect_eq(limits->write_bytes_per_s, SL_NO_LIMIT);
        cr_expect_float_eq(limits->cpus, 0, 0);
        cr_expect_null(set.points[i].texts[cell_option_index("cpus")]);
        cr_expect_neq(limits->read_bytes_per_s, SL_NO_LIMIT);
        cr_expect_not_null(set.points[i].texts[cell_option_index("read-rate")]);
    }
    cr_expect_eq(cell_set_collapse(&set), 2);
    cr_expect_eq(set.points[1].request.limits.memory_bytes, 64 << 20);
    cr_expect_not(cell_set_drop_refused(&set, &rights, &lost), "they are gone");
}
