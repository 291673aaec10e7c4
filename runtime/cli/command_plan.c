#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/cli/cell.h"
#include "runtime/cli/cell_list.h"
#include "runtime/cli/cell_set.h"
#include "runtime/cli/command.h"
#include "runtime/cli/device_cache.h"
#include "runtime/cli/device_profile.h"
#include "runtime/cli/plan_dot.h"
#include "runtime/cli/value_list.h"
#include "runtime/report/record.h"
#include "runtime/report/text_table.h"
#include "runtime/sluice.h"

#define MODELS_MOST 64

static const struct cli_option options[] = {
    {"policy", 'p', "P[,P...]|all", "policies to predict (default all)", "@policies", false},
    {"memory", 'm', "SIZE|PCT%|none[,...]",
     "memory limit of the process; 25% is of the weights of all networks (default: that of the "
     "device, else of the control group that the command runs in)",
     NULL, false},
    {"read-rate", 0, "RATE|none", "bytes per second that may be read, e.g. 100M (default none)",
     "none", false},
    {"cpus", 0, "X", "processor cores of time that may be used, e.g. 1.5", NULL, false},
    {"device", 0, "NAME|FILE.yaml", DEVICE_HELP, "@devices", false},
    {"depth", 0, "N|SIZE",
     "shards to read ahead, or bytes, e.g. 16M (default: the policy's choice)", NULL, false},
    {"loader", 0, "L",
     "how weights will be read (default: the best that this system allows); only mmap makes a "
     "difference, with --hints",
     "@loaders", false},
    {"hints", 0, "LIST",
     "with --loader mmap, what the kernel will be told: without random what it reads ahead takes "
     "memory, too",
     "none random sequential willneed populate lock cold pageout dontneed", false},
    {"threads", 't', "N", "threads that compute (default: the processors at hand)", NULL, false},
    {"estimate", 0, NULL,
     "do not run the networks to learn their times; estimate from FLOPs what is not known yet",
     NULL, false},
    {"dot", 0, "FILE|-",
     "draw the loads, runs and drops of a first request, and what each waits for, in Graphviz's "
     "dot "
     "language instead (one policy, one limit); layers, not shards, when there are hundreds",
     "@files", false},
    {"format", 'o', "table|json|csv|md", "how to print (default table)", "table json csv md",
     false},
    {0},
};

struct plan_command {
    struct sl_model *models[MODELS_MOST];
    struct cell_list list;
    struct sl_plan_request request;
    struct device_profile device;
    struct sl_limits device_limits; /* of the device and the options */
    uint64_t weight_bytes;
    const char *largest; /* of the packs */
    char networks[512];  /* names joined by "+" */
    enum sl_format format;
    bool quiet;
};

static void plan_free(struct plan_command *plan)
{
    for (int n = 0; n < plan->request.model_count; n++)
        sl_model_close(plan->models[n]);
    cell_list_free(&plan->list);
}

static int open_models(const struct cli_arguments *arguments, struct plan_command *plan,
                       struct sl_error *error)
{
    size_t length = 0;
    uint64_t largest_bytes = 0;
    for (int n = 0; n < arguments->operand_count; n++) {
        int code = sl_model_open(arguments->operands[n], &plan->models[n], error);
        if (code < 0)
            return code;
        plan->request.model_count++;
        struct sl_model_info info;
        sl_model_describe(plan->models[n], &info);
        plan->weight_bytes += info.weight_bytes;
        if (n == 0 || info.weight_bytes > largest_bytes) {
            plan->largest = arguments->operands[n];
            largest_bytes = info.weight_bytes;
        }
        int added = snprintf(plan->networks + length, sizeof(plan->networks) - length, "%s%s",
                             n ? "+" : "", info.name);
        length += (size_t)added;
        if (length >= sizeof(plan->networks))
            length = sizeof(plan->networks) - 1;
    }
    plan->request.models = plan->models;
    return 0;
}

