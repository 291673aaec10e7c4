#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"
#include "runtime/base/units.h"
#include "runtime/cli/ceiling.h"
#include "runtime/cli/cell.h"
#include "runtime/cli/cell_list.h"
#include "runtime/cli/command.h"
#include "runtime/cli/device_cache.h"
#include "runtime/cli/device_profile.h"
#include "runtime/cli/interrupt.h"
#include "runtime/cli/run_output.h"
#include "runtime/report/record.h"
#include "runtime/sluice.h"

#define DEVICE_MEASURED_LEAST_BYTES (UINT64_C(16) << 20)

static const struct cli_option options[] = {
    {"input", 'i', "[BLOB=]FILE",
     "a JPEG or PNG image, .npy, or raw float32 (.f32) in the input's shape; repeated for one "
     "network: one request after another; for several networks: one for each; BLOB= names an input "
     "blob (default: fixed pseudo-random values)",
     "@files", true},
    {"output", 0, "DIR", "write every output blob as DIR/<blob>.npy", "@directories", false},
    {"top", 0, "K", "print the K likeliest classes (default 5, 0: none)", NULL, false},
    {"labels", 0, "FILE", "names of the classes, one per line, instead of the pack's", "@files",
     false},
    {"policy", 'p', "P[,P...]|all",
     "what decides the order of loads and runs (default auto); several: one cell for each",
     "@policies", false},
    {"memory", 'm', "SIZE|PCT%|none[,...]",
     "memory limit of the worker's control group; 25% is of the weights of all networks; several: "
     "one cell for each (default none)",
     NULL, false},
    {"swap", 0, "SIZE|0|max",
     "swap that the worker may use on top of --memory; for a SIZE a temporary swap file is made "
     "when the machine has less (default max: what the machine has)",
     "0 max", false},
    {"read-rate", 0, "RATE", "bytes per second that the worker may read, e.g. 100M", NULL, false},
    {"cpus", 0, "X", "processor cores that the worker may use, e.g. 1.5", NULL, false},
    DEVICE_LIMIT_OPTIONS,
    DEVICE_OPTION,
    {"timeout", 0, "TIME", "end a cell after this long, e.g. 30s", NULL, false},
    {"budget", 0, "SIZE|auto",
     "memory that policies with a budget allow themselves; auto: the limit (default auto)", "auto",
     false},
    {"depth", 0, "N", "shards to read ahead (default: the policy's choice)", NULL, false},
    {"queue-depth", 0, "N", "reads in flight in the kernel, 1 to 256", NULL, false},
    {"loader", 0, "L", "how weights are read (default: the best that this system allows)",
     "@loaders", false},
    {"hints", 0, "LIST",
     "with --loader mmap, what the kernel is told: none, or of random or sequential (the mapping), "
     "willneed and populate (ahead of the run), lock (what stays), cold, pageout and dontneed "
     "(behind it), separated by commas (default random,willneed,populate,lock,dontneed)",
     "none random sequential willneed populate lock cold pageout dontneed", false},
    {"threads", 't', "N", "threads that compute (default: the processors at hand)", NULL, false},
    {"runs", 'n', "N", "requests of every input, in one process (default 1)", NULL, false},
    {"warmup", 0, "N", "requests before them that are not measured (default 0)", NULL, false},
    {"batch", 0, "K",
     "requests of a network (inputs and --runs, in order) that run together over each shard while "
     "it is in memory; every one keeps its own result (default 1)",
     NULL, false},
    {"cold", 0, NULL,
     "drop the packs from the page cache before every request; cells with a limit, and several "
     "cells, start cold anyway",
     NULL, false},
    {"no-verify", 0, NULL, "do not check the checksum of every shard", NULL, false},
    {"format", 'o', "table|json|csv|md", "how to print (default table)", "table json csv md",
     false},
    {0},
};

/* What the command line asks for: one cell per policy and limit. */
struct run_request {
    struct cell cell; /* policy aside */
    struct device_profile device;
    struct ceiling ceiling;  /* of this machine */
    struct sl_limits limits; /* memory aside */
    bool make_swapfile;
    uint64_t timeout_ns;
    struct cell_list list;                   /* policies and limits of memory */
    uint64_t weight_bytes, activation_bytes; /* of all networks */
    const char **inputs;                     /* owned */
    enum sl_format format;
    bool quiet;
};

static void request_free(struct run_request *request)
{
    cell_list_free(&request->list);
    free(request->inputs);
}

