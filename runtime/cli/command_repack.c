#include <errno.h>

#include "runtime/cli/command.h"
#include "runtime/cli/import_report.h"
#include "runtime/sluice.h"

static const struct cli_option options[] = {
    {"output", 'o', "FILE", "the pack to write", "@files", false},
    {"shard", 0, "SIZE", "wanted size of a shard (default 1M)", NULL, false},
    {0},
};

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    struct sl_import_summary summary;
    const char *output = cli_text(arguments, "output");
    uint64_t shard_bytes = 0;
    int code = cli_shard(arguments, &shard_bytes, &error);
    if (code == 0 && !output)
        code = sl_error_set(&error, -EINVAL, "repack needs the new pack's name: -o FILE");
    if (code < 0)
        return cli_usage(arguments->command, &error);
    if (sl_repack(arguments->operands[0], shard_bytes, output, &summary, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    cli_import_report(output, &summary);
    return CLI_OK;
}

const struct cli_command command_repack = {
    .name = "repack",
    .summary = "write a pack again with shards of another size",
    .operands = "PACK",
    .least_operands = 1,
    .most_operands = 1,
    .operand_choices = "@files",
    .description =
        "Cuts the weights of a pack into shards of another size, verifying every shard on the way. "
        "The result is what `sluice import --shard SIZE` would have written, byte for byte; the "
        "answers of the network are the same. `sluice tune` finds the size to use.",
    .examples = "sluice repack vgg16.sluice --shard 256K -o vgg16-256K.sluice\tfor little memory\n",
    .options = options,
    .run = run,
};
