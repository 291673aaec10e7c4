/* Predictions from measured times: what was measured is predicted, and what was not measured adds
 * nothing. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "policies/policy.h"
#include "runtime/base/units.h"
#include "runtime/engine/predict.h"
#include "runtime/engine/times.h"
#include "tests/unit/pack_fixture.h"

#define MS UINT64_C(1000000)

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

/* `count` such networks on a device of 1 GB/s. */
static struct sl_prediction predict_many(const struct sl_host_costs *host, const char *policy,
                                         int count)
{
    const struct sl_pack *const packs[] = {pack, pack, pack};
    const struct sl_device_model device = {
        .bytes_per_s = 1000000000, .latency_ns = 100000, .depth = 32, .host = *host};
    struct sl_predictor *predictor;
    struct sl_prediction prediction;
    struct sl_error error = {0};
    bool estimated;
    cr_assert_eq(sl_predictor_create(packs, count, 1, &device, &predictor, &estimated, &error), 0,
                 "%s", error.text);
    cr_assert_not(estimated);
    cr_assert_eq(
        sl_predict(predictor, sl_policy_find(policy), UINT64_MAX, 0, 0, &prediction, &error), 0,
        "%s: %s", policy, error.text);
    sl_predictor_free(predictor);
    return prediction;
}

static struct sl_prediction predict_on(const struct sl_host_costs *host, const char *policy)
{
    return predict_many(host, policy, 1);
}

/* Whose host does everything at no cost. */
static struct sl_prediction predict(const char *policy)
{
    return predict_on(&(struct sl_host_costs){0}, policy);
}

static void expect_near(const char *what, uint64_t predicted, uint64_t measured)
{
    const double ratio = (double)predicted / (double)measured;
    cr_expect(ratio > 0.98 && ratio < 1.02, "%s: %.3f ms predicted, %.3f measured", what,
              (double)predicted / 1e6, (double)measured / 1e6);
}

/* An engine's first pass and later ones under every policy; the process's first one takes longer
 * than that of a second engine. */
Test(predict, what_was_measured)
{
    const uint64_t begin_ns = 40 * MS;
    const struct sl_pass_times none = {0};
    struct sl_pass_times measured = {0};
    store(&none);
    for (int p = 0; sl_policy_at(p); p++) {
        const struct sl_prediction prediction = predict(sl_policy_at(p)->name);
        measured.policies[p].first_ns = prediction.makespan_ns + (uint64_t)(9 - p) * MS;
        measured.policies[p].later_ns = prediction.steady_ns + (uint64_t)(3 + p) * MS;
        if (sl_policy_at(p) == sl_policy_find("window"))
            measured.first_ns = measured.policies[p].first_ns + begin_ns;
    }
    store(&measured);
    for (int p = 0; sl_policy_at(p); p++) {
        const struct sl_prediction prediction = predict(sl_policy_at(p)->name);
        if (sl_policy_at(p)->planned)
            continue;
        expect_near(sl_policy_at(p)->name, prediction.makespan_ns,
                    measured.policies[p].first_ns + begin_ns);
        expect_near(sl_policy_at(p)->name, prediction.steady_ns, measured.policies[p].later_ns);
    }
}

/* The host's costs say more than was measured: they count less. */
Test(predict, what_took_less_than_known)
{
    const struct sl_host_costs none = {0}, host = {.load_ns = 200000,
                                                   .map_ns_per_byte = 1,
                                                   .touch_ns_per_byte = 1,
                                                   .verify_ns_per_byte = 0.5,
                                                   .unmap_ns = 300000};
    const struct sl_pass_times unknown = {0};
    struct sl_pass_times measured = {0};
    store(&unknown);
    for (int p = 0; sl_policy_at(p); p++) {
        const struct sl_prediction slow = predict_on(&host, sl_policy_at(p)->name),
                                   quick = predict_on(&none, sl_policy_at(p)->name);
        measured.policies[p].first_ns = (slow.makespan_ns + 2 * quick.makespan_ns) / 3;
        measured.policies[p].later_ns = (slow.steady_ns + 2 * quick.steady_ns) / 3;
    }
    store(&measured);
    for (int p = 0; sl_policy_at(p); p++) {
        const struct sl_prediction prediction = predict_on(&host, sl_policy_at(p)->name);
        if (sl_policy_at(p)->planned)
            continue;
        expect_near(sl_policy_at(p)->name, prediction.makespan_ns, measured.policies[p].first_ns);
        expect_near(sl_policy_at(p)->name, prediction.steady_ns, measured.policies[p].later_ns);
    }
}

/* Policies that were not measured are handled as one that holds shards in the same way. */
Test(predict, what_was_measured_of_another_policy)
{
    const struct sl_pass_times none = {0};
    struct sl_pass_times measured = {0};
    store(&none);
    const struct sl_prediction partial = predict("partial"), window = predict("window");
    for (int p = 0; sl_policy_at(p); p++) {
        const struct sl_prediction linear = predict("linear");
        if (sl_policy_at(p) != sl_policy_find("linear"))
            continue;
        measured.policies[p].first_ns = linear.makespan_ns + 20 * MS;
        measured.policies[p].later_ns = linear.steady_ns + 30 * MS;
    }
    store(&measured);
    cr_expect_gt(predict("partial").makespan_ns, partial.makespan_ns + 10 * MS);
    cr_expect_gt(predict("partial").steady_ns, partial.steady_ns + 15 * MS);
    cr_expect_eq(predict("window").steady_ns, window.steady_ns);
}

