/* Job files: what `sweep` is to run, in YAML. The keys are the options of sweep, so its table is
 * the schema; besides them there are `networks` (a list) and `jobs` (named sections, which take
 * everything that they do not say themselves from the top level). docs/sweep.md shows some. */
#ifndef SLUICE_CLI_JOB_FILE_H
#define SLUICE_CLI_JOB_FILE_H

#include "runtime/cli/command.h"

struct job_network {
    const char *text;   /* as an operand of sweep */
    const char *origin; /* file:line:column; NULL: the command line */
};

/* The top level, or one of the jobs. */
struct job_section {
    const char *name; /* of a job; NULL: the top level */
    struct cli_given *given;
    int given_count;
    struct job_network *networks; /* NULL: not said */
    int network_count;
};

/* Zero-initialise; free with job_file_free. */
struct job_file {
    struct job_section top;
    struct job_section *jobs; /* each completed by what the top level says */
    int job_count;            /* 0: the top level is the job */
    char **words;             /* what everything points into */
    int word_count;
};

/* Reads and checks names and types; values are checked where they are used. Every message begins
 * with file:line:column. -ENOENT, ...: cannot be read; -EINVAL: not YAML, an unknown key, a wrong
 * type; -ENOTSUP: libyaml is not installed. */
int job_file_read(const char *path, const struct cli_command *command, struct job_file *job,
                  struct sl_error *error);
void job_file_free(struct job_file *job);

/* What a key may be: an option of one cell, which jobs may have too, or one of the whole sweep; a
 * list, or one value. */
bool job_key_is_of_a_job(const struct cli_option *option);
bool job_key_takes_list(const struct cli_option *option);

/* Whether an operand names a job file: it ends in .yaml or .yml. */
bool job_file_is(const char *operand);

#endif
