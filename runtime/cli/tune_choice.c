#include "runtime/cli/tune_choice.h"

#include <math.h>

#include "runtime/base/units.h"

/* What a prediction counts as when every chosen setting has the same value of an axis. */
#define REPETITION 0.1

static bool is_among(const int *list, int count, int value)
{
    for (int i = 0; i < count; i++)
        if (list[i] == value)
            return true;
    return false;
}

/* The prediction, made worse by what the chosen ones have in common with it. */
static double score(const struct tune_setting *settings, int candidate, const int *chosen,
                    int chosen_count)
{
    double factor = 1;
    for (int axis = 0; axis < TUNE_AXES && chosen_count > 0; axis++) {
        int same = 0;
        for (int i = 0; i < chosen_count; i++)
            same += settings[chosen[i]].values[axis] == settings[candidate].values[axis];
        factor *= 1 + REPETITION * same / chosen_count;
    }
    return settings[candidate].predicted_ns * factor;
}

int tune_pick(const struct tune_setting *settings, int count, const int *given, int given_count,
              int most, int *chosen)
{
    double least = INFINITY;
    int chosen_count = 0;
    for (int i = 0; i < count; i++)
        if (settings[i].predicted_ns > 0 && settings[i].predicted_ns < least)
            least = settings[i].predicted_ns;
    for (int i = 0; i < given_count && chosen_count < most; i++)
        chosen[chosen_count++] = given[i];
    while (chosen_count < most) {
        int best = -1;
        double best_score = INFINITY;
        for (int i = 0; i < count; i++) {
            double predicted = settings[i].predicted_ns;
            if (predicted <= 0 || predicted > TUNE_PRUNE * least ||
                is_among(chosen, chosen_count, i))
                continue;
            double its = score(settings, i, chosen, chosen_count);
            if (its < best_score) {
                best_score = its;
                best = i;
            }
        }
        if (best < 0)
            break;
        chosen[chosen_count++] = best;
    }
    return chosen_count;
}

int tune_spread_limits(uint64_t least_bytes, uint64_t most_bytes, int count, uint64_t *limits)
{
    int made = 0;
    if (most_bytes < least_bytes)
        most_bytes = least_bytes;
    for (int i = 0; i < count; i++) {
        double part = count > 1 ? (double)i / (count - 1) : 0;
        double bytes = (double)most_bytes * pow((double)least_bytes / (double)most_bytes, part);
        uint64_t limit = sl_align_up((uint64_t)bytes, SL_MIB);
        if (made == 0 || limit < limits[made - 1])
            limits[made++] = limit;
    }
    return made;
}

int tune_mark_front(struct tune_point *points, int count)
{
    double least = INFINITY;
    int knee = -1;
    for (int i = 0; i < count; i++) {
        struct tune_point *point = &points[i];
        point->optimal = point->latency_ns > 0;
        if (point->latency_ns > 0 && point->latency_ns < least)
            least = point->latency_ns;
        for (int j = 0; j < count && point->optimal; j++) {
            const struct tune_point *other = &points[j];
            bool no_worse = other->latency_ns > 0 && other->latency_ns <= point->latency_ns &&
                            other->memory_bytes <= point->memory_bytes;
            bool better =
                other->latency_ns < point->latency_ns || other->memory_bytes < point->memory_bytes;
            point->optimal = !(no_worse && better);
        }
    }
    for (int i = 0; i < count; i++)
        if (points[i].latency_ns > 0 && points[i].latency_ns <= TUNE_KNEE * least &&
            (knee < 0 || points[i].memory_bytes < points[knee].memory_bytes))
            knee = i;
    return knee;
}
