#include <errno.h>
#include <math.h>

#include "runtime/base/units.h"
#include "runtime/cli/command.h"
#include "runtime/cli/encoding_report.h"
#include "runtime/cli/import_report.h"
#include "runtime/sluice.h"

static const struct cli_option options[] = {
    {"output", 'o', "FILE", "the pack to write (needed)", "@files", false},
    {"mean", 0, "FILE|V,V,V",
     "subtracted from images: one value per channel in the input's channel order, one for all, or "
     "a Caffe mean file (its centre is used)",
     "@files", false},
    {"scale", 0, "X", "images are multiplied by this after the mean (default 1)", NULL, false},
    {"order", 0, "bgr|rgb|gray",
     "channel order of the input (default: gray for one channel, else bgr)", "bgr rgb gray", false},
    {"resize", 0, "fit|stretch|none|N",
     "fit: the largest centred part of an image with the input's shape is scaled to it; stretch: "
     "the whole image is, shape or not; none: --crop alone; N: the short side is scaled to N "
     "pixels "
     "and the centre is cut (default fit; stretch for detectors)",
     "fit stretch none", false},
    {"crop", 0, "N", "cut the centre, N x N pixels, after --resize", NULL, false},
    {"labels", 0, "FILE", "names of the classes, one per line, kept in the pack", "@files", false},
    {"no-fold", 0, NULL, "keep BatchNorm, Scale and ReLU layers as they are", NULL, false},
    {"shard", 0, "SIZE", "wanted size of a shard (default 1M)", NULL, false},
    CLI_ENCODING_OPTIONS,
    {0},
};

/* Fills what the command line says of images. Pointers into arguments. */
static int read_preprocessing(const struct cli_arguments *arguments,
                              struct sl_import_preprocessing *preprocessing, struct sl_error *error)
{
    double scale = 1;
    int64_t crop = 0;
    int code = cli_real(arguments, "scale", -1e6, 1e6, &scale, error);
    if (code == 0 && fpclassify((float)scale) == FP_ZERO) {
        sl_error_set(error, -EINVAL, "%s: nothing would be left of an image; the default is 1",
                     cli_text(arguments, "scale"));
        code = cli_wrap(arguments, "scale", error);
    }
    if (code == 0)
        code = cli_integer(arguments, "crop", 1, 32768, &crop, error);
    *preprocessing = (struct sl_import_preprocessing){
        .order = cli_text(arguments, "order"),
        .resize = cli_text(arguments, "resize"),
        .crop = crop,
        .scale = (float)scale,
        .mean = cli_text(arguments, "mean"),
        .labels = cli_text(arguments, "labels"),
    };
    return code < 0 ? code : sl_check_preprocessing(preprocessing, error);
}

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    bool alone = arguments->operand_count == 1; /* a caffemodel knows its own structure */
    struct sl_import_request request = {
        .prototxt = alone ? NULL : arguments->operands[0],
        .caffemodel = arguments->operands[alone ? 0 : 1],
        .output = cli_text(arguments, "output"),
        .keep_layers = cli_flag(arguments, "no-fold"),
    };
    if (!request.output) {
        sl_error_set(&error, -EINVAL, "import needs the pack's name: -o FILE");
        return cli_usage(arguments->command, &error);
    }
    if (cli_check_written(arguments, "output", &error) < 0 ||
        cli_shard(arguments, &request.shard_bytes, &error) < 0 ||
        cli_encoding_read(arguments, &request, &error) < 0 ||
        read_preprocessing(arguments, &request.preprocessing, &error) < 0)
        return cli_usage(arguments->command, &error);
    struct sl_import_summary summary;
    if (cli_encoding_check_inputs(arguments, &error) < 0 ||
        sl_import(&request, &summary, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    cli_import_report(request.output, &summary);
    if (cli_encoding_report(arguments, &request, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    return CLI_OK;
}

const struct cli_command command_import = {
    .name = "import",
    .alias = "pack",
    .summary = "make a pack from a Caffe network and its weights",
    .operands = "[NET.prototxt] NET.caffemodel",
    .least_operands = 1,
    .most_operands = 2,
    .operand_choices = "@files",
    .description =
        "Writes a pack: one file with the network's structure and its weights cut into shards in "
        "the order in which they are used. The weights are streamed, so the memory needed is a few "
        "shards, whatever the size of the network. Old network versions are upgraded as Caffe "
        "does.\n\n"
        "How images become the network's input is stored in the pack: --resize and --crop, then "
        "--order, --mean and --scale. Without a prototxt the structure inside the caffemodel is "
        "used.",
    .examples = "sluice import deploy.prototxt net.caffemodel -o net.sluice --mean 104,117,123 "
                "--labels synset.txt\tan ImageNet classifier\n"
                "sluice import lenet.prototxt lenet.caffemodel -o lenet.sluice --scale "
                "0.00390625\tdigits in 0..1\n"
                "sluice import deploy.prototxt net.caffemodel -o net.sluice --encode f16 --input "
                "cat.jpg\thalf the bytes, and what that changes\n",
    .options = options,
    .run = run,
};
