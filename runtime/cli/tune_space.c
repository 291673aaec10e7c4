/* The space that tune searches: which cells there are, at which limits. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/cli/cell_plan.h"
#include "runtime/cli/tune.h"

/* What is searched where the command line says nothing. */
static const struct {
    const char *name, *values;
} searched[] = {
    {"policy", "all"},
    {"queue-depth", "8,32"},
    {"loader", "all"},
};
#define SEARCHED (int)(sizeof(searched) / sizeof(searched[0]))
/* Beside the policy's choice, which no value says. */
#define DEPTHS "4,16,64"

/* The command line with more options behind it, which win. */
struct extended {
    struct cli_arguments arguments;
    struct cli_given given[256];
};

static int extend_begin(struct extended *extended, const struct cli_arguments *arguments,
                        struct sl_error *error)
{
    const size_t room = sizeof(extended->given) / sizeof(extended->given[0]);
    if ((size_t)arguments->given_count + SEARCHED + 2 > room)
        return sl_error_set(error, -EINVAL, "too many options");
    extended->arguments = *arguments;
    extended->arguments.given = extended->given;
    if (arguments->given_count > 0)
        memcpy(extended->given, arguments->given,
               (size_t)arguments->given_count * sizeof(*extended->given));
    return 0;
}

/* value NULL: as if neither command line nor environment gave the option. */
static void extend(struct extended *extended, const char *name, const char *value)
{
    struct cli_arguments *arguments = &extended->arguments;
    extended->given[arguments->given_count++] = (struct cli_given){
        .option = cli_option_find(arguments->command->options, name, strlen(name)), .value = value};
}

/* Appends the cells of one variant; memory: the limits, NULL: as given, of which "auto" is a word
 * of tune's own: what the device has. */
static int expand(struct tune *tune, const struct tune_variant *variant, const char *memory,
                  struct cell_set *set, struct sl_error *error)
{
    struct extended extended;
    int code = extend_begin(&extended, tune->given, error);
    if (code < 0)
        return code;
    if (memory || tune->options.auto_memory)
        extend(&extended, "memory", memory);
    for (int i = 0; i < SEARCHED; i++)
        if (!cli_text(tune->given, searched[i].name))
            extend(&extended, searched[i].name, searched[i].values);
    code = cell_set_expand(set, &extended.arguments, &variant->packs, true, error);
    if (code == 0 && tune->options.auto_depth) {
        extend(&extended, "depth", DEPTHS);
        code = cell_set_expand(set, &extended.arguments, &variant->packs, true, error);
    }
    return code;
}

/* Lists of these would compare different devices, or different work. */
static int check_given_once(const struct cli_arguments *arguments, struct sl_error *error)
{
    for (int i = 0; cell_options[i].name; i++) {
        const struct cell_option *option = &cell_options[i];
        char origin[CLI_ORIGIN_BYTES];
        if (option->kind != CELL_DEVICE && strcmp(option->name, "batch"))
            continue;
        const char *text = cli_text(arguments, option->name);
        if (text && strpbrk(text, option->kind == CELL_DEVICE ? "," : ",-"))
            return sl_error_set(error, -EINVAL,
                                "%s: '%s': tune takes one value, to compare settings on one device",
                                cli_origin(arguments, option->name, origin), text);
    }
    return 0;
}

int tune_check_options(struct tune *tune, struct sl_error *error)
{
    SL_AUTO(cell_set_free) struct cell_set set = {0};
    const char *memory = cli_text(tune->given, "memory");
    tune->options.auto_memory = !memory || !strcmp(memory, "auto");
    tune->options.auto_depth = !cli_text(tune->given, "depth");
    int code = check_given_once(tune->given, error);
    if (code == 0)
        code = expand(tune, &tune->variants[0], NULL, &set, error);
    if (code == 0)
        code = cell_set_check_devices(&set, error);
    if (code < 0 || set.count == 0)
        return code;
    const struct cell_request *request = &set.points[0].request;
    tune->options.threads = (int)request->cell.threads;
    if (!tune->options.threads)
        tune->options.threads = request->limits.cores;
    tune->options.batch = request->cell.batch > 1 ? (int)request->cell.batch : 1;
    tune->options.most_memory = request->limits.memory_bytes;
    if (tune->options.later && request->cell.batch >= tune->options.requests)
        code = sl_error_set(error, -EINVAL,
                            "--objective later: no request comes after the first batch; give more "
                            "--requests than --batch");
    return code;
}