static int read_swap(const char *text, struct run_request *request, struct sl_error *error)
{
    struct sl_limits *limits = &request->limits;
    if (text && !strcmp(text, "max"))
        limits->swap_bytes = SL_NO_LIMIT;
    else if (text && sl_parse_size(text, &limits->swap_bytes, error) < 0)
        return sl_error_wrap(error, "--swap");
    request->make_swapfile = limits->swap_bytes > 0 && limits->swap_bytes != SL_NO_LIMIT;
    if (limits->swap_place != SL_SWAP_ANYWHERE && limits->swap_bytes == SL_NO_LIMIT)
        return sl_error_set(error, -EINVAL, "--swap-place needs a --swap SIZE");
    return 0;
}

static int read_budget(const char *text, struct run_request *request, struct sl_error *error)
{
    if (!text || !strcmp(text, "auto"))
        return 0;
    uint64_t bytes;
    if (sl_parse_size(text, &bytes, error) < 0)
        return sl_error_wrap(error, "--budget");
    if (bytes == 0)
        return sl_error_set(error, -EINVAL, "--budget 0: nothing can run in no memory");
    request->cell.budget_bytes = (int64_t)bytes;
    return 0;
}

static int read_limits(const struct cli_arguments *arguments, struct run_request *request,
                       struct sl_error *error)
{
    struct sl_limits *limits = &request->limits;
    limits->throttle_path = request->cell.packs[0];
    int code = device_read_limits(arguments, &request->device, limits, error);
    const char *memory = cli_text(arguments, "memory");
    if (code == 0)
        code = cell_list_read_memory(&request->list, memory, request->weight_bytes, error);
    if (code == 0 && !memory)
        request->list.memory[0] = limits->memory_bytes;
    if (code == 0)
        code = read_swap(cli_text(arguments, "swap"), request, error);
    if (code == 0)
        code = cli_duration(arguments, "timeout", &request->timeout_ns, error);
    return code;
}

static int read_numbers(const struct cli_arguments *arguments, struct cell *cell,
                        struct sl_error *error)
{
    cell->runs = 1;
    cell->top = 5;
    int code = cli_integer(arguments, "runs", 1, 1000000, &cell->runs, error);
    if (code == 0)
        code = cli_integer(arguments, "warmup", 0, 1000000, &cell->warmup, error);
    if (code == 0)
        code = cli_integer(arguments, "batch", 1, 1024, &cell->batch, error);
    if (code == 0)
        code = cli_integer(arguments, "top", 0, 1000, &cell->top, error);
    if (code == 0)
        code = cli_integer(arguments, "threads", 1, 64, &cell->threads, error);
    if (code == 0)
        code = cli_integer(arguments, "depth", 1, 1000000, &cell->depth, error);
    if (code == 0)
        code = cli_integer(arguments, "queue-depth", 1, 256, &cell->queue_depth, error);
    return code;
}

static int read_inputs(const struct cli_arguments *arguments, struct run_request *request,
                       struct sl_error *error)
{
    int count = 0;
    while (cli_repeated(arguments, "input", count))
        count++;
    request->inputs = calloc((size_t)count + 1, sizeof(*request->inputs));
    if (!request->inputs)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int i = 0; i < count; i++)
        request->inputs[i] = cli_repeated(arguments, "input", i);
    request->cell.inputs = request->inputs;
    request->cell.input_count = count;
    return 0;
}

/* The packs' indexes: their sizes, and that they can be read at all. */
static int read_packs(struct run_request *request, struct sl_error *error)
{
    for (int n = 0; n < request->cell.pack_count; n++) {
        struct sl_model *model;
        int code = sl_model_open(request->cell.packs[n], &model, error);
        if (code < 0)
            return code;
        struct sl_model_info info;
        uint64_t activation_bytes = 0;
        sl_model_describe(model, &info);
        code = sl_model_activation_bytes(model, &activation_bytes, error);
        sl_model_close(model);
        if (code < 0)
            return code;
        request->weight_bytes += info.weight_bytes;
        request->activation_bytes += activation_bytes;
    }
    return 0;
}

/* Known before anything starts: whether the networks keep their requests apart. */
static int check_batch(const struct cell *cell, struct sl_error *error)
{
    int code = 0;
    for (int n = 0; cell->batch > 1 && code == 0 && n < cell->pack_count; n++) {
        struct sl_model *model;
        code = sl_model_open_stacked(cell->packs[n], (int)cell->batch, &model, error);
        if (code == 0)
            sl_model_close(model);
    }
    return code < 0 ? sl_error_wrap(error, "--batch") : 0;
}

