#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/stats.h"
#include "runtime/base/units.h"
#include "runtime/cli/interrupt.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/tune.h"
#include "runtime/report/record.h"

/* Of the space at a limit: one in so many is tried, within bounds. Neighbours start from what won
 * before and try half as many. */
#define TRIED_PART  8
#define TRIED_LEAST 4
/* A run is ended when it takes so many times what the best settings take, and a little: starting a
 * process varies. */
#define ABANDON_FACTOR   1.5
#define ABANDON_SLACK_NS UINT64_C(200000000)

/* The arms of one limit are the candidates that it tries. */
struct search {
    struct tune *tune;
    struct tune_limit *limit;
    struct halving_arm *arms;
};

double tune_objective(const struct tune_options *options, const struct cell *cell,
                      const json_t *records)
{
    /* Records of the networks of one input follow each other; what came first is input 0. */
    const size_t networks = (size_t)cell->pack_count, count = json_array_size(records);
    const size_t first = cell->batch > 1 ? (size_t)cell->batch : 1;
    size_t most = 0, taken = 0, request = 0;
    for (size_t r = 0; r < count; r += networks)
        most += json_array_size(json_object_get(json_array_get(records, r), "latency_ns"));
    SL_AUTO_FREE uint64_t *samples = calloc(most + 1, sizeof(*samples));
    for (size_t r = 0; samples && r + networks <= count; r += networks) {
        const json_t *own = json_object_get(json_array_get(records, r), "latency_ns");
        for (size_t i = 0; i < json_array_size(own); i++, request++) {
            uint64_t latency = 0;
            for (size_t n = 0; n < networks; n++) {
                const json_t *of_network =
                    json_object_get(json_array_get(records, r + n), "latency_ns");
                uint64_t its = (uint64_t)json_integer_value(json_array_get(of_network, i));
                latency = its > latency ? its : latency;
            }
            if (options->later ? request >= first : request == 0)
                samples[taken++] = latency;
        }
    }
    if (taken == 0)
        return -1;
    sl_sort_u64(samples, taken);
    return sl_quantile(samples, taken, 0.5);
}

/* How long the process may take: as long as the user allows, and not much longer than what is best
 * so far. *abandoned: the second is what counts. */
static uint64_t allowed_ns(const struct search *search, uint64_t timeout_ns, bool *abandoned)
{
    const struct tune_limit *limit = search->limit;
    int best = halving_best(search->arms, limit->tried_count);
    *abandoned = false;
    if (best < 0)
        return timeout_ns;
    const struct tune_candidate *candidate = &search->tune->candidates[limit->tried[best]];
    if (candidate->walls == 0)
        return timeout_ns;
    double wall = (double)candidate->wall_ns / (double)candidate->walls;
    uint64_t allowed = (uint64_t)(ABANDON_FACTOR * wall) + ABANDON_SLACK_NS;
    *abandoned = timeout_ns == 0 || allowed < timeout_ns;
    return *abandoned ? allowed : timeout_ns;
}

static int append_records(struct tune *tune, const struct tune_candidate *candidate,
                          json_t *records, struct sl_error *error)
{
    size_t i;
    json_t *record;
    if (tune->file.fd < 0)
        return 0;
    cell_finish_records(&candidate->point->request, records, tune->context);
    cell_name_records(records, candidate->key, candidate->runs);
    json_array_foreach(records, i, record)
    {
        if (candidate->variant->shard)
            json_object_set_new(record, "shard_bytes",
                                json_integer((json_int_t)candidate->variant->shard_bytes));
    }
    return sl_results_append(&tune->file, records, error);
}