static int read_options(const struct cli_arguments *arguments, struct plan_command *plan,
                        struct sl_error *error)
{
    int64_t threads = 0, depth = 0, depth_bytes = 0;
    plan->quiet = cli_flag(arguments, "quiet");
    int code = cli_format(arguments, &plan->format, error);
    if (code == 0)
        code = cell_list_read_policies(&plan->list, arguments, "all", error);
    if (code == 0)
        code = device_read_limits(arguments, &plan->device, &plan->device_limits, error);
    if (code == 0)
        code = cell_list_read_memory(&plan->list, arguments, plan->weight_bytes, error);
    /* Without a word of it what run would have here: the limit of its own group. */
    if (code == 0 && !cli_text(arguments, "memory"))
        plan->list.memory[0] =
            plan->device.name[0] ? plan->device_limits.memory_bytes : sl_cgroup_own_limit();
    if (code == 0)
        code = cli_integer(arguments, "threads", 1, 64, &threads, error);
    if (code == 0)
        code = cli_depth(arguments, &depth, &depth_bytes, error);
    plan->request.loader = cli_text(arguments, "loader");
    plan->request.hints = cli_text(arguments, "hints");
    if (code == 0 && plan->request.loader)
        code = cli_check_name(SL_KIND_LOADER, "loader", plan->request.loader, error);
    if (code == 0)
        code = sl_check_hints(plan->request.loader, plan->request.hints, error);
    plan->request.cpus = plan->device_limits.cpus;
    plan->request.threads = threads ? (int)threads : plan->device_limits.cores;
    plan->request.depth = (int)depth;
    plan->request.depth_bytes = (uint64_t)depth_bytes;
    return code;
}

/* Measures what is not known: the device, and the run times of every layer. */
static int measure(const struct cli_arguments *arguments, struct plan_command *plan,
                   struct sl_error *error)
{
    SL_AUTO_FREE char *cache = cli_device_cache();
    struct sl_device_info here, *device = &plan->request.device;
    int code = sl_device_measure(plan->largest, cache, &here, error);
    if (code < 0)
        return code;
    *device = here;
    uint64_t rate = plan->device_limits.read_bytes_per_s;
    plan->request.read_bytes_per_s = rate == SL_NO_LIMIT ? 0 : rate;
    /* Only a device that is emulated may be faster than this one: nothing is read from it. */
    if (plan->device.name[0] && rate != SL_NO_LIMIT && rate > device->bytes_per_s)
        device->bytes_per_s = rate;
    struct sl_plan_result result;
    plan->request.policy = "window";
    plan->request.limit_bytes = SL_NO_LIMIT;
    code = sl_plan(&plan->request, &result, error);
    if (code < 0 || !result.estimated)
        return code;
    if (cli_flag(arguments, "estimate")) {
        if (!plan->quiet)
            fprintf(stderr,
                    "sluice: note: run times are estimates; leave --estimate out to measure\n");
        return 0;
    }
    const struct sl_calibration how = {.threads = plan->request.threads,
                                       .device_bytes_per_s = here.bytes_per_s};
    return sl_calibrate(plan->models, plan->request.model_count, &how, error);
}

static json_t *json_if(bool known, uint64_t value)
{
    return known ? json_integer((json_int_t)value) : json_null();
}

/* Not where a policy that keeps a budget does not fit: it does not run at all. */
static bool is_predicted(const struct sl_plan_result *result)
{
    return result->latency_ns > 0;
}

/* What was not predicted is null. */
static json_t *plan_json(const struct plan_command *plan, const struct sl_plan_result *result)
{
    const bool runs = is_predicted(result);
    const uint64_t limit = plan->request.limit_bytes;
    const double first = result->reads_bind, later = result->steady_reads_bind;
    json_t *row = json_pack(
        "{s:s, s:s, s:b, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:I}",
        "network", plan->networks, "policy", plan->request.policy, "fits", result->fits,
        "estimated", result->estimated, "least_memory_bytes", (json_int_t)result->least_limit_bytes,
        "peak_bytes", (json_int_t)result->peak_bytes, "latency_ns",
        json_if(runs, result->latency_ns), "read_bytes", json_if(runs, result->read_bytes),
        "steady_latency_ns", json_if(runs, result->steady_latency_ns), "steady_read_bytes",
        json_if(runs, result->steady_read_bytes), "bound_ns", (json_int_t)result->bound_ns,
        "steady_bound_ns", (json_int_t)result->steady_bound_ns, "compute_ns",
        (json_int_t)result->compute_ns, "reads_bind", runs ? json_real(first) : json_null(),
        "steady_reads_bind", runs ? json_real(later) : json_null(), "device_bytes_per_s",
        (json_int_t)plan->request.device.bytes_per_s);
    if (row)
        device_record(row, &plan->device);
    if (row)
        json_object_set_new(row, "memory_limit", json_if(limit != SL_NO_LIMIT, limit));
    return row;
}