/* 0, or -EINVAL: a mistake in the command line. */
static int read_request(const struct cli_arguments *arguments, struct run_request *request,
                        struct sl_error *error)
{
    request->quiet = cli_flag(arguments, "quiet");
    request->cell.cold = cli_flag(arguments, "cold");
    request->cell.trust = cli_flag(arguments, "no-verify");
    request->cell.loader = cli_text(arguments, "loader");
    request->cell.hints = cli_text(arguments, "hints");
    request->cell.labels = cli_text(arguments, "labels");
    request->cell.output_directory = cli_text(arguments, "output");
    int code = sl_format_parse(cli_text(arguments, "format"), &request->format, error);
    if (code == 0)
        code = cell_list_read_policies(&request->list, cli_text(arguments, "policy"), error);
    if (code == 0 && request->cell.loader)
        code = cli_check_name(SL_KIND_LOADER, "loader", request->cell.loader, error);
    if (code == 0)
        code = sl_check_hints(request->cell.loader, request->cell.hints, error);
    if (code == 0)
        code = read_numbers(arguments, &request->cell, error);
    if (code == 0)
        code = read_budget(cli_text(arguments, "budget"), request, error);
    if (code == 0)
        code = read_limits(arguments, request, error);
    if (code == 0)
        code = read_inputs(arguments, request, error);
    if (code == 0)
        code = check_batch(&request->cell, error);
    return code;
}

/* A device is emulated wholly or not at all. */
static int check_device(const struct run_request *request, struct sl_error *error)
{
    struct sl_limits limits = request->limits;
    limits.memory_bytes = SL_NO_LIMIT;
    for (int i = 0; i < request->list.memory_count; i++) {
        uint64_t memory = request->list.memory[i];
        if (memory != SL_NO_LIMIT &&
            (limits.memory_bytes == SL_NO_LIMIT || memory > limits.memory_bytes))
            limits.memory_bytes = memory;
    }
    return device_check(&request->device, &limits, request->cell.packs[0], error);
}

/* Takes away what this user cannot have, and says so once. */
static void respect_rights(struct run_request *request)
{
    bool memory = false;
    for (int i = 0; i < request->list.memory_count; i++)
        memory |= request->list.memory[i] != SL_NO_LIMIT;
    struct sl_limits *limits = &request->limits;
    if (!memory && !sl_limits_any(limits))
        return;
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    const char *lost = NULL;
    if (memory && !rights.memory) {
        request->list.memory[0] = SL_NO_LIMIT;
        request->list.memory_count = 1;
        lost = "--memory";
    }
    if (limits->read_bytes_per_s != SL_NO_LIMIT && !rights.read_rate) {
        limits->read_bytes_per_s = SL_NO_LIMIT;
        lost = lost ? lost : "--read-rate";
    }
    if (limits->write_bytes_per_s != SL_NO_LIMIT && !rights.write_rate) {
        limits->write_bytes_per_s = SL_NO_LIMIT;
        lost = lost ? lost : "--write-rate";
    }
    if (limits->cpus > 0 && !rights.cpu) {
        limits->cpus = 0;
        lost = lost ? lost : "--cpus";
    }
    if (limits->cores > 0 && !rights.cores) {
        limits->cores = 0;
        lost = lost ? lost : "--cores";
    }
    if (lost)
        fprintf(stderr, "sluice: warning: running without %s: %s\n", lost, rights.reason);
    bool swapping = memory && limits->swap_bytes > 0;
    if (!request->quiet && rights.version == 1 && swapping &&
        limits->write_bytes_per_s != SL_NO_LIMIT)
        fprintf(stderr, "sluice: note: under cgroup v1 the write rate does not hold for swap\n");
}

static int run_cell(const struct run_request *request, const struct cell *cell,
                    const struct sl_limits *limits, bool apart, json_t **records,
                    struct sl_error *error)
{
    if (apart)
        return cell_supervise(cell, limits, request->make_swapfile, request->timeout_ns, records,
                              error);
    return cell_execute(cell, records, error);
}

