/* Successive halving over arms that are only numbers. */
#include "runtime/cli/halving.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/base/rng.h"

#define ARMS_MOST 300

/* Arms whose samples are their true time and noise; 0: fails; stop_after: measurements. */
struct field {
    double truth[ARMS_MOST];
    double noise; /* most, as a part of the time, in one direction: disturbances only add */
    uint64_t rng;
    int measured, per_arm[ARMS_MOST], stop_after;
    int order[ARMS_MOST * 10];
};

static int measure(void *context, int arm, uint64_t *sample, struct sl_error *error)
{
    struct field *field = context;
    if (field->stop_after && field->measured == field->stop_after)
        return sl_error_set(error, -EINTR, "stopped");
    field->order[field->measured++] = arm;
    field->per_arm[arm]++;
    if (field->truth[arm] <= 0)
        return HALVING_FAILED;
    double disturbed = 1 + field->noise * pow(sl_rng_unit(&field->rng), 4);
    *sample = (uint64_t)(field->truth[arm] * disturbed * 1e6);
    return 0;
}

static int search(struct field *field, int count)
{
    struct halving_arm arms[ARMS_MOST] = {0};
    int winner = halving_search(arms, count, measure, field, NULL);
    for (int i = 0; i < count; i++)
        free(arms[i].samples);
    return winner;
}

/* Over many fields: nearly always within 3 % of the best, for some two samples of each arm. */
Test(halving, finds_the_best_under_noise_at_a_fraction)
{
    int near = 0, fields = 200;
    for (int f = 0; f < fields; f++) {
        struct field field = {.noise = 0.3, .rng = (uint64_t)f};
        int count = 64 + f;
        double least = 1e9;
        for (int i = 0; i < count; i++) {
            field.truth[i] = 1 + sl_rng_unit(&field.rng);
            least = field.truth[i] < least ? field.truth[i] : least;
        }
        int winner = search(&field, count);
        cr_assert(winner >= 0 && winner < count);
        near += field.truth[winner] <= 1.03 * least;
        cr_assert(field.measured <= 2 * count + 30, "%d of %d", field.measured, count);
    }
    cr_assert(near >= fields * 8 / 10, "within 3 %% of the best in %d of %d fields", near, fields);
}

Test(halving, without_noise_the_best_wins)
{
    for (int count = 1; count < 40; count++) {
        struct field field = {0};
        int best = count * 7 % count + count / 2;
        best %= count;
        for (int i = 0; i < count; i++)
            field.truth[i] = i == best ? 1 : 1.2 + i;
        cr_assert_eq(search(&field, count), best, "of %d", count);
    }
}

Test(halving, what_fails_is_not_measured_again)
{
    struct field field = {.truth = {0, 3, 0, 2, 0}};
    cr_assert_eq(search(&field, 5), 3);
    cr_assert_eq(field.per_arm[0], 1);
    cr_assert_eq(field.per_arm[2], 1);
    cr_assert_eq(field.per_arm[4], 1);
    struct field none = {.truth = {0, 0}};
    cr_assert_eq(search(&none, 2), -ENOENT);
    cr_assert_eq(none.measured, 2);
    cr_assert_eq(search(&none, 0), -ENOENT);
}

/* Two that are the same need no more than three samples each; one alone one sample. */
Test(halving, stops_when_nothing_is_left_to_tell)
{
    struct field same = {.truth = {2, 2}};
    cr_assert_eq(search(&same, 2), 0, "of equals the first");
    cr_assert_eq(same.measured, 2 * HALVING_ALIKE);
    /* Medians that are the same, of samples that are not. */
    struct field close = {.truth = {2, 2.001}, .noise = 0.1, .rng = 4};
    cr_assert(search(&close, 2) >= 0);
    cr_assert(close.measured >= 2 * HALVING_CONFIRM, "%d", close.measured);
    struct field alone = {.truth = {2}};
    cr_assert_eq(search(&alone, 1), 0);
    cr_assert_eq(alone.measured, 1);
}

/* Rungs are interleaved, every second one backwards. */
Test(halving, runs_alternate)
{
    struct field field = {.truth = {1, 2, 3}};
    search(&field, 3);
    static const int expected[] = {0, 1, 2, 2, 1, 0, 0, 1, 2};
    for (int i = 0; i < 9; i++)
        cr_assert_eq(field.order[i], expected[i], "measurement %d", i);
}

Test(halving, an_error_ends_it_and_the_best_so_far_is_known)
{
    struct field field = {.truth = {5, 1, 3}, .stop_after = 2};
    struct halving_arm arms[3] = {0};
    struct sl_error error = {0};
    cr_assert_eq(halving_search(arms, 3, measure, &field, &error), -EINTR);
    cr_assert_str_eq(error.text, "stopped");
    cr_assert_eq(halving_best(arms, 3), 1);
    cr_assert_eq(halving_best(arms, 0), -1);
    for (int i = 0; i < 3; i++)
        free(arms[i].samples);
}
