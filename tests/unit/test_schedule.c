/* The schedule refuses what cannot be, whoever asks for it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "runtime/engine/schedule.h"

/* A policy that plays back steps from its state's owner. */
static struct sl_step scripted_step;

static struct sl_step scripted_next(void *state, const struct sl_policy_view *view)
{
    (void)state;
    (void)view;
    return scripted_step;
}

static const struct sl_policy scripted = {
    .name = "scripted",
    .description = "for tests",
    .executors = 1,
    .budgeted = true,
    .next = scripted_next,
};

static const struct sl_schedule_layer layers[] = {{.shard_count = 2}, {.shard_count = 0}};
static const uint64_t bytes[] = {4096, 8192};
static const struct sl_schedule_network network = {
    .name = "net", .layer_count = 2, .layers = layers, .shard_bytes = bytes};

static struct sl_schedule *schedule;
static struct sl_error error;

static void set_up(void)
{
    struct sl_schedule_options options = {.budget_bytes = 8192};
    cr_assert_eq(sl_schedule_create(&network, 1, &scripted, &options, &schedule, &error), 0);
}

static void tear_down(void)
{
    sl_schedule_free(schedule);
}

static int play(enum sl_step_kind kind, int index)
{
    struct sl_step step;
    scripted_step = (struct sl_step){kind, 0, index};
    return sl_schedule_next(schedule, 0, &step, &error);
}

TestSuite(schedule, .init = set_up, .fini = tear_down);

Test(schedule, refuses_what_cannot_be)
{
    cr_assert_eq(play(SL_STEP_ADMIT, 0), -EPROTO);
    cr_assert_eq(play(SL_STEP_RUN, 0), -EPROTO);
    cr_assert_eq(play(SL_STEP_DROP, 0), -EPROTO);
    cr_assert_eq(play(SL_STEP_LOAD, 2), -EPROTO);
    cr_assert_eq(play(SL_STEP_LOAD, -1), -EPROTO);
    sl_schedule_arrive(schedule, 0, 1, 0);
    cr_assert_eq(play(SL_STEP_WAIT, 0), -EDEADLK);
    cr_assert_eq(play(SL_STEP_ADMIT, 0), 0);
    cr_assert_eq(play(SL_STEP_RUN, 0), -EPROTO, "its shard is absent");
    cr_assert_eq(play(SL_STEP_LOAD, 0), 0);
    cr_assert_eq(play(SL_STEP_LOAD, 0), -EPROTO, "it is loading");
    cr_assert_eq(play(SL_STEP_LOAD, 1), -EPROTO, "4096 + 8192 pass the budget");
    cr_assert(strstr(error.text, "budget"));
    cr_assert_eq(play(SL_STEP_RUN, 0), -EPROTO, "it is loading");
    cr_assert_eq(sl_schedule_ran(schedule, 0, 0, &error), -EPROTO, "it is not running");
    cr_assert_eq(sl_schedule_loaded(schedule, 0, 1, &error), -EPROTO, "it is absent");
    cr_assert_eq(sl_schedule_loaded(schedule, 0, -1, &error), -EPROTO, "there is none");
    cr_assert_eq(play(SL_STEP_DROP, 0), -EPROTO, "it is loading");
}

Test(schedule, runs_a_request_to_its_end)
{
    const struct sl_policy_view *view = sl_schedule_view(schedule);
    sl_schedule_arrive(schedule, 0, 7, 3);
    cr_assert_eq(play(SL_STEP_ADMIT, 0), 0);
    for (int shard = 0; shard < 2; shard++) {
        cr_assert_eq(view->networks[0].first_absent, shard);
        cr_assert_eq(play(SL_STEP_LOAD, shard), 0);
        cr_assert_eq(sl_schedule_loaded(schedule, 0, shard, &error), 0);
        cr_assert_eq(sl_schedule_loaded(schedule, 0, shard, &error), -EPROTO, "it is resident");
        cr_assert_eq(play(SL_STEP_RUN, shard), 0);
        cr_assert_eq(play(SL_STEP_DROP, shard), -EPROTO, "it is running");
        cr_assert_eq(sl_schedule_ran(schedule, 0, shard + 1, &error), -EPROTO, "another one is");
        cr_assert_eq(sl_schedule_ran(schedule, 0, shard, &error), 0);
        cr_assert_eq(sl_schedule_ran(schedule, 0, shard, &error), -EPROTO, "it ran");
        cr_assert_eq(play(SL_STEP_DROP, shard), 0);
        cr_assert_eq(view->used_bytes, 0);
    }
    cr_assert_eq(view->networks[0].first_held, -1);
    cr_assert_eq(play(SL_STEP_RUN, 2), 0);
    cr_assert_eq(sl_schedule_ran(schedule, 0, 2, &error), 1);
    cr_assert(sl_schedule_idle(schedule));
    cr_assert_eq(view->networks[0].next_unit, 0);
    cr_assert_eq(view->networks[0].first_absent, 0);
    cr_assert_eq(view->networks[0].requests_left, 3);
    cr_assert_eq(view->executors_idle, 1);
}

static uint64_t wants_a_megabyte(const struct sl_policy_view *view)
{
    (void)view;
    return 1 << 20;
}

Test(schedule, says_the_least_budget)
{
    struct sl_policy policy = scripted;
    policy.least_budget = wants_a_megabyte;
    struct sl_schedule_options options = {.budget_bytes = 4096};
    struct sl_schedule *none = NULL;
    cr_assert_eq(sl_schedule_create(&network, 1, &policy, &options, &none, &error), -ENOBUFS);
    cr_assert(strstr(error.text, "1048576"), "%s", error.text);
    cr_assert_null(none);
}
