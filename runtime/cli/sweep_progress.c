/* How far a sweep is, on stderr: a bar on a terminal, a line per repetition elsewhere. */
#include <inttypes.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/text.h"
#include "runtime/base/units.h"
#include "runtime/cli/cell_plan.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/sweep.h"
#include "runtime/report/record.h"

/* Where the storage was not measured. */
#define GUESSED_BYTES_PER_S UINT64_C(1000000000)
#define GUESSED_LATENCY_NS  100000
#define BAR_WIDTH           20

static double predict(const struct cell_request *request, struct sl_model *const *models)
{
    const int64_t rate = request->cell.device_bytes_per_s;
    const struct cell_ground ground = {
        .models = models,
        .device = {rate ? (uint64_t)rate : GUESSED_BYTES_PER_S, GUESSED_LATENCY_NS},
    };
    struct sl_plan_result plan = {0};
    cell_plan(request, &ground, &plan, NULL);
    return cell_cost_ns(request, &plan);
}

static void predict_group(struct sweep *sweep, const struct sweep_group *group)
{
    struct sl_model *models[64] = {0};
    int opened = 0;
    while (opened < group->packs.count && opened < 64 &&
           sl_model_open(group->packs.paths[opened], &models[opened], NULL) == 0)
        opened++;
    for (int c = 0; c < sweep->cell_count; c++) {
        struct sweep_cell *cell = &sweep->cells[c];
        if (cell->group == group)
            cell->predicted_ns =
                opened == group->packs.count ? predict(&cell->point->request, models) : 0;
    }
    while (opened > 0)
        sl_model_close(models[--opened]);
}

void sweep_predict(struct sweep *sweep)
{
    for (int g = 0; g < sweep->group_count; g++)
        predict_group(sweep, &sweep->groups[g]);
}

/* What is left, by what cells were measured to take; those that were not by their prediction,
 * corrected by how far off the others' were. */
static double nanoseconds_left(const struct sweep *sweep)
{
    double measured = 0, predicted = 0, left = 0;
    for (int c = 0; c < sweep->cell_count; c++) {
        const struct sweep_cell *cell = &sweep->cells[c];
        measured += (double)cell->wall_ns;
        predicted += (double)cell->walls * cell->predicted_ns;
    }
    double correction = predicted > 0 ? measured / predicted : 1;
    for (int c = 0; c < sweep->cell_count; c++) {
        struct sweep_cell *cell = &sweep->cells[c];
        if (sweep_cell_is_settled(&sweep->plan, cell))
            continue;
        double cost = cell->walls ? (double)cell->wall_ns / (double)cell->walls
                                  : cell->predicted_ns * correction;
        left += cost * (double)(sweep->plan.runs - cell->done);
    }
    return left;
}

static int64_t count_done(const struct sweep *sweep, int64_t *total)
{
    int64_t done = 0;
    *total = 0;
    for (int c = 0; c < sweep->cell_count; c++) {
        struct sweep_cell *cell = &sweep->cells[c];
        done += cell->done;
        *total += sweep_cell_is_settled(&sweep->plan, cell) ? cell->done : sweep->plan.runs;
    }
    return done;
}

void sweep_label(const struct sweep *sweep, const struct sweep_cell *cell, struct sl_text *text)
{
    sl_text_add(text, "%s", cell->group->names);
    for (int i = 0; cell_options[i].name; i++)
        if (sweep->varies[i] && cell->point->texts[i])
            sl_text_add(text, ", %s %s", cell_options[i].name, cell->point->texts[i]);
}

void sweep_show_start(const struct sweep *sweep, const struct sweep_cell *cell, int64_t run)
{
    if (!progress_is_shown(sweep->plan.quiet))
        return;
    SL_AUTO(sl_text_free) struct sl_text line = {0};
    char left[SL_UNIT_TEXT_BYTES];
    int64_t total, done = count_done(sweep, &total);
    int filled = (int)(done * BAR_WIDTH / total);
    sl_text_add(&line, "[%.*s%.*s] %" PRId64 "/%" PRId64 ", %s left, ", filled,
                "####################", BAR_WIDTH - filled, "....................", done, total,
                sl_format_duration((uint64_t)nanoseconds_left(sweep), left));
    sweep_label(sweep, cell, &line);
    if (run < 0)
        sl_text_add(&line, ", warm-up");
    if (!line.failed)
        progress_show(line.bytes);
}

void sweep_show_end(const struct sweep *sweep, const struct sweep_cell *cell, int64_t run,
                    const json_t *records)
{
    if (sweep->plan.quiet || progress_is_shown(false))
        return;
    SL_AUTO(sl_text_free) struct sl_text line = {0};
    char text[SL_UNIT_TEXT_BYTES];
    int64_t total, done = count_done(sweep, &total);
    const json_t *record = json_array_get(records, 0);
    const char *status = sl_record_text(record, "status");
    double took = sl_record_number(record, "makespan_ns", -1);
    sl_text_add(&line, "[%" PRId64 "/%" PRId64 "] ", done, total);
    sweep_label(sweep, cell, &line);
    sl_text_add(&line, ", run %" PRId64 ": %s", run, status);
    if (!strcmp(status, "ok") && took >= 0)
        sl_text_add(&line, ", %s", sl_format_duration((uint64_t)took, text));
    if (done < total)
        sl_text_add(&line, "; %s left",
                    sl_format_duration((uint64_t)nanoseconds_left(sweep), text));
    if (!line.failed)
        fprintf(stderr, "%s\n", line.bytes);
}

void sweep_show_nothing(const struct sweep *sweep)
{
    if (progress_is_shown(sweep->plan.quiet))
        progress_clear();
}
