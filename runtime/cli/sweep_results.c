/* What a sweep and its results file know of each other. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/cli/sweep.h"
#include "runtime/report/noise.h"
#include "runtime/report/record.h"

static int add_sample(struct sweep_cell *cell, double sample)
{
    if (cell->sample_count == cell->sample_capacity) {
        size_t capacity = cell->sample_capacity ? 2 * cell->sample_capacity : 8;
        uint64_t *samples = realloc(cell->samples, capacity * sizeof(*samples));
        if (!samples)
            return -ENOMEM;
        cell->samples = samples;
        cell->sample_capacity = capacity;
    }
    cell->samples[cell->sample_count++] = (uint64_t)sample;
    return 0;
}

static void keep_most(double *most, const json_t *record, const char *field)
{
    double value = sl_record_number(record, field, -1);
    *most = value > *most ? value : *most;
}

/* Counts a repetition by its first record, which tells how all of them ended. */
static int count_repetition(struct sweep_cell *cell, const json_t *record)
{
    const char *ended = sl_record_text(record, "ended");
    const char *status = *ended ? ended : sl_record_text(record, "status"); /* of older files */
    bool batch = cell->point->request.cell.pack_count > 1;
    for (int e = 0; e < SWEEP_ENDINGS; e++)
        cell->endings[e] += !strcmp(status, sl_ending_name((enum sl_ending)e));
    keep_most(&cell->peak_bytes, record, "peak_bytes");
    keep_most(&cell->swap_in_bytes, record, "swap_in_bytes");
    keep_most(&cell->swap_out_bytes, record, "swap_out_bytes");
    double sample = sl_record_number(record, batch ? "makespan_ns" : "latency_p50_ns", -1);
    return !strcmp(status, "ok") && sample >= 0 ? add_sample(cell, sample) : 0;
}

/* The parts of a repetition that are in the file: an array, borrowed. */
static json_t *parts_of(struct sweep *sweep, const char *key, int64_t run)
{
    char name[CELL_KEY_BYTES + 24];
    snprintf(name, sizeof(name), "%s/%" PRId64, key, run);
    json_t *parts = json_object_get(sweep->parts, name);
    if (!parts) {
        parts = json_array();
        json_object_set_new(sweep->parts, name, parts);
    }
    return parts;
}

static bool has_part(const json_t *parts, json_int_t part)
{
    size_t i;
    json_t *known;
    json_array_foreach(parts, i, known) if (json_integer_value(known) == part) return true;
    return false;
}

/* A record that is in the file now. */
static int take(struct sweep *sweep, struct sweep_cell *cell, const json_t *record)
{
    json_int_t run = json_integer_value(json_object_get(record, "run"));
    json_int_t part = json_integer_value(json_object_get(record, "part"));
    json_int_t count = json_integer_value(json_object_get(record, "parts"));
    json_t *parts = parts_of(sweep, cell->key, run);
    if (has_part(parts, part))
        return 0;
    json_array_append_new(parts, json_integer(part));
    const char *error = sl_record_text(record, "error");
    if (*error && !cell->error)
        cell->error = strdup(error);
    if (run >= 0 && run < sweep->plan.runs && (json_int_t)json_array_size(parts) == count) {
        cell->complete[run] = true;
        cell->done++;
    }
    return part == 0 ? count_repetition(cell, record) : 0;
}

struct resumption {
    struct sweep *sweep;
    int foreign;
};

static int on_record(void *context, json_t *record, long line)
{
    (void)line;
    struct resumption *resumption = context;
    const json_t *index =
        json_object_get(resumption->sweep->indexes, sl_record_text(record, "key"));
    if (!index) {
        resumption->foreign++;
        return 0;
    }
    return take(resumption->sweep, &resumption->sweep->cells[json_integer_value(index)], record);
}

static void on_complaint(void *context, long line, enum sl_results_fault fault, const char *why)
{
    (void)context, (void)line, (void)fault;
    fprintf(stderr, "sluice: warning: %s\n", why);
}

int sweep_resume(struct sweep *sweep, uint64_t torn_bytes, struct sl_error *error)
{
    struct resumption resumption = {.sweep = sweep};
    const struct sl_results_reader reader = {on_record, on_complaint, &resumption};
    if (torn_bytes)
        fprintf(stderr,
                "sluice: warning: %s ended in a line that was cut off in the middle of a write; "
                "its %" PRIu64 " bytes were removed\n",
                sweep->file.path, torn_bytes);
    int code = sl_results_each(sweep->file.path, &reader, error);
    if (code == -ENOMEM)
        return sl_error_set(error, code, "out of memory");
    if (code < 0 || sweep->plan.quiet)
        return code;
    int64_t done = 0;
    for (int c = 0; c < sweep->cell_count; c++)
        done += sweep->cells[c].done;
    fprintf(stderr, "sluice: note: %" PRId64 " of %" PRId64 " repetitions are in %s already", done,
            sweep->cell_count * sweep->plan.runs, sweep->file.path);
    fprintf(stderr, resumption.foreign ? ", and %d records of other cells\n" : "\n",
            resumption.foreign);
    return 0;
}

int sweep_record(struct sweep *sweep, struct sweep_cell *cell, int64_t run, json_t *records,
                 struct sl_error *error)
{
    const json_t *parts = parts_of(sweep, cell->key, run);
    json_t *missing = json_array(), *record;
    size_t i;
    cell_finish_records(&cell->point->request, records, cell->group->context);
    cell_name_records(records, cell->key, run);
    json_array_foreach(records, i, record)
    {
        if (!has_part(parts, (json_int_t)i))
            json_array_append(missing, record);
    }
    int code = sl_results_append(&sweep->file, missing, error);
    json_array_foreach(missing, i, record)
    {
        if (code == 0 && (code = take(sweep, cell, record)) < 0)
            sl_error_set(error, code, "out of memory");
    }
    json_decref(missing);
    return code;
}

void sweep_print_errors(const struct sweep *sweep)
{
    const char *before = "";
    for (int c = 0; c < sweep->cell_count; c++) {
        const char *error = sweep->cells[c].error;
        if (error && strcmp(error, before))
            fprintf(stderr, "sluice: %s\n", error);
        before = error ? error : before;
    }
}

struct noisy_records {
    const struct sweep *sweep;
    json_t *records;
};

/* Keeps a record of this sweep without its large parts, which noise is not found in. */
static int keep_for_noise(void *context, json_t *record, long line)
{
    (void)line;
    struct noisy_records *noisy = context;
    if (!json_object_get(noisy->sweep->indexes, sl_record_text(record, "key")))
        return 0;
    json_object_del(record, "layers");
    json_object_del(record, "memory_samples");
    json_object_del(record, "profile");
    return json_array_append(noisy->records, record) < 0 ? -ENOMEM : 0;
}

void sweep_print_noise(const struct sweep *sweep)
{
    SL_AUTO(sl_result_cells_free) struct sl_result_cells cells = {0};
    struct noisy_records noisy = {sweep, json_array()};
    const struct sl_results_reader reader = {keep_for_noise, NULL, &noisy};
    struct sl_error ignored;
    if (noisy.records && sl_results_each(sweep->file.path, &reader, &ignored) == 0 &&
        sl_result_cells_group(noisy.records, &cells, &ignored) == 0)
        sl_noise_print(&cells, "", stderr);
    json_decref(noisy.records);
}
