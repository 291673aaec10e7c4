#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"
#include "runtime/base/text.h"
#include "runtime/base/units.h"
#include "runtime/cli/interrupt.h"
#include "runtime/cli/job_file.h"
#include "runtime/cli/observation.h"
#include "runtime/cli/sweep.h"
#include "runtime/cli/topology_cache.h"
#include "runtime/report/record.h"

#define RUNS_DEFAULT           3
#define RUNS_DEFAULT_PRECISION 30
#define GROUPS_MOST            1024
#define PACKS_MOST             64
#define TOPOLOGY               "topology:"

static const struct cli_option options[] = {
#define CELL_OPTION CELL_ROW_IN_SWEEP
#include "runtime/cli/cell_options.inc.h"
    {"requests", 0, "N", "requests of every input inside each process (default 1)", NULL, false},
    {"warmup-requests", 0, "N", "requests before them that are not measured (default 0)", NULL,
     false},
    {"runs", 'n', "N",
     "repetitions of every cell, each in a fresh process (default 3; with --precision at most 30)",
     NULL, false},
    {"warmup", 0, "N", "repetitions of every cell before them, which leave no record (default 0)",
     NULL, false},
    {"precision", 0, "P%",
     "stop repeating a cell once the 95 % confidence interval of its median is within P % of it, "
     "after 3 runs at the earliest",
     NULL, false},
    {"time-limit", 0, "TIME",
     "start nothing after this long, e.g. 2h; --resume does the rest (default 0: never)", NULL,
     false},
    {"order", 0, "ORDER",
     "interleaved: every cell once, then again (against drift and heat, default); grouped: all "
     "repetitions of a cell together; shuffled",
     "interleaved grouped shuffled", false},
    {"seed", 0, "N", "of --order shuffled (default 0)", NULL, false},
    {"results", 0, "FILE", "where records go, one per line (default results.jsonl)", "@files",
     false},
    {"resume", 0, NULL, "go on with a results file: what it has is not run again", NULL, false},
    {"overwrite", 0, NULL, "throw away what the results file has", NULL, false},
    {"profile", 0, NULL, "keep in every record where the time of its requests went, layer by layer",
     NULL, false},
    {"format", 'o', "table|json|csv|md", "how to print the summary (default table)",
     "table json csv md", false},
    {0},
};

/* A job of the job file, or the command line alone. */
struct sweep_job {
    struct cli_arguments arguments; /* with the job as fallback; shares what the command has */
    const struct job_network *networks;
    int network_count;
};

struct sweep_command {
    struct job_file file;
    struct sweep_job *jobs;
    int job_count;
    struct sweep sweep;
    struct observation observation; /* of every cell */
    char **words;                   /* names of packs, owned */
    int word_count;
    enum sl_format format;
    const char *results;
    enum sl_results_mode mode;
};

static void command_free(struct sweep_command *command)
{
    sweep_free(&command->sweep);
    for (int i = 0; i < command->word_count; i++)
        free(command->words[i]);
    free(command->words);
    free(command->jobs);
    job_file_free(&command->file);
}

/* Job files and packs among the operands; packs there win over those of the job file. */
static int read_jobs(const struct cli_arguments *arguments, struct sweep_command *command,
                     struct job_network **packs, struct sl_error *error)
{
    const char *file = NULL;
    int pack_count = 0, code = 0;
    *packs = calloc((size_t)arguments->operand_count + 1, sizeof(**packs));
    if (!*packs)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int i = 0; i < arguments->operand_count; i++) {
        if (!job_file_is(arguments->operands[i]))
            (*packs)[pack_count++].text = arguments->operands[i];
        else if (file)
            return sl_error_set(error, -EINVAL, "%s, %s: one job file at a time", file,
                                arguments->operands[i]);
        else
            file = arguments->operands[i];
    }
    if (file)
        code = job_file_read(file, arguments->command, &command->file, error);
    if (code < 0)
        return code;
    command->job_count = command->file.job_count ? command->file.job_count : 1;
    command->jobs = calloc((size_t)command->job_count, sizeof(*command->jobs));
    if (!command->jobs)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int j = 0; j < command->job_count; j++) {
        const struct job_section *section =
            command->file.job_count ? &command->file.jobs[j] : &command->file.top;
        struct sweep_job *job = &command->jobs[j];
        job->arguments = *arguments;
        job->arguments.fallback = section->given;
        job->arguments.fallback_count = section->given_count;
        job->networks = pack_count ? *packs : section->networks;
        job->network_count = pack_count ? pack_count : section->network_count;
        if (job->network_count == 0)
            return sl_error_set(error, -EINVAL, "%s%s%s: no networks", file ? file : "sweep",
                                section->name ? ", job " : "", section->name ? section->name : "");
    }
    return 0;
}

