#include "runtime/report/result_cells.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"
#include "runtime/base/text.h"
#include "runtime/base/two_samples.h"
#include "runtime/base/units.h"
#include "runtime/report/record.h"

#define SL_METRIC_ROW(name, field, title, unit) {name, field, title, unit},
static const struct sl_metric metrics[] = {SL_METRICS(SL_METRIC_ROW, SL_METRIC_ROW)};

/* Settings of a cell. `told`: by the worker, so that one that died early may lack it. */
static const struct setting {
    const char *field, *word; /* word: for the name of a cell; NULL: not in it */
    bool told;
    const char *bytes; /* NULL: not bytes; else what follows them */
} settings[] = {
    {"network", NULL, false, NULL},
    {"policy", NULL, false, NULL},
    {"memory_limit", NULL, false, ""},
    {"swap_limit", "swap", false, ""},
    {"swap_place", "swap in", false, NULL},
    {"read_rate", "reads", false, "/s"},
    {"write_rate", "writes", false, "/s"},
    {"cpus", "cpus", false, NULL},
    {"cores", "cores", false, NULL},
    {"device", "device", false, NULL},
    {"depth", "depth", false, NULL},
    {"depth_bytes", "depth", false, ""},
    {"queue_depth", "queue depth", false, NULL},
    {"budget_given", "budget", false, ""},
    {"cold", "cold", false, NULL},
    {"no_verify", "no verify", false, NULL},
    {"input", NULL, true, NULL},
    {"loader", "loader", true, NULL},
    {"hints", "hints", true, NULL},
    {"threads", "threads", true, NULL},
    {"batch", NULL, true, NULL},
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))
#define PLACE    3 /* network, policy and memory_limit come first */

const struct sl_metric *sl_metric_at(int index)
{
    int count = sizeof(metrics) / sizeof(metrics[0]);
    return index >= 0 && index < count ? &metrics[index] : NULL;
}

int sl_metric_find(const char *name, const struct sl_metric **metric, struct sl_error *error)
{
    struct sl_suggestion suggestion = {.wanted = name};
    for (int i = 0; (*metric = sl_metric_at(i)); i++) {
        if (!strcmp((*metric)->name, name))
            return 0;
        sl_suggest(&suggestion, (*metric)->name);
    }
    return sl_error_set(error, -EINVAL, "unknown metric '%s'%s%s%s", name,
                        suggestion.best ? "; did you mean '" : "",
                        suggestion.best ? suggestion.best : "", suggestion.best ? "'?" : "");
}

const char *sl_metric_text(const struct sl_metric *metric, double value, char buffer[32])
{
    if (!(value >= 0))
        snprintf(buffer, 32, "-");
    else if (metric->unit == SL_UNIT_NS)
        sl_format_duration((uint64_t)value, buffer);
    else if (metric->unit == SL_UNIT_BYTES)
        sl_format_size((uint64_t)value, buffer);
    else
        snprintf(buffer, 32, "%.0f", value);
    return buffer;
}

static bool is_ok(const json_t *record)
{
    return !strcmp(sl_record_text(record, "status"), "ok");
}

/* NULL for null too. */
static const json_t *told(const json_t *record, const char *field)
{
    const json_t *value = json_object_get(record, field);
    return json_is_null(value) ? NULL : value;
}

static bool same_setting(const struct setting *setting, const json_t *one, const json_t *two)
{
    const json_t *left = told(one, setting->field), *right = told(two, setting->field);
    if (!left || !right)
        return left == right ||
               (setting->told && ((!left && !is_ok(one)) || (!right && !is_ok(two))));
    return json_equal(left, right);
}

static bool same_pack(const json_t *one, const json_t *two)
{
    static const struct setting identity = {"pack_identity", NULL, false, false};
    return same_setting(&identity, one, two);
}

static bool same_settings(const json_t *one, const json_t *two)
{
    const char *key = sl_record_text(one, "key"), *other = sl_record_text(two, "key");
    if (*key && *other && strcmp(key, other))
        return false;
    for (size_t i = 0; i < SETTINGS; i++)
        if (!same_setting(&settings[i], one, two))
            return false;
    return true;
}

static bool same_worker(const json_t *one, const json_t *two)
{
    const char *field = told(one, "wall_ns") ? "wall_ns" : "makespan_ns";
    const json_t *left = told(one, field), *right = told(two, field);
    const struct setting *network = &settings[0];
    for (size_t i = 1; i < PLACE; i++)
        if (!same_setting(&settings[i], one, two))
            return false;
    return left && right && json_equal(left, right) && !same_setting(network, one, two);
}

