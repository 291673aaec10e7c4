/* Calibration over a real file: what it keeps fits together, and what cannot be kept is an error.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/engine/calibrate.h"
#include "runtime/engine/times.h"
#include "tests/unit/pack_fixture.h"

static const struct sl_calibration_of one_thread = {.threads = 1};

static struct scratch scratch;
static struct sl_pack *pack;

static void set_up(void)
{
    pack = scratch_pack(&scratch, lenet_text, 64 << 10);
}

static void tear_down(void)
{
    sl_pack_close(pack);
    scratch_end(&scratch);
}

TestSuite(calibrate, .init = set_up, .fini = tear_down);

static struct sl_run_times *calibrated(struct sl_pass_times *passes)
{
    struct sl_error error = {0};
    struct sl_run_times *times = calloc((size_t)pack->network->layer_count, sizeof(*times));
    cr_assert_not_null(times);
    cr_assert_eq(sl_calibrate_pack(pack, &one_thread, &error), 0, "%s", error.text);
    cr_assert_eq(sl_times_load(pack, 1, times, passes, &error), 0, "%s", error.text);
    return times;
}

Test(calibrate, what_is_kept_fits_together)
{
    struct sl_pass_times passes;
    struct sl_run_times *once = calibrated(&passes);
    uint64_t first_ns = 0, least_ns = 0;
    for (int l = 0; l < pack->network->layer_count; l++) {
        cr_expect_leq(once[l].least_ns, once[l].usual_ns, "layer %d", l);
        cr_expect_leq(once[l].least_ns, once[l].reading_ns, "layer %d", l);
        if (pack->layer_first_shard[l + 1] > pack->layer_first_shard[l])
            cr_expect_gt(once[l].waited_ns, 0, "layer %d", l);
        first_ns += once[l].first_ns;
        least_ns += once[l].least_ns;
    }
    cr_expect_gt(least_ns, 0);
    cr_expect_geq(passes.first_ns, first_ns);
    for (int p = 0; sl_policy_at(p); p++)
        if (!sl_policy_at(p)->planned) {
            cr_expect_geq(passes.policies[p].first_ns, least_ns, "%s", sl_policy_at(p)->name);
            cr_expect_geq(passes.policies[p].later_ns, least_ns, "%s", sl_policy_at(p)->name);
        }
    struct sl_run_times *again = calibrated(&passes);
    for (int l = 0; l < pack->network->layer_count; l++)
        cr_expect_leq(again[l].least_ns, once[l].least_ns, "layer %d", l);
    free(once);
    free(again);
}

/* Two passes are made whatever the time: of the policy that comes first. */
Test(calibrate, ends_when_the_time_is_over)
{
    struct sl_error error = {0};
    struct sl_pass_times passes;
    const struct sl_calibration_of hurried = {.threads = 1, .most_ns = 1};
    struct sl_run_times *times = calloc((size_t)pack->network->layer_count, sizeof(*times));
    cr_assert_not_null(times);
    cr_assert_eq(sl_calibrate_pack(pack, &hurried, &error), 0, "%s", error.text);
    cr_assert_eq(sl_times_load(pack, 1, times, &passes, &error), 0, "%s", error.text);
    for (int p = 0; sl_policy_at(p); p++)
        cr_expect_eq(passes.policies[p].later_ns, 0, "%s", sl_policy_at(p)->name);
    cr_expect_gt(passes.first_ns, 0);
    cr_expect_gt(times[1].usual_ns, 0);
    free(times);
}

/* Its place is taken: nothing is said to be measured that the next process would not find. */
Test(calibrate, times_that_cannot_be_kept)
{
    struct sl_error error = {0};
    char path[sizeof(scratch.pack) + 8];
    snprintf(path, sizeof(path), "%s.times", scratch.pack);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_expect_lt(sl_calibrate_pack(pack, &one_thread, &error), 0);
    cr_expect_str_not_empty(error.text);
    rmdir(path);
}