static int read_order(const struct cli_arguments *arguments, struct sweep_plan *plan,
                      struct sl_error *error)
{
    static const char *const orders[] = {"interleaved", "grouped", "shuffled", NULL};
    const char *text = cli_text(arguments, "order");
    int order = text ? sl_choose(text, orders, error) : SWEEP_INTERLEAVED;
    if (order < 0)
        return cli_wrap(arguments, "order", error);
    plan->order = (enum sweep_order)order;
    return 0;
}

static int read_precision(const struct cli_arguments *arguments, struct sweep_plan *plan,
                          struct sl_error *error)
{
    double percent = 0;
    int code = cli_percent(arguments, "precision", 0.01, 100, &percent, error);
    plan->precision = percent / 100;
    return code;
}

/* Options of the whole sweep. */
static int read_plan(const struct cli_arguments *arguments, struct sweep_command *command,
                     struct sl_error *error)
{
    struct sweep_plan *plan = &command->sweep.plan;
    int64_t seed = 0;
    bool resume = cli_flag(arguments, "resume"), overwrite = cli_flag(arguments, "overwrite");
    const char *results = cli_text(arguments, "results");
    command->results = results ? results : "results.jsonl";
    command->mode = resume      ? SL_RESULTS_CONTINUE
                    : overwrite ? SL_RESULTS_OVERWRITE
                                : SL_RESULTS_NEW;
    plan->quiet = cli_flag(arguments, "quiet");
    if (cli_check_written(arguments, "results", error) < 0)
        return -EINVAL;
    command->observation.profile = cli_flag(arguments, "profile");
    if (resume && overwrite)
        return sl_error_set(error, -EINVAL,
                            "--resume keeps the results that --overwrite throws away: give one");
    int code = cli_format(arguments, &command->format, error);
    if (code == 0)
        code = read_precision(arguments, plan, error);
    plan->runs = plan->precision > 0 ? RUNS_DEFAULT_PRECISION : RUNS_DEFAULT;
    if (code == 0)
        code = cli_integer(arguments, "runs", 1, 100000, &plan->runs, error);
    if (code == 0)
        code = cli_integer(arguments, "warmup", 0, 100000, &plan->warmup, error);
    if (code == 0)
        code = cli_duration(arguments, "time-limit", &plan->time_limit_ns, error);
    if (code == 0)
        code = read_order(arguments, plan, error);
    if (code == 0)
        code = cli_integer(arguments, "seed", 0, INT64_MAX, &seed, error);
    plan->seed = (uint64_t)seed;
    return code;
}

/* Keeps a word as long as the command. */
static const char *keep_word(struct sweep_command *command, char *word)
{
    char **words =
        word ? realloc(command->words, ((size_t)command->word_count + 1) * sizeof(*words)) : NULL;
    if (!words) {
        free(word);
        return NULL;
    }
    command->words = words;
    return words[command->word_count++] = word;
}

static const char *topology_of(const char *word)
{
    return strncmp(word, TOPOLOGY, strlen(TOPOLOGY)) ? NULL : word + strlen(TOPOLOGY);
}

/* "PACK", "A+B", "topology:NAME", "topology:A+B", where each is one: words that are a pack or a
 * topology:NAME. Returns how many. */
