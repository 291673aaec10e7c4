/* The schedule refuses what cannot be, whoever asks for it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "policies/policy.h"
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

/* Follows auto until it waits; every load ends at once. Returns what ended the last step. */
static int follow(struct sl_schedule *followed, int *loads)
{
    struct sl_step step;
    int code;
    while ((code = sl_schedule_next(followed, 0, &step, &error)) == 0 &&
           step.kind != SL_STEP_WAIT) {
        *loads += step.kind == SL_STEP_LOAD;
        if (step.kind == SL_STEP_LOAD)
            sl_schedule_loaded(followed, 0, step.index, &error);
        if (step.kind == SL_STEP_RUN)
            sl_schedule_ran(followed, 0, step.index, &error);
    }
    return code;
}

/* What was read ahead for a pass with the pins that it had is in the way with others, by its number
 * (depth) or by its bytes. */
Test(schedule, other_pins_leave_nothing_in_the_way)
{
    static const struct sl_schedule_layer four[] = {{.shard_count = 4}};
    static const uint64_t sizes[] = {8192, 4096, 4096, 8192};
    static const uint8_t before[] = {1, 1, 0, 0}, after[] = {0, 0, 0, 1};
    static const struct sl_schedule_options options[] = {{.budget_bytes = 40960, .depth = 1},
                                                         {.budget_bytes = 16384}};
    for (int o = 0; o < 2; o++) {
        struct sl_schedule *pinned = NULL;
        struct sl_schedule_network net = {
            .name = "net", .layer_count = 1, .layers = four, .shard_bytes = sizes};
        int loads = 0;
        cr_assert_eq(
            sl_schedule_create(&net, 1, sl_policy_find("auto"), &options[o], &pinned, &error), 0,
            "%s", error.text);
        sl_schedule_pin(pinned, 0, o ? (const uint8_t[]){0, 1, 0, 0} : before);
        for (int pass = 0; pass < 3; pass++) {
            sl_schedule_arrive(pinned, 0, 0, (uint64_t)(2 - pass));
            cr_assert_eq(follow(pinned, &loads), 0, "case %d, pass %d: %s", o, pass, error.text);
            cr_assert(sl_schedule_idle(pinned), "case %d, pass %d", o, pass);
            sl_schedule_pin(pinned, 0, after);
            while (sl_schedule_drop_unpinned(pinned, 0) >= 0)
                ;
        }
        cr_expect_geq(loads, 4);
        sl_schedule_free(pinned);
    }
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
