#include <inttypes.h>
#include <jansson.h>
#include <math.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/cli/command.h"
#include "runtime/report/record.h"
#include "runtime/report/text_table.h"
#include "runtime/sluice.h"

static const struct cli_option options[] = {
    {"format", 'o', "table|json|csv|md", "how to print (default table)", "table json csv md",
     false},
    {0},
};

#define SHAPE_TEXT_BYTES 192

static const char *shape_text(const struct sl_blob_info *blob, char buffer[SHAPE_TEXT_BYTES])
{
    size_t length = 0;
    buffer[0] = '\0';
    for (int axis = 0; axis < blob->axes; axis++)
        length += (size_t)snprintf(buffer + length, SHAPE_TEXT_BYTES - length, "%s%" PRId64,
                                   axis ? "x" : "", blob->shape[axis]);
    return buffer;
}

static const char *flops_text(double flops, char buffer[SL_UNIT_TEXT_BYTES])
{
    static const char *const units[] = {"", "K", "M", "G", "T"};
    size_t unit = 0;
    while (flops >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        flops /= 1000;
        unit++;
    }
    int decimals = unit == 0 || flops >= 99.95 ? 0 : flops >= 9.995 ? 1 : 2;
    snprintf(buffer, SL_UNIT_TEXT_BYTES, "%.*f%s%s", decimals, flops, *units[unit] ? " " : "",
             units[unit]);
    return buffer;
}

static int write_layers(const struct sl_model *model, enum sl_format format)
{
    static const struct sl_column columns[] = {
        {"layer", false},  {"type", false},  {"output", false}, {"weights", true},
        {"stored", false}, {"shards", true}, {"FLOP", true},    {"fused", false},
    };
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    bool exact = format == SL_FORMAT_CSV;
    struct sl_layer_info layer;
    for (int i = 0; sl_model_layer(model, i, &layer, NULL) == 0; i++) {
        char shape[SHAPE_TEXT_BYTES], size[SL_UNIT_TEXT_BYTES], flops[SL_UNIT_TEXT_BYTES];
        sl_table_add(&table, "%s", layer.name);
        sl_table_add(&table, "%s", layer.type);
        sl_table_add(&table, "%s", shape_text(&layer.output, shape));
        if (exact)
            sl_table_add(&table, "%" PRIu64, layer.weight_bytes);
        else
            sl_table_add(&table, "%s",
                         layer.weight_bytes ? sl_format_size(layer.weight_bytes, size) : "-");
        sl_table_add(&table, "%s", layer.weight_bytes ? layer.encoding : "");
        sl_table_add(&table, "%d", layer.shard_count);
        if (exact)
            sl_table_add(&table, "%.0f", layer.flops);
        else
            sl_table_add(&table, "%s", layer.flops > 0 ? flops_text(layer.flops, flops) : "-");
        sl_table_add(&table, "%s", layer.activation);
    }
    return sl_table_write(&table, format, stdout);
}

static void print_blobs(const struct sl_model *model, const char *title,
                        int (*get)(const struct sl_model *, int, struct sl_blob_info *,
                                   struct sl_error *))
{
    struct sl_blob_info blob;
    char shape[SHAPE_TEXT_BYTES];
    for (int i = 0; get(model, i, &blob, NULL) == 0; i++)
        printf("%-14s%s  %s\n", i ? "" : title, blob.name, shape_text(&blob, shape));
}

static void print_preprocessing(const struct sl_model *model, int label_count)
{
    struct sl_preprocessing_info info;
    sl_model_preprocessing(model, &info);
    printf("%-14s%s", "images", info.order);
    if (info.resize_short)
        printf(", short side %" PRId64, info.resize_short);
    if (info.crop)
        printf(", centre %" PRId64 " x %" PRId64, info.crop, info.crop);
    if (!info.resize_short && !info.crop)
        printf(", stretched");
    if (info.mean_count > 0 && info.mean_count <= 4) {
        printf(", minus ");
        for (int i = 0; i < info.mean_count; i++)
            printf("%s%g", i ? "," : "", (double)info.mean[i]);
    } else if (info.mean_count > 4) {
        printf(", minus a mean image of %d values", info.mean_count);
    }
    if (fabsf(info.scale - 1) > 0)
        printf(", times %g", (double)info.scale);
    printf("\n");
    if (label_count)
        printf("%-14s%d\n", "labels", label_count);
}

static void print_totals(const struct sl_model *model, uint64_t activation_bytes)
{
    struct sl_model_info info;
    sl_model_describe(model, &info);
    char weights[SL_UNIT_TEXT_BYTES], file[SL_UNIT_TEXT_BYTES], largest[SL_UNIT_TEXT_BYTES];
    char activations[SL_UNIT_TEXT_BYTES], flops[SL_UNIT_TEXT_BYTES];
    printf("\n%-14s%s\n", "network", info.name);
    print_blobs(model, "inputs", sl_model_input);
    print_blobs(model, "outputs", sl_model_output);
    print_preprocessing(model, info.label_count);
    printf("%-14s%d%s, %d shards\n", "layers", info.layer_count, info.folded ? " (folded)" : "",
           info.shard_count);
    printf("%-14s%s, largest layer %s, %s on disk\n", "weights",
           sl_format_size(info.weight_bytes, weights),
           sl_format_size(info.largest_layer_bytes, largest),
           sl_format_size(info.file_bytes, file));
    if (info.weight_bytes < info.float_bytes)
        printf("%-14s%s less than float32 (%.0f %%)\n", "encoded",
               sl_format_size(info.float_bytes - info.weight_bytes, weights),
               100 * (1 - (double)info.weight_bytes / (double)info.float_bytes));
    if (info.shared_bytes)
        printf("%-14s%s, stored and read once\n", "repeated",
               sl_format_size(info.shared_bytes, weights));
    printf("%-14s%s at their peak\n", "activations", sl_format_size(activation_bytes, activations));
    printf("%-14s%sFLOP\n", "compute", flops_text(info.flops, flops));
}