static void take_records(const struct tune *tune, struct tune_candidate *candidate,
                         const json_t *records)
{
    const json_t *record = json_array_get(records, 0);
    double peak = sl_record_number(record, "peak_bytes", -1);
    double bound = sl_record_number(record, "bound_ns", -1);
    snprintf(candidate->status, sizeof(candidate->status), "%s", cell_status(records));
    snprintf(candidate->error, sizeof(candidate->error), "%s", sl_record_text(record, "error"));
    if (strcmp(candidate->status, "ok"))
        return;
    candidate->wall_ns += (uint64_t)sl_record_number(record, "wall_ns", 0);
    candidate->walls++;
    candidate->peak_bytes = peak > candidate->peak_bytes ? peak : candidate->peak_bytes;
    /* A record has the bound of its last request. */
    if (!tune->options.later && tune->options.requests > 1)
        return;
    /* Each run's bound takes the times that its own layers took: the least is the truest. */
    if (bound > 0 && (candidate->bound_ns < 0 || bound < candidate->bound_ns))
        candidate->bound_ns = bound;
}

static void show(const struct search *search, const struct tune_candidate *candidate, double took)
{
    const struct tune *tune = search->tune;
    SL_AUTO(sl_text_free) struct sl_text line = {0};
    char text[SL_UNIT_TEXT_BYTES];
    if (tune->options.quiet)
        return;
    uint64_t memory = search->limit->memory_bytes;
    sl_text_add(&line, "[limit %d/%d: %s, run %lld] ", (int)(search->limit - tune->limits) + 1,
                tune->limit_count, memory == SL_NO_LIMIT ? "none" : sl_format_size(memory, text),
                (long long)tune->runs);
    tune_label(tune, candidate, &line);
    sl_text_add(&line, ": %s",
                took < 0 ? candidate->status : sl_format_duration((uint64_t)took, text));
    if (!line.failed && progress_is_shown(false))
        progress_show(line.bytes);
    else if (!line.failed)
        fprintf(stderr, "%s\n", line.bytes);
}

/* halving_measure: one process. */
static int measure(void *context, int arm, uint64_t *sample, struct sl_error *error)
{
    struct search *search = context;
    struct tune *tune = search->tune;
    struct tune_candidate *candidate = &tune->candidates[search->limit->tried[arm]];
    const struct cell_request *request = &candidate->point->request;
    if (interrupt_asked())
        return -EINTR;
    if (tune->options.time_limit_ns &&
        sl_now_ns() - tune->start_ns >= tune->options.time_limit_ns) {
        tune->late = true;
        return -ETIME;
    }
    bool abandoned;
    json_t *records = NULL;
    uint64_t allowed = allowed_ns(search, request->timeout_ns, &abandoned);
    int code = cell_supervise(&request->cell, &request->limits, request->make_swapfile, allowed,
                              &records, error);
    if (code < 0)
        return code;
    take_records(tune, candidate, records);
    bool interrupted = !strcmp(candidate->status, "interrupted");
    if (!interrupted)
        code = append_records(tune, candidate, records, error);
    candidate->runs += !interrupted;
    tune->runs += !interrupted;
    double took = strcmp(candidate->status, "ok")
                      ? -1
                      : tune_objective(&tune->options, &request->cell, records);
    json_decref(records);
    if (code < 0 || interrupted)
        return code < 0 ? code : -EINTR;
    show(search, candidate, took);
    /* One slow run of settings that were fast before is a disturbance: it counts as that slow. */
    if (took < 0 && abandoned && !strcmp(candidate->status, "timeout") &&
        search->arms[arm].count > 0)
        took = ABANDON_FACTOR * halving_median(&search->arms[arm]);
    *sample = (uint64_t)took;
    return took < 0 ? HALVING_FAILED : 0;
}

/* The candidate of limit with the settings of that one; -1: none. */
static int find_same(const struct tune *tune, const struct tune_limit *limit,
                     const struct tune_candidate *wanted)
{
    for (int c = limit->first; c < limit->first + limit->count; c++)
        if (!memcmp(tune->candidates[c].setting.values, wanted->setting.values,
                    sizeof(wanted->setting.values)))
            return c;
    return -1;
}

/* What won at the neighbour, best first, where it is predicted to fit here. Indexes within limit.
 */
