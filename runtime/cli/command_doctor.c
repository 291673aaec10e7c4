#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/cli/bench_report.h"
#include "runtime/cli/ceiling.h"
#include "runtime/cli/command.h"
#include "runtime/cli/device_cache.h"
#include "runtime/report/record.h"
#include "runtime/report/text_table.h"
#include "runtime/sluice.h"

static const struct cli_option options[] = {
    {"bench", 0, NULL,
     "measure the storage of DIRECTORY by block size and depth, and what the processor computes; "
     "later runs say how near they come to it",
     NULL, false},
    {"seconds", 0, "S", "about how long --bench takes (default 5)", NULL, false},
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

/* CLI_UNFIT when one of them failed. */
static int print_checks(const struct sl_check *checks, int count, enum sl_format format)
{
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

static int bench(const char *directory, double seconds, enum sl_format format,
                 struct sl_error *error)
{
    struct sl_bench_request request = {.directory = directory,
                                       .budget_ns = (uint64_t)(seconds * 1e9)};
    struct sl_bench bench;
    struct sl_check checks[BENCH_CHECKS];
    fflush(stdout); /* the checks are there to be read meanwhile */
    int code = sl_bench_measure(&request, &bench, error);
    if (code < 0)
        return code;
    bench_checks(&bench, checks);
    print_checks(checks, BENCH_CHECKS, format);
    if (format != SL_FORMAT_JSON)
        putchar('\n');
    code = bench_print(&bench, format, stdout);
    if (code < 0)
        return sl_error_set(error, code, "cannot print what was measured: %s", strerror(-code));
    SL_AUTO_FREE char *cache = cli_ceiling_cache();
    struct sl_error kept = {0};
    /* Rates of memory are no ceiling of a device. */
    if (cache && bench.direct && ceiling_keep(cache, directory, &bench, &kept) < 0)
        fprintf(stderr, "sluice: warning: %s\n", kept.text);
    return 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    enum sl_format format;
    double seconds = 5;
    if (cli_format(arguments, &format, &error) < 0 ||
        cli_real(arguments, "seconds", 0.5, 600, &seconds, &error) < 0)
        return cli_usage(arguments->command, &error);
    if (format != SL_FORMAT_TABLE && format != SL_FORMAT_JSON) {
        sl_error_set(&error, -EINVAL, "doctor prints table or json");
        return cli_usage(arguments->command, &error);
    }
    const char *directory = arguments->operand_count ? arguments->operands[0] : ".";
    if (access(directory, F_OK)) {
        sl_error_errno(&error, "%s", directory);
        return cli_fail(CLI_FAILED, &error);
    }
    struct sl_check checks[SL_CHECKS_MOST];
    int status = print_checks(checks, sl_doctor(directory, checks), format);
    if (cli_flag(arguments, "bench") && bench(directory, seconds, format, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    return status;
}

const struct cli_command command_doctor = {
    .name = "doctor",
    .summary = "what this kernel, container and user may do, and what to change",
    .operands = "[DIRECTORY]",
    .least_operands = 0,
    .most_operands = 1,
    .operand_choices = "@directories",
    .description =
        "Tries what sluice uses: io_uring, direct reads on the storage of DIRECTORY "
        "(default: here), control groups, swap, locked memory. Each line is ok, warn "
        "(a slower or smaller way is used by itself) or fail; where something can be "
        "done, the line below says what. Exits with 5 when something failed.\n\n"
        "--bench measures as well what storage and processor give at most, in about 5 seconds: "
        "rates and mean latencies of direct reads by block size and reads in flight, writes in "
        "order, the matrix product, and the weights of fully connected layers from memory. It "
        "writes one file without a name in DIRECTORY, at most 256 MiB, which is gone when the "
        "command ends, however it ends. For 30 days results of `run` with packs on that storage "
        "say how near they come to it.",
    .examples = "sluice doctor\nsluice doctor /data -o json\n"
                "sluice doctor /data --bench\twhat this machine gives at most\n",
    .options = options,
    .run = run,
};
