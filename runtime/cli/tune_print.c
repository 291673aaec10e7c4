/* What tune prints: the curve, the recommendation, what it cost. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/stats.h"
#include "runtime/base/units.h"
#include "runtime/cli/tune.h"
#include "runtime/report/record.h"

static bool is_setting(const struct tune *tune, int option)
{
    return tune->varies[option] && strcmp(cell_options[option].name, "memory") != 0;
}

void tune_label(const struct tune *tune, const struct tune_candidate *candidate,
                struct sl_text *text)
{
    sl_text_add(text, "%s", candidate->point->request.cell.policy);
    for (int i = 0; cell_options[i].name; i++)
        if (is_setting(tune, i) && strcmp(cell_options[i].name, "policy") != 0 &&
            candidate->point->texts[i])
            sl_text_add(text, ", %s %s", cell_options[i].name, candidate->point->texts[i]);
    if (candidate->variant->shard)
        sl_text_add(text, ", shard %s", candidate->variant->shard);
}

/* A word for a shell. */
static void add_word(struct sl_text *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./=+:,%@";
    if (*word && strspn(word, plain) == strlen(word)) {
        sl_text_add(text, " %s", word);
        return;
    }
    sl_text_add(text, " '");
    for (; *word; word++)
        sl_text_add(text, *word == '\'' ? "'\\''" : "%c", *word);
    sl_text_add(text, "'");
}

/* "vgg16-256K.sluice": where the command line puts the pack that it makes. */
static void add_pack(struct sl_text *text, const char *path, const char *shard)
{
    SL_AUTO(sl_text_free) struct sl_text name = {0};
    static const char ending[] = ".sluice";
    size_t length = strlen(path), cut = length;
    if (length > sizeof(ending) && !strcmp(path + length - (sizeof(ending) - 1), ending))
        cut = length - (sizeof(ending) - 1);
    sl_text_add(&name, "%.*s-%s%s", (int)cut, path, shard, ending);
    add_word(text, name.failed ? path : name.bytes);
}

void tune_command(const struct tune *tune, const struct tune_candidate *candidate,
                  struct sl_text *text)
{
    const struct pack_set *packs = &tune->variants[0].packs;
    const struct cell *cell = &candidate->point->request.cell;
    const char *shard = candidate->variant->shard;
    for (int n = 0; shard && n < packs->count; n++) {
        sl_text_add(text, "sluice repack");
        add_word(text, packs->paths[n]);
        sl_text_add(text, " --shard %s -o", shard);
        add_pack(text, packs->paths[n], shard);
        sl_text_add(text, " && ");
    }
    sl_text_add(text, "sluice run");
    for (int n = 0; n < packs->count; n++) {
        if (shard)
            add_pack(text, packs->paths[n], shard);
        else
            add_word(text, packs->paths[n]);
    }
    for (int i = 0; i < cell->input_count; i++) {
        sl_text_add(text, " --input");
        add_word(text, cell->inputs[i]);
    }
    for (int i = 0; cell_options[i].name; i++) {
        if (!candidate->point->texts[i])
            continue;
        sl_text_add(text, " --%s", cell_options[i].name);
        if (cell_options[i].kind != CELL_FLAG)
            add_word(text, candidate->point->texts[i]);
    }
    if (tune->options.requests > 1)
        sl_text_add(text, " --runs %" PRId64, tune->options.requests);
}

/* Why a limit has no point, or what is special about the one it has. */
static void describe(const struct tune *tune, const struct tune_limit *limit, struct sl_text *text)
{
    uint64_t least = SL_NO_LIMIT;
    char size[SL_UNIT_TEXT_BYTES];
    bool knee = tune->knee >= 0 && limit == &tune->limits[tune->knee];
    if (limit->winner >= 0) {
        sl_text_add(text, "%s%s", limit->point.optimal ? "front" : "", knee ? ", recommended" : "");
        sl_text_add(text, limit->done ? "" : "%s(not finished)", text->length ? " " : "");
        return;
    }
    bool fits = false;
    for (int c = limit->first; c < limit->first + limit->count; c++) {
        const struct sl_plan_result *plan = &tune->candidates[c].plan;
        fits |= plan->fits;
        least = plan->least_limit_bytes < least ? plan->least_limit_bytes : least;
    }
    const char *status = limit->tried_count > 0 ? tune->candidates[limit->tried[0]].status : "";
    if (fits)
        sl_text_add(text, "%s", *status ? status : "not run");
    else
        sl_text_add(text, "does not fit: least is %s", sl_format_size(least, size));
}

