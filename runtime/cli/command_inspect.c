#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/cli/cell_list.h"
#include "runtime/cli/command.h"
#include "runtime/cli/device_cache.h"
#include "runtime/report/record.h"
#include "runtime/report/text_table.h"
#include "runtime/sluice.h"

static const struct cli_option options[] = {
    {"memory", 'm', "SIZE|PCT%|none",
     "also how a policy would divide this much memory; 25% is of the weights", NULL, false},
    {"policy", 'p', "P", "that policy (default auto)", "@policies", false},
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
    static const struct sl_column for_people[] = {
        {"layer", false},  {"type", false},  {"output", false}, {"weights", true},
        {"stored", false}, {"shards", true}, {"FLOP", true},    {"fused", false},
    };
    static const struct sl_column for_programs[] = {
        {"name", false},     {"type", false},  {"output", false}, {"weights_bytes", true},
        {"encoding", false}, {"shards", true}, {"flops", true},   {"activation", false},
    };
    const bool exact = !sl_format_for_people(format);
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, exact ? for_programs : for_people,
                  sizeof(for_people) / sizeof(for_people[0]));
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

static void print_totals(const struct sl_model *model, uint64_t activation_bytes,
                         const struct sl_plan_result *plan)
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
    if (plan) {
        json_t *division = sl_record_division(&plan->division);
        printf("%-14s", "divided");
        sl_record_print_division(division, stdout);
        printf("%-14s%s\n", plan->fits ? "least memory" : "does not fit",
               sl_format_size(plan->least_limit_bytes, weights));
        json_decref(division);
    }
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

static int write_json(const struct sl_model *model, uint64_t activation_bytes,
                      const struct sl_plan_result *plan)
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
    if (root && plan) {
        json_object_set_new(root, "fits", json_boolean(plan->fits));
        json_object_set_new(root, "least_memory_bytes",
                            json_integer((json_int_t)plan->least_limit_bytes));
        json_object_set_new(root, "breakdown", sl_record_division(&plan->division));
    }
    int code = root ? sl_record_write(root, stdout) : -1;
    json_decref(root);
    return code;
}

/* How the limit that was asked for would be divided. */
static int plan_division(const struct cli_arguments *arguments, struct sl_model *model,
                         const struct cell_list *list, struct sl_plan_result *plan,
                         struct sl_error *error)
{
    SL_AUTO_FREE char *cache = cli_device_cache();
    struct sl_plan_request request = {
        .models = &model,
        .model_count = 1,
        .policy = list->policies[0],
        .limit_bytes = list->memory[0],
    };
    int code = sl_device_measure(arguments->operands[0], cache, &request.device, error);
    return code < 0 ? code : sl_plan(&request, plan, error);
}

static int read_list(const struct cli_arguments *arguments, const struct sl_model *model,
                     struct cell_list *list, struct sl_error *error)
{
    struct sl_model_info info;
    sl_model_describe(model, &info);
    int code = cell_list_read_policies(list, arguments, "auto", error);
    if (code == 0)
        code = cell_list_read_memory(list, arguments, info.weight_bytes, error);
    if (code == 0 && (list->policy_count > 1 || list->memory_count > 1))
        code = sl_error_set(error, -EINVAL,
                            "one policy and one limit at a time; "
                            "`sluice plan` compares several");
    return code;
}

static int inspect(const struct cli_arguments *arguments, struct sl_model *model,
                   const struct cell_list *list, enum sl_format format, struct sl_error *error)
{
    struct sl_plan_result result, *plan = NULL;
    uint64_t activation_bytes = 0;
    int code = sl_model_activation_bytes(model, &activation_bytes, error);
    if (code == 0 && (cli_text(arguments, "memory") || cli_text(arguments, "policy"))) {
        plan = &result;
        code = plan_division(arguments, model, list, plan, error);
    }
    if (code < 0)
        return code;
    code = format == SL_FORMAT_JSON ? write_json(model, activation_bytes, plan)
                                    : write_layers(model, format);
    if (code < 0)
        return sl_error_set(error, code, "out of memory");
    if (format == SL_FORMAT_TABLE)
        print_totals(model, activation_bytes, plan);
    else if (plan && format != SL_FORMAT_JSON && !cli_flag(arguments, "quiet"))
        fprintf(stderr, "sluice: note: csv and md have the layers alone; --memory and --policy "
                        "change table and json\n");
    return 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    enum sl_format format;
    if (cli_format(arguments, &format, &error) < 0)
        return cli_usage(arguments->command, &error);
    struct sl_model *model;
    if (sl_model_open(arguments->operands[0], &model, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    SL_AUTO(cell_list_free) struct cell_list list = {0};
    int status = CLI_OK;
    if (read_list(arguments, model, &list, &error) < 0)
        status = cli_usage(arguments->command, &error);
    else if (inspect(arguments, model, &list, format, &error) < 0)
        status = cli_fail(CLI_FAILED, &error);
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
    .description =
        "Reads the index of a pack (never its weights) and prints its layers in the "
        "order in which they run, then inputs, outputs, how images are prepared, and "
        "totals. FLOP count a multiply and an add as two. With --memory or --policy also "
        "how that policy would divide that limit; pins depend on the rate of the storage, "
        "which is measured for some 50 ms and remembered for a day.",
    .examples = "sluice inspect net.sluice\n"
                "sluice inspect net.sluice --memory 40M\twhere 40 MiB would go\n"
                "sluice inspect net.sluice -o json | jq .weights_bytes\tfor scripts\n",
    .options = options,
    .run = run,
};