/* Passes that took less than their runs and reads: the simulation stands. */
Test(predict, what_took_no_longer_adds_nothing)
{
    const struct sl_pass_times none = {0};
    struct sl_pass_times quick = {.first_ns = 1};
    for (int p = 0; sl_policy_at(p); p++)
        quick.policies[p].first_ns = quick.policies[p].later_ns = 1;
    for (int p = 0; sl_policy_at(p); p++) {
        const char *name = sl_policy_at(p)->name;
        store(&none);
        const struct sl_prediction without = predict(name);
        store(&quick);
        const struct sl_prediction with = predict(name);
        cr_expect_eq(with.steady_ns, without.steady_ns, "%s", name);
        cr_expect_eq(with.makespan_ns, without.makespan_ns, "%s", name);
    }
}

/* Policies that have all requests active at once hold all their activations, those that chain them
 * the activations of one. */
Test(predict, activations_of_all_that_are_active)
{
    const struct sl_host_costs free_host = {0};
    const struct sl_pass_times none = {0};
    store(&none);
    const uint64_t one = predict("partial").budget.activation_bytes;
    const uint64_t chained = predict_many(&free_host, "linear", 3).budget.activation_bytes;
    const uint64_t at_once = predict_many(&free_host, "partial", 3).budget.activation_bytes;
    cr_expect_geq(at_once, 3 * (one - one / 4));
    cr_expect_lt(chained, at_once);
}

Test(predict, read_ahead_is_part_of_the_least_limit)
{
    const struct sl_device_model device = {.bytes_per_s = 1000000000, .latency_ns = 1, .depth = 32};
    const struct sl_pack *const packs[] = {pack};
    struct sl_predictor *predictor;
    struct sl_prediction with, without;
    struct sl_error error = {0};
    bool estimated;
    cr_assert_eq(sl_predictor_create(packs, 1, 1, &device, &predictor, &estimated, &error), 0, "%s",
                 error.text);
    for (int p = 0; sl_policy_at(p); p++) {
        const struct sl_policy *policy = sl_policy_at(p);
        sl_predictor_set_read_ahead(predictor, 0);
        cr_assert_eq(sl_predict(predictor, policy, UINT64_MAX, 0, 0, &without, &error), 0);
        sl_predictor_set_read_ahead(predictor, 20 * SL_MIB);
        cr_assert_eq(sl_predict(predictor, policy, UINT64_MAX, 0, 0, &with, &error), 0);
        const uint64_t more = with.least_limit_bytes - without.least_limit_bytes;
        /* Page tables are part of it, too, and the process grows. */
        cr_expect(more >= 20 * SL_MIB && more < 21 * SL_MIB, "%s: %llu", policy->name,
                  (unsigned long long)more);
        cr_expect_eq(with.budget.read_ahead_bytes, 20 * SL_MIB);
        cr_expect_eq(with.makespan_ns, without.makespan_ns, "%s", policy->name);
    }
    sl_predictor_free(predictor);
}

/* A throttle lets what belongs to two slices of 100 ms through at once: one request of a small
 * network does not wait for it, many do. */
Test(predict, small_networks_behind_a_throttle)
{
    const struct sl_pass_times none = {0};
    store(&none);
    const double weight_ns = (double)pack->weight_bytes * 1e9;
    const uint64_t rate = pack->weight_bytes * 20; /* two requests in a slice */
    const struct sl_device_model device = {
        .bytes_per_s = 1000000000, .latency_ns = 100000, .depth = 32, .throttle_bytes_per_s = rate};
    const struct sl_pack *const packs[] = {pack};
    struct sl_predictor *predictor;
    struct sl_prediction prediction;
    struct sl_error error = {0};
    bool estimated;
    cr_assert_eq(sl_predictor_create(packs, 1, 1, &device, &predictor, &estimated, &error), 0);
    for (int p = 0; sl_policy_at(p); p++) {
        const struct sl_policy *policy = sl_policy_at(p);
        cr_assert_eq(sl_predict(predictor, policy, UINT64_MAX, 0, 0, &prediction, &error), 0);
        cr_expect_leq(prediction.bound_ns, prediction.makespan_ns + 1000, "%s", policy->name);
        cr_expect_leq(prediction.steady_bound_ns, prediction.steady_ns + 1000, "%s", policy->name);
        cr_expect_lt((double)prediction.makespan_ns, weight_ns / (double)rate, "%s", policy->name);
        if (!policy->planned) /* auto reads nothing in later requests */
            expect_near(policy->name, prediction.steady_ns, (uint64_t)(weight_ns / (double)rate));
    }
    sl_predictor_free(predictor);
}

/* Of policies without a budget, too: only the page tables of a larger total are more. */
Test(predict, the_least_limit_is_the_same_without_a_limit)
{
    const struct sl_pass_times none = {0};
    const struct sl_device_model device = {.bytes_per_s = 1000000000, .depth = 32};
    struct sl_predictor *predictor;
    struct sl_prediction unlimited, limited;
    struct sl_error error = {0};
    bool estimated;
    store(&none);
    const struct sl_pack *const packs[] = {pack};
    cr_assert_eq(sl_predictor_create(packs, 1, 1, &device, &predictor, &estimated, &error), 0);
    sl_predictor_set_process(predictor, 64 * SL_MIB);
    for (int p = 0; sl_policy_at(p); p++) {
        const struct sl_policy *policy = sl_policy_at(p);
        cr_assert_eq(sl_predict(predictor, policy, UINT64_MAX, 0, 0, &unlimited, &error), 0);
        cr_assert_eq(sl_predict(predictor, policy, 80 * SL_MIB, 0, 0, &limited, &error), 0);
        const uint64_t a = unlimited.least_limit_bytes, b = limited.least_limit_bytes;
        cr_expect_lt(a > b ? a - b : b - a, SL_MIB / 8, "%s: %llu and %llu", policy->name,
                     (unsigned long long)a, (unsigned long long)b);
    }
    sl_predictor_free(predictor);
}
