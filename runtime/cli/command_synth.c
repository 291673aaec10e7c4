#include <errno.h>
#include <stdlib.h>

#include "runtime/cli/command.h"
#include "runtime/cli/encoding_report.h"
#include "runtime/cli/import_report.h"
#include "runtime/cli/value_list.h"
#include "runtime/sluice.h"

static const struct cli_option options[] = {
    {"output", 'o', "FILE", "the pack to write", "@files", false},
    {"prototxt", 0, "FILE", "use this structure instead of a TOPOLOGY", "@files", false},
    {"seed", 0, "N", "another set of weights (default 0, the reference weights)", NULL, false},
    {"caffemodel", 0, "FILE", "also write the weights as a file that Caffe reads", "@files", false},
    {"no-fold", 0, NULL, "keep BatchNorm, Scale and ReLU layers as they are", NULL, false},
    {"shard", 0, "SIZE", "wanted size of a shard (default 1M)", NULL, false},
    CLI_ENCODING_OPTIONS,
    {0},
};

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    struct sl_import_request request = {
        .topology = arguments->operand_count > 0 ? arguments->operands[0] : NULL,
        .prototxt = cli_text(arguments, "prototxt"),
        .output = cli_text(arguments, "output"),
        .caffemodel_output = cli_text(arguments, "caffemodel"),
        .keep_layers = cli_flag(arguments, "no-fold"),
    };
    int code = 0;
    if (!request.topology == !request.prototxt)
        code = sl_error_set(&error, -EINVAL, "synth needs either a TOPOLOGY or --prototxt FILE");
    else if (!request.output && !request.caffemodel_output)
        code = sl_error_set(&error, -EINVAL, "synth needs the pack's name: -o FILE");
    if (code == 0)
        code = cli_check_written(arguments, "output", &error);
    if (code == 0)
        code = cli_check_written(arguments, "caffemodel", &error);
    int64_t seed = 0;
    if (code == 0 && request.topology)
        code = cli_check_name(SL_KIND_TOPOLOGY, "topology", request.topology, &error);
    if (code == 0)
        code = cli_integer(arguments, "seed", 0, INT64_MAX, &seed, &error);
    if (code == 0)
        code = cli_shard(arguments, &request.shard_bytes, &error);
    if (code == 0)
        code = cli_encoding_read(arguments, &request, &error);
    if (code < 0)
        return cli_usage(arguments->command, &error);
    request.seed = (uint64_t)seed;
    struct sl_import_summary summary;
    if (cli_encoding_check_inputs(arguments, &error) < 0 ||
        sl_import(&request, &summary, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    if (request.output)
        cli_import_report(request.output, &summary);
    if (cli_encoding_report(arguments, &request, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    return CLI_OK;
}

const struct cli_command command_synth = {
    .name = "synth",
    .summary = "make a pack with synthetic weights, without any download",
    .operands = "[TOPOLOGY]",
    .least_operands = 0,
    .most_operands = 1,
    .operand_choices = "@topologies",
    .description =
        "Makes a network of a known topology (`sluice list topologies`), or of any prototxt, with "
        "weights that a documented rule computes from layer names and the seed: the same on every "
        "machine. Time and memory are those of a trained network; its answers are not.",
    .examples = "sluice synth facenet -o facenet.sluice\ta network of 227 MB\n"
                "sluice synth --prototxt my.prototxt -o my.sluice --caffemodel my.caffemodel\tany "
                "structure, and the same weights for Caffe\n",
    .options = options,
    .run = run,
};
