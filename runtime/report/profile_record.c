/* The profile in records, and for people. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/report/profile.h"
#include "runtime/report/record.h"

/* Layers below this part of the time, without major faults, share one row. */
#define ROW_LEAST_SHARE 0.001

static void set_number(json_t *object, const char *field, double value)
{
    json_object_set_new(object, field, json_integer(llround(value)));
}

static json_t *layer_record(const struct sl_profile_layer *layer, const char *name)
{
    json_t *row = json_object();
    json_object_set_new(row, "name", json_string(name));
    set_number(row, "load_ns", layer->load_ns);
    set_number(row, "run_ns", layer->run_ns);
    set_number(row, "waiting_ns", layer->waiting_ns);
    set_number(row, "faulting_ns", layer->faulting_ns);
    set_number(row, "computing_ns", layer->computing_ns);
    set_number(row, "major_faults", layer->major_faults);
    set_number(row, "minor_faults", layer->minor_faults);
    set_number(row, "swap_in_bytes", layer->swap_in_bytes);
    return row;
}

json_t *sl_profile_record(const struct sl_profile *profile, int network,
                          const struct sl_model *model, uint64_t lost,
                          const struct sl_memory_sample *last)
{
    struct sl_profile_total total;
    sl_profile_total(profile, &total);
    json_t *record = total.requests ? json_object() : NULL;
    json_t *layers = record ? json_array() : NULL;
    if (!layers) {
        json_decref(record);
        return NULL;
    }
    struct sl_layer_info info;
    struct sl_profile_layer layer;
    double own_ns = 0;
    for (int l = 0; sl_profile_layer(profile, network, l, &layer) &&
                    sl_model_layer(model, l, &info, NULL) == 0;
         l++) {
        own_ns += layer.waiting_ns + layer.faulting_ns + layer.computing_ns;
        json_array_append_new(layers, layer_record(&layer, info.name));
    }
    set_number(record, "requests", (double)total.requests);
    set_number(record, "request_ns", total.request_ns);
    set_number(record, "serving_ns", total.serving_ns);
    set_number(record, "other_networks_ns", fmax(0, total.request_ns - total.serving_ns - own_ns));
    set_number(record, "serving_major_faults", total.serving_major_faults);
    set_number(record, "serving_swap_in_bytes", total.serving_swap_in_bytes);
    set_number(record, "all_swap_in_bytes", (double)total.all_swap_in_bytes);
    set_number(record, "lost_events", (double)lost);
    set_number(record, "scanned_pages", (double)last->scanned_pages);
    set_number(record, "reclaimed_pages", (double)last->reclaimed_pages);
    set_number(record, "pressure_some_ns", (double)last->pressure_some_ns);
    set_number(record, "pressure_full_ns", (double)last->pressure_full_ns);
    json_object_set_new(record, "layers", layers);
    return record;
}

/* ---- For people ---------------------------------------------------------------------------- */

static const char *const parts[] = {"waiting_ns", "faulting_ns", "computing_ns"};
enum part { PART_WAITING, PART_FAULTING, PART_COMPUTING, PARTS };

/* Records of a cell with a profile, each network once: a cell has a record for every input, too. */
static const json_t *profile_of(const json_t *records, size_t index)
{
    const json_t *record = json_array_get(records, index);
    for (size_t i = 0; i < index; i++)
        if (!strcmp(sl_record_text(json_array_get(records, i), "pack"),
                    sl_record_text(record, "pack")))
            return NULL;
    return json_object_get(record, "profile");
}

static double layer_ns(const json_t *layer)
{
    double ns = 0;
    for (int p = 0; p < PARTS; p++)
        ns += sl_record_number(layer, parts[p], 0);
    return ns;
}

/* Sums over all layers of a cell, and the layer with most of each part. */
struct findings {
    double request_ns, serving_ns, swap_in_bytes, swap_out_bytes;
    double sum_ns[PARTS], most_ns[PARTS];
    const char *most_name[PARTS];
};

