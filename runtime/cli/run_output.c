#include "runtime/cli/run_output.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/cli/cell.h"
#include "runtime/report/profile.h"
#include "runtime/report/record.h"

#define MISSING (-1.0)

static const char *duration(const json_t *record, const char *field,
                            char buffer[SL_UNIT_TEXT_BYTES])
{
    double ns = sl_record_number(record, field, MISSING);
    return ns < 0 ? "-" : sl_format_duration((uint64_t)ns, buffer);
}

static const char *size(const json_t *record, const char *field, char buffer[SL_UNIT_TEXT_BYTES])
{
    double bytes = sl_record_number(record, field, MISSING);
    return bytes < 0 ? "-" : sl_format_size((uint64_t)bytes, buffer);
}

static const char *limit(const json_t *record, char buffer[SL_UNIT_TEXT_BYTES])
{
    double bytes = sl_record_number(record, "memory_limit", MISSING);
    return bytes < 0 ? "none" : sl_format_size((uint64_t)bytes, buffer);
}

static void print_latency(const json_t *record, FILE *stream)
{
    char text[SL_UNIT_TEXT_BYTES];
    size_t count = json_array_size(json_object_get(record, "latency_ns"));
    fprintf(stream, "  latency  %s", duration(record, "latency_p50_ns", text));
    if (count > 1) {
        fprintf(stream, " (median of %zu, p95 %s", count, duration(record, "latency_p95_ns", text));
        fprintf(stream, ", p99 %s)", duration(record, "latency_p99_ns", text));
    }
    fprintf(stream, ": load %s", duration(record, "load_ns", text));
    fprintf(stream, ", run %s", duration(record, "run_ns", text));
    fprintf(stream, ", stall %s\n", duration(record, "stall_ns", text));
    double bound_ns = sl_record_number(record, "bound_ns", MISSING);
    if (bound_ns > 0)
        fprintf(stream, "  bound    %s with this memory and storage; the batch took %.2f x\n",
                duration(record, "bound_ns", text),
                sl_record_number(record, "makespan_ns", 0) / bound_ns);
}

/* One part of the line below. Where a result beats what was measured, that is out of date, or the
 * storage has a cache of its own. */
static void print_share(const char *what, double share, const char *of, FILE *stream)
{
    if (share > 1.1)
        fprintf(stream, "%s at %.1f x %s", what, share, of);
    else
        fprintf(stream, "%s at %.0f %% of %s", what, 100 * share, of);
}

/* How near it came to what `doctor --bench` measured here; silent when nothing is known. */
static void print_ceiling(const json_t *record, FILE *stream)
{
    double reads = sl_record_number(record, "read_ceiling_share", MISSING);
    double compute = sl_record_number(record, "compute_ceiling_share", MISSING);
    if (reads < 0 && compute < 0)
        return;
    fputs("  ceiling  ", stream);
    if (reads >= 0)
        print_share("reads", reads, "the storage's rate", stream);
    if (reads >= 0 && compute >= 0)
        fputs(", ", stream);
    if (compute >= 0)
        print_share("computes", compute, "the matrix product", stream);
    fputs(" (doctor --bench)\n", stream);
}

static void print_memory(const json_t *record, FILE *stream)
{
    char text[SL_UNIT_TEXT_BYTES];
    fprintf(stream, "  memory   peak %s", size(record, "peak_bytes", text));
    if (sl_record_number(record, "memory_limit", MISSING) >= 0)
        fprintf(stream, " of %s", limit(record, text));
    fprintf(stream, ", weights %s", size(record, "weights_bytes", text));
    fprintf(stream, ", read %s", size(record, "read_bytes", text));
    if (sl_record_number(record, "swap_in_bytes", MISSING) >= 0) {
        fprintf(stream, ", swap in %s", size(record, "swap_in_bytes", text));
        fprintf(stream, ", out %s", size(record, "swap_out_bytes", text));
    }
    double faults = sl_record_number(record, "major_faults", MISSING);
    if (faults >= 0)
        fprintf(stream, ", %.0f major faults", faults);
    fputc('\n', stream);
    const json_t *division = json_object_get(record, "breakdown");
    if (division) {
        fprintf(stream, "  divided  ");
        sl_record_print_division(division, stream);
    }
}

