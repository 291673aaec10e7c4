/* Statistics of two independent samples: whether and by how much the second differs. */
#ifndef SLUICE_BASE_TWO_SAMPLES_H
#define SLUICE_BASE_TWO_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

/* Median; reorders the values. count >= 1. Any thread, as all of this file. */
double sl_median(double *values, size_t count);

/* second / first of values >= 0, where 0 / 0 is 1 and x / 0 is infinite. */
double sl_ratio(double first, double second);

/* Percentile bootstrap interval (Efron & Tibshirani, An Introduction to the Bootstrap, 1993,
 * chapter 13) of median(second) / median(first) with 95 % confidence: 10,000 resamples of both,
 * fewer (at least 200) when there are so many samples that it would take more than about a second.
 * Deterministic for a seed. Counts >= 1; fewer than three samples tell nothing of their spread.
 * -ENOMEM. */
int sl_ratio_interval(const double *first, size_t first_count, const double *second,
                      size_t second_count, uint64_t seed, double *low, double *high);

/* Two-sided p of the Mann-Whitney U test (Mann & Whitney, Annals of Mathematical Statistics 18,
 * 1947): exact, by counting rank sums, when both have at most 20 samples and no value is tied;
 * else the normal approximation with the correction for ties (Lehmann, Nonparametrics, 1975,
 * section 1.4) and for continuity. 1 when all values are equal or a count is 0. -1 when memory ran
 * out. */
double sl_mann_whitney(const double *first, size_t first_count, const double *second,
                       size_t second_count);

/* Modified z-score of a value (Iglewicz & Hoaglin, How to Detect and Handle Outliers, 1993):
 * 0.6745 (value - median) / mad, where mad is the median absolute deviation; values beyond 3.5 are
 * called outliers. mad 0: 0 for the median itself, else infinite. */
double sl_modified_z(double value, double median, double mad);

#endif