/* "108M": a size that is read back as it is. */
static void add_exact_size(struct sl_text *text, uint64_t bytes)
{
    if (bytes == SL_NO_LIMIT)
        sl_text_add(text, "none");
    else if (bytes % SL_MIB == 0)
        sl_text_add(text, "%" PRIu64 "M", bytes / SL_MIB);
    else
        sl_text_add(text, "%" PRIu64, bytes);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

/* From the least limit that some setting runs in to where the last one has all it can use, or all
 * that the device has. */
static int find_limits(struct tune *tune, struct sl_text *memory, struct sl_error *error)
{
    SL_AUTO(cell_set_free) struct cell_set set = {0};
    uint64_t least = SL_NO_LIMIT, most = 0, limits[TUNE_LIMITS_AUTO];
    const int loader = cell_option_index("loader"), queue = cell_option_index("queue-depth");
    for (int v = 0; v < tune->variant_count; v++) {
        const struct tune_variant *variant = &tune->variants[v];
        const struct cell_ground ground = tune_ground(tune, variant);
        const int first = set.count;
        int code = expand(tune, variant, "none", &set, error);
        for (int i = first; code == 0 && i < set.count; i++) {
            struct sl_plan_result plan;
            /* The simulator does not tell these apart. */
            if (!same_text(set.points[i].texts[loader], set.points[first].texts[loader]) ||
                !same_text(set.points[i].texts[queue], set.points[first].texts[queue]))
                continue;
            struct cell_request *request = &set.points[i].request;
            code = cell_plan(request, &ground, &plan, error);
            if (code < 0)
                break;
            /* What is kept in reserve depends on the limit, and is most without one. */
            request->limits.memory_bytes = plan.peak_bytes;
            code = cell_plan(request, &ground, &plan, error);
            if (code < 0)
                break;
            least = plan.least_limit_bytes < least ? plan.least_limit_bytes : least;
            most = plan.peak_bytes > most ? plan.peak_bytes : most;
        }
        if (code < 0)
            return code;
    }
    most = most < tune->options.most_memory ? most : tune->options.most_memory;
    int count = tune_spread_limits(least, most, TUNE_LIMITS_AUTO, limits);
    for (int i = 0; i < count; i++) {
        sl_text_add(memory, i ? "," : "");
        add_exact_size(memory, limits[i]);
    }
    return memory->failed ? sl_error_set(error, -ENOMEM, "out of memory") : 0;
}

/* The limits that were given, in bytes: per cent are of the packs as they are. */
static int read_limits(struct tune *tune, struct sl_text *memory, struct sl_error *error)
{
    SL_AUTO(value_list_free) struct value_list list = {0};
    int code = value_list_read(&list, cli_text(tune->given, "memory"), false, error);
    for (int i = 0; code == 0 && i < list.count; i++) {
        uint64_t bytes;
        code =
            cell_parse_memory(list.values[i], tune->variants[0].packs.weight_bytes, &bytes, error);
        sl_text_add(memory, i ? "," : "");
        if (code == 0)
            add_exact_size(memory, bytes);
    }
    if (code == 0 && memory->failed)
        code = sl_error_set(error, -ENOMEM, "out of memory");
    return code;
}

static const struct tune_variant *variant_of(const struct tune *tune,
                                             const struct cell_point *point)
{
    for (int v = 0; v < tune->variant_count; v++)
        if (&tune->variants[v].packs == point->request.packs)
            return &tune->variants[v];
    return NULL;
}

/* Axes of the settings: of each option that is searched, the first candidate with the same value;
 * and the variant. */
static void find_axes(struct tune *tune)
{
    static const char *const names[TUNE_AXES - 1] = {"policy", "depth",   "queue-depth", "loader",
                                                     "budget", "threads", "hints"};
    for (int axis = 0; axis < TUNE_AXES - 1; axis++) {
        const int option = cell_option_index(names[axis]);
        for (int c = 0; c < tune->candidate_count; c++) {
            const char *text = tune->candidates[c].point->texts[option];
            int first = 0;
            while (!same_text(text, tune->candidates[first].point->texts[option]))
                first++;
            tune->candidates[c].setting.values[axis] = first;
        }
    }
    for (int c = 0; c < tune->candidate_count; c++) {
        struct tune_candidate *candidate = &tune->candidates[c];
        candidate->setting.values[TUNE_AXES - 1] = (int)(candidate->variant - tune->variants);
        for (int i = 0; cell_options[i].name; i++)
            tune->varies[i] |=
                !same_text(candidate->point->texts[i], tune->candidates[0].point->texts[i]);
    }
}

/* Whether the simulator would say the same of both. */
static bool are_planned_alike(const struct tune_candidate *a, const struct tune_candidate *b)
{
    const struct cell *one = &a->point->request.cell, *other = &b->point->request.cell;
    return a->variant == b->variant && !strcmp(one->policy, other->policy) &&
           one->depth == other->depth && one->depth_bytes == other->depth_bytes &&
           one->threads == other->threads && same_text(one->loader, other->loader) &&
           same_text(one->hints, other->hints) &&
           a->point->request.limits.memory_bytes == b->point->request.limits.memory_bytes;
}

static int predict(struct tune *tune, struct sl_error *error)
{
    for (int c = 0; c < tune->candidate_count; c++) {
        struct tune_candidate *candidate = &tune->candidates[c];
        int known = c;
        for (int i = 0; i < c && known == c; i++)
            if (are_planned_alike(&tune->candidates[i], candidate))
                known = i;
        candidate->plan = tune->candidates[known].plan;
        const struct cell_ground ground = tune_ground(tune, candidate->variant);
        int code =
            known < c ? 0 : cell_plan(&candidate->point->request, &ground, &candidate->plan, error);
        if (code < 0)
            return code;
        const struct sl_plan_result *plan = &candidate->plan;
        uint64_t predicted = tune->options.later && plan->steady_latency_ns
                                 ? plan->steady_latency_ns
                                 : plan->latency_ns;
        candidate->setting.predicted_ns = plan->fits ? (double)predicted : 0;
    }
    return 0;
}

static int compare_points(const void *left, const void *right)
{
    const struct cell_point *a = left, *b = right;
    uint64_t one = a->request.limits.memory_bytes, other = b->request.limits.memory_bytes;
    return (one < other) - (one > other);
}

static int group_by_limit(struct tune *tune, struct sl_error *error)
{
    tune->limits = calloc((size_t)tune->candidate_count + 1, sizeof(*tune->limits));
    if (!tune->limits)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int c = 0; c < tune->candidate_count; c++) {
        uint64_t bytes = tune->candidates[c].point->request.limits.memory_bytes;
        struct tune_limit *limit =
            tune->limit_count > 0 ? &tune->limits[tune->limit_count - 1] : NULL;
        if (!limit || limit->memory_bytes != bytes) {
            limit = &tune->limits[tune->limit_count++];
            *limit = (struct tune_limit){
                .memory_bytes = bytes, .first = c, .winner = -1, .point.memory_bytes = bytes};
        }
        limit->count++;
    }
    return 0;
}

