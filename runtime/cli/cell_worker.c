/* The two ends of a cell that runs in a process of its own: the watcher's and the worker's. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/text.h"
#include "runtime/cli/cell.h"
#include "runtime/cli/command.h"
#include "runtime/cli/interrupt.h"
#include "runtime/cli/observation.h"
#include "runtime/report/conditions.h"
#include "runtime/report/record.h"
#include "runtime/report/results_file.h"

/* From the word to end to the kill. A request is given up once the reads in flight have ended: of
 * io_uring behind a throttle that takes longest, a second for 20 MB at 20 MB/s. */
#define GRACE_NS UINT64_C(2000000000)

/* The line that says why a worker failed: its last one, without our own prefix. */
static void last_line(const char *text, char *line, size_t size)
{
    line[0] = '\0';
    while (text && *text) {
        size_t length = strcspn(text, "\n");
        if (length > 0)
            snprintf(line, size, "%.*s", (int)(length < size ? length : size - 1), text);
        text += length + (text[length] == '\n');
    }
    if (line[0] && !strncmp(line, "sluice: ", 8))
        memmove(line, line + 8, strlen(line + 8) + 1);
}

json_t *cell_failed_record(const struct cell *cell, int network, const char *status)
{
    struct sl_model *model = NULL;
    struct sl_model_info info = {.name = "", .path = cell->packs[network]};
    if (sl_model_open(cell->packs[network], &model, NULL) == 0)
        sl_model_describe(model, &info);
    char identity[17];
    snprintf(identity, sizeof(identity), "%016" PRIx64, info.identity);
    json_t *record =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s*, s:I, s:[]}", "schema", SL_RESULTS_SCHEMA,
                  "status", status, "network", info.name, "pack", info.path, "pack_identity",
                  identity, "policy", cell->policy, "loader", cell->loader, "weights_bytes",
                  (json_int_t)info.weight_bytes, "latency_ns");
    sl_model_close(model);
    return record;
}

json_t *cell_failed_records(const struct cell *cell, const char *status, const char *error)
{
    json_t *records = json_array();
    /* A message that was too long may end amid a character. */
    SL_AUTO(sl_text_free) struct sl_text line = {0};
    sl_text_add_escaped(&line, error ? error : "");
    for (int n = 0; n < cell->pack_count; n++) {
        json_t *record = cell_failed_record(cell, n, status);
        if (error)
            json_object_set_new(record, "error", json_string(line.failed ? "" : line.bytes));
        json_array_append_new(records, record);
    }
    return records;
}

const char *cell_status(const json_t *records)
{
    size_t i;
    const json_t *record;
    json_array_foreach(records, i, record)
    {
        if (strcmp(sl_record_text(record, "status"), "ok"))
            return sl_record_text(record, "status");
    }
    return "ok";
}

/* Records of a worker that did not get to print its own. */
static json_t *empty_records(const struct cell *cell, const struct sl_outcome *outcome)
{
    char line[512];
    last_line(outcome->diagnostics, line, sizeof(line));
    if (!line[0] && outcome->signal)
        snprintf(line, sizeof(line), "the worker was ended by signal %d", outcome->signal);
    else if (!line[0])
        snprintf(line, sizeof(line), "the worker ended with code %d and said nothing",
                 outcome->exit_code);
    return cell_failed_records(cell, sl_ending_name(outcome->ending),
                               outcome->ending == SL_ENDED_ERROR ? line : NULL);
}

/* Those that end with the worker: all of one that failed; of one that was told to end, and told
 * what it had finished, only what it was at. */
static bool ends_with_worker(const json_t *record, const struct sl_outcome *outcome)
{
    const bool told =
        outcome->ending == SL_ENDED_TIMEOUT || outcome->ending == SL_ENDED_INTERRUPTED;
    const char *status = sl_record_text(record, "status");
    return outcome->ending != SL_ENDED_OK && (!told || !strcmp(status, "interrupted"));
}

static json_t *read_records(const struct cell *cell, const struct sl_outcome *outcome)
{
    json_t *records =
        outcome->output ? json_loadb(outcome->output, outcome->output_bytes, 0, NULL) : NULL;
    if (!json_is_array(records)) {
        json_decref(records);
        records = json_array();
    }
    size_t i;
    json_t *record;
    bool ended = outcome->ending == SL_ENDED_OK;
    json_array_foreach(records, i, record)
    {
        const bool with_worker = ends_with_worker(record, outcome);
        if (with_worker)
            json_object_set_new(record, "status", json_string(sl_ending_name(outcome->ending)));
        ended |= with_worker;
    }
    if (!ended || json_array_size(records) == 0) {
        json_t *empty = empty_records(cell, outcome);
        json_array_extend(records, empty);
        json_decref(empty);
    }
    json_array_foreach(records, i, record) sl_record_add_outcome(record, outcome);
    return records;
}

static void end_observed(struct observed_cell **observed)
{
    observed_cell_end(*observed);
}

int cell_supervise(const struct cell *cell, const struct sl_limits *limits, bool make_swapfile,
                   uint64_t timeout_ns, json_t **records, struct sl_error *error)
{
    struct cell told = *cell;
    SL_AUTO(end_observed) struct observed_cell *observed;
    int code = observed_cell_begin(&told, limits, &observed, error);
    if (code < 0)
        return code;
    json_t *json = cell_to_json(&told);
    SL_AUTO_FREE char *description = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    SL_AUTO_FREE const char **cold = calloc((size_t)cell->pack_count + 1, sizeof(*cold));
    if (!description || !cold)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int n = 0; n < cell->pack_count; n++)
        cold[n] = cell->packs[n];
    char program[] = "/proc/self/exe", command[] = "worker";
    char *words[] = {program, command, description, NULL};
    struct sl_cell watched = {
        .argv = words,
        .limits = *limits,
        .make_swapfile = make_swapfile,
        .cold_files = cold,
        .timeout_ns = timeout_ns,
        .grace_ns = GRACE_NS,
        .interrupted = interrupt_flag(),
        .sampled = observed ? observed_cell_sample : NULL,
        .sampled_context = observed,
    };
    struct sl_outcome outcome = {0};
    struct sl_conditions before;
    sl_conditions_read(&before);
    code = sl_supervise(&watched, &outcome, error);
    if (code < 0)
        return code;
    *records = read_records(cell, &outcome);
    sl_conditions_add(*records, &before);
    observed_cell_add(observed, *records);
    sl_outcome_free(&outcome);
    return *records ? 0 : sl_error_set(error, -ENOMEM, "out of memory");
}

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    interrupt_install();
    interrupt_install_hangup();
    json_error_t reason;
    json_t *json = json_loads(arguments->operands[0], 0, &reason);
    if (!json) {
        sl_error_set(&error, -EINVAL, "not JSON: %s", reason.text);
        return cli_fail(CLI_USAGE, &error);
    }
    struct cell cell;
    const char **words = NULL;
    json_t *records = NULL;
    int code = cell_from_json(json, &cell, &words, &error);
    if (code == 0)
        code = cell_execute(&cell, &records, &error);
    if (records)
        sl_record_write(records, stdout);
    json_decref(records);
    free(words);
    json_decref(json);
    return code < 0 ? cli_fail(cli_exit_of(code), &error) : CLI_OK;
}

static const struct cli_option options[] = {{0}};

const struct cli_command command_worker = {
    .name = "worker",
    .summary = "run one cell in this process (used by run)",
    .operands = "CELL",
    .least_operands = 1,
    .most_operands = 1,
    .description = "Runs the cell that a JSON object describes and prints its records.",
    .options = options,
    .run = run,
    .hidden = true,
};
