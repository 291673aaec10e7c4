#include "runtime/report/noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/two_samples.h"
#include "runtime/base/units.h"
#include "runtime/report/record.h"

/* A spread says something from here on. */
#define SAMPLES_LEAST 5
/* Iglewicz & Hoaglin's bound; and what is within a fifth of the median is no reason to doubt it, so
 * that samples that hardly differ have no outliers. */
#define Z_MOST         3.5
#define DISTANCE_LEAST 0.2
/* A first request is slow when it takes half as long again as the slowest of the others. */
#define FIRST_LEAST 1.5
/* Kernel threads that work for a cell (reclaim, I/O) stay below this share of the processors. */
#define OTHERS_LEAST 0.25
#define STOLEN_LEAST 0.05
#define CLOCK_LEAST  0.7
#define QUOTA_LEAST  0.05
/* Times are counted in ticks of 10 ms: shorter cells tell nothing of the machine. */
#define WALL_LEAST_NS 200e6
/* What the storage delivered, of what was read through the page cache. */
#define COLD_LEAST 0.5
/* Less may lie in blocks that were read for something else. */
#define READ_LEAST (4.0 * (double)SL_MIB)

struct finding {
    size_t cells;
    double worst;
    const struct sl_result_cell *cell; /* the worst */
};

static void note(struct finding *finding, const struct sl_result_cell *cell, double badness)
{
    finding->cells++;
    if (finding->cell && badness <= finding->worst)
        return;
    finding->worst = badness;
    finding->cell = cell;
}

/* How many times as long as the slowest of the others the first request of any record took. */
static double slow_first(const struct sl_result_cell *cell)
{
    double worst = 0;
    size_t i, j;
    const json_t *record;
    json_array_foreach(cell->records, i, record)
    {
        const json_t *latencies = json_object_get(record, "latency_ns");
        double first = json_number_value(json_array_get(latencies, 0)), slowest = 0;
        if (json_array_size(latencies) < 3)
            continue;
        for (j = 1; j < json_array_size(latencies); j++)
            slowest = fmax(slowest, json_number_value(json_array_get(latencies, j)));
        if (slowest > 0)
            worst = fmax(worst, first / slowest);
    }
    return worst;
}

/* Requests read less than all weights: later ones found some in memory, as the policy meant. */
static bool keeps_weights(const struct sl_result_cell *cell)
{
    size_t i;
    const json_t *record;
    json_array_foreach(cell->records, i, record)
    {
        double read_bytes = sl_record_number(record, "read_bytes", -1);
        if (read_bytes >= 0 && read_bytes < 0.99 * sl_record_number(record, "weights_bytes", 0))
            return true;
    }
    return false;
}

/* Samples without the first request of each record, which has a finding of its own. */
static size_t later_latencies(const struct sl_result_cell *cell, bool drop_first, double **values)
{
    static const struct sl_metric latency = {"latency", "latency_ns", "latency", SL_UNIT_NS};
    if (!drop_first)
        return sl_result_cell_samples(cell, &latency, values);
    size_t count = sl_result_cell_samples(cell, &latency, values), kept = 0, at = 0, i, j;
    const json_t *record;
    json_array_foreach(cell->records, i, record)
    {
        const json_t *latencies = json_object_get(record, "latency_ns");
        if (strcmp(sl_record_text(record, "status"), "ok"))
            continue;
        for (j = 0; j < json_array_size(latencies) && at < count; j++, at++)
            if (j > 0)
                (*values)[kept++] = (*values)[at];
    }
    return kept;
}

/* The greatest distance of an outlier from the median, as a multiple of the median; 0: none. */
static double outliers(const struct sl_result_cell *cell, bool drop_first)
{
    SL_AUTO_FREE double *values = NULL;
    size_t count = later_latencies(cell, drop_first, &values);
    if (count < SAMPLES_LEAST)
        return 0;
    SL_AUTO_FREE double *distances = calloc(count, sizeof(*distances));
    if (!distances)
        return 0;
    double median = sl_median(values, count), worst = 0;
    for (size_t i = 0; i < count; i++)
        distances[i] = fabs(values[i] - median);
    double mad = sl_median(distances, count);
    for (size_t i = 0; i < count; i++)
        if (fabs(sl_modified_z(values[i], median, mad)) > Z_MOST)
            worst = fmax(worst, fabs(values[i] - median) / median);
    return worst > DISTANCE_LEAST ? worst : 0;
}

/* The greatest value that a field of `conditions` has in any record; `missing` without one. */
static double worst_condition(const struct sl_result_cell *cell, const char *field, bool greatest)
{
    double worst = greatest ? 0 : 1;
    size_t i;
    const json_t *record;
    json_array_foreach(cell->records, i, record)
    {
        const json_t *conditions = json_object_get(record, "conditions");
        if (sl_record_number(conditions, "wall_ns", 0) < WALL_LEAST_NS)
            continue;
        double value = sl_record_number(conditions, field, worst);
        worst = greatest ? fmax(worst, value) : fmin(worst, value);
    }
    return worst;
}

