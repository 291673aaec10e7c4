#include "runtime/report/record.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/base/stats.h"
#include "runtime/base/units.h"
#include "runtime/report/results_file.h"

static json_t *json_bytes(uint64_t value)
{
    return value == SL_NO_LIMIT ? json_null() : json_integer((json_int_t)value);
}

static json_t *json_checksum(uint64_t value)
{
    char text[17];
    snprintf(text, sizeof(text), "%016" PRIx64, value);
    return json_string(text);
}

/* latency_ns and its percentiles. */
static void add_latencies(json_t *record, const struct sl_request_samples *samples)
{
    json_t *all = json_array();
    uint64_t *sorted = calloc((size_t)samples->count, sizeof(*sorted));
    for (int i = 0; i < samples->count; i++) {
        uint64_t latency = samples->results[i].latency_ns;
        json_array_append_new(all, json_integer((json_int_t)latency));
        if (sorted)
            sorted[i] = latency;
    }
    json_object_set_new(record, "latency_ns", all);
    if (!sorted)
        return;
    static const struct {
        const char *field;
        double quantile;
    } percentiles[] = {{"latency_p50_ns", 0.5}, {"latency_p95_ns", 0.95}, {"latency_p99_ns", 0.99}};
    size_t count = (size_t)samples->count;
    sl_sort_u64(sorted, count);
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
        json_object_set_new(
            record, percentiles[i].field,
            json_integer(llround(sl_quantile(sorted, count, percentiles[i].quantile))));
    free(sorted);
}

/* Mean over the requests of a field of struct sl_result. */
static void add_mean(json_t *record, const char *field, const struct sl_request_samples *samples,
                     size_t offset)
{
    double sum = 0;
    for (int i = 0; i < samples->count; i++)
        sum += (double)*(const uint64_t *)((const char *)&samples->results[i] + offset);
    json_object_set_new(record, field, json_integer(llround(sum / samples->count)));
}

/* The batches as a whole: mean makespan and load, and the bound of the last; of those that ran
 * together how many there were at most, and what their runs read and computed. */
static void add_batches(json_t *record, const struct sl_request_samples *samples, double flops)
{
    double makespan = 0, load = 0, together = 0, read_bytes = 0;
    int most = 1;
    for (int i = 0; i < samples->count; i++) {
        makespan += (double)samples->batches[i].makespan_ns;
        load += (double)samples->batches[i].load_ns;
        together += samples->together[i];
        read_bytes += (double)samples->results[i].read_bytes * samples->together[i];
        most = samples->together[i] > most ? samples->together[i] : most;
    }
    json_object_set_new(record, "batch", json_integer(most));
    json_object_set_new(record, "batch_read_bytes",
                        json_integer(llround(read_bytes / samples->count)));
    json_object_set_new(record, "batch_flops", json_real(flops * together / samples->count));
    json_object_set_new(record, "makespan_ns", json_integer(llround(makespan / samples->count)));
    json_object_set_new(record, "batch_load_ns", json_integer(llround(load / samples->count)));
    uint64_t bound_ns = samples->batches[samples->count - 1].bound_ns;
    json_object_set_new(record, "bound_ns",
                        bound_ns ? json_integer((json_int_t)bound_ns) : json_null());
}

static json_t *top_classes(const struct sl_session *session, int network, int most)
{
    json_t *list = json_array();
    struct sl_class *classes = calloc((size_t)most + 1, sizeof(*classes));
    int count = classes ? sl_session_top(session, network, 0, most, classes, NULL) : 0;
    for (int i = 0; i < count; i++) {
        json_t *entry = json_object();
        json_object_set_new(entry, "class", json_integer(classes[i].index));
        json_object_set_new(entry, "probability",
                            isfinite(classes[i].probability) ? json_real(classes[i].probability)
                                                             : json_null());
        json_object_set_new(entry, "value",
                            isfinite(classes[i].value) ? json_real(classes[i].value) : json_null());
        if (classes[i].label)
            json_object_set_new(entry, "label", json_string(classes[i].label));
        json_array_append_new(list, entry);
    }
    free(classes);
    return list;
}

