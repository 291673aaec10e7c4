#include <errno.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/suggest.h"
#include "runtime/base/units.h"
#include "runtime/cli/interrupt.h"
#include "runtime/cli/tune.h"

#define SHARDS_DEFAULT     "256K,1M,4M"
#define LEAST_SHARD_BYTES  4096
#define CELL_DEFAULT(text) ""
#define CELL_SEVERAL       ""

static const struct cli_option options[] = {
#define CELL_OPTION CELL_ROW_IN_TUNE
#include "runtime/cli/cell_options.inc.h"
    {"shard", 0, "SIZE[,...]|none",
     "shard sizes to try beside that of the packs; none: only theirs (default " SHARDS_DEFAULT ")",
     NULL, false},
    {"requests", 0, "N", "requests of each process (default 1; 4 for --objective later)", NULL,
     false},
    {"objective", 0, "first|later",
     "whose latency counts: the first, cold request's (default), or the median of those after it",
     "first later", false},
    {"time-limit", 0, "TIME",
     "start nothing after this long, and print what is known, e.g. 10m (default 0: never)", NULL,
     false},
    {"results", 0, "FILE", "also keep the record of every run there, as sweep does", "@files",
     false},
    {"format", 'o', "table|json|csv|md", "how to print (default table)", "table json csv md",
     false},
    {0},
};

struct tune_command {
    struct tune tune;
    struct value_list shards;
    enum sl_format format;
};

static void command_free(struct tune_command *command)
{
    tune_free(&command->tune);
    value_list_free(&command->shards);
}

static int read_objective(const struct cli_arguments *arguments, struct tune_options *chosen,
                          struct sl_error *error)
{
    static const char *const objectives[] = {"first", "later", NULL};
    const char *text = cli_text(arguments, "objective");
    int objective = text ? sl_choose(text, objectives, error) : 0;
    if (objective < 0)
        return cli_wrap(arguments, "objective", error);
    chosen->later = objective == 1;
    chosen->requests = chosen->later ? 4 : 1;
    int code = cli_integer(arguments, "requests", 1, 1000000, &chosen->requests, error);
    if (code == 0 && chosen->later && chosen->requests < 2)
        code = sl_error_set(error, -EINVAL, "--objective later needs --requests 2 or more");
    return code;
}

static int read_shards(const struct cli_arguments *arguments, struct value_list *shards,
                       struct sl_error *error)
{
    const char *text = cli_text(arguments, "shard");
    if (text && !strcmp(text, "none"))
        return 0;
    int code = value_list_read(shards, text ? text : SHARDS_DEFAULT, false, error);
    for (int i = 0; code == 0 && i < shards->count; i++) {
        uint64_t bytes;
        code = sl_parse_size(shards->values[i], &bytes, error);
        if (code == 0 && bytes < LEAST_SHARD_BYTES)
            code = sl_error_set(error, -EINVAL, "%s: a shard has at least 4K", shards->values[i]);
    }
    if (code == 0 && shards->count >= TUNE_SHARDS_MOST)
        code = sl_error_set(error, -EINVAL, "at most %d shard sizes", TUNE_SHARDS_MOST - 1);
    return code < 0 ? cli_wrap(arguments, "shard", error) : 0;
}

static int read_options(const struct cli_arguments *arguments, struct tune_command *command,
                        struct sl_error *error)
{
    struct tune_options *chosen = &command->tune.options;
    chosen->quiet = cli_flag(arguments, "quiet");
    int code = cli_format(arguments, &command->format, error);
    if (code == 0)
        code = read_objective(arguments, chosen, error);
    if (code == 0)
        code = read_shards(arguments, &command->shards, error);
    if (code == 0)
        code = cli_duration(arguments, "time-limit", &chosen->time_limit_ns, error);
    return code == 0 ? tune_check_options(&command->tune, error) : code;
}

static int prepare(const struct cli_arguments *arguments, struct tune_command *command,
                   struct sl_error *error)
{
    struct tune *tune = &command->tune;
    const char *results = cli_text(arguments, "results");
    int code = 0;
    if (results)
        code = sl_results_open(&tune->file, results, SL_RESULTS_NEW, NULL, error);
    if (code == -EEXIST)
        return sl_error_set(error, code, "--results: %s has results already; name another file",
                            results);
    if (code == 0 && !tune->options.quiet)
        fprintf(stderr, "sluice: note: measuring the storage and the layers\n");
    if (code == 0)
        code = tune_make_variants(tune, &command->shards, error);
    if (code == 0)
        code = tune_measure(tune, error);
    if (code == 0)
        code = tune_measure_process(tune, error);
    return code == 0 ? tune_make_space(tune, error) : code;
}