static void finish_records(const struct run_request *request, json_t *records,
                           const struct sl_limits *limits, json_t *context)
{
    size_t i;
    json_t *record;
    ceiling_add_shares(records, request->cell.pack_count, &request->ceiling, limits);
    json_array_foreach(records, i, record)
    {
        sl_record_add_limits(record, limits);
        device_record(record, &request->device);
        json_object_set(record, "context", context);
    }
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

/* When no cell brought anything but errors, the command failed; else they are part of the results.
 */
static int judge(int status, const json_t *cells)
{
    size_t i, j;
    json_t *records, *record;
    if (status != CLI_CELLS_FAILED)
        return status;
    json_array_foreach(cells, i, records) json_array_foreach(records, j, record)
    {
        if (strcmp(sl_record_text(record, "status"), "error"))
            return CLI_CELLS_FAILED;
    }
    return CLI_FAILED;
}

/* Runs all cells; *cells collects their records. Returns an exit code. */
static int run_cells(struct run_request *request, json_t *cells, json_t *context)
{
    int count = request->list.policy_count * request->list.memory_count, number = 0,
        status = CLI_OK;
    for (int m = 0; m < request->list.memory_count; m++) {
        for (int p = 0; p < request->list.policy_count; p++) {
            if (interrupt_came())
                return CLI_INTERRUPTED;
            struct cell cell = request->cell;
            struct sl_limits limits = request->limits;
            cell.policy = request->list.policies[p];
            limits.memory_bytes = request->list.memory[m];
            show_progress(request, ++number, count, cell.policy, limits.memory_bytes);
            bool apart = count > 1 || sl_limits_any(&limits) || request->timeout_ns;
            struct sl_error error = {0};
            json_t *records = NULL;
            int code = run_cell(request, &cell, &limits, apart, &records, &error);
            if (records) {
                finish_records(request, records, &limits, context);
                json_array_append_new(cells, records);
                if (request->format == SL_FORMAT_JSON)
                    print_json(records);
                status = worse(status, records);
            }
            if (interrupt_came())
                return CLI_INTERRUPTED;
            if (code < 0)
                return cli_fail(code == -EPERM || code == -ENOSYS || code == -ENODEV ||
                                        code == -EOPNOTSUPP
                                    ? CLI_UNFIT
                                    : CLI_FAILED,
                                &error);
        }
    }
    return status;
}

static int print_results(const struct run_request *request, int status, const json_t *cells)
{
    if (json_array_size(cells) == 0 || request->format == SL_FORMAT_JSON)
        return 0;
    if (status == CLI_FAILED && request->format == SL_FORMAT_TABLE)
        return 0;
    bool one = request->list.policy_count * request->list.memory_count == 1;
    if (request->format != SL_FORMAT_TABLE || !one)
        return run_print_table(cells, request->format, stdout);
    run_print_summary(json_array_get(cells, 0), stdout);
    return 0;
}

/* The storage's raw rate for the bound. Small packs are not worth a measurement: the rate at which
 * their reads come in stands in. */
static void measure_device(struct run_request *request)
{
    if (request->weight_bytes < DEVICE_MEASURED_LEAST_BYTES)
        return;
    SL_AUTO_FREE char *cache = cli_device_cache();
    struct sl_device_info device;
    if (sl_device_measure(request->cell.packs[0], cache, &device, NULL) < 0)
        return;
    uint64_t rate = request->limits.read_bytes_per_s;
    request->cell.device_bytes_per_s =
        (int64_t)(rate < device.bytes_per_s ? rate : device.bytes_per_s);
}

static int run_request(struct run_request *request)
{
    interrupt_install();
    if (!isatty(STDIN_FILENO) && !isatty(STDERR_FILENO))
        interrupt_install_hangup();
    respect_rights(request);
    measure_device(request);
    SL_AUTO_FREE char *cache = cli_ceiling_cache();
    ceiling_find(cache, request->cell.packs[0], &request->ceiling);
    json_t *cells = json_array();
    /* Only records show it, and it reads a dozen files. */
    json_t *context =
        request->format == SL_FORMAT_JSON ? sl_record_context(request->cell.packs[0]) : json_null();
    int status = judge(run_cells(request, cells, context), cells);
    int failed = print_results(request, status, cells);
    run_print_errors(cells, stderr);
    if (request->format == SL_FORMAT_TABLE && !request->quiet && isatty(STDERR_FILENO))
        run_print_advice(cells, stderr);
    if (failed < 0) {
        struct sl_error error;
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
    struct run_request request = {
        .cell = {.packs = arguments->operands, .pack_count = arguments->operand_count}};
    int status;
    if (read_packs(&request, &error) < 0)
        status = cli_fail(CLI_FAILED, &error);
    else if (read_request(arguments, &request, &error) < 0)
        status = cli_usage(arguments->command, &error);
    else if (check_device(&request, &error) < 0)
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
