#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "runtime/cli/command.h"

static const struct cli_command *const commands[] = {
    &command_import, &command_synth,  &command_repack, &command_inspect, &command_run,
    &command_sweep,  &command_tune,   &command_report, &command_compare, &command_plan,
    &command_list,   &command_doctor, &command_worker, &command_man,     &command_completion,
};

const struct cli_command *cli_command_at(int index)
{
    int count = sizeof(commands) / sizeof(commands[0]);
    return index >= 0 && index < count ? commands[index] : NULL;
}

const struct cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (!strcmp(commands[i]->name, name) ||
            (commands[i]->alias && !strcmp(commands[i]->alias, name)))
            return commands[i];
    return NULL;
}

enum cli_exit cli_exit_of(int code)
{
    switch (code) {
    case -EPERM:
    case -ENOSYS:
    case -ENODEV:
    case -EOPNOTSUPP:
        return CLI_UNFIT;
    default:
        return CLI_FAILED;
    }
}
