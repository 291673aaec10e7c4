#include "runtime/cli/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/rng.h"
#include "runtime/base/stats.h"
#include "runtime/cli/interrupt.h"
#include "runtime/report/record.h"

#define RUNS_FOR_PRECISION 3

struct sweep_step {
    int cell;
    int64_t run;
};

static const struct sweep_group *find_group(const struct sweep *sweep, const struct pack_set *packs)
{
    for (int g = 0; g < sweep->group_count; g++)
        if (&sweep->groups[g].packs == packs)
            return &sweep->groups[g];
    return NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

int sweep_prepare(struct sweep *sweep, struct sl_error *error)
{
    int collapsed = cell_set_collapse(&sweep->set);
    sweep->cell_count = sweep->set.count;
    sweep->cells = calloc((size_t)sweep->cell_count, sizeof(*sweep->cells));
    sweep->parts = json_object();
    sweep->indexes = json_object();
    if (!sweep->cells || !sweep->parts || !sweep->indexes)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int c = 0; c < sweep->cell_count; c++) {
        struct sweep_cell *cell = &sweep->cells[c];
        cell->point = &sweep->set.points[c];
        cell->group = find_group(sweep, cell->point->request.packs);
        cell->peak_bytes = cell->swap_in_bytes = cell->swap_out_bytes = -1;
        cell->complete = calloc((size_t)sweep->plan.runs, sizeof(*cell->complete));
        if (!cell->complete)
            return sl_error_set(error, -ENOMEM, "out of memory");
        cell_key(&cell->point->request, cell->key);
        json_object_set_new(sweep->indexes, cell->key, json_integer(c));
        for (int i = 0; cell_options[i].name; i++)
            sweep->varies[i] |= !same_text(cell->point->texts[i], sweep->cells[0].point->texts[i]);
    }
    return collapsed;
}

void sweep_free(struct sweep *sweep)
{
    for (int c = 0; sweep->cells && c < sweep->cell_count; c++) {
        free(sweep->cells[c].complete);
        free(sweep->cells[c].samples);
        free(sweep->cells[c].error);
    }
    free(sweep->cells);
    cell_set_free(&sweep->set);
    for (int g = 0; sweep->groups && g < sweep->group_count; g++) {
        pack_set_free(&sweep->groups[g].packs);
        free(sweep->groups[g].names);
        json_decref(sweep->groups[g].context);
    }
    free(sweep->groups);
    json_decref(sweep->parts);
    json_decref(sweep->indexes);
    sl_results_close(&sweep->file);
}

bool sweep_cell_is_settled(const struct sweep_plan *plan, struct sweep_cell *cell)
{
    if (cell->done >= plan->runs)
        return true;
    if (plan->precision <= 0 || cell->done < RUNS_FOR_PRECISION)
        return false;
    /* What failed every time will not get more precise. */
    if (cell->sample_count < RUNS_FOR_PRECISION)
        return cell->sample_count == 0;
    uint64_t low, high;
    sl_sort_u64(cell->samples, cell->sample_count);
    sl_median_interval(cell->samples, cell->sample_count, &low, &high);
    double median = sl_quantile(cell->samples, cell->sample_count, 0.5);
    return (double)(high - low) / 2 <= plan->precision * median;
}

int sweep_failures(const struct sweep *sweep)
{
    int count = 0;
    for (int c = 0; c < sweep->cell_count; c++)
        for (int e = 0; e < SWEEP_ENDINGS; e++)
            count += e == SL_ENDED_OK ? 0 : sweep->cells[c].endings[e];
    return count;
}

/* Every repetition of every cell, in the order of the plan. */
static struct sweep_step *make_steps(const struct sweep *sweep, int64_t *count)
{
    const int64_t runs = sweep->plan.runs, cells = sweep->cell_count;
    struct sweep_step *steps = calloc((size_t)(runs * cells), sizeof(*steps));
    *count = steps ? runs * cells : 0;
    for (int64_t i = 0; i < *count; i++)
        steps[i] = sweep->plan.order == SWEEP_GROUPED
                       ? (struct sweep_step){(int)(i / runs), i % runs}
                       : (struct sweep_step){(int)(i % cells), i / cells};
    uint64_t state = sweep->plan.seed;
    for (int64_t i = *count; sweep->plan.order == SWEEP_SHUFFLED && i > 1; i--) {
        int64_t other = (int64_t)sl_rng_below(&state, (uint64_t)i);
        struct sweep_step step = steps[i - 1];
        steps[i - 1] = steps[other];
        steps[other] = step;
    }
    return steps;
}

/* One worker. *records: a new reference; NULL when it was interrupted. */
static int run_once(struct sweep_cell *cell, json_t **records, struct sl_error *error)
{
    const struct cell_request *request = &cell->point->request;
    uint64_t start = sl_now_ns();
    int code = cell_supervise(&request->cell, &request->limits, request->make_swapfile,
                              request->timeout_ns, records, error);
    if (code < 0)
        return code;
    if (!strcmp(cell_status(*records), "interrupted")) {
        json_decref(*records);
        *records = NULL;
        return 0;
    }
    cell->wall_ns += sl_now_ns() - start;
    cell->walls++;
    return 0;
}

/* The warm-ups of a cell, once in this process. */
static int warm_up(struct sweep *sweep, struct sweep_cell *cell, struct sl_error *error)
{
    int code = 0;
    for (int64_t i = 0; code == 0 && !cell->warm && i < sweep->plan.warmup; i++) {
        json_t *records = NULL;
        if (interrupt_asked())
            return 0;
        sweep_show_start(sweep, cell, -1);
        code = run_once(cell, &records, error);
        json_decref(records);
    }
    cell->warm = true;
    return code;
}

static int run_step(struct sweep *sweep, struct sweep_cell *cell, int64_t run,
                    struct sl_error *error)
{
    json_t *records = NULL;
    int code = warm_up(sweep, cell, error);
    if (code < 0 || interrupt_asked())
        return code;
    sweep_show_start(sweep, cell, run);
    code = run_once(cell, &records, error);
    if (code == 0 && records)
        code = sweep_record(sweep, cell, run, records, error);
    if (code == 0 && records)
        sweep_show_end(sweep, cell, run, records);
    json_decref(records);
    return code;
}

int sweep_run(struct sweep *sweep)
{
    int64_t count;
    SL_AUTO_FREE struct sweep_step *steps = make_steps(sweep, &count);
    struct sl_error error = {0};
    const uint64_t start = sl_now_ns(), limit = sweep->plan.time_limit_ns;
    bool late = false;
    int code = steps ? 0 : sl_error_set(&error, -ENOMEM, "out of memory");
    for (int64_t i = 0; code == 0 && i < count && !interrupt_asked(); i++) {
        struct sweep_cell *cell = &sweep->cells[steps[i].cell];
        if (cell->complete[steps[i].run] || sweep_cell_is_settled(&sweep->plan, cell))
            continue;
        late = limit && sl_now_ns() - start >= limit;
        if (late)
            break;
        code = run_step(sweep, cell, steps[i].run, &error);
    }
    sweep_show_nothing(sweep);
    if (code < 0)
        return cli_fail(cli_exit_of(code), &error);
    if (interrupt_asked() || (late && !sweep->plan.quiet))
        fprintf(stderr, "sluice: %s; what is finished is in %s, --resume goes on from there\n",
                late ? "the time is up" : "interrupted", sweep->file.path);
    return interrupt_asked() ? CLI_INTERRUPTED : CLI_OK;
}
