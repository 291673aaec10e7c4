/* What tune decides by numbers alone: which settings to try, at which limits, and which point of
 * the curve to recommend. Pure. */
#ifndef SLUICE_CLI_TUNE_CHOICE_H
#define SLUICE_CLI_TUNE_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#define TUNE_AXES 8
/* Settings that are predicted to take so many times the best are not tried. */
#define TUNE_PRUNE 1.5
/* Within this factor of the best latency, least memory is recommended. */
#define TUNE_KNEE 1.05

/* Settings at one limit, as the simulator sees them. */
struct tune_setting {
    double predicted_ns;   /* <= 0: does not fit */
    int values[TUNE_AXES]; /* which value of each axis it has */
};

/* Chooses at most `most` of the settings to try, best first; of those within TUNE_PRUNE of the best
 * only. The simulator knows nothing of some axes (loader) and is some per cent off in others, so
 * that a setting with values that many chosen ones have counts as up to 1.1 times per axis what is
 * predicted. given: chosen already (indexes into settings), first in *chosen. Returns how many
 * there are in chosen. */
int tune_pick(const struct tune_setting *settings, int count, const int *given, int given_count,
              int most, int *chosen);

/* count limits from least to most in equal factors, whole MiB, no two the same; largest first.
 * Returns how many. */
int tune_spread_limits(uint64_t least_bytes, uint64_t most_bytes, int count, uint64_t *limits);

struct tune_point {
    uint64_t memory_bytes;
    double latency_ns; /* <= 0: nothing ran at this limit */
    bool optimal;      /* result: no point has less of one without more of the other */
};
/* Marks the Pareto front and returns the index of the point with the least memory within TUNE_KNEE
 * of the least latency; -1: nothing ran. */
int tune_mark_front(struct tune_point *points, int count);

#endif
