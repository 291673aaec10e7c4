/* `sluice completion bash|zsh|fish`: shell completion from the command tables. */
#include <errno.h>
#include <string.h>

#include "runtime/cli/command.h"
#include "runtime/cli/device_profile.h"
#include "runtime/sluice.h"

static void print_names(enum sl_kind kind)
{
    struct sl_entry entry;
    for (int i = 0; sl_list(kind, i, &entry); i++)
        printf("%s%s", i ? " " : "", entry.name);
}

static void print_devices(void)
{
    const struct device_text *text;
    for (int i = 0; (text = device_text_at(i)); i++)
        printf("%s%s", i ? " " : "", text->name);
}

/* The words that a choices text stands for. */
static void print_choices(const char *choices)
{
    if (!strcmp(choices, "@policies"))
        print_names(SL_KIND_POLICY);
    else if (!strcmp(choices, "@loaders"))
        print_names(SL_KIND_LOADER);
    else if (!strcmp(choices, "@devices"))
        print_devices();
    else if (!strcmp(choices, "@topologies"))
        print_names(SL_KIND_TOPOLOGY);
    else
        fputs(choices, stdout);
}

static bool is_path(const char *choices)
{
    return choices && (!strcmp(choices, "@files") || !strcmp(choices, "@directories"));
}

static void print_option_words(const struct cli_option *option)
{
    for (; option->name; option++)
        printf(" --%s", option->name);
}

static void print_bash_command(const struct cli_command *command)
{
    printf("    %s%s%s)\n        options=\"", command->name, command->alias ? "|" : "",
           command->alias ? command->alias : "");
    print_option_words(command->options);
    print_option_words(cli_common_options);
    puts("\"\n        case $previous in");
    for (const struct cli_option *option = command->options; option->name; option++) {
        if (!option->value)
            continue;
        printf("        --%s%s%c) ", option->name, option->letter ? "|-" : "",
               option->letter ? option->letter : ' ');
        if (is_path(option->choices)) {
            fputs("words=@path", stdout);
        } else {
            fputs("words='", stdout);
            if (option->choices)
                print_choices(option->choices);
            fputs(" '", stdout);
        }
        puts(" ;;");
    }
    puts("        esac");
    if (command->operand_choices && !is_path(command->operand_choices)) {
        fputs("        operands=\"", stdout);
        print_choices(command->operand_choices);
        puts("\"");
    }
    puts("        ;;");
}

/* Works in bash as it is and in zsh through bashcompinit. */
static void print_bash(void)
{
    puts("_sluice() {\n    local current=${COMP_WORDS[COMP_CWORD]} "
         "previous=${COMP_WORDS[COMP_CWORD-1]}\n    local options= words= operands= commands");
    fputs("    commands=\"", stdout);
    const struct cli_command *command;
    for (int i = 0; (command = cli_command_at(i)); i++)
        if (!command->hidden)
            printf("%s ", command->name);
    puts("help --version\"\n    if [ \"$COMP_CWORD\" = 1 ]; then\n"
         "        COMPREPLY=($(compgen -W \"$commands\" -- \"$current\"))\n        return\n    fi\n"
         "    case ${COMP_WORDS[1]} in");
    for (int i = 0; (command = cli_command_at(i)); i++)
        if (!command->hidden)
            print_bash_command(command);
    puts("    esac\n    if [ \"$words\" = @path ]; then\n"
         "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "    elif [ -n \"$words\" ]; then\n"
         "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "    elif [ \"${current#-}\" != \"$current\" ]; then\n"
         "        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
         "    elif [ -n \"$operands\" ]; then\n"
         "        COMPREPLY=($(compgen -W \"$operands\" -- \"$current\"))\n"
         "    else\n        COMPREPLY=($(compgen -f -- \"$current\"))\n    fi\n}\n"
         "complete -o filenames -F _sluice sluice");
}

static void print_fish_quoted(const char *text)
{
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

static void print_fish_command(const struct cli_command *command)
{
    fputs("complete -c sluice -f -n __fish_use_subcommand -a ", stdout);
    printf("%s -d ", command->name);
    print_fish_quoted(command->summary);
    putchar('\n');
    for (const struct cli_option *option = command->options; option->name; option++) {
        printf("complete -c sluice -n '__fish_seen_subcommand_from %s' -l %s", command->name,
               option->name);
        if (option->letter)
            printf(" -s %c", option->letter);
        if (option->value && option->choices && !is_path(option->choices)) {
            fputs(" -x -a '", stdout);
            print_choices(option->choices);
            fputs("'", stdout);
        } else if (option->value) {
            fputs(" -r", stdout);
        }
        fputs(" -d ", stdout);
        print_fish_quoted(option->help);
        putchar('\n');
    }
}

static int run(const struct cli_arguments *arguments)
{
    const char *shell = arguments->operands[0];
    if (!strcmp(shell, "bash")) {
        print_bash();
    } else if (!strcmp(shell, "zsh")) {
        puts("#compdef sluice\nautoload -U +X bashcompinit && bashcompinit");
        print_bash();
    } else if (!strcmp(shell, "fish")) {
        const struct cli_command *command;
        for (int i = 0; (command = cli_command_at(i)); i++)
            if (!command->hidden)
                print_fish_command(command);
    } else {
        struct sl_error error;
        sl_error_set(&error, -EINVAL, "no completion for '%s'; there is bash, zsh, fish", shell);
        return cli_usage(arguments->command, &error);
    }
    return CLI_OK;
}

static const struct cli_option options[] = {{0}};

const struct cli_command command_completion = {
    .name = "completion",
    .summary = "print shell completion",
    .operands = "bash|zsh|fish",
    .least_operands = 1,
    .most_operands = 1,
    .operand_choices = "bash zsh fish",
    .description = "Prints a script that completes sluice's command line in a shell.",
    .options = options,
    .run = run,
    .hidden = true,
};