static int split_network(struct sweep_command *command, const char *text,
                         const char *words[PACKS_MOST], struct sl_error *error)
{
    const char *topologies = topology_of(text);
    SL_AUTO_FREE char *copy = strdup(topologies ? topologies : text);
    int count = 0;
    char *rest = copy;
    for (char *word; copy && (word = strsep(&rest, "+"));) {
        char *kept = NULL;
        if (!*word || count == PACKS_MOST)
            return sl_error_set(error, -EINVAL, "'%s': packs are joined by +, at most %d of them",
                                text, PACKS_MOST);
        if (asprintf(&kept, "%s%s", topologies && !topology_of(word) ? TOPOLOGY : "", word) < 0)
            kept = NULL;
        words[count] = keep_word(command, kept);
        if (!words[count++])
            return sl_error_set(error, -ENOMEM, "out of memory");
    }
    return copy ? count : sl_error_set(error, -ENOMEM, "out of memory");
}

/* The pack of such a word; one of a topology is made where there is none yet. */
static const char *find_pack(struct sweep_command *command, const char *word,
                             struct sl_error *error)
{
    const char *topology = topology_of(word);
    if (!topology)
        return word;
    char *path = topology_cache_pack(topology, command->sweep.plan.quiet, error);
    if (!path)
        return NULL;
    const char *kept = keep_word(command, path);
    if (!kept)
        sl_error_set(error, -ENOMEM, "out of memory");
    return kept;
}

/* What of a network can be known to be wrong before any pack is opened or made. */
static int check_network(struct sweep_command *command, const char *text, struct sl_error *error)
{
    const char *words[PACKS_MOST];
    int count = split_network(command, text, words, error), code = 0;
    for (int i = 0; code == 0 && i < count; i++)
        if (topology_of(words[i]))
            code = cli_check_name(SL_KIND_TOPOLOGY, "topology", topology_of(words[i]), error);
    return count < 0 ? count : code;
}

/* Calls `take` for every network of every job; says where a job file has one that is refused. */
static int each_network(struct sweep_command *command,
                        int (*take)(struct sweep_command *command, const char *text,
                                    struct sl_error *error),
                        struct sl_error *error)
{
    for (int j = 0; j < command->job_count; j++)
        for (int n = 0; n < command->jobs[j].network_count; n++) {
            const struct job_network *network = &command->jobs[j].networks[n];
            int code = take(command, network->text, error);
            if (code < 0)
                return network->origin ? sl_error_wrap(error, "%s", network->origin) : code;
        }
    return 0;
}

/* The group of a network as it was written. */
static int open_group(struct sweep_command *command, const char *text, struct sl_error *error)
{
    struct sweep *sweep = &command->sweep;
    const char *paths[PACKS_MOST];
    int count = split_network(command, text, paths, error);
    if (count < 0)
        return count;
    for (int n = 0; n < count; n++)
        if (!(paths[n] = find_pack(command, paths[n], error)))
            return error->code;
    struct sweep_group *group = &sweep->groups[sweep->group_count++];
    int code = pack_set_read(&group->packs, paths, count, error);
    if (code < 0)
        return code;
    SL_AUTO(sl_text_free) struct sl_text names = {0};
    for (int n = 0; n < count; n++)
        sl_text_add(&names, "%s%s", n ? "+" : "", group->packs.names[n]);
    group->context = sl_record_context(paths[0]);
    group->names = SL_STEAL(names.bytes);
    return group->names && group->context ? 0 : sl_error_set(error, -ENOMEM, "out of memory");
}

/* Of open groups: by their names they are one, by their packs they are not. */
static bool share_names(const struct sweep_group *one, const struct sweep_group *two)
{
    const struct pack_set *packs = &one->packs, *others = &two->packs;
    return one->names && two->names && !strcmp(one->names, two->names) &&
           (packs->count != others->count ||
            memcmp(packs->identities, others->identities,
                   (size_t)packs->count * sizeof(*packs->identities)) != 0);
}

static int add_paths(struct sweep_group *group)
{
    SL_AUTO(sl_text_free) struct sl_text text = {0};
    sl_text_add(&text, "%s (", group->names);
    for (int n = 0; n < group->packs.count; n++)
        sl_text_add(&text, "%s%s", n ? "+" : "", group->packs.paths[n]);
    sl_text_add(&text, ")");
    if (text.failed)
        return -ENOMEM;
    free(group->names);
    group->names = SL_STEAL(text.bytes);
    return 0;
}

