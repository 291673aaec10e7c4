/* A pack cut again is the pack that import writes for that shard size. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pack_fixture.h"
#include "runtime/base/cleanup.h"
#include "runtime/sluice.h"

static struct scratch scratch;

static void set_up(void)
{
    scratch_begin(&scratch);
}

static void tear_down(void)
{
    scratch_end(&scratch);
}

TestSuite(recut, .init = set_up, .fini = tear_down);

static void path_of(const char *name, char path[300])
{
    snprintf(path, 300, "%s/%s", scratch.directory, name);
}

static void synthesize(const char *topology, const char *encoding, uint64_t shard_bytes,
                       const char *path)
{
    struct sl_error error = {0};
    struct sl_import_request request = {
        .topology = topology,
        .output = path,
        .shard_bytes = shard_bytes,
        .encoding = encoding,
        .preprocessing.mean = "104",
    };
    cr_assert_eq(sl_import(&request, NULL, &error), 0, "%s", error.text);
}

static void check_same(const char *expected_path, const char *path, const char *what)
{
    size_t expected_length, length;
    SL_AUTO_FREE unsigned char *expected = read_file(expected_path, &expected_length);
    SL_AUTO_FREE unsigned char *found = read_file(path, &length);
    cr_assert_eq(length, expected_length, "%s: %zu bytes, not %zu", what, length, expected_length);
    cr_assert_eq(memcmp(found, expected, length), 0, "%s", what);
}

/* From every size to every other, in every encoding. */
Test(recut, is_what_import_writes)
{
    static const char *const encodings[] = {"f32", "f16", "bf16", "i8", "lossless"};
    static const uint64_t sizes[] = {16 << 10, 200 << 10, 1 << 20, 64 << 20};
    for (int e = 0; e < 5; e++) {
        char made[4][300], cut[300], what[100];
        for (int i = 0; i < 4; i++) {
            snprintf(what, sizeof(what), "%d.sluice", i);
            path_of(what, made[i]);
            synthesize("squeezenet", encodings[e], sizes[i], made[i]);
        }
        path_of("cut.sluice", cut);
        for (int from = 0; from < 4; from++) {
            for (int to = 0; to < 4; to++) {
                struct sl_error error = {0};
                struct sl_import_summary summary;
                snprintf(what, sizeof(what), "%s from %llu to %llu", encodings[e],
                         (unsigned long long)sizes[from], (unsigned long long)sizes[to]);
                cr_assert_eq(sl_repack(made[from], sizes[to], cut, &summary, &error), 0, "%s: %s",
                             what, error.text);
                check_same(made[to], cut, what);
            }
        }
    }
}

/* Scale factors and other blobs that are stored whole with row 0, and layers that are not cut. */
Test(recut, every_kind_of_blob)
{
    static const char *const topologies[] = {"lenet", "mobilenet", "resnet50"};
    for (int i = 0; i < 3; i++) {
        char small[300], large[300], cut[300];
        path_of("small.sluice", small);
        path_of("large.sluice", large);
        path_of("cut.sluice", cut);
        synthesize(topologies[i], "f32", 64 << 10, small);
        synthesize(topologies[i], "f32", 0, large);
        struct sl_error error = {0};
        cr_assert_eq(sl_repack(small, 0, cut, NULL, &error), 0, "%s", error.text);
        check_same(large, cut, topologies[i]);
        cr_assert_eq(sl_repack(large, 64 << 10, cut, NULL, &error), 0, "%s", error.text);
        check_same(small, cut, topologies[i]);
    }
}

/* Over itself: the old pack is read to its end before the new one takes its name. */
Test(recut, in_place)
{
    char pack[300], expected[300];
    path_of("pack.sluice", pack);
    path_of("expected.sluice", expected);
    synthesize("lenet", "f32", 0, pack);
    synthesize("lenet", "f32", 32 << 10, expected);
    struct sl_error error = {0};
    cr_assert_eq(sl_repack(pack, 32 << 10, pack, NULL, &error), 0, "%s", error.text);
    check_same(expected, pack, "in place");
}

Test(recut, a_damaged_shard_is_refused)
{
    char pack[300], cut[300];
    path_of("pack.sluice", pack);
    path_of("cut.sluice", cut);
    synthesize("lenet", "f32", 0, pack);
    size_t length;
    SL_AUTO_FREE unsigned char *bytes = read_file(pack, &length);
    bytes[length - 3000] ^= 1;
    write_file(pack, bytes, length);
    struct sl_error error = {0};
    int names = scratch_count(&scratch);
    cr_assert_eq(sl_repack(pack, 32 << 10, cut, NULL, &error), -EBADMSG);
    cr_assert(strstr(error.text, "layer '"), "%s", error.text);
    cr_assert_eq(scratch_count(&scratch), names, "a file was left");
    cr_assert_eq(sl_repack("/nowhere/pack", 0, cut, NULL, &error), -ENOENT);
}
