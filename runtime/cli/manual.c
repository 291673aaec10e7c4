/* `sluice man [COMMAND]`: man pages from the command tables. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "runtime/cli/command.h"
#include "runtime/cli/job_file.h"
#include "runtime/sluice.h"

/* roff: a backslash is \e, a dash \-, and a line must not begin with a dot or quote. */
static void print_escaped(const char *text, size_t length)
{
    bool line_start = true;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (line_start && (c == '.' || c == '\''))
            fputs("\\&", stdout);
        line_start = c == '\n';
        if (c == '\\')
            fputs("\\e", stdout);
        else if (c == '-')
            fputs("\\-", stdout);
        else
            putchar(c);
    }
}

static void print_text(const char *text)
{
    print_escaped(text, strlen(text));
}

static void print_paragraphs(const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        size_t length = end ? (size_t)(end - text) : strlen(text);
        print_escaped(text, length);
        putchar('\n');
        text += length;
        if (*text) {
            text += 2;
            puts(".PP");
        }
    }
}

/* The help of an option, and a sentence behind it where there is more to say. */
static void print_help(const char *help, const char *more)
{
    const size_t length = strlen(help);
    print_text(help);
    if (more && length && !strchr(".!?", help[length - 1]))
        putchar('.');
    puts(more ? more : "");
}

