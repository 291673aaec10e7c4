/* Every policy under events in any order: reads that finish out of order, runs that take long or no
 * time, budgets that shrink in between. What is in memory is kept account of here a second time,
 * apart from the schedule, and from the least budget on. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/rng.h"
#include "tests/unit/random_workload.h"

#define SEEDS 300

enum slot { FREE, LOADING, RESIDENT };

struct driver {
    const struct random_workload *workload;
    const struct sl_policy *policy;
    struct sl_schedule *schedule;
    uint64_t *rng;
    uint64_t seed, budget_bytes, used_bytes, loads, frees, runs;
    enum slot slots[RANDOM_NETWORKS_MOST][RANDOM_SHARDS_MOST];
    int running_unit[RANDOM_NETWORKS_MOST]; /* -1: none */
    int requests_done;
};

static void release(void *context, int network, int shard)
{
    struct driver *driver = context;
    cr_assert_neq(driver->slots[network][shard], FREE, "freed twice");
    driver->slots[network][shard] = FREE;
    driver->used_bytes -= driver->workload->shard_bytes[network][shard];
    driver->frees++;
}

static void load(struct driver *driver, int network, int shard)
{
    cr_assert_eq(driver->slots[network][shard], FREE);
    driver->slots[network][shard] = LOADING;
    driver->used_bytes += driver->workload->shard_bytes[network][shard];
    driver->loads++;
    cr_assert_leq(driver->used_bytes, driver->budget_bytes, "seed %llu, %s passes its budget",
                  (unsigned long long)driver->seed, driver->policy->name);
}

static void run(struct driver *driver, int network, int unit)
{
    int shard = sl_schedule_view(driver->schedule)->networks[network].unit_shard[unit];
    cr_assert(shard < 0 || driver->slots[network][shard] == RESIDENT, "runs before its load");
    cr_assert_eq(driver->running_unit[network], -1);
    driver->running_unit[network] = unit;
    driver->runs++;
}

/* Until the policy waits. */
static void follow(struct driver *driver)
{
    for (;;) {
        struct sl_step step;
        struct sl_error error = {0};
        cr_assert_eq(sl_schedule_next(driver->schedule, 0, &step, &error), 0, "seed %llu: %s",
                     (unsigned long long)driver->seed, error.text);
        if (step.kind == SL_STEP_WAIT)
            return;
        if (step.kind == SL_STEP_LOAD)
            load(driver, step.network, step.index);
        else if (step.kind == SL_STEP_RUN)
            run(driver, step.network, step.index);
        else if (step.kind == SL_STEP_DROP)
            release(driver, step.network, step.index);
    }
}

/* One of the reads and runs in progress ends; false when there is none. */
static bool event(struct driver *driver)
{
    struct {
        int network, index;
        bool run;
    } pending[RANDOM_NETWORKS_MOST * (RANDOM_SHARDS_MOST + 1)];
    int count = 0;
    for (int n = 0; n < driver->workload->network_count; n++) {
        for (int s = 0; s < RANDOM_SHARDS_MOST; s++) {
            if (driver->slots[n][s] != LOADING)
                continue;
            pending[count].network = n;
            pending[count].index = s;
            pending[count++].run = false;
        }
        if (driver->running_unit[n] < 0)
            continue;
        pending[count].network = n;
        pending[count].index = driver->running_unit[n];
        pending[count++].run = true;
    }
    if (!count)
        return false;
    int chosen = (int)sl_rng_below(driver->rng, (uint64_t)count);
    int network = pending[chosen].network, index = pending[chosen].index;
    if (pending[chosen].run) {
        driver->running_unit[network] = -1;
        int finished = sl_schedule_ran(driver->schedule, network, index, NULL);
        cr_assert_geq(finished, 0);
        driver->requests_done += finished;
    } else {
        driver->slots[network][index] = RESIDENT;
        cr_assert_eq(sl_schedule_loaded(driver->schedule, network, index, NULL), 0);
    }
    return true;
}