static json_t *layer_rows(const struct sl_session *session, int network,
                          const struct sl_model *model)
{
    json_t *rows = json_array();
    struct sl_layer_info layer;
    struct sl_layer_result result;
    for (int i = 0; sl_model_layer(model, i, &layer, NULL) == 0 &&
                    sl_session_layer(session, network, i, &result, NULL) == 0;
         i++) {
        json_t *row = json_object();
        json_object_set_new(row, "name", json_string(layer.name));
        json_object_set_new(row, "type", json_string(layer.type));
        json_object_set_new(row, "weights_bytes", json_bytes(layer.weight_bytes));
        json_object_set_new(row, "start_ns", json_bytes(result.start_ns));
        json_object_set_new(row, "end_ns", json_bytes(result.end_ns));
        json_object_set_new(row, "load_start_ns", json_bytes(result.load_start_ns));
        json_object_set_new(row, "load_ns", json_bytes(result.load_ns));
        json_object_set_new(row, "run_ns", json_bytes(result.run_ns));
        json_object_set_new(row, "stall_ns", json_bytes(result.stall_ns));
        json_object_set_new(row, "read_bytes", json_bytes(result.read_bytes));
        json_object_set_new(row, "major_faults", json_bytes(result.major_faults));
        json_array_append_new(rows, row);
    }
    return rows;
}

json_t *sl_record_division(const struct sl_division *division)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "process_bytes", (json_int_t)division->process_bytes,
        "activation_bytes", (json_int_t)division->activation_bytes, "scratch_bytes",
        (json_int_t)division->scratch_bytes, "slot_bytes", (json_int_t)division->slot_bytes,
        "pinned_bytes", (json_int_t)division->pinned_bytes, "reserve_bytes",
        (json_int_t)division->reserve_bytes, "read_ahead_bytes",
        (json_int_t)division->read_ahead_bytes);
}

void sl_record_print_division(const json_t *division, FILE *stream)
{
    static const struct {
        const char *field, *name;
    } parts[] = {{"process_bytes", "process"}, {"activation_bytes", "activations"},
                 {"scratch_bytes", "scratch"}, {"slot_bytes", "slots"},
                 {"pinned_bytes", "pins"},     {"reserve_bytes", "reserve"}};
    char text[SL_UNIT_TEXT_BYTES];
    const double ahead = sl_record_number(division, "read_ahead_bytes", 0);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        fprintf(stream, "%s%s %s", i ? ", " : "", parts[i].name,
                sl_format_size((uint64_t)sl_record_number(division, parts[i].field, 0), text));
    if (ahead > 0)
        fprintf(stream, ", read-ahead %s", sl_format_size((uint64_t)ahead, text));
    fputc('\n', stream);
}

static void add_session(json_t *record, const struct sl_session *session)
{
    struct sl_session_info info;
    sl_session_describe(session, &info);
    json_object_set_new(record, "policy", json_string(info.policy));
    json_object_set_new(record, "loader", json_string(info.loader));
    json_object_set_new(record, "loader_reason", json_string(info.loader_reason));
    json_object_set_new(record, "loader_notes", json_string(info.loader_notes));
    json_object_set_new(record, "hints", info.hints[0] ? json_string(info.hints) : json_null());
    json_object_set_new(record, "direct", json_boolean(info.direct));
    json_object_set_new(record, "threads", json_integer(info.threads));
    json_object_set_new(record, "shards_peak_bytes", json_bytes(info.shards_peak_bytes));
    json_object_set_new(record, "activation_bytes", json_bytes(info.activation_bytes));
    json_object_set_new(record, "scratch_bytes", json_bytes(info.scratch_bytes));
    json_object_set_new(record, "breakdown", sl_record_division(&info.division));
}

