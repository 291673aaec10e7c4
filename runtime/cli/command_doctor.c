#include <jansson.h>
#include <string.h>

#include "runtime/cli/command.h"
#include "runtime/report/record.h"
#include "runtime/report/text_table.h"
#include "runtime/sluice.h"

static const struct cli_option options[] = {
    {"format", 'o', "table|json", "how to print (default table)", "table json", false},
    {0},
};

static const char *const status_names[] = {"ok", "warn", "fail"};

static void print_json(const struct sl_check *check)
{
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:s}", "check", check->name, "status",
                  status_names[check->status], "detail", check->detail, "cure", check->cure);
    if (line)
        sl_record_write(line, stdout);
    json_decref(line);
}

static void print_text(const struct sl_check *check)
{
    printf("%-5s %-10s %s\n", status_names[check->status], check->name, check->detail);
    if (check->cure[0])
        printf("%-16s -> %s\n", "", check->cure);
}

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    enum sl_format format;
    if (sl_format_parse(cli_text(arguments, "format"), &format, &error) < 0)
        return cli_usage(arguments->command, &error);
    if (format != SL_FORMAT_TABLE && format != SL_FORMAT_JSON) {
        sl_error_set(&error, -1, "doctor prints table or json");
        return cli_usage(arguments->command, &error);
    }
    const char *directory = arguments->operand_count ? arguments->operands[0] : ".";
    struct sl_check checks[SL_CHECKS_MOST];
    int count = sl_doctor(directory, checks);
    int status = CLI_OK;
    for (int i = 0; i < count; i++) {
        if (format == SL_FORMAT_JSON)
            print_json(&checks[i]);
        else
            print_text(&checks[i]);
        if (checks[i].status == SL_CHECK_FAILED)
            status = CLI_UNFIT;
    }
    return status;
}

const struct cli_command command_doctor = {
    .name = "doctor",
    .summary = "what this kernel, container and user may do, and what to change",
    .operands = "[DIRECTORY]",
    .least_operands = 0,
    .most_operands = 1,
    .operand_choices = "@directories",
    .description = "Tries what sluice uses: io_uring, direct reads on the storage of DIRECTORY "
                   "(default: here), control groups, swap, locked memory. Each line is ok, warn "
                   "(a slower or smaller way is used by itself) or fail; where something can be "
                   "done, the line below says what. Exits with 5 when something failed.",
    .examples = "sluice doctor\nsluice doctor /data -o json\n",
    .options = options,
    .run = run,
};
