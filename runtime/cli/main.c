#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/suggest.h"
#include "runtime/cli/command.h"
#include "runtime/sluice.h"

static void print_log(enum sl_log_level level, const char *line, void *context)
{
    (void)context;
    static const char *const prefixes[] = {"error: ", "warning: ", "note: ", ""};
    fflush(stdout);
    fprintf(stderr, "sluice: %s%s\n", prefixes[level], line);
}

static void set_log(const struct cli_arguments *arguments)
{
    enum sl_log_level highest = SL_LOG_NOTE;
    if (cli_flag(arguments, "quiet"))
        highest = SL_LOG_WARNING;
    if (cli_flag(arguments, "verbose"))
        highest = SL_LOG_DEBUG;
    sl_log_set(highest, print_log, NULL);
}

static int unknown_command(const char *name)
{
    static const char *const unlisted[] = {"help", "man", "completion", "--version"};
    struct sl_suggestion suggestion = {.wanted = name};
    const struct cli_command *command;
    for (int i = 0; (command = cli_command_at(i)); i++) {
        if (command->hidden)
            continue;
        sl_suggest(&suggestion, command->name);
        if (command->alias)
            sl_suggest(&suggestion, command->alias);
    }
    for (size_t i = 0; i < sizeof(unlisted) / sizeof(unlisted[0]); i++)
        sl_suggest(&suggestion, unlisted[i]);
    struct sl_error error;
    if (suggestion.best)
        sl_error_set(&error, -EINVAL, "unknown command '%s'; did you mean '%s'?", name,
                     suggestion.best);
    else
        sl_error_set(&error, -EINVAL, "unknown command '%s'", name);
    return cli_usage(NULL, &error);
}

static int run_command(const struct cli_command *command, int count, char **words)
{
    struct cli_arguments arguments;
    struct sl_error error;
    int status;
    if (cli_parse(command, count, words, &arguments, &error) < 0) {
        status = cli_usage(command, &error);
    } else if (cli_flag(&arguments, "help")) {
        cli_help(stdout, command);
        status = CLI_OK;
    } else {
        set_log(&arguments);
        status = command->run(&arguments);
    }
    cli_arguments_free(&arguments);
    return status;
}

/* Results that did not reach their reader are a failure. */
static int flush_results(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    struct sl_error error;
    sl_error_errno(&error, "cannot write the results");
    return cli_fail(CLI_FAILED, &error);
}

int main(int count, char **words)
{
    /* Beyond the limit of a file's size writes fail, and what fails says so and cleans up. */
    signal(SIGXFSZ, SIG_IGN);
    if (count < 2) {
        cli_help_overview(stderr);
        return CLI_USAGE;
    }
    const char *name = words[1];
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
        printf("sluice %s%s%s\n", sl_version(), *sl_commit() ? " " : "", sl_commit());
        return flush_results(CLI_OK);
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        if (count == 2) {
            cli_help_overview(stdout);
            return flush_results(CLI_OK);
        }
        name = words[2];
        const struct cli_command *command = cli_command_find(name);
        if (!command)
            return unknown_command(name);
        cli_help(stdout, command);
        return flush_results(CLI_OK);
    }
    const struct cli_command *command = cli_command_find(name);
    if (!command)
        return unknown_command(name);
    return flush_results(run_command(command, count - 2, words + 2));
}