/* Names of the networks of the worker that wrote record `index`, joined by "+". */
static char *set_name(const json_t *records, size_t index)
{
    size_t first = index, last = index, count = json_array_size(records);
    const json_t *record = json_array_get(records, index);
    while (first > 0 &&
           same_worker(json_array_get(records, first - 1), json_array_get(records, first)))
        first--;
    while (last + 1 < count &&
           same_worker(json_array_get(records, last), json_array_get(records, last + 1)))
        last++;
    if (first == last)
        return strdup(sl_record_text(record, "network"));
    SL_AUTO(sl_text_free) struct sl_text text = {0};
    for (size_t i = first; i <= last; i++)
        sl_text_add(&text, "%s%s", i > first ? "+" : "",
                    sl_record_text(json_array_get(records, i), "network"));
    return text.failed ? NULL : SL_STEAL(text.bytes);
}

static bool belongs(const struct sl_result_cell *cell, const char *set, const json_t *record)
{
    const json_t *own = sl_result_cell_record(cell);
    return !strcmp(cell->set, set) && same_settings(own, record) && same_pack(own, record);
}

/* Tells the cells of networks that came from several packs. */
static void note_packs(struct sl_result_cells *cells)
{
    for (size_t i = 0; i < cells->count; i++)
        for (size_t j = 0; j < i; j++) {
            struct sl_result_cell *one = &cells->cells[i], *two = &cells->cells[j];
            const json_t *left = sl_result_cell_record(one), *right = sl_result_cell_record(two);
            if (strcmp(one->set, two->set) || !same_setting(&settings[0], left, right) ||
                same_pack(left, right))
                continue;
            one->one_of_packs = two->one_of_packs = true;
        }
}

static int add_cell(struct sl_result_cells *cells, const char *set)
{
    if (cells->count == cells->capacity) {
        size_t capacity = cells->capacity ? 2 * cells->capacity : 64;
        struct sl_result_cell *more = reallocarray(cells->cells, capacity, sizeof(*more));
        if (!more)
            return -ENOMEM;
        cells->cells = more;
        cells->capacity = capacity;
    }
    struct sl_result_cell cell = {.records = json_array(), .set = strdup(set)};
    if (!cell.records || !cell.set) {
        json_decref(cell.records);
        free(cell.set);
        return -ENOMEM;
    }
    cells->cells[cells->count++] = cell;
    return 0;
}

int sl_result_cells_group(const json_t *records, struct sl_result_cells *cells,
                          struct sl_error *error)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        SL_AUTO_FREE char *set = set_name(records, i);
        size_t at = 0;
        while (set && at < cells->count && !belongs(&cells->cells[at], set, record))
            at++;
        if (!set || (at == cells->count && add_cell(cells, set) < 0) ||
            json_array_append(cells->cells[at].records, record) < 0)
            return sl_error_set(error, -ENOMEM, "out of memory");
        cells->cells[at].failed += !is_ok(record);
    }
    note_packs(cells);
    return 0;
}

void sl_result_cells_free(struct sl_result_cells *cells)
{
    for (size_t i = 0; i < cells->count; i++) {
        json_decref(cells->cells[i].records);
        free(cells->cells[i].set);
    }
    free(cells->cells);
    *cells = (struct sl_result_cells){0};
}

const struct sl_result_cell *sl_result_cell_find(const struct sl_result_cells *cells,
                                                 const struct sl_result_cell *cell)
{
    const json_t *record = sl_result_cell_record(cell);
    for (size_t i = 0; i < cells->count; i++)
        if (belongs(&cells->cells[i], cell->set, record))
            return &cells->cells[i];
    for (size_t i = 0; i < cells->count && !cell->one_of_packs; i++) {
        const struct sl_result_cell *other = &cells->cells[i];
        if (!other->one_of_packs && !strcmp(other->set, cell->set) &&
            same_settings(sl_result_cell_record(other), record))
            return other;
    }
    return NULL;
}

const json_t *sl_result_cell_record(const struct sl_result_cell *cell)
{
    size_t i;
    json_t *record;
    json_array_foreach(cell->records, i, record) if (is_ok(record)) return record;
    return json_array_get(cell->records, 0);
}

bool sl_result_cell_same_figure(const struct sl_result_cell *one, const struct sl_result_cell *two)
{
    if (strcmp(one->set, two->set))
        return false;
    for (size_t i = 0; i < SETTINGS; i++) {
        /* Without a limit there is no limit of swap. */
        if (!strcmp(settings[i].field, "policy") || !strcmp(settings[i].field, "memory_limit") ||
            !strcmp(settings[i].field, "swap_limit"))
            continue;
        if (!same_setting(&settings[i], sl_result_cell_record(one), sl_result_cell_record(two)))
            return false;
    }
    return same_pack(sl_result_cell_record(one), sl_result_cell_record(two));
}