static bool find(const json_t *records, struct findings *findings)
{
    *findings = (struct findings){0};
    size_t i, l;
    json_t *record, *layer;
    json_array_foreach(records, i, record)
    {
        const json_t *profile = profile_of(records, i);
        if (!profile)
            continue;
        findings->request_ns = sl_record_number(profile, "request_ns", 0);
        findings->serving_ns = sl_record_number(profile, "serving_ns", 0);
        findings->swap_out_bytes = sl_record_number(record, "swap_out_bytes", 0);
        json_array_foreach(json_object_get(profile, "layers"), l, layer)
        {
            findings->swap_in_bytes += sl_record_number(layer, "swap_in_bytes", 0);
            for (int p = 0; p < PARTS; p++) {
                double ns = sl_record_number(layer, parts[p], 0);
                findings->sum_ns[p] += ns;
                if (ns <= findings->most_ns[p])
                    continue;
                findings->most_ns[p] = ns;
                findings->most_name[p] = sl_record_text(layer, "name");
            }
        }
    }
    return findings->request_ns > 0;
}

/* One layer that has most of it is named alone. */
static void summarize_faults(const struct findings *found, char *line, size_t size)
{
    double percent = 100 / found->request_ns, sum_ns = found->sum_ns[PART_FAULTING];
    double most_ns = found->most_ns[PART_FAULTING];
    const char *name = found->most_name[PART_FAULTING];
    bool one = most_ns >= 0.8 * sum_ns, swapped = found->swap_in_bytes > 0;
    int length = snprintf(line, size, "%.0f %% of the time went into %s%.100s%s", percent * sum_ns,
                          swapped ? "swapping " : "page faults of ", one ? name : "layers",
                          swapped ? " back in" : "");
    if (!one)
        snprintf(line + length, size - (size_t)length, ", most for %.100s (%.0f %%)", name,
                 percent * most_ns);
}

const char *sl_profile_summary(const json_t *records, char *line, size_t size)
{
    struct findings found;
    line[0] = '\0';
    if (!find(records, &found))
        return line;
    double percent = 100 / found.request_ns;
    enum part worst =
        found.sum_ns[PART_FAULTING] > found.sum_ns[PART_WAITING] ? PART_FAULTING : PART_WAITING;
    double worst_ns = found.sum_ns[worst];
    if (found.serving_ns > worst_ns && found.serving_ns > found.sum_ns[PART_COMPUTING])
        snprintf(line, size, "%.0f %% of the time went into %s", percent * found.serving_ns,
                 found.swap_out_bytes > found.swap_in_bytes
                     ? "finding memory for reads, by swapping out what was read before"
                     : "serving reads: memory for them, checksums, decisions");
    else if (worst_ns * percent < 5 || !found.most_name[worst])
        snprintf(line, size, "%.0f %% of the time went into computing; little was waited for",
                 percent * found.sum_ns[PART_COMPUTING]);
    else if (worst == PART_WAITING)
        snprintf(line, size,
                 "%.0f %% of the time went into waiting for weights, most before %.100s (%.0f %%)",
                 percent * worst_ns, found.most_name[worst], percent * found.most_ns[worst]);
    else
        summarize_faults(&found, line, size);
    return line;
}

static void add_duration(struct sl_table *table, double ns)
{
    char text[SL_UNIT_TEXT_BYTES];
    sl_table_add(table, "%s", ns > 0 ? sl_format_duration((uint64_t)ns, text) : "-");
}

static void add_row(struct sl_table *table, const char *name, const json_t *row, double request_ns)
{
    char text[SL_UNIT_TEXT_BYTES];
    sl_table_add(table, "%s", name);
    add_duration(table, sl_record_number(row, "load_ns", 0));
    add_duration(table, sl_record_number(row, "run_ns", 0));
    sl_table_add(table, "%.0f", sl_record_number(row, "major_faults", 0));
    sl_table_add(table, "%s",
                 sl_format_size((uint64_t)sl_record_number(row, "swap_in_bytes", 0), text));
    for (int p = 0; p < PARTS; p++)
        add_duration(table, sl_record_number(row, parts[p], 0));
    sl_table_add(table, "%.1f %%", 100 * layer_ns(row) / request_ns);
}