static void add_size(struct sl_table *table, uint64_t bytes)
{
    char text[SL_UNIT_TEXT_BYTES];
    sl_table_add(table, "%s", bytes == SL_NO_LIMIT ? "none" : sl_format_size(bytes, text));
}

static void add_duration(struct sl_table *table, uint64_t ns)
{
    char text[SL_UNIT_TEXT_BYTES];
    sl_table_add(table, "%s", ns ? sl_format_duration(ns, text) : "-");
}

static void add_read(struct sl_table *table, const struct sl_plan_result *result, uint64_t bytes)
{
    if (is_predicted(result))
        add_size(table, bytes);
    else
        sl_table_add(table, "-");
}

static void add_row(struct sl_table *table, const struct plan_command *plan,
                    const struct sl_plan_result *result)
{
    sl_table_add(table, "%s", plan->networks);
    sl_table_add(table, "%s", plan->request.policy);
    add_size(table, plan->request.limit_bytes);
    sl_table_add(table, "%s", result->fits ? "yes" : "no");
    add_size(table, result->least_limit_bytes);
    add_size(table, result->peak_bytes);
    add_duration(table, result->latency_ns);
    add_read(table, result, result->read_bytes);
    add_duration(table, result->steady_latency_ns);
    add_read(table, result, result->steady_read_bytes);
    add_duration(table, result->bound_ns);
    sl_table_add(table, "%s",
                 !is_predicted(result)      ? "-"
                 : result->reads_bind > 0.5 ? "reads"
                                            : "compute");
}

/* One line on what would help: what binds a steady request, and what more memory would save. */
static void advise(struct plan_command *plan, const struct sl_plan_result *now)
{
    struct sl_plan_result more;
    if (plan->quiet || plan->request.limit_bytes == SL_NO_LIMIT || !now->fits ||
        !now->steady_latency_ns)
        return;
    plan->request.limit_bytes += CELL_ADVICE_BYTES;
    int code = sl_plan(&plan->request, &more, NULL);
    plan->request.limit_bytes -= CELL_ADVICE_BYTES;
    if (code < 0 || !more.steady_latency_ns)
        return;
    double saved = 1 - (double)more.steady_latency_ns / (double)now->steady_latency_ns;
    char text[SL_UNIT_TEXT_BYTES];
    if (now->steady_reads_bind < 0.005 && saved < 0.005)
        return;
    fprintf(stderr,
            "sluice: hint: %s at %s: reads bind %.0f %% of a later request; 40 MiB more saves "
            "%.0f %%\n",
            plan->request.policy, sl_format_size(plan->request.limit_bytes, text),
            100 * now->steady_reads_bind, saved > 0 ? 100 * saved : 0);
}

static const struct sl_column for_people[] = {
    {"network", false}, {"policy", false},     {"limit", true}, {"fits", false},
    {"least", true},    {"peak", true},        {"first", true}, {"reads", true},
    {"later", true},    {"reads later", true}, {"bound", true}, {"binds", false},
};
static const struct sl_column for_programs[] = {
    {"network", false},           {"policy", false},
    {"memory_limit", true},       {"fits", false},
    {"estimated", false},         {"least_memory_bytes", true},
    {"peak_bytes", true},         {"latency_ns", true},
    {"read_bytes", true},         {"steady_latency_ns", true},
    {"steady_read_bytes", true},  {"bound_ns", true},
    {"steady_bound_ns", true},    {"compute_ns", true},
    {"reads_bind", true},         {"steady_reads_bind", true},
    {"device_bytes_per_s", true},
};
#define COUNT(columns) ((int)(sizeof(columns) / sizeof((columns)[0])))

