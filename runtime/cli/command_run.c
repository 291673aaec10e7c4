#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/units.h"
#include "runtime/cli/cell.h"
#include "runtime/cli/cell_set.h"
#include "runtime/cli/command.h"
#include "runtime/cli/interrupt.h"
#include "runtime/cli/observation.h"
#include "runtime/cli/run_output.h"
#include "runtime/report/conditions.h"
#include "runtime/report/noise.h"
#include "runtime/report/record.h"
#include "runtime/sluice.h"

static const struct cli_option options[] = {
#define CELL_OPTION CELL_ROW_IN_RUN
#include "runtime/cli/cell_options.inc.h"
    {"output", 0, "DIR",
     "write every output blob as DIR/<blob>.npy, of several networks or inputs in a folder for "
     "each in DIR",
     "@directories", false},
    {"runs", 'n', "N", "requests of every input, in one process (default 1)", NULL, false},
    {"warmup", 0, "N", "requests before them that are not measured (default 0)", NULL, false},
    {"profile", 0, NULL,
     "tell layer by layer where the time went: waiting for weights, page faults and what they "
     "swapped in, computing",
     NULL, false},
    {"trace", 0, "FILE",
     "write reads, runs, decisions, memory and swap over time as a Chrome trace, for "
     "ui.perfetto.dev",
     "@files", false},
    {"format", 'o', "table|json|csv|md", "how to print (default table)", "table json csv md",
     false},
    {0},
};

/* What the command line asks for. */
struct run_request {
    struct pack_set packs;
    struct cell_set set;
    enum sl_format format;
    bool quiet;
    bool profile;
    const char *trace_path; /* NULL: no trace */
    struct observation observation;
};

static void request_free(struct run_request *request)
{
    cell_set_free(&request->set);
    pack_set_free(&request->packs);
}

/* 0, or -EINVAL: a mistake in the command line. */
static int read_request(const struct cli_arguments *arguments, struct run_request *request,
                        struct sl_error *error)
{
    int64_t runs = 1, warmup = 0;
    request->quiet = cli_flag(arguments, "quiet");
    request->profile = cli_flag(arguments, "profile");
    request->trace_path = cli_text(arguments, "trace");
    int code = cli_check_written(arguments, "trace", error);
    if (code == 0)
        code = cli_format(arguments, &request->format, error);
    if (code == 0)
        code = cli_integer(arguments, "runs", 1, 1000000, &runs, error);
    if (code == 0)
        code = cli_integer(arguments, "warmup", 0, 1000000, &warmup, error);
    if (code == 0)
        code = cell_set_expand(&request->set, arguments, &request->packs, false, error);
    for (int i = 0; code == 0 && i < request->set.count; i++) {
        struct cell *cell = &request->set.points[i].request.cell;
        cell->runs = runs;
        cell->warmup = warmup;
        cell->output_directory = cli_text(arguments, "output");
        cell->observation = &request->observation;
    }
    return code;
}

static int run_cell(const struct cell_request *request, bool apart, json_t **records,
                    struct sl_error *error)
{
    if (apart)
        return cell_supervise(&request->cell, &request->limits, request->make_swapfile,
                              request->timeout_ns, records, error);
    struct sl_conditions before;
    sl_conditions_read(&before);
    int code = cell_execute(&request->cell, records, error);
    /* As of a worker that could not run it. */
    if (code < 0 && !*records) {
        json_t *record;
        size_t i;
        *records = cell_failed_records(&request->cell, "error", error->text);
        json_array_foreach(*records, i, record) sl_record_add_own_usage(record);
    }
    if (*records)
        sl_conditions_add(*records, &before);
    return code;
}

static void show_progress(const struct run_request *request, int cell, int cells,
                          const char *policy, uint64_t memory)
{
    if (request->quiet || cells == 1 || !isatty(STDERR_FILENO))
        return;
    char text[SL_UNIT_TEXT_BYTES];
    fprintf(stderr, "[%d/%d] %s, limit %s\n", cell, cells, policy,
            memory == SL_NO_LIMIT ? "none" : sl_format_size(memory, text));
}

static void print_json(const json_t *records)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record) sl_record_write(record, stdout);
    fflush(stdout);
}

/* The worst of two exit codes. */
static int worse(int status, const json_t *records)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        const char *ended = sl_record_text(record, "status");
        if (!strcmp(ended, "interrupted"))
            return CLI_INTERRUPTED;
        if (strcmp(ended, "ok") && status == CLI_OK)
            status = CLI_CELLS_FAILED;
    }
    return status;
}

/* When no cell brought anything but errors, the command failed, because of its environment where
 * all their workers say so; else they are part of the results. */
static int judge(int status, const json_t *cells)
{
    bool unfit = true;
    size_t i, j;
    json_t *records, *record;
    if (status != CLI_CELLS_FAILED)
        return status;
    json_array_foreach(cells, i, records) json_array_foreach(records, j, record)
    {
        if (strcmp(sl_record_text(record, "status"), "error"))
            return CLI_CELLS_FAILED;
        unfit &= sl_record_number(record, "exit_code", 0) == CLI_UNFIT;
    }
    return unfit ? CLI_UNFIT : CLI_FAILED;
}