/* A row that is not a layer's: only some fields, the time as if it were computing in its share. */
static void add_plain_row(struct sl_table *table, const char *name, double faults, double bytes,
                          double ns, double request_ns)
{
    char text[SL_UNIT_TEXT_BYTES];
    sl_table_add(table, "%s", name);
    for (int i = 0; i < 2; i++)
        sl_table_add(table, "%s", "-");
    sl_table_add(table, "%.0f", faults);
    sl_table_add(table, "%s", sl_format_size((uint64_t)bytes, text));
    for (int i = 0; i < PARTS; i++)
        sl_table_add(table, "%s", "-");
    sl_table_add(table, "%.1f %%", 100 * ns / request_ns);
}

static void add_network(struct sl_table *table, const json_t *record, const json_t *profile,
                        bool named)
{
    double request_ns = sl_record_number(profile, "request_ns", 1), rest_ns = 0;
    int rest = 0;
    size_t l;
    json_t *layer;
    char name[256];
    json_array_foreach(json_object_get(profile, "layers"), l, layer)
    {
        if (layer_ns(layer) < ROW_LEAST_SHARE * request_ns &&
            !(sl_record_number(layer, "major_faults", 0) > 0)) {
            rest_ns += layer_ns(layer);
            rest++;
            continue;
        }
        snprintf(name, sizeof(name), "%s%s%s", named ? sl_record_text(record, "network") : "",
                 named ? "/" : "", sl_record_text(layer, "name"));
        add_row(table, name, layer, request_ns);
    }
    snprintf(name, sizeof(name), "%s%s%d small layers",
             named ? sl_record_text(record, "network") : "", named ? "/" : "", rest);
    if (rest)
        add_plain_row(table, name, 0, 0, rest_ns, request_ns);
}

/* What the limit cost beside time, over the whole run. */
static void print_reclaim(const json_t *record, const json_t *profile, FILE *stream)
{
    double wall_ns = sl_record_number(record, "wall_ns", 0);
    if (sl_record_number(profile, "scanned_pages", 0) <= 0 || wall_ns <= 0)
        return;
    fprintf(stream,
            "reclaim took %.0f pages of %.0f that it looked at, %.0f came back; some task waited "
            "for memory in %.0f %% of the time, all tasks in %.0f %%\n",
            sl_record_number(profile, "reclaimed_pages", 0),
            sl_record_number(profile, "scanned_pages", 0), sl_record_number(record, "refaults", 0),
            100 * sl_record_number(profile, "pressure_some_ns", 0) / wall_ns,
            100 * sl_record_number(profile, "pressure_full_ns", 0) / wall_ns);
}

int sl_profile_print(const json_t *records, enum sl_format format, FILE *stream)
{
    static const struct sl_column columns[] = {
        {"layer", false},   {"load", true},      {"run", true},
        {"faults", true},   {"swapped", true},   {"waiting", true},
        {"faulting", true}, {"computing", true}, {"share", true},
    };
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    const json_t *any = NULL;
    size_t i, networks = 0;
    json_t *record;
    json_array_foreach(records, i, record) networks += profile_of(records, i) != NULL;
    json_array_foreach(records, i, record)
    {
        const json_t *profile = profile_of(records, i);
        if (!profile)
            continue;
        any = profile;
        add_network(&table, record, profile, networks > 1);
    }
    if (!any)
        return 0;
    add_plain_row(&table, "serving reads", sl_record_number(any, "serving_major_faults", 0),
                  sl_record_number(any, "serving_swap_in_bytes", 0),
                  sl_record_number(any, "serving_ns", 0), sl_record_number(any, "request_ns", 1));
    int code = sl_table_write(&table, format, stream);
    char line[512];
    if (!code)
        fprintf(stream, "\n%s\n", sl_profile_summary(records, line, sizeof(line)));
    if (!code)
        print_reclaim(json_array_get(records, 0), any, stream);
    if (!code && sl_record_number(any, "lost_events", 0) > 0)
        fprintf(stream, "%.0f events were lost: the watcher got too little of the processor\n",
                sl_record_number(any, "lost_events", 0));
    return code;
}