json_t *sl_record_network(const struct sl_session *session, int network,
                          const struct sl_model *model, const char *input,
                          const struct sl_request_samples *samples, int top)
{
    json_t *record = json_object();
    if (!record)
        return NULL;
    struct sl_model_info info;
    sl_model_describe(model, &info);
    json_object_set_new(record, "schema", json_integer(SL_RESULTS_SCHEMA));
    json_object_set_new(record, "status", json_string("ok"));
    json_object_set_new(record, "network", json_string(info.name));
    json_object_set_new(record, "pack", json_string(info.path));
    json_object_set_new(record, "pack_identity", json_checksum(info.identity));
    json_object_set_new(record, "input", json_string(input));
    add_session(record, session);
    json_object_set_new(record, "weights_bytes", json_bytes(info.weight_bytes));
    json_object_set_new(record, "flops", json_real(info.flops));
    add_latencies(record, samples);
    add_mean(record, "load_ns", samples, offsetof(struct sl_result, load_ns));
    add_mean(record, "run_ns", samples, offsetof(struct sl_result, run_ns));
    add_mean(record, "stall_ns", samples, offsetof(struct sl_result, stall_ns));
    add_batches(record, samples, info.flops);
    add_mean(record, "read_bytes", samples, offsetof(struct sl_result, read_bytes));
    json_object_set_new(record, "digest",
                        json_checksum(samples->results[samples->count - 1].digest));
    json_object_set_new(record, "top", top_classes(session, network, top));
    json_object_set_new(record, "layers", layer_rows(session, network, model));
    return record;
}

/* Columns rather than rows: a third of the text. The last ones, when they are all zero, are left
 * out. */
static json_t *memory_samples(const struct sl_outcome *outcome)
{
    static const struct {
        const char *field;
        size_t offset;
        bool always;
    } columns[] = {
        {"time_ns", offsetof(struct sl_memory_sample, time_ns), true},
        {"memory_bytes", offsetof(struct sl_memory_sample, memory_bytes), true},
        {"swap_bytes", offsetof(struct sl_memory_sample, swap_bytes), true},
        {"major_faults", offsetof(struct sl_memory_sample, major_faults), true},
        {"swap_in_bytes", offsetof(struct sl_memory_sample, swap_in_bytes), true},
        {"swap_out_bytes", offsetof(struct sl_memory_sample, swap_out_bytes), true},
        {"refaults", offsetof(struct sl_memory_sample, refaults), false},
        {"scanned_pages", offsetof(struct sl_memory_sample, scanned_pages), false},
        {"reclaimed_pages", offsetof(struct sl_memory_sample, reclaimed_pages), false},
        {"pressure_some_ns", offsetof(struct sl_memory_sample, pressure_some_ns), false},
        {"pressure_full_ns", offsetof(struct sl_memory_sample, pressure_full_ns), false},
    };
    json_t *object = json_object();
    for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++) {
        json_t *column = json_array();
        bool any = columns[c].always;
        for (size_t i = 0; i < outcome->sample_count; i++) {
            const char *sample = (const char *)&outcome->samples[i];
            uint64_t value = *(const uint64_t *)(const void *)(sample + columns[c].offset);
            any |= value != 0;
            json_array_append_new(column, json_bytes(value));
        }
        if (any)
            json_object_set(object, columns[c].field, column);
        json_decref(column);
    }
    return object;
}

void sl_record_add_outcome(json_t *record, const struct sl_outcome *outcome)
{
    json_object_set_new(record, "exit_code", json_integer(outcome->exit_code));
    json_object_set_new(record, "signal", json_integer(outcome->signal));
    json_object_set_new(record, "limited", json_boolean(outcome->limited));
    json_object_set_new(record, "wall_ns", json_bytes(outcome->wall_ns));
    if (outcome->limited) {
        const struct sl_cgroup_usage *usage = &outcome->usage;
        json_object_set_new(record, "peak_bytes", json_bytes(usage->memory_peak_bytes));
        json_object_set_new(record, "peak_source", json_string("cgroup"));
        json_object_set_new(record, "major_faults", json_bytes(usage->major_faults));
        json_object_set_new(record, "refaults", json_bytes(usage->refaults));
        json_object_set_new(record, "limit_hits", json_bytes(usage->limit_hits));
        json_object_set_new(record, "oom_kills", json_bytes(usage->oom_kills));
    }
    json_object_set_new(record, "swap_in_bytes", json_bytes(outcome->swap_in_bytes));
    json_object_set_new(record, "swap_out_bytes", json_bytes(outcome->swap_out_bytes));
    json_object_set_new(record, "zram_peak_bytes", json_bytes(outcome->zram_peak_bytes));
    json_object_set_new(record, "memory_samples", memory_samples(outcome));
}

