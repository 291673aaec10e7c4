/* Commands of the command line: one table entry each, which feeds the parser, --help, the man pages
 * and the completions. One new command = one file command_<name>.c, its name among those declared
 * below, and one line in commands.c. */
#ifndef SLUICE_CLI_COMMAND_H
#define SLUICE_CLI_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/base/error.h"
#include "runtime/report/text_table.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_CELLS_FAILED = 3, /* some cells ended oom, timeout or error */
    CLI_REGRESSION = 4,   /* compare --fail-above found one */
    CLI_UNFIT = 5,        /* the environment cannot run sluice */
    CLI_INTERRUPTED = 130,
};

/* What a command that failed with -errno exits with: CLI_UNFIT where the user lacks a right, or the
 * kernel or machine what was asked for, else CLI_FAILED. */
enum cli_exit cli_exit_of(int code);

/* Every option with a value can also be set as SLUICE_<NAME> ("-" is "_") in the environment; a
 * flag by SLUICE_<NAME>=1 (or 0, true, false, yes, no, on, off). The command line wins. */
struct cli_option {
    const char *name;  /* long name without dashes; NULL ends a table */
    char letter;       /* short form, 0: none */
    const char *value; /* what the value is, for the help; NULL: a flag */
    const char *help;
    /* For completions: "a b c", "@policies", "@loaders", "@devices", "@topologies", "@files",
     * "@directories"; NULL: nothing to offer. */
    const char *choices;
    bool repeated; /* every occurrence counts; otherwise the last one */
};

struct cli_arguments;

struct cli_command {
    const char *name, *alias; /* alias may be NULL */
    const char *summary;      /* one line */
    const char *operands;     /* "PACK..." for the usage line; "" for none */
    int least_operands, most_operands;
    const char *operand_choices; /* as cli_option.choices */
    const char *description;     /* paragraphs, separated by empty lines */
    const char *examples;        /* lines "command\tmeaning", each ended by a newline */
    const struct cli_option *options;
    int (*run)(const struct cli_arguments *arguments); /* returns an enum cli_exit */
    bool hidden;
};

extern const struct cli_command command_import, command_synth, command_repack, command_inspect,
    command_run, command_sweep, command_tune, command_report, command_compare, command_plan,
    command_list, command_doctor, command_worker, command_man, command_completion;

/* Iterate with index from 0 until NULL; hidden commands included. */
const struct cli_command *cli_command_at(int index);
/* By name or alias; NULL when unknown. */
const struct cli_command *cli_command_find(const char *name);
/* The options that every command has. */
extern const struct cli_option cli_common_options[];
/* The option of a table whose name is the first `length` bytes of name; NULL when there is none. */
const struct cli_option *cli_option_find(const struct cli_option *table, const char *name,
                                         size_t length);

/* ---- What was given (arguments.c) ---------------------------------------------------------- */

struct cli_given {
    const struct cli_option *option;
    const char *value;  /* of a flag in a job file: "true" or "false" */
    const char *origin; /* where in a job file; NULL: the command line */
};

struct cli_arguments {
    const struct cli_command *command;
    struct cli_given *given; /* in order */
    int given_count;
    const char **operands;
    int operand_count;
    /* What holds when neither command line nor environment say otherwise; of an option that is
     * there more than once, the first (repeated ones: all). Borrowed. */
    const struct cli_given *fallback;
    int fallback_count;
};

/* Parses what follows the command's name. "--" ends the options. -EINVAL names the option and the
 * nearest known one, or what is not UTF-8, also in SLUICE_* variables. Free with
 * cli_arguments_free. */
int cli_parse(const struct cli_command *command, int count, char **words,
              struct cli_arguments *arguments, struct sl_error *error);
void cli_arguments_free(struct cli_arguments *arguments);

/* Value of an option: command line, else environment, else fallback, else NULL. The name must be in
 * the command's table (asserted). */
const char *cli_text(const struct cli_arguments *arguments, const char *name);
bool cli_flag(const struct cli_arguments *arguments, const char *name);
/* n-th occurrence of a repeated option (n from 0); NULL behind the last. */
const char *cli_repeated(const struct cli_arguments *arguments, const char *name, int n);

/* What a message calls the option, by where its value comes from: "--depth", "SLUICE_DEPTH",
 * "job.yaml:3:8: depth". Returns buffer. */
#define CLI_ORIGIN_BYTES 512
const char *cli_origin(const struct cli_arguments *arguments, const char *name,
                       char buffer[CLI_ORIGIN_BYTES]);

/* Puts that before the message of an error about the option's value; returns the error's code. */
int cli_wrap(const struct cli_arguments *arguments, const char *name, struct sl_error *error);

/* The same, converted; *value is left alone when the option is not given. -EINVAL names the option.
 * cli_size: "170M". cli_duration: "30s", "500ms", "2m", plain seconds. */
int cli_integer(const struct cli_arguments *arguments, const char *name, int64_t least,
                int64_t most, int64_t *value, struct sl_error *error);
int cli_real(const struct cli_arguments *arguments, const char *name, double least, double most,
             double *value, struct sl_error *error);
int cli_size(const struct cli_arguments *arguments, const char *name, uint64_t *bytes,
             struct sl_error *error);
int cli_duration(const struct cli_arguments *arguments, const char *name, uint64_t *ns,
                 struct sl_error *error);
/* --shard of what writes a pack: a size above 0. */
int cli_shard(const struct cli_arguments *arguments, uint64_t *bytes, struct sl_error *error);

/* How far to read ahead: "8" shards, or "16M" bytes; sets one of the two. The first reads a word,
 * the second the option --depth. */
int cli_parse_depth(const char *text, int64_t *shards, int64_t *bytes, struct sl_error *error);
int cli_depth(const struct cli_arguments *arguments, int64_t *shards, int64_t *bytes,
              struct sl_error *error);

/* "5%" or "5"; *percent = 5. */
int cli_percent(const struct cli_arguments *arguments, const char *name, double least, double most,
                double *percent, struct sl_error *error);
/* -EINVAL when the file that the option would write is another that the command reads or writes, by
 * whatever name: an operand, or the file of another option. */
int cli_check_written(const struct cli_arguments *arguments, const char *name,
                      struct sl_error *error);
/* Reads --format; table without one. */
int cli_format(const struct cli_arguments *arguments, enum sl_format *format,
               struct sl_error *error);

/* "30s", "500ms", "2m", "1h", plain seconds. -EINVAL; the message does not name the option. */
int cli_parse_duration(const char *text, uint64_t *ns, struct sl_error *error);

/* ---- What is printed (help.c, manual.c, completion.c) -------------------------------------- */

void cli_help(FILE *stream, const struct cli_command *command);
void cli_help_overview(FILE *stream);
/* Prints "sluice: <text>" to stderr and returns status. */
int cli_fail(enum cli_exit status, const struct sl_error *error);
/* The same for a mistake in the command line, with where to read on. */
int cli_usage(const struct cli_command *command, const struct sl_error *error);

#endif