static void print_top(const json_t *record, FILE *stream)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(record, "top"), i, entry)
        fprintf(stream, "  %6.4f  %4.0f  %s\n", sl_record_number(entry, "probability", 0),
                sl_record_number(entry, "class", 0), sl_record_text(entry, "label"));
}

void run_print_summary(const json_t *records, FILE *stream)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        const char *loader = sl_record_text(record, "loader");
        fprintf(stream, "%s%s: %s, policy %s%s%s", i ? "\n" : "", sl_record_text(record, "network"),
                sl_record_text(record, "status"), sl_record_text(record, "policy"),
                *loader ? ", loader " : "", loader);
        double threads = sl_record_number(record, "threads", MISSING);
        if (threads > 0)
            fprintf(stream, ", %.0f thread%s", threads, threads > 1 ? "s" : "");
        const char *input = sl_record_text(record, "input");
        if (*input)
            fprintf(stream, ", input %s", input);
        fputc('\n', stream);
        if (json_array_size(json_object_get(record, "latency_ns")) > 0)
            print_latency(record, stream);
        print_ceiling(record, stream);
        print_memory(record, stream);
        if (*sl_record_text(record, "digest"))
            fprintf(stream, "  digest   %s\n", sl_record_text(record, "digest"));
        print_top(record, stream);
    }
}

/* Whether a record before this one has the same error. */
static bool told_before(const json_t *cells, const json_t *until, const char *error)
{
    size_t i, j;
    json_t *records, *record;
    json_array_foreach(cells, i, records) json_array_foreach(records, j, record)
    {
        if (record == until)
            return false;
        if (!strcmp(sl_record_text(record, "error"), error))
            return true;
    }
    return false;
}

void run_print_errors(const json_t *cells, FILE *stream)
{
    size_t i, j;
    json_t *records, *record;
    json_array_foreach(cells, i, records) json_array_foreach(records, j, record)
    {
        const char *error = sl_record_text(record, "error");
        if (*error && !told_before(cells, record, error))
            fprintf(stream, "sluice: %s\n", error);
    }
}

void run_print_advice(const json_t *cells, FILE *stream)
{
    size_t i;
    json_t *records;
    json_array_foreach(cells, i, records)
    {
        const json_t *record = json_array_get(records, json_array_size(records) - 1);
        const json_t *advice = json_object_get(record, "advice");
        if (!json_is_object(advice))
            continue;
        char text[SL_UNIT_TEXT_BYTES];
        fprintf(stream, "sluice: hint: %s", sl_record_text(record, "policy"));
        if (sl_record_number(record, "memory_limit", MISSING) >= 0)
            fprintf(stream, " at %s", limit(record, text));
        fprintf(stream, ": reads bind %.0f %% of the time; %s more saves %.0f %%\n",
                100 * sl_record_number(advice, "reads_bind", 0), size(advice, "more_bytes", text),
                100 * sl_record_number(advice, "saved", 0));
    }
}

/* Names of the networks of a cell, joined by "+"; once for all its inputs. */
static void add_network_names(struct sl_table *table, const json_t *records)
{
    char names[256] = "";
    size_t length = 0, i;
    const char *last = "";
    json_t *record;
    json_array_foreach(records, i, record)
    {
        const char *name = sl_record_text(record, "network");
        const char *pack = sl_record_text(record, "pack");
        if (i > 0 && !strcmp(pack, last))
            continue;
        int added = snprintf(names + length, sizeof(names) - length, "%s%s", i ? "+" : "", name);
        length += added > 0 ? (size_t)added : 0;
        if (length >= sizeof(names))
            break;
        last = pack;
    }
    sl_table_add(table, "%s", names);
}

/* Sum over the networks of a cell; MISSING when no record has the field. */
static double cell_sum(const json_t *records, const char *field)
{
    double sum = MISSING;
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        double value = sl_record_number(record, field, MISSING);
        if (value >= 0)
            sum = (sum < 0 ? 0 : sum) + value;
    }
    return sum;
}

static void add_duration(struct sl_table *table, double ns)
{
    char text[SL_UNIT_TEXT_BYTES];
    sl_table_add(table, "%s", ns < 0 ? "-" : sl_format_duration((uint64_t)ns, text));
}