/* Runs all cells; *cells collects their records. Returns an exit code. */
static int run_cells(const struct run_request *request, json_t *cells, json_t *context)
{
    int count = request->set.count, status = CLI_OK;
    for (int i = 0; i < count; i++) {
        if (interrupt_came())
            return CLI_INTERRUPTED;
        const struct cell_request *cell = &request->set.points[i].request;
        show_progress(request, i + 1, count, cell->cell.policy, cell->limits.memory_bytes);
        bool apart = count > 1 || sl_limits_any(&cell->limits) || cell->timeout_ns ||
                     observation_any(&request->observation);
        struct sl_error error = {0};
        json_t *records = NULL;
        int code = run_cell(cell, apart, &records, &error);
        if (records) {
            cell_finish_records(cell, records, context);
            json_array_append_new(cells, records);
            if (request->format == SL_FORMAT_JSON)
                print_json(records);
            status = worse(status, records);
        }
        if (interrupt_came())
            return CLI_INTERRUPTED;
        if (code < 0)
            return records ? (int)cli_exit_of(code) : cli_fail(cli_exit_of(code), &error);
    }
    return status;
}

static int print_results(const struct run_request *request, int status, const json_t *cells)
{
    if (json_array_size(cells) == 0 || request->format == SL_FORMAT_JSON)
        return 0;
    /* Nothing but errors, which have lines of their own. */
    bool failed = status == CLI_FAILED || (status == CLI_UNFIT && request->set.count == 1);
    if (failed && request->format == SL_FORMAT_TABLE)
        return 0;
    int code = 0;
    if (request->format != SL_FORMAT_TABLE || request->set.count > 1)
        code = run_print_table(cells, request->format, stdout);
    else
        run_print_summary(json_array_get(cells, 0), stdout);
    return code ? code : run_print_profiles(cells, request->format, stdout);
}

/* What makes the measurements doubtful; one request alone tells nothing of that. */
static void print_noise(const struct run_request *request, const json_t *cells)
{
    if (request->quiet || (request->set.count == 1 && request->set.points[0].request.cell.runs < 2))
        return;
    struct sl_result_cells grouped = {0};
    size_t i;
    json_t *records, *all = json_array();
    json_array_foreach(cells, i, records) json_array_extend(all, records);
    if (sl_result_cells_group(all, &grouped, NULL) == 0)
        sl_noise_print(&grouped, "", stderr);
    sl_result_cells_free(&grouped);
    json_decref(all);
}

static int run_request(struct run_request *request)
{
    interrupt_install();
    if (!isatty(STDIN_FILENO) && !isatty(STDERR_FILENO))
        interrupt_install_hangup();
    struct sl_error error = {0};
    if (observation_open(&request->observation, request->profile, request->trace_path, &error))
        return cli_fail(CLI_FAILED, &error);
    if (!request->quiet)
        cell_set_note_unused(&request->set);
    if (cell_set_respect_rights(&request->set))
        cell_set_collapse(&request->set);
    for (int i = 0; i < request->set.count; i++)
        cell_request_measure(&request->set.points[i].request, &request->packs);
    json_t *cells = json_array();
    /* Only records show it, and it reads a dozen files. */
    json_t *context = request->format == SL_FORMAT_JSON ? sl_record_context(request->packs.paths[0])
                                                        : json_null();
    int status = judge(run_cells(request, cells, context), cells);
    int failed = print_results(request, status, cells);
    run_print_errors(cells, stderr);
    if (status != CLI_INTERRUPTED)
        print_noise(request, cells);
    if (request->format == SL_FORMAT_TABLE && !request->quiet && isatty(STDERR_FILENO))
        run_print_advice(cells, stderr);
    if (observation_close(&request->observation, &error))
        status = cli_fail(CLI_FAILED, &error);
    if (failed < 0) {
        sl_error_set(&error, -ENOMEM, "out of memory");
        status = cli_fail(CLI_FAILED, &error);
    }
    json_decref(context);
    json_decref(cells);
    return status;
}

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    struct run_request request = {0};
    int status;
    if (pack_set_read(&request.packs, arguments->operands, arguments->operand_count, &error) < 0)
        status = cli_fail(CLI_FAILED, &error);
    else if (read_request(arguments, &request, &error) < 0)
        status = cli_usage(arguments->command, &error);
    else if (cell_set_check_devices(&request.set, &error) < 0)
        status = cli_fail(CLI_UNFIT, &error);
    else
        status = run_request(&request);
    request_free(&request);
    return status;
}

const struct cli_command command_run = {
    .name = "run",
    .summary = "run networks under a policy, with or without limits",
    .operands = "PACK...",
    .least_operands = 1,
    .most_operands = 64,
    .operand_choices = "@files",
    .description =
        "Runs one request of every network (--runs: more) and prints what it took and what came "
        "out. Several packs are one batch: their requests arrive together.\n\n"
        "Without limits the network runs in this process. With limits (--memory, --read-rate, "
        "--device and others), --timeout, and for several cells, every cell runs in a fresh worker "
        "process, watched from outside; with limits inside a control group of its own, packs "
        "dropped from the page cache first. A cell that the limit kills is a result (status oom), "
        "and the exit code is 3. "
        "Several policies or limits give one row each.\n\n"
        "Results go to stdout, everything else to stderr. -o json prints one record per network "
        "and input on a line of its own. Ctrl-C ends the cell, cleans up, prints what is finished "
        "and exits with 130.",
    .examples =
        "sluice run squeezenet.sluice --input eagle.jpg\tclassify a photo\n"
        "sluice run facenet.sluice --memory 192M --swap 0 --policy linear\twith less memory than "
        "weights\n"
        "sluice run facenet.sluice --policy all --memory none,75%,50% --swap 1G\tone table\n"
        "sluice run facenet.sluice --device pi4-sd\tas on a Raspberry Pi 4 with an SD card\n"
        "sluice run vgg16.sluice --memory 25% --runs 8 --batch 4\tfewer reads per request\n"
        "sluice run age.sluice gender.sluice --runs 20 -o json\ta batch, for scripts\n",
    .options = options,
    .run = run,
};