/* Each error that kept settings from running, once. */
static void print_errors(const struct tune *tune)
{
    const char *last = "";
    for (int c = 0; c < tune->candidate_count; c++) {
        const struct tune_candidate *candidate = &tune->candidates[c];
        if (*candidate->error && strcmp(candidate->error, last) != 0 && !tune->options.quiet)
            fprintf(stderr, "sluice: note: %s did not run: %s\n",
                    candidate->point->request.cell.policy, candidate->error);
        last = *candidate->error ? candidate->error : last;
    }
}

static bool has_gap(const struct tune *tune)
{
    for (int l = 0; l < tune->limit_count; l++)
        if (tune->limits[l].winner < 0)
            return true;
    return false;
}

static int finish(struct tune_command *command, int code, const struct sl_error *error)
{
    const struct tune *tune = &command->tune;
    struct sl_error failed = {0};
    int status = tune->limit_count > 0 && has_gap(tune) ? CLI_CELLS_FAILED : CLI_OK;
    print_errors(tune);
    int printed = tune->runs > 0 || code == 0 ? tune_print(tune, command->format, stdout) : 0;
    if (code == -EINTR || interrupt_asked()) {
        fprintf(stderr, "sluice: interrupted\n");
        return CLI_INTERRUPTED;
    }
    if (tune->late)
        fprintf(stderr, "sluice: note: the time was up before every limit was searched\n");
    if (code < 0)
        return cli_fail(cli_exit_of(code), error);
    if (printed < 0) {
        sl_error_set(&failed, printed, "cannot print the curve: %s", strerror(-printed));
        return cli_fail(CLI_FAILED, &failed);
    }
    return status;
}

static int run(const struct cli_arguments *arguments)
{
    SL_AUTO(command_free)
    struct tune_command command = {
        .tune = {.given = arguments, .knee = -1, .file = SL_RESULTS_FILE_EMPTY}};
    struct sl_error error = {0};
    if (tune_open_packs(&command.tune, arguments->operands, arguments->operand_count, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    int code = read_options(arguments, &command, &error);
    if (code < 0)
        return code == -EOPNOTSUPP ? cli_fail(CLI_UNFIT, &error)
                                   : cli_usage(arguments->command, &error);
    command.tune.start_ns = sl_now_ns();
    interrupt_install_patient();
    sl_supervisor_clean();
    code = prepare(arguments, &command, &error);
    if (code == -EEXIST)
        return cli_fail(CLI_USAGE, &error);
    if (code == 0)
        code = tune_search(&command.tune, &error);
    return finish(&command, code, &error);
}

const struct cli_command command_tune = {
    .name = "tune",
    .summary = "find the settings and the memory to run networks with",
    .operands = "PACK...",
    .least_operands = 1,
    .most_operands = TUNE_PACKS_MOST,
    .operand_choices = "@files",
    .description =
        "Finds, for each memory limit of a device, the policy, depth, loader, reads in flight and "
        "shard size with the least latency, and prints the curve of memory against latency, its "
        "Pareto front (front), the least memory within 5 % of the best latency (recommended), and "
        "the command line that runs it.\n\n"
        "The simulator ranks all settings; those that do not fit, or are predicted to take more "
        "than 1.5 times the best, are not run. The others are run by successive halving: every "
        "one once, the better half once more, and so on, until one is left or no difference "
        "matters; a run that takes much longer than the best is ended. Each limit starts from what "
        "won at the one before. Every run is a fresh process in a control group, as in sweep.\n\n"
        "What is not given is searched: all policies; depths 4, 16, 64 and the policy's choice; "
        "loaders uring, pread and mmap; queue depths 8 and 32; shards of 256K, 1M and 4M; five "
        "limits from the least that any setting runs in to what everything can use, or what "
        "--device has (--memory "
        "auto). A list or a single value narrows it. Packs of other shard sizes are made beside "
        "the first pack and removed at the end; `sluice repack` makes one for good.\n\n"
        "The first Ctrl-C ends after the run that runs and prints the best so far; the second "
        "kills it. The exit code is 3 when nothing runs at some limit.",
    .examples =
        "sluice tune vgg16.sluice\tthe whole curve\n"
        "sluice tune facenet.sluice --device pi4-sd\tthe curve of a device\n"
        "sluice tune facenet.sluice --memory 64M --swap 0 --read-rate 45M\tat one limit\n"
        "sluice tune net.sluice --objective later --requests 8 --shard none\tfor a server\n"
        "sluice tune net.sluice --policy auto,window --time-limit 2m -o json\tfor scripts\n",
    .options = options,
    .run = run,
};
