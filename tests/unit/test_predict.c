/* Predictions from measured times: what was measured is predicted, and what was not measured adds
 * nothing. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "policies/policy.h"
#include "runtime/engine/predict.h"
#include "runtime/engine/times.h"
#include "tests/unit/pack_fixture.h"

#define MS UINT64_C(1000000)

static struct scratch scratch;
static struct sl_pack *pack;

static void set_up(void)
{
    struct sl_error error = {0};
    scratch_begin(&scratch);
    write_pack(&scratch, lenet_text, true, 64 << 10);
    cr_assert_eq(sl_pack_open(scratch.pack, NULL, &pack, &error), 0, "%s", error.text);
}

static void tear_down(void)
{
    sl_pack_close(pack);
    scratch_end(&scratch);
}

TestSuite(predict, .init = set_up, .fini = tear_down);

/* Every layer takes 1 ms whatever the circumstances; whole passes as given. */
static void store(const struct sl_pass_times *passes)
{
    struct sl_error error = {0};
    const size_t layers = (size_t)pack->network->layer_count;
    struct sl_run_times *times = calloc(layers, sizeof(*times));
    cr_assert_not_null(times);
    for (size_t l = 0; l < layers; l++)
        times[l] = (struct sl_run_times){MS, MS, MS, MS, MS};
    cr_assert_eq(sl_times_store(pack, 1, times, passes, &error), 0, "%s", error.text);
    free(times);
}

/* On a device of 1 GB/s whose host does everything at no cost. */
static struct sl_prediction predict(const char *policy)
{
    const struct sl_device_model device = {
        .bytes_per_s = 1000000000, .latency_ns = 100000, .depth = 32};
    struct sl_predictor *predictor;
    struct sl_prediction prediction;
    struct sl_error error = {0};
    bool estimated;
    cr_assert_eq(sl_predictor_create((const struct sl_pack *const *)&pack, 1, 1, &device,
                                     &predictor, &estimated, &error),
                 0, "%s", error.text);
    cr_assert_not(estimated);
    cr_assert_eq(
        sl_predict(predictor, sl_policy_find(policy), UINT64_MAX, 0, 0, &prediction, &error), 0,
        "%s: %s", policy, error.text);
    sl_predictor_free(predictor);
    return prediction;
}

static void expect_near(const char *what, uint64_t predicted, uint64_t measured)
{
    const double ratio = (double)predicted / (double)measured;
    cr_expect(ratio > 0.98 && ratio < 1.02, "%s: %.3f ms predicted, %.3f measured", what,
              (double)predicted / 1e6, (double)measured / 1e6);
}

Test(predict, what_was_measured)
{
    const struct sl_pass_times none = {0};
    store(&none);
    const uint64_t bulk = predict("bulk").steady_ns, window = predict("window").steady_ns,
                   linear = predict("linear").steady_ns, first = predict("window").makespan_ns;
    const struct sl_pass_times measured = {.first_ns = first + 40 * MS,
                                           .window_ns = window + 5 * MS,
                                           .linear_ns = linear + 9 * MS,
                                           .bulk_ns = bulk + 3 * MS};
    store(&measured);
    expect_near("window", predict("window").steady_ns, measured.window_ns);
    expect_near("linear", predict("linear").steady_ns, measured.linear_ns);
    expect_near("bulk", predict("bulk").steady_ns, measured.bulk_ns);
    expect_near("a first pass", predict("window").makespan_ns, measured.first_ns);
}

/* Passes that took less than their runs and reads: the simulation stands. */
Test(predict, what_took_no_longer_adds_nothing)
{
    static const char *const policies[] = {"window", "linear", "bulk", "deepeye", "auto"};
    const struct sl_pass_times none = {0}, quick = {1, 1, 1, 1};
    for (int p = 0; p < 5; p++) {
        store(&none);
        const struct sl_prediction without = predict(policies[p]);
        store(&quick);
        const struct sl_prediction with = predict(policies[p]);
        cr_expect_eq(with.steady_ns, without.steady_ns, "%s", policies[p]);
        cr_expect_eq(with.makespan_ns, without.makespan_ns, "%s", policies[p]);
    }
}