/* The least share of what was read through the page cache that the storage delivered; 1 when all of
 * it did, or nobody knows. */
static double least_delivered(const struct sl_result_cell *cell)
{
    double least = 1;
    size_t i;
    const json_t *record;
    json_array_foreach(cell->records, i, record)
    {
        const json_t *conditions = json_object_get(record, "conditions");
        double delivered = sl_record_number(conditions, "storage_read_bytes", -1);
        double read = sl_record_number(record, "read_bytes", 0) *
                      (double)json_array_size(json_object_get(record, "latency_ns"));
        if (delivered < 0 || read < READ_LEAST || !json_is_false(json_object_get(record, "direct")))
            continue;
        least = fmin(least, delivered / read);
    }
    return least;
}

static void look(const struct sl_result_cell *cell, struct finding findings[SL_NOISE_KINDS])
{
    double first = slow_first(cell);
    bool slow = first > FIRST_LEAST;
    if (slow && !keeps_weights(cell))
        note(&findings[SL_NOISE_SLOW_FIRST], cell, first);
    double distance = outliers(cell, slow);
    if (distance > 0)
        note(&findings[SL_NOISE_OUTLIERS], cell, distance);
    double others = worst_condition(cell, "others_cpu_share", true);
    if (others > OTHERS_LEAST)
        note(&findings[SL_NOISE_BUSY], cell, others);
    double stolen = worst_condition(cell, "steal_share", true);
    if (stolen > STOLEN_LEAST)
        note(&findings[SL_NOISE_STOLEN], cell, stolen);
    double clock = worst_condition(cell, "clock_share", false);
    double quota = worst_condition(cell, "quota_share", true);
    if (clock < CLOCK_LEAST || quota > QUOTA_LEAST)
        note(&findings[SL_NOISE_THROTTLED], cell, fmax(1 - clock, quota));
    double delivered = least_delivered(cell);
    if (delivered < COLD_LEAST)
        note(&findings[SL_NOISE_WARM_CACHE], cell, 1 - delivered);
}

static int describe(char **line, enum sl_noise_kind kind, const struct finding *finding)
{
    char where[640], name[512];
    sl_result_cell_name(finding->cell, true, name, sizeof(name));
    if (finding->cells == 1)
        snprintf(where, sizeof(where), "in %s", name);
    else
        snprintf(where, sizeof(where), "in %zu cells, most in %s", finding->cells, name);
    double worst = finding->worst;
    switch (kind) {
    case SL_NOISE_SLOW_FIRST:
        return asprintf(line,
                        "the first request took %.1f times as long as the slowest of the others, "
                        "%s; try --warmup 1 (of sweep: --warmup-requests 1)",
                        worst, where);
    case SL_NOISE_OUTLIERS:
        return asprintf(line, "outliers, up to %.0f %% off the median, %s; try more --runs",
                        100 * worst, where);
    case SL_NOISE_BUSY:
        return asprintf(line,
                        "other processes used %.0f %% of the processors, %s; repeat it on a quiet "
                        "machine, or try more --runs",
                        100 * worst, where);
    case SL_NOISE_STOLEN:
        return asprintf(line,
                        "the hypervisor took %.0f %% of the processors away, %s; try more --runs",
                        100 * worst, where);
    case SL_NOISE_THROTTLED:
        return asprintf(line,
                        "the processors were slowed down by %.0f %% (clock or quota), %s; try the "
                        "performance governor, a lower --cpus, or pauses between runs",
                        100 * worst, where);
    default:
        return asprintf(
            line,
            "%.0f %% of the weights came from the page cache, not from storage, %s; try "
            "--cold",
            100 * worst, where);
    }
}

void sl_noise_find(const struct sl_result_cells *cells, struct sl_noise *noise)
{
    struct finding findings[SL_NOISE_KINDS] = {0};
    *noise = (struct sl_noise){0};
    for (size_t i = 0; i < cells->count; i++)
        look(&cells->cells[i], findings);
    for (int kind = 0; kind < SL_NOISE_KINDS; kind++) {
        char *line = NULL;
        if (!findings[kind].cell || describe(&line, (enum sl_noise_kind)kind, &findings[kind]) < 0)
            continue;
        noise->kinds[noise->count] = (enum sl_noise_kind)kind;
        noise->lines[noise->count++] = line;
    }
}

void sl_noise_free(struct sl_noise *noise)
{
    for (size_t i = 0; i < noise->count; i++)
        free(noise->lines[i]);
    *noise = (struct sl_noise){0};
}

void sl_noise_print(const struct sl_result_cells *cells, const char *prefix, FILE *stream)
{
    SL_AUTO(sl_noise_free) struct sl_noise noise = {0};
    sl_noise_find(cells, &noise);
    for (size_t i = 0; i < noise.count; i++)
        fprintf(stream, "sluice: hint: %s%s\n", prefix, noise.lines[i]);
}