static json_t *json_blob(const struct sl_blob_info *blob)
{
    json_t *shape = json_array();
    for (int axis = 0; axis < blob->axes; axis++)
        json_array_append_new(shape, json_integer(blob->shape[axis]));
    return json_pack("{s:s, s:o}", "name", blob->name, "shape", shape);
}

static json_t *json_blobs(const struct sl_model *model,
                          int (*get)(const struct sl_model *, int, struct sl_blob_info *,
                                     struct sl_error *))
{
    json_t *list = json_array();
    struct sl_blob_info blob;
    for (int i = 0; get(model, i, &blob, NULL) == 0; i++)
        json_array_append_new(list, json_blob(&blob));
    return list;
}

static json_t *json_layers(const struct sl_model *model)
{
    json_t *list = json_array();
    struct sl_layer_info layer;
    for (int i = 0; sl_model_layer(model, i, &layer, NULL) == 0; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:I, s:s, s:i, s:f, s:s}", "name",
                                              layer.name, "type", layer.type, "output",
                                              json_blob(&layer.output), "weights_bytes",
                                              (json_int_t)layer.weight_bytes, "encoding",
                                              layer.encoding, "shards", layer.shard_count, "flops",
                                              layer.flops, "activation", layer.activation));
    return list;
}

static json_t *json_preprocessing(const struct sl_model *model)
{
    struct sl_preprocessing_info info;
    sl_model_preprocessing(model, &info);
    json_t *mean = json_array();
    for (int i = 0; i < info.mean_count && info.mean_count <= 64; i++)
        json_array_append_new(mean, json_real((double)info.mean[i]));
    return json_pack("{s:s, s:I, s:I, s:f, s:i, s:o}", "order", info.order, "resize",
                     (json_int_t)info.resize_short, "crop", (json_int_t)info.crop, "scale",
                     (double)info.scale, "mean_count", info.mean_count, "mean", mean);
}

static int write_json(const struct sl_model *model, uint64_t activation_bytes)
{
    struct sl_model_info info;
    sl_model_describe(model, &info);
    char identity[17];
    snprintf(identity, sizeof(identity), "%016" PRIx64, info.identity);
    json_t *root = json_pack(
        "{s:s, s:s, s:s, s:b, s:i, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:o, s:o, s:i, s:o}",
        "network", info.name, "pack", info.path, "pack_identity", identity, "folded", info.folded,
        "shards", info.shard_count, "weights_bytes", (json_int_t)info.weight_bytes, "file_bytes",
        (json_int_t)info.file_bytes, "float_bytes", (json_int_t)info.float_bytes,
        "largest_layer_bytes", (json_int_t)info.largest_layer_bytes, "activation_bytes",
        (json_int_t)activation_bytes, "flops", info.flops, "inputs",
        json_blobs(model, sl_model_input), "outputs", json_blobs(model, sl_model_output),
        "preprocessing", json_preprocessing(model), "labels", info.label_count, "layers",
        json_layers(model));
    int code = root ? sl_record_write(root, stdout) : -1;
    json_decref(root);
    return code;
}

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    enum sl_format format;
    if (sl_format_parse(cli_text(arguments, "format"), &format, &error) < 0)
        return cli_usage(arguments->command, &error);
    struct sl_model *model;
    if (sl_model_open(arguments->operands[0], &model, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    uint64_t activation_bytes = 0;
    int code = sl_model_activation_bytes(model, &activation_bytes, &error);
    int status = code < 0 ? cli_fail(CLI_FAILED, &error) : CLI_OK;
    if (code == 0) {
        code = format == SL_FORMAT_JSON ? write_json(model, activation_bytes)
                                        : write_layers(model, format);
        if (code < 0) {
            sl_error_set(&error, code, "out of memory");
            status = cli_fail(CLI_FAILED, &error);
        } else if (format == SL_FORMAT_TABLE) {
            print_totals(model, activation_bytes);
        }
    }
    sl_model_close(model);
    return status;
}

const struct cli_command command_inspect = {
    .name = "inspect",
    .summary = "layers, shards, bytes and FLOPs of a pack",
    .operands = "PACK",
    .least_operands = 1,
    .most_operands = 1,
    .operand_choices = "@files",
    .description = "Reads the index of a pack (never its weights) and prints its layers in the "
                   "order in which they run, then inputs, outputs, how images are prepared, and "
                   "totals. FLOP count a multiply and an add as two.",
    .examples = "sluice inspect net.sluice\n"
                "sluice inspect net.sluice -o json | jq .weights_bytes\tfor scripts\n",
    .options = options,
    .run = run,
};
