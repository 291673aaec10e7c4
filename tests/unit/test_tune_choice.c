/* What tune decides by numbers alone. */
#include "runtime/cli/tune_choice.h"

#include <criterion/criterion.h>

#include "runtime/base/units.h"

Test(tune_choice, what_does_not_fit_or_is_far_off_is_not_tried)
{
    const struct tune_setting settings[] = {{.predicted_ns = 149},
                                            {.predicted_ns = 0},
                                            {.predicted_ns = 100},
                                            {.predicted_ns = 151},
                                            {.predicted_ns = -1}};
    int chosen[5];
    cr_assert_eq(tune_pick(settings, 5, NULL, 0, 5, chosen), 2);
    cr_assert_eq(chosen[0], 2);
    cr_assert_eq(chosen[1], 0);
    cr_assert_eq(tune_pick(settings, 5, NULL, 0, 1, chosen), 1);
    cr_assert_eq(chosen[0], 2);
    cr_assert_eq(tune_pick(settings + 1, 1, NULL, 0, 5, chosen), 0, "nothing fits");
}

/* Settings that the simulator cannot tell apart: every value of every axis is tried. */
Test(tune_choice, what_is_predicted_the_same_is_spread)
{
    struct tune_setting settings[27];
    for (int i = 0; i < 27; i++)
        settings[i] = (struct tune_setting){100 + i * 0.01, {i % 3, i / 3 % 3, i / 9}};
    int chosen[6], seen[3][3] = {{0}};
    cr_assert_eq(tune_pick(settings, 27, NULL, 0, 6, chosen), 6);
    for (int i = 0; i < 6; i++)
        for (int axis = 0; axis < 3; axis++)
            seen[axis][settings[chosen[i]].values[axis]]++;
    for (int axis = 0; axis < 3; axis++)
        for (int value = 0; value < 3; value++)
            cr_assert(seen[axis][value] > 0, "axis %d, value %d", axis, value);
}

/* A difference beyond what the simulator may be off outweighs that. */
Test(tune_choice, a_clear_prediction_decides)
{
    struct tune_setting settings[8];
    for (int i = 0; i < 8; i++)
        settings[i] = (struct tune_setting){i < 4 ? 100 : 140, {i < 4}};
    int chosen[4];
    cr_assert_eq(tune_pick(settings, 8, NULL, 0, 4, chosen), 4);
    for (int i = 0; i < 4; i++)
        cr_assert(chosen[i] < 4);
}

Test(tune_choice, given_ones_come_first_and_once)
{
    const struct tune_setting settings[] = {
        {.predicted_ns = 100}, {.predicted_ns = 300}, {.predicted_ns = 120}};
    const int given[] = {1, 0};
    int chosen[3];
    cr_assert_eq(tune_pick(settings, 3, given, 2, 3, chosen), 3);
    cr_assert_eq(chosen[0], 1);
    cr_assert_eq(chosen[1], 0);
    cr_assert_eq(chosen[2], 2);
}

Test(tune_choice, limits_are_spread_by_equal_factors)
{
    uint64_t limits[5];
    cr_assert_eq(tune_spread_limits(10 * SL_MIB, 160 * SL_MIB, 5, limits), 5);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(limits[i], (160 * SL_MIB) >> i, "limit %d is %llu", i,
                     (unsigned long long)limits[i]);
    /* Never below the least; those that are the same in MiB once. */
    int count = tune_spread_limits(10 * SL_MIB + 1, 12 * SL_MIB, 5, limits);
    cr_assert_eq(count, 2);
    cr_assert_eq(limits[0], 12 * SL_MIB);
    cr_assert_eq(limits[1], 11 * SL_MIB);
    cr_assert_eq(tune_spread_limits(20 * SL_MIB, 5 * SL_MIB, 5, limits), 1);
    cr_assert_eq(limits[0], 20 * SL_MIB);
}

Test(tune_choice, front_and_knee)
{
    struct tune_point points[] = {{400, 100, false}, {200, 104, false}, {100, 120, false},
                                  {50, 130, false},  {40, 130, false},  {20, 0, false},
                                  {300, 110, false}};
    cr_assert_eq(tune_mark_front(points, 7), 1);
    const bool optimal[] = {true, true, true, false, true, false, false};
    for (int i = 0; i < 7; i++)
        cr_assert_eq(points[i].optimal, optimal[i], "point %d", i);
    struct tune_point nothing[] = {{400, 0, false}};
    cr_assert_eq(tune_mark_front(nothing, 1), -1);
    cr_assert_not(nothing[0].optimal);
}