/* Networks of the same name from other packs are named with these. */
static int tell_packs_apart(struct sweep *sweep, struct sl_error *error)
{
    SL_AUTO_FREE bool *several = calloc((size_t)sweep->group_count + 1, sizeof(*several));
    int code = several ? 0 : -ENOMEM;
    for (int g = 0; code == 0 && g < sweep->group_count; g++)
        for (int h = 0; h < sweep->group_count; h++)
            several[g] |= share_names(&sweep->groups[g], &sweep->groups[h]);
    for (int g = 0; code == 0 && g < sweep->group_count; g++)
        code = several[g] ? add_paths(&sweep->groups[g]) : 0;
    return code ? sl_error_set(error, code, "out of memory") : 0;
}

/* Opens every network of every job. */
static int read_networks(struct sweep_command *command, struct sl_error *error)
{
    int count = 0;
    for (int j = 0; j < command->job_count; j++)
        count += command->jobs[j].network_count;
    if (count > GROUPS_MOST)
        return sl_error_set(error, -EINVAL, "more than %d networks", GROUPS_MOST);
    command->sweep.groups = calloc((size_t)count + 1, sizeof(*command->sweep.groups));
    if (!command->sweep.groups)
        return sl_error_set(error, -ENOMEM, "out of memory");
    return each_network(command, open_group, error);
}

/* The cells of one job with one network. */
static int expand(struct cell_set *set, const struct sweep_job *job, const struct pack_set *packs,
                  const struct observation *observation, struct sl_error *error)
{
    int64_t requests = 1, warmup = 0;
    const int first = set->count;
    int code = cli_integer(&job->arguments, "requests", 1, 1000000, &requests, error);
    if (code == 0)
        code = cli_integer(&job->arguments, "warmup-requests", 0, 1000000, &warmup, error);
    if (code == 0)
        code = cell_set_expand(set, &job->arguments, packs, true, error);
    for (int i = first; code == 0 && i < set->count; i++) {
        set->points[i].request.cell.runs = requests;
        set->points[i].request.cell.warmup = warmup;
        set->points[i].request.cell.observation = observation;
    }
    return code;
}

/* A mistake in a value must not wait for the packs of topologies to be made. What depends on packs
 * is read again with them: these are so large that no percentage of their weights is too little. */
static int check_values(struct sweep_command *command, struct sl_error *error)
{
    const char *no_paths[] = {NULL};
    const struct pack_set packs = {.paths = no_paths, .weight_bytes = UINT64_C(1) << 40};
    int code = each_network(command, check_network, error);
    for (int j = 0; code == 0 && j < command->job_count; j++) {
        SL_AUTO(cell_set_free) struct cell_set tried = {0};
        code = expand(&tried, &command->jobs[j], &packs, &command->observation, error);
    }
    return code;
}

static int read_cells(struct sweep_command *command, struct sl_error *error)
{
    int code = 0, group = 0;
    for (int j = 0; j < command->job_count; j++)
        for (int n = 0; code == 0 && n < command->jobs[j].network_count; n++)
            code = expand(&command->sweep.set, &command->jobs[j],
                          &command->sweep.groups[group++].packs, &command->observation, error);
    return code;
}

/* What is known before anything runs. */
static int prepare(struct sweep_command *command, struct sl_error *error)
{
    struct sweep *sweep = &command->sweep;
    if (!sweep->plan.quiet)
        cell_set_note_unused(&sweep->set);
    cell_set_respect_rights(&sweep->set);
    for (int i = 0; i < sweep->set.count; i++) {
        struct cell_request *request = &sweep->set.points[i].request;
        for (int g = 0; g < sweep->group_count; g++)
            if (&sweep->groups[g].packs == request->packs)
                cell_request_measure(request, &sweep->groups[g].packs);
    }
    int same = sweep_prepare(sweep, error);
    if (same < 0)
        return same;
    if (same > 0 && !sweep->plan.quiet)
        fprintf(stderr,
                "sluice: note: %d of %d cells are the same as another one (the depth of a "
                "policy without one, swap without a limit) and run once\n",
                same, same + sweep->cell_count);
    uint64_t torn;
    int code = sl_results_open(&sweep->file, command->results, command->mode, &torn, error);
    if (code == 0 && command->mode == SL_RESULTS_CONTINUE)
        code = sweep_resume(sweep, torn, error);
    return code;
}