static int print_rows(struct plan_command *plan, struct sl_error *error)
{
    const bool people = sl_format_for_people(plan->format);
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, people ? for_people : for_programs,
                  people ? COUNT(for_people) : COUNT(for_programs));
    int code = 0;
    for (int m = 0; m < plan->list.memory_count; m++) {
        for (int p = 0; p < plan->list.policy_count && code >= 0; p++) {
            struct sl_plan_result result;
            plan->request.policy = plan->list.policies[p];
            plan->request.limit_bytes = plan->list.memory[m];
            code = sl_plan(&plan->request, &result, error);
            if (code < 0)
                return code;
            if (people)
                add_row(&table, plan, &result);
            else
                code = sl_record_give(plan_json(plan, &result), plan->format, &table, stdout);
            if (plan->format != SL_FORMAT_JSON && !strcmp(plan->request.policy, "auto"))
                advise(plan, &result);
        }
    }
    if (code == 0 && plan->format != SL_FORMAT_JSON)
        code = sl_table_write(&table, plan->format, stdout);
    return code < 0 ? sl_error_set(error, code, "cannot print the plan: %s", strerror(-code)) : 0;
}

static void note_unused(const struct cli_arguments *arguments, const struct plan_command *plan)
{
    bool heeded = false;
    for (int p = 0; p < plan->list.policy_count; p++)
        heeded |= cell_policy(plan->list.policies[p]).heeds_depth;
    if (plan->quiet)
        return;
    if (cli_text(arguments, "depth") && !heeded)
        fprintf(stderr, "sluice: note: --depth changes nothing: no policy here has one\n");
    if (cli_text(arguments, "dot") && cli_text(arguments, "format"))
        fprintf(stderr, "sluice: note: --format changes nothing: --dot draws instead\n");
}

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    SL_AUTO(plan_free) struct plan_command plan = {0};
    if (open_models(arguments, &plan, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    if (read_options(arguments, &plan, &error) < 0)
        return cli_usage(arguments->command, &error);
    const char *dot = cli_text(arguments, "dot");
    if (dot && (plan.list.policy_count > 1 || plan.list.memory_count > 1)) {
        sl_error_set(&error, -EINVAL,
                     "--dot draws one policy at one limit: give --policy and one "
                     "--memory");
        return cli_usage(arguments->command, &error);
    }
    if (cli_check_written(arguments, "dot", &error) < 0)
        return cli_usage(arguments->command, &error);
    note_unused(arguments, &plan);
    if (measure(arguments, &plan, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    plan.request.policy = plan.list.policies[0];
    plan.request.limit_bytes = plan.list.memory[0];
    if (dot)
        return plan_write_dot(&plan.request, dot, &error) < 0 ? cli_fail(CLI_FAILED, &error)
                                                              : CLI_OK;
    if (print_rows(&plan, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    return CLI_OK;
}

const struct cli_command command_plan = {
    .name = "plan",
    .summary = "predict whether networks fit, and what each policy will take",
    .operands = "PACK...",
    .least_operands = 1,
    .most_operands = MODELS_MOST,
    .operand_choices = "@files",
    .description =
        "Simulates every policy with the measured rate of the storage and the measured times of "
        "the layers, and prints per policy and limit: whether it fits without swap, the least "
        "memory that does, the peak, the time and bytes of a first (cold) request and of later "
        "ones, and the bound: a time that no schedule beats with this memory.\n\n"
        "Times of layers are measured once and kept beside the pack (PACK.times); the storage is "
        "measured for some 50 ms and remembered for a day. Several packs are one batch.",
    .examples =
        "sluice plan vgg16.sluice --memory 25%,50%\twill it fit?\n"
        "sluice plan facenet.sluice --device pi4-sd\ton an SD card\n"
        "sluice plan lenet.sluice --policy linear --dot - | dot -Tsvg >plan.svg\ta picture\n",
    .options = options,
    .run = run,
};
