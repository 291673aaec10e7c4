#include "runtime/base/two_samples.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"

#define RESAMPLES       10000
#define RESAMPLES_LEAST 200
#define DRAWS_MOST      100000000
#define EXACT_MOST      20

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Hoare's selection: afterwards values[rank] is what sorting would put there, and nothing before it
 * is greater. */
static double select_rank(double *values, size_t count, size_t rank)
{
    size_t low = 0, high = count - 1;
    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i >= j)
                break;
            double swapped = values[i];
            values[i++] = values[j];
            values[j--] = swapped;
        }
        /* [low, j] <= pivot <= [j + 1, high]; a lone pivot at j leaves nothing to its left. */
        if (rank <= j && j < high)
            high = j;
        else if (rank > j)
            low = j + 1;
        else
            high--;
    }
    return values[rank];
}

double sl_median(double *values, size_t count)
{
    double upper = select_rank(values, count, count / 2);
    if (count % 2)
        return upper;
    double lower = values[0];
    for (size_t i = 1; i < count / 2; i++)
        lower = fmax(lower, values[i]);
    return lower + (upper - lower) / 2;
}

double sl_ratio(double first, double second)
{
    if (first > 0)
        return second / first;
    return second > 0 ? INFINITY : 1;
}

static double resampled_median(const double *values, size_t count, double *drawn, uint64_t *state)
{
    for (size_t i = 0; i < count; i++)
        drawn[i] = values[sl_rng_below(state, count)];
    return sl_median(drawn, count);
}

int sl_ratio_interval(const double *first, size_t first_count, const double *second,
                      size_t second_count, uint64_t seed, double *low, double *high)
{
    size_t resamples = DRAWS_MOST / (first_count + second_count);
    resamples = resamples > RESAMPLES         ? RESAMPLES
                : resamples < RESAMPLES_LEAST ? RESAMPLES_LEAST
                                              : resamples;
    size_t longest = first_count > second_count ? first_count : second_count;
    SL_AUTO_FREE double *drawn = calloc(longest, sizeof(*drawn));
    SL_AUTO_FREE double *ratios = calloc(resamples, sizeof(*ratios));
    if (!drawn || !ratios)
        return -ENOMEM;
    uint64_t state = seed;
    for (size_t i = 0; i < resamples; i++) {
        double before = resampled_median(first, first_count, drawn, &state);
        ratios[i] = sl_ratio(before, resampled_median(second, second_count, drawn, &state));
    }
    qsort(ratios, resamples, sizeof(*ratios), compare_doubles);
    *low = ratios[(size_t)(0.025 * (double)(resamples - 1))];
    *high = ratios[(size_t)ceil(0.975 * (double)(resamples - 1))];
    return 0;
}

struct ranked {
    double value;
    bool first;
};

static int compare_ranked(const void *left, const void *right)
{
    return compare_doubles(&((const struct ranked *)left)->value,
                           &((const struct ranked *)right)->value);
}

/* P(rank sum of `chosen` of the ranks 1..total <= sum), all choices alike. At most 40 ranks. */
static double rank_sum_tail(size_t chosen, size_t total, size_t sum)
{
    enum { SUMS = 2 * EXACT_MOST * (2 * EXACT_MOST + 1) / 2 + 1 };
    SL_AUTO_FREE double(*ways)[SUMS] = calloc(EXACT_MOST + 1, sizeof(*ways));
    if (!ways)
        return -1;
    ways[0][0] = 1;
    for (size_t rank = 1; rank <= total; rank++)
        for (size_t k = rank < chosen ? rank : chosen; k > 0; k--)
            for (size_t s = SUMS - 1; s >= rank; s--)
                ways[k][s] += ways[k - 1][s - rank];
    double all = 0, tail = 0;
    for (size_t s = 0; s < SUMS; s++) {
        all += ways[chosen][s];
        tail += s <= sum ? ways[chosen][s] : 0;
    }
    return tail / all;
}

double sl_mann_whitney(const double *first, size_t first_count, const double *second,
                       size_t second_count)
{
    size_t total = first_count + second_count;
    if (!first_count || !second_count)
        return 1;
    SL_AUTO_FREE struct ranked *values = calloc(total, sizeof(*values));
    if (!values)
        return -1;
    for (size_t i = 0; i < total; i++)
        values[i] = i < first_count ? (struct ranked){first[i], true}
                                    : (struct ranked){second[i - first_count], false};
    qsort(values, total, sizeof(*values), compare_ranked);
    double rank_sum = 0, ties = 0;
    for (size_t i = 0, end; i < total; i = end) {
        for (end = i + 1; end < total && values[end].value <= values[i].value;)
            end++;
        double tied = (double)(end - i);
        ties += tied * tied * tied - tied;
        for (size_t j = i; j < end; j++)
            rank_sum += values[j].first ? (double)(i + 1 + end) / 2 : 0;
    }
    double m = (double)first_count, n = (double)second_count, all = m + n;
    double u = rank_sum - m * (m + 1) / 2;
    double least = fmin(u, m * n - u);
    if (ties <= 0 && first_count <= EXACT_MOST && second_count <= EXACT_MOST) {
        double tail = rank_sum_tail(first_count, total, (size_t)(least + m * (m + 1) / 2));
        return tail < 0 ? -1 : fmin(1, 2 * tail);
    }
    double variance = m * n / 12 * (all + 1 - ties / (all * (all - 1)));
    if (variance <= 0)
        return 1;
    double z = fmax(0, m * n / 2 - least - 0.5) / sqrt(variance);
    return erfc(z / sqrt(2));
}

double sl_modified_z(double value, double median, double mad)
{
    double distance = value - median;
    if (mad > 0)
        return 0.6745 * distance / mad;
    return distance > 0 ? INFINITY : distance < 0 ? -INFINITY : 0;
}