/* As the engine does: between units, reads given up, to any budget that the largest shard fits. */
static void shrink(struct driver *driver)
{
    for (int n = 0; n < driver->workload->network_count; n++)
        if (driver->running_unit[n] >= 0)
            return;
    uint64_t room = driver->budget_bytes - RANDOM_SHARD_MOST;
    driver->budget_bytes = RANDOM_SHARD_MOST + sl_rng_below(driver->rng, room + 1);
    struct sl_error error = {0};
    cr_assert_eq(
        sl_schedule_shrink(driver->schedule, driver->budget_bytes, release, driver, &error), 0,
        "%s", error.text);
    cr_assert_leq(driver->used_bytes, driver->budget_bytes);
    for (int n = 0; n < driver->workload->network_count; n++)
        for (int s = 0; s < RANDOM_SHARDS_MOST; s++)
            cr_assert_neq(driver->slots[n][s], LOADING);
}

static void drive(struct driver *driver, bool shrinks)
{
    const int count = driver->workload->network_count, rounds = 3;
    memset(driver->running_unit, 0xff, sizeof(driver->running_unit));
    for (int round = 0; round < rounds; round++) {
        for (int n = 0; n < count; n++)
            sl_schedule_arrive(driver->schedule, n, 0, (uint64_t)(rounds - 1 - round));
        do {
            follow(driver);
            if (shrinks && driver->budget_bytes > RANDOM_SHARD_MOST &&
                sl_rng_below(driver->rng, 16) == 0)
                shrink(driver);
            follow(driver);
            cr_assert_eq(driver->used_bytes, sl_schedule_view(driver->schedule)->used_bytes);
        } while (event(driver));
        cr_assert(sl_schedule_idle(driver->schedule));
    }
    cr_assert_eq(driver->requests_done, rounds * count);
    cr_assert_eq(driver->runs, driver->workload->units * (uint64_t)rounds);
    if (!driver->policy->budgeted)
        cr_assert_eq(driver->frees, driver->loads, "%s keeps shards", driver->policy->name);
}

static void check(uint64_t seed, const struct sl_policy *policy, bool shrinks)
{
    uint64_t rng = seed, least = 0;
    struct random_workload workload;
    struct sl_error error = {0};
    random_workload_make(&rng, &workload);
    if (shrinks || sl_rng_below(&rng, 2))
        random_workload_pin(&rng, &workload, sl_rng_below(&rng, workload.weight_bytes + 1));
    cr_assert_eq(
        sl_schedule_least_budget(workload.networks, workload.network_count, policy, &least, &error),
        0);
    struct driver driver = {.workload = &workload, .policy = policy, .rng = &rng, .seed = seed};
    driver.budget_bytes = UINT64_MAX;
    if (policy->budgeted)
        driver.budget_bytes = least + (shrinks ? RANDOM_SHARD_MOST : 0) +
                              sl_rng_below(&rng, 2) * sl_rng_below(&rng, workload.weight_bytes + 1);
    struct sl_schedule_options options = {
        .budget_bytes = driver.budget_bytes,
        .memory_bytes = sl_rng_below(&rng, 2 * workload.weight_bytes + 1),
        .depth = (int)sl_rng_below(&rng, 4),
        .reads_most = (int)sl_rng_below(&rng, 33),
    };
    cr_assert_eq(sl_schedule_create(workload.networks, workload.network_count, policy, &options,
                                    &driver.schedule, &error),
                 0, "%s", error.text);
    drive(&driver, shrinks && policy->budgeted);
    sl_schedule_free(driver.schedule);
    if (!policy->budgeted || !least)
        return;
    options.budget_bytes = least - 1;
    cr_assert_eq(sl_schedule_create(workload.networks, workload.network_count, policy, &options,
                                    &driver.schedule, &error),
                 -ENOBUFS, "one byte less than the least budget");
    char number[32];
    snprintf(number, sizeof(number), "at least %llu", (unsigned long long)least);
    cr_assert(strstr(error.text, number) != NULL, "%s", error.text);
}

Test(random_events, every_policy_from_the_least_budget_on)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (int p = 0; sl_policy_at(p); p++)
            check(seed, sl_policy_at(p), false);
}

Test(random_events, budgets_that_shrink)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (int p = 0; sl_policy_at(p); p++)
            if (sl_policy_at(p)->budgeted)
                check(seed, sl_policy_at(p), true);
}