static void add_size(struct sl_table *table, double bytes, bool exact)
{
    char text[SL_UNIT_TEXT_BYTES];
    if (bytes < 0)
        sl_table_add(table, "%s", exact ? "" : "-");
    else if (exact)
        sl_table_add(table, "%.0f", bytes);
    else
        sl_table_add(table, "%s", sl_format_size((uint64_t)bytes, text));
}

static void add_time(struct sl_table *table, double ns, bool exact)
{
    char text[SL_UNIT_TEXT_BYTES];
    if (ns <= 0)
        sl_table_add(table, "%s", exact ? "" : "-");
    else if (exact)
        sl_table_add(table, "%.0f", ns);
    else
        sl_table_add(table, "%s", sl_format_duration((uint64_t)ns, text));
}

static void add_row(struct sl_table *table, const struct tune *tune, const struct tune_limit *limit,
                    bool exact)
{
    const struct tune_candidate *winner =
        limit->winner >= 0 ? &tune->candidates[limit->winner] : NULL;
    SL_AUTO(sl_text_free) struct sl_text note = {0};
    const char *none = exact ? "" : "-";
    if (limit->memory_bytes == SL_NO_LIMIT)
        sl_table_add(table, "%s", exact ? "" : "none");
    else
        add_size(table, (double)limit->memory_bytes, exact);
    add_time(table, limit->point.latency_ns, exact);
    add_time(table, winner ? winner->setting.predicted_ns : -1, exact);
    if (exact)
        add_time(table, winner ? winner->bound_ns : -1, exact);
    else if (winner && winner->bound_ns > 0)
        sl_table_add(table, "%.2f x", limit->point.latency_ns / winner->bound_ns);
    else
        sl_table_add(table, "-");
    add_size(table, winner ? winner->peak_bytes : -1, exact);
    for (int i = 0; cell_options[i].name; i++) {
        const char *text = winner ? winner->point->texts[i] : NULL;
        if (is_setting(tune, i))
            sl_table_add(table, "%s", text ? text : none);
    }
    if (tune->variant_count > 1)
        sl_table_add(table, "%s", winner && winner->variant->shard ? winner->variant->shard : none);
    sl_table_add(table, "%" PRId64, winner ? winner->runs : 0);
    describe(tune, limit, &note);
    sl_table_add(table, "%s", note.bytes ? note.bytes : "");
}

/* Least memory last, as the limits are searched. */
static int print_table(const struct tune *tune, enum sl_format format, FILE *stream)
{
    struct sl_column columns[CELL_OPTIONS_MOST + 10];
    const bool exact = format == SL_FORMAT_CSV;
    int count = 0;
    columns[count++] = (struct sl_column){exact ? "memory_limit" : "limit", true};
    columns[count++] = (struct sl_column){exact ? "latency_ns" : "latency", true};
    columns[count++] = (struct sl_column){exact ? "predicted_ns" : "predicted", true};
    columns[count++] = (struct sl_column){exact ? "bound_ns" : "to bound", true};
    columns[count++] = (struct sl_column){exact ? "peak_bytes" : "peak", true};
    for (int i = 0; cell_options[i].name; i++)
        if (is_setting(tune, i))
            columns[count++] = (struct sl_column){cell_options[i].name, false};
    if (tune->variant_count > 1)
        columns[count++] = (struct sl_column){"shard", false};
    columns[count++] = (struct sl_column){"runs", true};
    columns[count++] = (struct sl_column){"note", false};
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, columns, count);
    for (int l = 0; l < tune->limit_count; l++)
        add_row(&table, tune, &tune->limits[l], exact);
    return sl_table_write(&table, format, stream);
}

static json_t *json_command(const struct tune *tune, const struct tune_candidate *candidate)
{
    SL_AUTO(sl_text_free) struct sl_text text = {0};
    tune_command(tune, candidate, &text);
    return text.failed ? json_null() : json_string(text.bytes);
}

/* One that was tried, or won. */
static json_t *json_candidate(const struct tune *tune, const struct tune_candidate *candidate)
{
    json_t *settings = json_object(), *samples = json_array();
    for (int i = 0; cell_options[i].name; i++)
        if (is_setting(tune, i) && candidate->point->texts[i])
            json_object_set_new(settings, cell_options[i].name,
                                json_string(candidate->point->texts[i]));
    if (candidate->variant->shard)
        json_object_set_new(settings, "shard", json_string(candidate->variant->shard));
    for (size_t s = 0; s < candidate->arm.count; s++)
        json_array_append_new(samples, json_integer((json_int_t)candidate->arm.samples[s]));
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:s*, s:o}", "key", candidate->key, "settings",
        settings, "predicted_ns", sl_record_whole(candidate->setting.predicted_ns), "samples_ns",
        samples, "bound_ns", sl_record_whole(candidate->bound_ns), "peak_bytes",
        sl_record_whole(candidate->peak_bytes), "runs", (json_int_t)candidate->runs, "status",
        candidate->status, "error", *candidate->error ? candidate->error : NULL, "command",
        json_command(tune, candidate));
}

