#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"
#include "runtime/cli/command.h"
#include "runtime/cli/device_profile.h"
#include "runtime/report/record.h"
#include "runtime/report/text_table.h"
#include "runtime/sluice.h"

static const struct cli_option options[] = {
    {"format", 'o', "table|json|csv|md", "how to print (default table)", "table json csv md",
     false},
    {0},
};

/* As enum sl_kind, and what the command line itself has. */
static const char *const kinds[] = {"policies",   "kernels", "loaders",
                                    "topologies", "devices", NULL};
#define DEVICES 4

static int write_json(enum sl_kind kind)
{
    struct sl_entry entry;
    int code = 0;
    for (int i = 0; code == 0 && sl_list(kind, i, &entry); i++) {
        json_t *line =
            json_pack("{s:s, s:s}", "name", entry.name, "description", entry.description);
        code = line ? sl_record_write(line, stdout) : -ENOMEM;
        json_decref(line);
    }
    return code;
}

static int write_table(enum sl_kind kind, enum sl_format format)
{
    static const struct sl_column columns[] = {{"name", false}, {"description", false}};
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, columns, 2);
    struct sl_entry entry;
    for (int i = 0; sl_list(kind, i, &entry); i++) {
        sl_table_add(&table, "%s", entry.name);
        sl_table_add(&table, "%s", entry.description);
    }
    return sl_table_write(&table, format, stdout);
}

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    enum sl_format format;
    if (cli_format(arguments, &format, &error) < 0)
        return cli_usage(arguments->command, &error);
    int kind = sl_choose(arguments->operands[0], kinds, &error), code;
    if (kind < 0)
        return cli_usage(arguments->command, &error);
    if (kind == DEVICES)
        code = device_list(format, stdout);
    else if (format == SL_FORMAT_JSON)
        code = write_json((enum sl_kind)kind);
    else
        code = write_table((enum sl_kind)kind, format);
    if (code == 0)
        return CLI_OK;
    sl_error_set(&error, code, "cannot print the list: %s", strerror(-code));
    return cli_fail(CLI_FAILED, &error);
}

const struct cli_command command_list = {
    .name = "list",
    .summary = "what there is: policies, kernels, loaders, topologies, devices",
    .operands = "policies|kernels|loaders|topologies|devices",
    .least_operands = 1,
    .most_operands = 1,
    .operand_choices = "policies kernels loaders topologies devices",
    .description = "Prints names and one line about each; of device profiles also what they limit.",
    .examples = "sluice list policies\nsluice list topologies -o json\n",
    .options = options,
    .run = run,
};
