#include <string.h>
#include <unistd.h>

#include "runtime/cli/command.h"

#define HELP_WIDTH  96
#define HELP_INDENT 28

/* Prints words so that lines stay below HELP_WIDTH; the first line starts at column `column`. */
static void print_wrapped(FILE *stream, const char *text, int column, int indent)
{
    int at = column;
    while (*text) {
        size_t length = strcspn(text, " ");
        if (at + (int)length > HELP_WIDTH && at > indent) {
            fprintf(stream, "\n%*s", indent, "");
            at = indent;
        }
        fprintf(stream, "%.*s", (int)length, text);
        at += (int)length;
        text += length;
        if (*text == ' ') {
            text++;
            if (at + 1 + (int)strcspn(text, " ") <= HELP_WIDTH) {
                fputc(' ', stream);
                at++;
            } else {
                fprintf(stream, "\n%*s", indent, "");
                at = indent;
            }
        }
    }
    fputc('\n', stream);
}

static void print_option(FILE *stream, const struct cli_option *option)
{
    char left[80];
    int length =
        snprintf(left, sizeof(left), "  %c%c%s--%s%s%s", option->letter ? '-' : ' ',
                 option->letter ? option->letter : ' ', option->letter ? ", " : "  ", option->name,
                 option->value ? " " : "", option->value ? option->value : "");
    fputs(left, stream);
    if (length >= HELP_INDENT) {
        fputc('\n', stream);
        length = 0;
    }
    fprintf(stream, "%*s", HELP_INDENT - length, "");
    print_wrapped(stream, option->help, HELP_INDENT, HELP_INDENT);
}

static void print_paragraphs(FILE *stream, const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        size_t length = end ? (size_t)(end - text) : strlen(text);
        char paragraph[2048];
        snprintf(paragraph, sizeof(paragraph), "%.*s", (int)length, text);
        for (char *c = paragraph; *c; c++)
            if (*c == '\n')
                *c = ' ';
        print_wrapped(stream, paragraph, 0, 0);
        text += length;
        if (*text) {
            text += 2;
            fputc('\n', stream);
        }
    }
}

static void print_examples(FILE *stream, const char *examples)
{
    fputs("\nExamples:\n", stream);
    while (*examples) {
        size_t line = strcspn(examples, "\n");
        size_t command = strcspn(examples, "\t\n");
        fprintf(stream, "  %.*s\n", (int)command, examples);
        if (command < line)
            fprintf(stream, "      %.*s\n", (int)(line - command - 1), examples + command + 1);
        examples += line + (examples[line] == '\n');
    }
}

void cli_help(FILE *stream, const struct cli_command *command)
{
    fprintf(stream, "Usage: sluice %s %s%s[options]\n", command->name, command->operands,
            *command->operands ? " " : "");
    if (command->alias)
        fprintf(stream, "       sluice %s %s [options]\n", command->alias, command->operands);
    fputc('\n', stream);
    print_paragraphs(stream, command->description);
    fputs("\nOptions:\n", stream);
    for (const struct cli_option *option = command->options; option->name; option++)
        print_option(stream, option);
    for (const struct cli_option *option = cli_common_options; option->name; option++)
        print_option(stream, option);
    if (command->examples)
        print_examples(stream, command->examples);
}

void cli_help_overview(FILE *stream)
{
    fputs("sluice runs deep networks whose weights do not fit in memory.\n\n"
          "Usage: sluice COMMAND [operands] [options]\n\nCommands:\n",
          stream);
    const struct cli_command *command;
    for (int i = 0; (command = cli_command_at(i)); i++)
        if (!command->hidden)
            fprintf(stream, "  %-10s %s\n", command->name, command->summary);
    fputs("\n`sluice COMMAND --help` tells more. Every option can be set in the environment too: "
          "--memory is\nSLUICE_MEMORY. Exit codes: 0 ok, 1 failed (of a run: every cell ended in "
          "error), 2 usage, 3 some\ncells ended oom, timeout or error, 4 regression found, 5 "
          "environment unfit (also: a --device that\ncannot be emulated), 130 interrupted.\n\n"
          "Try:\n"
          "  sluice synth lenet -o lenet.sluice && sluice run lenet.sluice\n\n"
          "Also: `sluice help COMMAND`, `sluice man [COMMAND|job]` (roff), `sluice completion\n"
          "bash|zsh|fish`, `sluice --version`; `sluice pack` is `sluice import`.\n",
          stream);
}

int cli_fail(enum cli_exit status, const struct sl_error *error)
{
    fflush(stdout);
    fprintf(stderr, "sluice: %s\n", error->text);
    return status;
}

int cli_usage(const struct cli_command *command, const struct sl_error *error)
{
    fflush(stdout);
    fprintf(stderr, "sluice: %s\n", error->text);
    fprintf(stderr, "Try `sluice %s%s--help`.\n", command ? command->name : "", command ? " " : "");
    return CLI_USAGE;
}