static int make_candidates(struct tune *tune, struct sl_error *error)
{
    struct cell_set *set = &tune->set;
    qsort(set->points, (size_t)set->count, sizeof(*set->points), compare_points);
    tune->candidates = calloc((size_t)set->count, sizeof(*tune->candidates));
    if (!tune->candidates)
        return sl_error_set(error, -ENOMEM, "out of memory");
    tune->candidate_count = set->count;
    for (int c = 0; c < set->count; c++) {
        struct tune_candidate *candidate = &tune->candidates[c];
        candidate->point = &set->points[c];
        candidate->point->request.cell.runs = tune->options.requests;
        candidate->variant = variant_of(tune, candidate->point);
        candidate->peak_bytes = candidate->bound_ns = -1;
        cell_key(&candidate->point->request, candidate->key);
        cell_request_measure(&candidate->point->request, &tune->variants[0].packs);
    }
    find_axes(tune);
    int code = predict(tune, error);
    return code < 0 ? code : group_by_limit(tune, error);
}

int tune_make_space(struct tune *tune, struct sl_error *error)
{
    SL_AUTO(sl_text_free) struct sl_text memory = {0};
    int code = tune->options.auto_memory ? find_limits(tune, &memory, error)
                                         : read_limits(tune, &memory, error);
    for (int v = 0; code == 0 && v < tune->variant_count; v++)
        code = expand(tune, &tune->variants[v], memory.bytes, &tune->set, error);
    if (code < 0)
        return code;
    cell_set_respect_rights(&tune->set);
    cell_set_collapse(&tune->set);
    return make_candidates(tune, error);
}

double tune_exhaustive_ns(const struct tune *tune)
{
    double measured = 0, predicted = 0, total = 0;
    for (int c = 0; c < tune->candidate_count; c++) {
        const struct tune_candidate *candidate = &tune->candidates[c];
        double cost = cell_cost_ns(&candidate->point->request, &candidate->plan);
        measured += (double)candidate->wall_ns;
        predicted += cost * (double)candidate->walls;
        total += cost * TUNE_SWEEP_RUNS;
    }
    return predicted > 0 ? total * measured / predicted : total;
}

void tune_free(struct tune *tune)
{
    for (int c = 0; c < tune->candidate_count; c++)
        free(tune->candidates[c].arm.samples);
    free(tune->candidates);
    free(tune->limits);
    cell_set_free(&tune->set);
    tune_remove_packs(tune);
    free(tune->names);
    json_decref(tune->context);
    sl_results_close(&tune->file);
}