size_t sl_result_cell_samples(const struct sl_result_cell *cell, const struct sl_metric *metric,
                              double **values)
{
    size_t count = 0, i, j;
    json_t *record;
    json_array_foreach(cell->records, i, record)
    {
        const json_t *value = json_object_get(record, metric->field);
        count += json_is_array(value) ? json_array_size(value) : 1;
    }
    *values = calloc(count + 1, sizeof(**values));
    count = 0;
    json_array_foreach(cell->records, i, record)
    {
        const json_t *value = json_object_get(record, metric->field), *entry;
        if (!*values || !is_ok(record))
            continue;
        if (json_is_number(value) && json_number_value(value) >= 0)
            (*values)[count++] = json_number_value(value);
        for (j = 0; j < json_array_size(value); j++) {
            entry = json_array_get(value, j);
            if (json_is_number(entry) && json_number_value(entry) >= 0)
                (*values)[count++] = json_number_value(entry);
        }
    }
    if (count == 0) {
        free(*values);
        *values = NULL;
    }
    return count;
}

bool sl_result_cell_spread(const struct sl_result_cell *cell, const struct sl_metric *metric,
                           struct sl_spread *spread)
{
    SL_AUTO_FREE double *values = NULL;
    size_t count = sl_result_cell_samples(cell, metric, &values);
    if (count == 0)
        return false;
    *spread = (struct sl_spread){.least = values[0], .most = values[0], .count = count};
    for (size_t i = 1; i < count; i++) {
        spread->least = fmin(spread->least, values[i]);
        spread->most = fmax(spread->most, values[i]);
    }
    spread->median = sl_median(values, count);
    return true;
}

const char *sl_result_cell_ending(const struct sl_result_cell *cell)
{
    const char *ended = "ok";
    size_t i;
    const json_t *record;
    json_array_foreach(cell->records, i, record) if (!is_ok(record)) ended =
        sl_record_text(record, "status");
    return ended;
}

const json_t *sl_result_cell_typical(const struct sl_result_cell *cell)
{
    static const struct sl_metric latency = {"", "latency_p50_ns", "", SL_UNIT_NS};
    struct sl_spread spread;
    const json_t *nearest = json_array_get(cell->records, 0), *record;
    double least = INFINITY;
    size_t i;
    if (!sl_result_cell_spread(cell, &latency, &spread))
        return nearest;
    json_array_foreach(cell->records, i, record)
    {
        double distance = fabs(sl_record_number(record, latency.field, INFINITY) - spread.median);
        if (!is_ok(record) || distance >= least)
            continue;
        least = distance;
        nearest = record;
    }
    return nearest;
}

const char *sl_result_cell_limit(const struct sl_result_cell *cell, char buffer[32])
{
    double bytes = sl_record_number(sl_result_cell_record(cell), "memory_limit", -1);
    if (bytes < 0)
        snprintf(buffer, 32, "none");
    else
        sl_format_size((uint64_t)bytes, buffer);
    return buffer;
}

/* Appends ", WORD VALUE" to what fits. */
static void add_word(char *text, size_t size, const char *word, const char *value)
{
    size_t length = strlen(text);
    if (length + 1 < size)
        snprintf(text + length, size - length, "%s%s%s%s", length ? ", " : "", word,
                 *value ? " " : "", value);
}

static void add_setting(char *text, size_t size, const struct setting *setting, const json_t *value)
{
    char number[32] = "", bytes[SL_UNIT_TEXT_BYTES];
    if (json_is_number(value) && setting->bytes)
        snprintf(number, sizeof(number), "%s%s",
                 sl_format_size((uint64_t)json_number_value(value), bytes), setting->bytes);
    else if (json_is_number(value))
        snprintf(number, sizeof(number), "%g", json_number_value(value));
    add_word(text, size, setting->word, json_is_string(value) ? json_string_value(value) : number);
}

const char *sl_result_cell_name(const struct sl_result_cell *cell, bool with_place, char *text,
                                size_t size)
{
    const json_t *record = sl_result_cell_record(cell);
    const char *network = sl_record_text(record, "network");
    char limit[32], batch[32];
    *text = '\0';
    if (with_place) {
        bool alone = !strcmp(cell->set, network);
        sl_result_cell_limit(cell, limit);
        snprintf(text, size, "%s%s%s%s %s, %s%s", network, alone ? "" : " (of ",
                 alone ? "" : cell->set, alone ? "" : ")", sl_record_text(record, "policy"),
                 strcmp(limit, "none") ? "limit " : "no limit", strcmp(limit, "none") ? limit : "");
    }
    if (cell->one_of_packs)
        add_word(text, size, "pack", sl_record_text(record, "pack"));
    for (size_t i = PLACE; i < SETTINGS; i++) {
        const json_t *value = told(record, settings[i].field);
        /* The loader of every system that has it needs no word. */
        if (settings[i].word && value &&
            !(json_is_string(value) && !strcmp(json_string_value(value), "uring")))
            add_setting(text, size, &settings[i], value);
    }
    if (sl_record_number(record, "batch", 1) > 1) {
        snprintf(batch, sizeof(batch), "%.0f", sl_record_number(record, "batch", 1));
        add_word(text, size, "batch", batch);
    }
    return text;
}