static int inherit(const struct tune *tune, const struct tune_limit *neighbour,
                   const struct tune_limit *limit, int *given, int most)
{
    int count = 0;
    bool taken[TUNE_TRIED_MOST] = {false};
    while (count < most) {
        int best = -1;
        for (int i = 0; i < neighbour->tried_count; i++) {
            const struct halving_arm *arm = &tune->candidates[neighbour->tried[i]].arm;
            if (taken[i] || arm->count == 0 ||
                (arm->count < HALVING_CONFIRM && neighbour->tried[i] != neighbour->winner))
                continue;
            if (best < 0 ||
                halving_median(arm) < halving_median(&tune->candidates[neighbour->tried[best]].arm))
                best = i;
        }
        if (best < 0)
            break;
        taken[best] = true;
        int same = find_same(tune, limit, &tune->candidates[neighbour->tried[best]]);
        if (same >= 0 && tune->candidates[same].plan.fits)
            given[count++] = same - limit->first;
    }
    return count;
}

static int choose(const struct tune *tune, struct tune_limit *limit,
                  const struct tune_limit *neighbour, struct sl_error *error)
{
    int given[TUNE_TRIED_MOST], given_count = 0, most = limit->count / TRIED_PART;
    if (neighbour)
        most /= 2;
    most = most < TRIED_LEAST ? TRIED_LEAST : most > TUNE_TRIED_MOST ? TUNE_TRIED_MOST : most;
    if (neighbour)
        given_count = inherit(tune, neighbour, limit, given, most / 2);
    SL_AUTO_FREE struct tune_setting *settings = calloc((size_t)limit->count, sizeof(*settings));
    if (!settings)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int i = 0; i < limit->count; i++)
        settings[i] = tune->candidates[limit->first + i].setting;
    limit->tried_count = tune_pick(settings, limit->count, given, given_count, most, limit->tried);
    for (int i = 0; i < limit->tried_count; i++)
        limit->tried[i] += limit->first;
    return 0;
}

static int search_limit(struct tune *tune, struct tune_limit *limit,
                        const struct tune_limit *neighbour, struct sl_error *error)
{
    int code = choose(tune, limit, neighbour, error);
    if (code < 0)
        return code;
    SL_AUTO_FREE struct halving_arm *arms = calloc((size_t)limit->tried_count + 1, sizeof(*arms));
    if (!arms)
        return sl_error_set(error, -ENOMEM, "out of memory");
    struct search search = {tune, limit, arms};
    code = halving_search(arms, limit->tried_count, measure, &search, error);
    limit->done = code >= 0 || code == -ENOENT;
    int best = code >= 0 ? code : halving_best(arms, limit->tried_count);
    for (int i = 0; i < limit->tried_count; i++)
        tune->candidates[limit->tried[i]].arm = arms[i];
    if (best >= 0) {
        limit->winner = limit->tried[best];
        limit->point.latency_ns = halving_median(&arms[best]);
    }
    return code < 0 && code != -ENOENT ? code : 0;
}

int tune_search(struct tune *tune, struct sl_error *error)
{
    const struct tune_limit *neighbour = NULL;
    int code = 0;
    for (int l = 0; code == 0 && l < tune->limit_count; l++) {
        code = search_limit(tune, &tune->limits[l], neighbour, error);
        if (tune->limits[l].winner >= 0)
            neighbour = &tune->limits[l];
    }
    tune->took_ns = sl_now_ns() - tune->start_ns;
    if (progress_is_shown(tune->options.quiet))
        progress_clear();
    SL_AUTO_FREE struct tune_point *points = calloc((size_t)tune->limit_count + 1, sizeof(*points));
    if (!points)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int l = 0; l < tune->limit_count; l++)
        points[l] = tune->limits[l].point;
    tune->knee = tune_mark_front(points, tune->limit_count);
    for (int l = 0; l < tune->limit_count; l++)
        tune->limits[l].point = points[l];
    return code == -ETIME ? 0 : code;
}