/* More than one for a network that was fed several, one after another. */
static size_t count_inputs(const json_t *records)
{
    const json_t *first = json_array_get(records, 0);
    size_t count = 1, i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        const bool same = !strcmp(sl_record_text(record, "pack"), sl_record_text(first, "pack"));
        count += same && strcmp(sl_record_text(record, "input"), sl_record_text(first, "input"));
    }
    return count;
}

static void add_cell_row(struct sl_table *table, const json_t *records)
{
    const json_t *first = json_array_get(records, 0);
    const double inputs = (double)count_inputs(records);
    const bool batch = json_array_size(records) > count_inputs(records);
    char text[SL_UNIT_TEXT_BYTES];
    add_network_names(table, records);
    sl_table_add(table, "%s", sl_record_text(first, "policy"));
    sl_table_add(table, "%s", limit(first, text));
    add_duration(table, batch ? sl_record_number(first, "makespan_ns", MISSING)
                              : cell_sum(records, "latency_p50_ns") / inputs);
    add_duration(table, sl_record_number(first, "batch_load_ns", MISSING));
    add_duration(table, cell_sum(records, "run_ns") / inputs);
    add_duration(table, cell_sum(records, "stall_ns") / inputs);
    add_duration(table, sl_record_number(first, "bound_ns", MISSING));
    sl_table_add(table, "%s", size(first, "peak_bytes", text));
    sl_table_add(table, "%s", size(first, "swap_in_bytes", text));
    sl_table_add(table, "%s", size(first, "swap_out_bytes", text));
    double faults = sl_record_number(first, "major_faults", MISSING);
    if (faults < 0)
        sl_table_add(table, "-");
    else
        sl_table_add(table, "%.0f", faults);
    sl_table_add(table, "%s", cell_status(records));
}

static int print_records(const json_t *cells, enum sl_format format, FILE *stream)
{
    static const struct sl_column columns[] = {
        {"status", false},        {"network", false},       {"input", false},
        {"policy", false},        {"loader", false},        {"threads", true},
        {"memory_limit", true},   {"swap_limit", true},     {"budget", true},
        {"weights_bytes", true},  {"latency_p50_ns", true}, {"latency_p95_ns", true},
        {"latency_p99_ns", true}, {"load_ns", true},        {"run_ns", true},
        {"stall_ns", true},       {"makespan_ns", true},    {"bound_ns", true},
        {"read_bytes", true},     {"peak_bytes", true},     {"swap_in_bytes", true},
        {"swap_out_bytes", true}, {"major_faults", true},   {"refaults", true},
        {"digest", false},
    };
    int count = sizeof(columns) / sizeof(columns[0]);
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, columns, count);
    size_t i, j;
    json_t *records, *record;
    json_array_foreach(cells, i, records) json_array_foreach(records, j, record)
        sl_record_add_row(&table, record);
    return sl_table_write(&table, format, stream);
}

int run_print_table(const json_t *cells, enum sl_format format, FILE *stream)
{
    static const struct sl_column columns[] = {
        {"network", false}, {"policy", false}, {"limit", true},    {"latency", true},
        {"load", true},     {"run", true},     {"stall", true},    {"bound", true},
        {"peak", true},     {"swap in", true}, {"swap out", true}, {"major faults", true},
        {"ended", false},
    };
    if (format == SL_FORMAT_CSV)
        return print_records(cells, format, stream);
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    size_t i;
    json_t *records;
    json_array_foreach(cells, i, records) add_cell_row(&table, records);
    return sl_table_write(&table, format, stream);
}

int run_print_profiles(const json_t *cells, enum sl_format format, FILE *stream)
{
    size_t i;
    json_t *records;
    if (format != SL_FORMAT_TABLE && format != SL_FORMAT_MARKDOWN)
        return 0;
    json_array_foreach(cells, i, records)
    {
        char line[512], text[SL_UNIT_TEXT_BYTES];
        const json_t *first = json_array_get(records, 0);
        if (!*sl_profile_summary(records, line, sizeof(line)))
            continue;
        if (json_array_size(cells) > 1)
            fprintf(stream, "\n%s, limit %s\n", sl_record_text(first, "policy"),
                    limit(first, text));
        fputc('\n', stream);
        int code = sl_profile_print(records, format, stream);
        if (code)
            return code;
    }
    return 0;
}