void sl_record_add_own_usage(json_t *record)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    json_object_set_new(record, "limited", json_false());
    json_object_set_new(record, "peak_bytes", json_integer((json_int_t)usage.ru_maxrss * 1024));
    json_object_set_new(record, "peak_source", json_string("rss"));
    json_object_set_new(record, "swap_in_bytes", json_null());
    json_object_set_new(record, "swap_out_bytes", json_null());
    json_object_set_new(record, "major_faults", json_integer(usage.ru_majflt));
    json_object_set_new(record, "refaults", json_null());
}

void sl_record_add_limits(json_t *record, const struct sl_limits *limits)
{
    json_object_set_new(record, "memory_limit", json_bytes(limits->memory_bytes));
    json_object_set_new(record, "swap_limit",
                        limits->memory_bytes == SL_NO_LIMIT ? json_null()
                                                            : json_bytes(limits->swap_bytes));
    json_object_set_new(record, "read_rate", json_bytes(limits->read_bytes_per_s));
    json_object_set_new(record, "cpus", limits->cpus > 0 ? json_real(limits->cpus) : json_null());
    json_object_set_new(record, "write_rate", json_bytes(limits->write_bytes_per_s));
    json_object_set_new(record, "cores", limits->cores ? json_integer(limits->cores) : json_null());
    static const char *const places[] = {NULL, "file", "zram"};
    const char *place = limits->memory_bytes != SL_NO_LIMIT && limits->swap_bytes
                            ? places[limits->swap_place]
                            : NULL;
    json_object_set_new(record, "swap_place", place ? json_string(place) : json_null());
}

json_t *sl_record_context(const char *path)
{
    struct sl_context context;
    sl_context_read(path, &context);
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:i, s:s}", "version", context.version,
                     "commit", context.commit, "kernel", context.kernel, "cpu", context.cpu, "cpus",
                     context.cpus, "isa", context.isa, "cgroup_version", context.cgroup_version,
                     "storage", context.storage);
}

double sl_record_number(const json_t *record, const char *field, double missing)
{
    const json_t *value = json_object_get(record, field);
    return json_is_number(value) ? json_number_value(value) : missing;
}

const char *sl_record_text(const json_t *record, const char *field)
{
    const char *text = json_string_value(json_object_get(record, field));
    return text ? text : "";
}

json_t *sl_record_whole(double value)
{
    return value < 0 ? json_null() : json_integer((json_int_t)value);
}

void sl_record_add_row(struct sl_table *table, const json_t *record)
{
    for (int i = 0; i < table->column_count; i++) {
        const json_t *value = json_object_get(record, table->columns[i].name);
        if (json_is_string(value))
            sl_table_add(table, "%s", json_string_value(value));
        else if (json_is_boolean(value))
            sl_table_add(table, "%s", json_is_true(value) ? "true" : "false");
        else if (json_is_integer(value))
            sl_table_add(table, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_number(value))
            sl_table_add(table, "%.9g", json_number_value(value));
        else
            sl_table_add(table, "%s", "");
    }
}

int sl_record_write(const json_t *record, FILE *stream)
{
    char *line = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (!line)
        return -ENOMEM;
    int written = fprintf(stream, "%s\n", line);
    free(line);
    return written < 0 ? -EIO : 0;
}

int sl_record_give(json_t *record, enum sl_format format, struct sl_table *table, FILE *stream)
{
    int code = record ? 0 : -ENOMEM;
    if (record && format == SL_FORMAT_JSON)
        code = sl_record_write(record, stream);
    else if (record)
        sl_record_add_row(table, record);
    json_decref(record);
    return code;
}