static void print_option(const struct cli_option *option)
{
    puts(".TP");
    fputs(".B ", stdout);
    if (option->letter)
        printf("\\-%c\\fR, \\fB", option->letter);
    fputs("\\-\\-", stdout);
    print_text(option->name);
    if (option->value) {
        fputs("\\fR \\fI", stdout);
        print_text(option->value);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    print_help(option->help, option->repeated ? " May be repeated." : NULL);
}

static void print_examples(const char *examples)
{
    puts(".SH EXAMPLES");
    while (*examples) {
        size_t line = strcspn(examples, "\n");
        size_t command = strcspn(examples, "\t\n");
        puts(".TP");
        fputs(".B ", stdout);
        print_escaped(examples, command);
        putchar('\n');
        if (command < line)
            print_escaped(examples + command + 1, line - command - 1);
        putchar('\n');
        examples += line + (examples[line] == '\n');
    }
}

static void print_header(const char *title, int section)
{
    printf(".\\\" Made by `sluice man`; edit runtime/cli/ instead.\n.TH %s %d \"\" \"sluice %s\" "
           "\"sluice manual\"\n",
           title, section, sl_version());
}

static void print_command_page(const struct cli_command *command)
{
    char title[64] = "SLUICE-";
    size_t at = strlen(title);
    for (const char *c = command->name; *c && at + 1 < sizeof(title); c++)
        title[at++] = (char)toupper((unsigned char)*c);
    title[at] = '\0';
    print_header(title, 1);
    printf(".SH NAME\nsluice\\-%s \\- ", command->name);
    print_text(command->summary);
    printf("\n.SH SYNOPSIS\n.B sluice %s\n", command->name);
    print_text(command->operands);
    puts(" [options]\n.SH DESCRIPTION");
    print_paragraphs(command->description);
    if (command->alias)
        printf(".PP\n.B sluice %s\nis another name of this command.\n", command->alias);
    puts(".SH OPTIONS");
    for (const struct cli_option *option = command->options; option->name; option++)
        print_option(option);
    for (const struct cli_option *option = cli_common_options; option->name; option++)
        print_option(option);
    if (command->examples)
        print_examples(command->examples);
    puts(".SH SEE ALSO\n.BR sluice (1)");
}

struct entry {
    const char *term, *text; /* a NULL term ends the list */
};

static const struct entry other_commands[] = {
    {"sluice help [COMMAND]", "this page in short, or a command's options"},
    {"sluice --version", "version and commit"},
    {"sluice completion bash|zsh|fish", "a completion script for the shell, on stdout"},
    {"sluice man [COMMAND|job]", "these pages, in roff"},
    {"sluice pack", "another name of sluice import"},
    {NULL, NULL},
};

static const struct entry environment[] = {
    {"SLUICE_<OPTION>",
     "Every option can be set as a variable: --memory is SLUICE_MEMORY, --read-rate is "
     "SLUICE_READ_RATE; a flag is 1 or 0, true or false, yes or no, on or off. The command line "
     "wins."},
    {"TMPDIR",
     "where the swap file of --swap SIZE is made; when it is not set, or takes none (tmpfs and "
     "overlays do not), /var/tmp. Also where sluice tune makes packs of other shard sizes when the "
     "folder of the first pack cannot be written"},
    {"XDG_CACHE_HOME", "the folder sluice in it holds what is below; ~/.cache when it is not set"},
    {NULL, NULL},
};

static const struct entry files[] = {
    {"~/.cache/sluice/devices", "rates of storage as plan and run measured them, kept for a day"},
    {"~/.cache/sluice/ceilings", "what sluice doctor --bench measured, kept for 30 days"},
    {"~/.cache/sluice/TOPOLOGY-VERSION.sluice",
     "packs that sluice sweep topology:TOPOLOGY made; they can be removed at any time"},
    {"PACK.times", "run times of the pack's layers on this machine, beside the pack"},
    {"/var/tmp/sluice-swap-*, sluice-* in /sys/fs/cgroup",
     "swap files and control groups of cells that run now; those of a killed run are removed by "
     "the next one"},
    {NULL, NULL},
};

static const struct entry signals[] = {
    {"SIGINT, SIGTERM",
     "run ends its cell, removes group and swap file, prints what is finished and exits with 130. "
     "Under sweep and tune the first one ends after the cell that runs, the second ends that cell. "
     "One more kills at once"},
    {"SIGHUP",
     "a worker, and a run without a terminal, reads the memory limit of its control group again at "
     "once. Without the signal it does so between units, every 20 ms at most: a lower limit "
     "(memory.high, or v1's soft limit, too) shrinks the request in progress, a higher one holds "
     "from the next request on"},
    {NULL, NULL},
};

static const struct entry exit_statuses[] = {
    {"0", "ok"},
    {"1",
     "failed; of run: every cell ended in error, as a single one does whose limit is too small "
     "for a policy with a budget"},
    {"2", "mistake in the command line"},
    {"3",
     "some cells of run or sweep ended oom, timeout or error (of sweep: also when all did); of "
     "tune: nothing runs at some limit"},
    {"4", "compare --fail-above found a regression"},
    {"5", "the environment is unfit: a --device cannot be emulated here, the storage takes no swap "
          "file or has no room for it, a given loader is not allowed. A right that is missing for "
          "--memory, a rate, "
          "--cpus or --cores alone is a warning, and the run goes on without that limit"},
    {"130", "interrupted; results so far were printed"},
    {NULL, NULL},
};

static void print_entries(const char *heading, const struct entry *entries)
{
    printf(".SH %s\n", heading);
    for (; entries->term; entries++) {
        fputs(".TP\n.B ", stdout);
        print_text(entries->term);
        putchar('\n');
        print_text(entries->text);
        putchar('\n');
    }
}

static void print_overview_page(void)
{
    print_header("SLUICE", 1);
    puts(".SH NAME\nsluice \\- run deep networks whose weights do not fit in memory\n"
         ".SH SYNOPSIS\n.B sluice\n.I COMMAND\n[operands] [options]\n.SH DESCRIPTION\n"
         "sluice streams slices of layers from storage just ahead of the compute, and measures "
         "what a memory limit costs under the published loading policies.\n.SH COMMANDS");
    const struct cli_command *command;
    for (int i = 0; (command = cli_command_at(i)); i++) {
        if (command->hidden)
            continue;
        printf(".TP\n.BR sluice\\-%s (1)\n", command->name);
        print_text(command->summary);
        putchar('\n');
    }
    print_entries("OTHER COMMANDS", other_commands);
    print_entries("ENVIRONMENT", environment);
    print_entries("FILES", files);
    print_entries("SIGNALS", signals);
    print_entries("EXIT STATUS", exit_statuses);
    fputs(".SH SEE ALSO\n", stdout);
    for (int i = 0; (command = cli_command_at(i)); i++)
        if (!command->hidden)
            printf(".BR sluice\\-%s (1),\n", command->name);
    puts(".BR sluice\\-job (5)");
}

static void print_keys(bool of_a_job)
{
    for (const struct cli_option *option = command_sweep.options; option->name; option++) {
        if (job_key_is_of_a_job(option) != of_a_job)
            continue;
        fputs(".TP\n.B ", stdout);
        print_text(option->name);
        fputs(":\\fR \\fI", stdout);
        print_text(option->value ? option->value : "true|false");
        puts("\\fR");
        print_help(option->help, job_key_takes_list(option) ? " A YAML list may be given." : NULL);
    }
}

/* The page of the job file, whose keys are the options of sweep. */
static void print_job_page(void)
{
    print_header("SLUICE-JOB", 5);
    puts(
        ".SH NAME\nsluice\\-job \\- job files of sluice sweep\n"
        ".SH SYNOPSIS\n.B sluice sweep\n.I JOB.yaml\n[options]\n.SH DESCRIPTION\n"
        "A job file says in YAML what sluice\\-sweep(1) is to run. Its keys are the options of "
        "that "
        "command without dashes; a value is what the command line takes, and where that is a list, "
        "a YAML list does as well. A key of the top level holds for every job; what a job says "
        "itself wins. The command line wins over SLUICE_* variables, they win over the job file.\n"
        ".SH EXAMPLE\n.nf\n"
        "networks:\n  \\- topology: facenet          # made with synthetic weights\n"
        "  \\- age.sluice+gender.sluice   # one batch\n"
        "policy: all\nruns: 5\nresults: facenet.jsonl\n"
        "jobs:\n  swap:\n    memory: [75%, 50%]\n    swap: 1G\n"
        "  ahead:\n    policy: window\n    depth: 1\\-16*2\n.fi\n"
        ".SH KEYS OF THE TOP LEVEL ONLY\n.TP\n.B jobs:\n"
        "Named sections with keys of their own: each is expanded to its cells. Without it the top "
        "level is the only job.");
    print_keys(false);
    puts(".SH KEYS OF THE TOP LEVEL AND OF JOBS\n.TP\n.B networks:\n"
         "One entry, or a list of them, each a value of the network axis: a pack, packs joined by "
         "+ (one batch), or \\(dqtopology: NAME\\(dq, which is made with synthetic weights in the "
         "cache folder. Paths are relative to the working directory.");
    print_keys(true);
    puts(".SH SEE ALSO\n.BR sluice\\-sweep (1)");
}

static int run(const struct cli_arguments *arguments)
{
    if (arguments->operand_count == 0) {
        print_overview_page();
        return CLI_OK;
    }
    if (!strcmp(arguments->operands[0], "job")) {
        print_job_page();
        return CLI_OK;
    }
    const struct cli_command *command = cli_command_find(arguments->operands[0]);
    if (!command || command->hidden) {
        struct sl_error error;
        sl_error_set(&error, -EINVAL, "there is no command '%s'", arguments->operands[0]);
        return cli_usage(arguments->command, &error);
    }
    print_command_page(command);
    return CLI_OK;
}

static const struct cli_option options[] = {{0}};

const struct cli_command command_man = {
    .name = "man",
    .summary = "print a man page",
    .operands = "[COMMAND]",
    .least_operands = 0,
    .most_operands = 1,
    .description = "Prints the man page of a command, of job files (job), or of sluice itself, in "
                   "roff.",
    .options = options,
    .run = run,
    .hidden = true,
};
