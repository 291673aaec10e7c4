#include "runtime/cli/halving.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/base/stats.h"

double halving_median(const struct halving_arm *arm)
{
    return sl_quantile(arm->samples, arm->count, 0.5);
}

int halving_best(const struct halving_arm *arms, int count)
{
    int best = -1;
    for (int i = 0; i < count; i++) {
        if (arms[i].out || arms[i].count == 0)
            continue;
        if (best < 0 || halving_median(&arms[i]) < halving_median(&arms[best]))
            best = i;
    }
    return best;
}

static int count_left(const struct halving_arm *arms, int count)
{
    int left = 0;
    for (int i = 0; i < count; i++)
        left += !arms[i].out;
    return left;
}

static int add_sample(struct halving_arm *arm, uint64_t sample, struct sl_error *error)
{
    uint64_t *samples = realloc(arm->samples, (arm->count + 1) * sizeof(*samples));
    if (!samples)
        return sl_error_set(error, -ENOMEM, "out of memory");
    arm->samples = samples;
    samples[arm->count++] = sample;
    sl_sort_u64(samples, arm->count);
    return 0;
}

static int measure_all(struct halving_arm *arms, int count, bool backwards,
                       halving_measure *measure, void *context, struct sl_error *error)
{
    for (int i = 0; i < count; i++) {
        int index = backwards ? count - 1 - i : i;
        struct halving_arm *arm = &arms[index];
        uint64_t sample;
        if (arm->out)
            continue;
        int code = measure(context, index, &sample, error);
        if (code == 0)
            code = add_sample(arm, sample, error);
        if (code < 0)
            return code;
        arm->out = code == HALVING_FAILED;
    }
    return 0;
}

/* Takes the worst ones out until so many are left. */
static void keep(struct halving_arm *arms, int count, int wanted)
{
    for (int left = count_left(arms, count); left > wanted; left--) {
        int worst = -1;
        for (int i = 0; i < count; i++)
            if (!arms[i].out &&
                (worst < 0 || halving_median(&arms[i]) >= halving_median(&arms[worst])))
                worst = i;
        arms[worst].out = true;
    }
}

/* Whether more samples of the last two would tell nothing that matters. */
static bool are_settled(const struct halving_arm *arms, int count)
{
    const struct halving_arm *best = &arms[halving_best(arms, count)];
    uint64_t low, high, other_low, other_high;
    sl_median_interval(best->samples, best->count, &low, &high);
    for (int i = 0; i < count; i++) {
        if (arms[i].out || &arms[i] == best || arms[i].count >= HALVING_MOST)
            continue;
        sl_median_interval(arms[i].samples, arms[i].count, &other_low, &other_high);
        double from = (double)(low < other_low ? low : other_low);
        double to = (double)(high > other_high ? high : other_high);
        if (high >= other_low && to > (1 + HALVING_TOLERANCE) * from)
            return false;
    }
    return true;
}

/* Whether all samples of all that are left are within the tolerance. */
static bool are_alike(const struct halving_arm *arms, int count)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (int i = 0; i < count; i++) {
        if (arms[i].out)
            continue;
        least = arms[i].samples[0] < least ? arms[i].samples[0] : least;
        most =
            arms[i].samples[arms[i].count - 1] > most ? arms[i].samples[arms[i].count - 1] : most;
    }
    return (double)most <= (1 + HALVING_TOLERANCE) * (double)least;
}

static size_t fewest_samples(const struct halving_arm *arms, int count)
{
    size_t fewest = SIZE_MAX;
    for (int i = 0; i < count; i++)
        if (!arms[i].out && arms[i].count < fewest)
            fewest = arms[i].count;
    return fewest;
}

int halving_search(struct halving_arm *arms, int count, halving_measure *measure, void *context,
                   struct sl_error *error)
{
    for (int rung = 0;; rung++) {
        int code = measure_all(arms, count, rung % 2, measure, context, error);
        if (code < 0)
            return code;
        int left = count_left(arms, count);
        if (left == 0)
            return -ENOENT;
        if (left > HALVING_FINALISTS) {
            keep(arms, count, (left + 1) / 2);
            continue;
        }
        const size_t fewest = fewest_samples(arms, count);
        if (left == 1 || (fewest >= HALVING_ALIKE && are_alike(arms, count)))
            return halving_best(arms, count);
        if (fewest < HALVING_CONFIRM)
            continue;
        keep(arms, count, 2);
        if (are_settled(arms, count))
            return halving_best(arms, count);
    }
}