/* The sweep and its summary. Returns an exit code. */
static int run_and_print(struct sweep_command *command)
{
    struct sweep *sweep = &command->sweep;
    interrupt_install_patient();
    sl_supervisor_clean();
    if (!sweep->plan.quiet)
        sweep_predict(sweep);
    int status = sweep_run(sweep);
    if (status == CLI_OK && sweep_failures(sweep) > 0)
        status = CLI_CELLS_FAILED;
    if (sweep_print(sweep, command->format, stdout) < 0) {
        struct sl_error error;
        sl_error_set(&error, -ENOMEM, "cannot print the summary");
        return cli_fail(CLI_FAILED, &error);
    }
    fflush(stdout);
    sweep_print_errors(sweep);
    if (!sweep->plan.quiet && status != CLI_INTERRUPTED)
        sweep_print_noise(sweep);
    return status;
}

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    struct sweep_command command = {.sweep.file = SL_RESULTS_FILE_EMPTY};
    SL_AUTO_FREE struct job_network *packs = NULL;
    int status;
    int code = read_jobs(arguments, &command, &packs, &error);
    if (code == 0) {
        struct cli_arguments whole = *arguments;
        whole.fallback = command.file.top.given;
        whole.fallback_count = command.file.top.given_count;
        code = read_plan(&whole, &command, &error);
    }
    if (code < 0)
        status =
            code == -EINVAL ? cli_usage(arguments->command, &error) : cli_fail(CLI_FAILED, &error);
    else if (check_values(&command, &error) < 0)
        status = cli_usage(arguments->command, &error);
    else if (sl_results_check(command.results, command.mode, &error) < 0)
        status = cli_fail(CLI_USAGE, &error);
    else if (read_networks(&command, &error) < 0 || tell_packs_apart(&command.sweep, &error) < 0)
        status = cli_fail(CLI_FAILED, &error);
    else if (read_cells(&command, &error) < 0)
        status = cli_usage(arguments->command, &error);
    else if (cell_set_check_devices(&command.sweep.set, &error) < 0)
        status = cli_fail(CLI_UNFIT, &error);
    else if ((code = prepare(&command, &error)) < 0)
        status = cli_fail(code == -EEXIST ? CLI_USAGE : CLI_FAILED, &error);
    else
        status = run_and_print(&command);
    command_free(&command);
    return status;
}

const struct cli_command command_sweep = {
    .name = "sweep",
    .summary = "run an experiment: every combination of lists of options, repeated",
    .operands = "[JOB.yaml] [PACK...]",
    .least_operands = 1,
    .most_operands = GROUPS_MOST,
    .operand_choices = "@files",
    .description =
        "Runs every combination of the values given, each several times (--runs), each time in a "
        "fresh worker process, and appends a record per network and repetition to the results "
        "file (--results), synced to storage. What changes nothing is run once: the depth of a "
        "policy without one, swap without a memory limit.\n\n"
        "Lists are separated by commas. Numbers take ranges: 1-4, 1-9+2 (1,3,5,7,9), 1-16*2 "
        "(1,2,4,8,16). Each PACK is one value of the network axis; packs joined by + are one "
        "batch; topology:NAME (see sluice list topologies) is made with synthetic weights.\n\n"
        "A JOB.yaml says the same with the options as keys (sluice-job(5)). The command line wins "
        "over SLUICE_* variables, they win over the job file.\n\n"
        "A cell that its limit kills or that times out is a result, and the exit code is 3. The "
        "first Ctrl-C ends after the cell that runs, the second kills it; --resume goes on with "
        "what is missing, also after a crash. Progress goes to stderr, the summary to stdout.",
    .examples =
        "sluice sweep facenet.sluice --memory none,75%,50%,25% --policy all\tthe published figure\n"
        "sluice sweep a.sluice b.sluice a.sluice+b.sluice --policy window --depth 1-16*2\t"
        "how far ahead to read, for two networks and their batch\n"
        "sluice sweep facenet.sluice --policy auto,linear --memory 50% --precision 2%\t"
        "as often as it takes\n"
        "sluice sweep job.yaml --resume\tgo on after Ctrl-C or a crash\n",
    .options = options,
    .run = run,
};
