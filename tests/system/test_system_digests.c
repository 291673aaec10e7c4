/* One digest for a network and its input, whatever the policy, the loader, the shard size and the
 * limits: through the command line, cell by cell. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "tests/support/reference_check.h"
#include "tests/support/run_command.h"

#define POLICIES     "bulk,linear,partial,deepeye,masa,window,auto"
#define POLICY_COUNT 7

static const char *const shard_sizes[] = {"64K", "256K", "1M"};
static const char *const loaders[] = {"uring", "pread"};

static char directory[] = "/var/tmp/sluice-test-digests-XXXXXX";
static char pack[sizeof(directory) + 16];

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(pack, sizeof(pack), "%s/net.sluice", directory);
}

static void tear_down(void)
{
    unlink(pack);
    rmdir(directory);
}

TestSuite(system_digests, .init = set_up, .fini = tear_down);

static void require_groups(void)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    if (!rights.memory)
        cr_skip_test("skipped: needs a cgroup memory controller (%s)", rights.reason);
}

static void require_swap(void)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    if (!rights.memory || !rights.swap)
        cr_skip_test("skipped: needs a cgroup memory controller with swap (%s)", rights.reason);
    if (geteuid())
        cr_skip_test("skipped: only root may enable swap");
}

/* make: the words of sluice that write a pack, -o and --shard aside. */
static void make_pack(const char *make, const char *shard_bytes)
{
    struct command command;
    command_run(&command, "%s -o %s --shard %s", make, pack, shard_bytes);
    cr_assert_eq(command.exit_code, 0, "%s", command.errors);
    command_free(&command);
}

/* Runs cells; each must end ok with the digest, which the first record ever sets. Returns how many
 * records there were. */
static int expect_digest(char digest[32], const char *words)
{
    struct command command;
    size_t i;
    json_t *record;
    command_run(&command, "run %s --top 0 -o json %s", pack, words);
    cr_assert_eq(command.exit_code, 0, "%s: %s", words, command.errors);
    json_t *records = command_records(&command);
    json_array_foreach(records, i, record)
    {
        cr_assert_str_eq(record_text(record, "status"), "ok", "%s", words);
        if (!digest[0])
            snprintf(digest, 32, "%s", record_text(record, "digest"));
        cr_expect_str_eq(record_text(record, "digest"), digest, "policy %s: %s",
                         record_text(record, "policy"), words);
    }
    const int count = (int)json_array_size(records);
    cr_expect_eq(strlen(digest), 16);
    cr_expect_str_empty(command_left_behind(&command));
    json_decref(records);
    command_free(&command);
    return count;
}

static bool loader_works(const char *loader)
{
    struct command command;
    command_run(&command, "run %s --loader %s", pack, loader);
    const bool denied = command.exit_code && strstr(command.errors, "io_uring");
    if (denied)
        printf("skipped: loader %s: %s", loader, command.errors);
    command_free(&command);
    return !denied;
}

/* limit: of --memory; NULL: none. */
static void check(const char *make, const char *limit)
{
    char digest[32] = "", words[256];
    for (size_t s = 0; s < sizeof(shard_sizes) / sizeof(shard_sizes[0]); s++) {
        make_pack(make, shard_sizes[s]);
        cr_assert_eq(expect_digest(digest, ""), 1);
        for (size_t l = 0; l < sizeof(loaders) / sizeof(loaders[0]); l++) {
            if (!loader_works(loaders[l]))
                continue;
            snprintf(words, sizeof(words), "--loader %s --policy " POLICIES " --memory %s%s",
                     loaders[l], limit ? limit : "none", limit ? " --swap 0" : "");
            cr_assert_eq(expect_digest(digest, words), POLICY_COUNT);
        }
    }
}

#define DIGESTS(name, make, limit)                                                                 \
    Test(system_digests, name)                                                                     \
    {                                                                                              \
        check(make, NULL);                                                                         \
    }                                                                                              \
    Test(system_digests, name##_in_a_group)                                                        \
    {                                                                                              \
        require_groups();                                                                          \
        check(make, limit);                                                                        \
    }

DIGESTS(lenet, "synth lenet", "32M")
DIGESTS(squeezenet, "synth squeezenet", "64M")
DIGESTS(agenet, "synth agenet", "96M")
DIGESTS(resnet50, "synth resnet50", "256M")

/* Trained weights, or a skip. */
static const char *real_network(void)
{
    static char words[4096];
    const char *models = reference_models();
    snprintf(words, sizeof(words), "%s/caffe/ultraface_slim320/model.caffemodel", models);
    if (access(words, R_OK))
        cr_skip_test("skipped: no %s; set SLUICE_MODELS", words);
    snprintf(words, sizeof(words),
             "import %s/caffe/ultraface_slim320/deploy.prototxt "
             "%s/caffe/ultraface_slim320/model.caffemodel",
             models, models);
    return words;
}

Test(system_digests, real_network)
{
    check(real_network(), NULL);
}

Test(system_digests, real_network_in_a_group)
{
    require_groups();
    check(real_network(), "64M");
}

/* A limit that makes the policy swap. The kernel kills a group whose pages are still on their way
 * to swap when it has looked for free ones 16 times; such a cell is run again. */
static void check_swapping(char digest[32], const char *policy)
{
    char words[256];
    struct command command;
    snprintf(words, sizeof(words), "--policy %s --memory 32M --swap 1G", policy);
    for (int attempt = 0; attempt < 8; attempt++) {
        command_run(&command, "run %s --top 0 -o json %s", pack, words);
        json_t *records = command_records(&command);
        const bool killed = !strcmp(record_text(json_array_get(records, 0), "status"), "oom");
        if (!killed) {
            cr_expect_eq(command.exit_code, 0, "%s: %s", words, command.errors);
            cr_expect_str_eq(record_text(json_array_get(records, 0), "digest"), digest, "%s",
                             words);
        }
        cr_expect_str_empty(command_left_behind(&command));
        json_decref(records);
        command_free(&command);
        if (!killed)
            return;
    }
    cr_expect_fail("%s: killed by its limit each time", words);
}

/* Limits that make the published policies swap, and ours stream. */
Test(system_digests, under_limits_below_the_weights)
{
    char digest[32] = "", words[128];
    require_swap();
    make_pack("synth agenet", "1M");
    expect_digest(digest, "");
    check_swapping(digest, "bulk");
    check_swapping(digest, "partial");
    check_swapping(digest, "deepeye");
    snprintf(words, sizeof(words), "--policy window,auto --memory 75%%,%dM --swap 0",
             20 + SANITIZER_MIB);
    cr_expect_eq(expect_digest(digest, words), 4);
}