static json_t *json_limit(const struct tune *tune, const struct tune_limit *limit)
{
    SL_AUTO(sl_text_free) struct sl_text note = {0};
    json_t *tried = json_array();
    const struct tune_candidate *winner =
        limit->winner >= 0 ? &tune->candidates[limit->winner] : NULL;
    describe(tune, limit, &note);
    for (int i = 0; i < limit->tried_count; i++)
        json_array_append_new(tried, json_candidate(tune, &tune->candidates[limit->tried[i]]));
    return json_pack(
        "{s:o, s:o, s:b, s:b, s:s, s:i, s:o, s:o}", "memory_limit",
        sl_record_whole(limit->memory_bytes == SL_NO_LIMIT ? -1 : (double)limit->memory_bytes),
        "latency_ns", sl_record_whole(winner ? limit->point.latency_ns : -1), "optimal",
        limit->point.optimal, "finished", limit->done, "note", note.bytes ? note.bytes : "",
        "candidates", limit->count, "winner", winner ? json_candidate(tune, winner) : json_null(),
        "tried", tried);
}

/* One object with every measurement. */
static int print_json(const struct tune *tune, FILE *stream)
{
    json_t *curve = json_array();
    const struct tune_limit *knee = tune->knee >= 0 ? &tune->limits[tune->knee] : NULL;
    for (int l = 0; l < tune->limit_count; l++)
        json_array_append_new(curve, json_limit(tune, &tune->limits[l]));
    json_t *all = json_pack(
        "{s:s, s:s, s:I, s:o, s:o, s:o, s:I, s:I, s:i, s:I, s:I, s:O}", "network", tune->names,
        "objective", tune->options.later ? "later" : "first", "requests",
        (json_int_t)tune->options.requests, "curve", curve, "recommended_limit",
        sl_record_whole(!knee || knee->memory_bytes == SL_NO_LIMIT ? -1
                                                                   : (double)knee->memory_bytes),
        "command", knee ? json_command(tune, &tune->candidates[knee->winner]) : json_null(), "runs",
        (json_int_t)tune->runs, "took_ns", (json_int_t)tune->took_ns, "space",
        tune->candidate_count, "exhaustive_runs",
        (json_int_t)tune->candidate_count * TUNE_SWEEP_RUNS, "exhaustive_ns",
        (json_int_t)tune_exhaustive_ns(tune), "context", tune->context);
    int code = all ? sl_record_write(all, stream) : -ENOMEM;
    json_decref(all);
    return code;
}

/* What to use, and what it took to know. */
static int print_recommendation(const struct tune *tune, FILE *stream)
{
    char took[SL_UNIT_TEXT_BYTES], whole[SL_UNIT_TEXT_BYTES], limit_text[SL_UNIT_TEXT_BYTES];
    char latency[SL_UNIT_TEXT_BYTES];
    if (tune->knee >= 0) {
        const struct tune_limit *limit = &tune->limits[tune->knee];
        SL_AUTO(sl_text_free) struct sl_text command = {0};
        tune_command(tune, &tune->candidates[limit->winner], &command);
        if (command.failed)
            return -ENOMEM;
        fprintf(stream, "\nleast memory within %.0f %% of the best latency: %s, %s\n  %s\n",
                100 * (TUNE_KNEE - 1),
                limit->memory_bytes == SL_NO_LIMIT
                    ? "no limit"
                    : sl_format_size(limit->memory_bytes, limit_text),
                sl_format_duration((uint64_t)limit->point.latency_ns, latency), command.bytes);
    }
    fprintf(stream,
            "cost: %" PRId64
            " runs, %s; a sweep of all %d cells, %d runs each: %d runs, about %s\n",
            tune->runs, sl_format_duration(tune->took_ns, took), tune->candidate_count,
            TUNE_SWEEP_RUNS, tune->candidate_count * TUNE_SWEEP_RUNS,
            sl_format_duration((uint64_t)tune_exhaustive_ns(tune), whole));
    return 0;
}

int tune_print(const struct tune *tune, enum sl_format format, FILE *stream)
{
    if (format == SL_FORMAT_JSON)
        return print_json(tune, stream);
    int code = print_table(tune, format, stream);
    if (code == 0 && format == SL_FORMAT_TABLE)
        code = print_recommendation(tune, stream);
    return code;
}
