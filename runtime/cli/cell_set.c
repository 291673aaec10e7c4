#include "runtime/cli/cell_set.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"

/* The values of every option, of one call of cell_set_expand. */
struct cell_axes {
    struct value_list values[CELL_OPTIONS_MOST];
    const char **inputs; /* of every cell */
    struct cell_axes *next;
};

void cell_set_free(struct cell_set *set)
{
    while (set->axes) {
        struct cell_axes *axes = set->axes;
        set->axes = axes->next;
        for (int i = 0; i < CELL_OPTIONS_MOST; i++)
            value_list_free(&axes->values[i]);
        free(axes->inputs);
        free(axes);
    }
    free(set->points);
    *set = (struct cell_set){0};
}

static int read_inputs(const struct cli_arguments *arguments, struct cell_axes *axes,
                       struct cell_request *request, struct sl_error *error)
{
    int count = 0;
    while (cli_repeated(arguments, "input", count))
        count++;
    axes->inputs = calloc((size_t)count + 1, sizeof(*axes->inputs));
    if (!axes->inputs)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int i = 0; i < count; i++)
        axes->inputs[i] = cli_repeated(arguments, "input", i);
    request->cell.inputs = axes->inputs;
    request->cell.input_count = count;
    return 0;
}

static bool is_swept(enum cell_option_kind kind)
{
    return kind == CELL_SWEPT || kind == CELL_RANGED || kind == CELL_DEVICE;
}

/* The values of one option, as many as the command takes. */
static int read_values(const struct cell_option *option, const char *text, bool lists,
                       struct value_list *values, struct sl_error *error)
{
    bool list = option->kind == CELL_LISTED || (lists && is_swept(option->kind));
    if (list && !strcmp(option->name, "policy"))
        return value_list_read_names(values, text, SL_KIND_POLICY, "policy", error);
    if (list && !strcmp(option->name, "loader"))
        return value_list_read_names(values, text, SL_KIND_LOADER, "loader", error);
    if (list)
        return value_list_read(values, text, option->kind == CELL_RANGED, error);
    if (is_swept(option->kind) && strchr(text, ','))
        return sl_error_set(error, -EINVAL, "'%s': run takes one value; `sluice sweep` takes lists",
                            text);
    values->values = calloc(1, sizeof(*values->values));
    if (!values->values || !(values->values[0] = strdup(text)))
        return sl_error_set(error, -ENOMEM, "out of memory");
    values->count = values->capacity = 1;
    return 0;
}

static int read_axes(const struct cli_arguments *arguments, struct cell_axes *axes, bool lists,
                     struct cell_request *request, struct sl_error *error)
{
    int code = read_inputs(arguments, axes, request, error);
    for (int i = 0; code == 0 && cell_options[i].name; i++) {
        const struct cell_option *option = &cell_options[i];
        const char *text = NULL;
        if (option->kind == CELL_FLAG)
            text = cli_flag(arguments, option->name) ? "true" : NULL;
        else if (option->kind != CELL_REPEATED)
            text = cli_text(arguments, option->name);
        if (!text)
            continue;
        code = read_values(option, text, lists, &axes->values[i], error);
        /* Every value by itself, so that a mistake in any of them costs no run. */
        for (int v = 0; code == 0 && v < axes->values[i].count; v++) {
            struct cell_request tried = *request;
            code = option->read(&tried, axes->values[i].values[v], error);
        }
        if (code < 0)
            return cli_wrap(arguments, option->name, error);
    }
    return code;
}

static struct cell_point *add_point(struct cell_set *set, struct sl_error *error)
{
    if (set->count == CELLS_MOST) {
        sl_error_set(error, -EINVAL, "these lists span more than %d cells", CELLS_MOST);
        return NULL;
    }
    if (set->count == set->capacity) {
        int capacity = set->capacity ? 2 * set->capacity : 16;
        struct cell_point *points = realloc(set->points, (size_t)capacity * sizeof(*points));
        if (!points) {
            sl_error_set(error, -ENOMEM, "out of memory");
            return NULL;
        }
        set->points = points;
        set->capacity = capacity;
    }
    return &set->points[set->count++];
}

/* The next combination of values, the first option fastest; false behind the last. */
static bool advance(const struct cell_axes *axes, int at[CELL_OPTIONS_MOST])
{
    for (int i = 0; i < CELL_OPTIONS_MOST; i++) {
        if (axes->values[i].count < 2)
            continue;
        if (++at[i] < axes->values[i].count)
            return true;
        at[i] = 0;
    }
    return false;
}

int cell_set_expand(struct cell_set *set, const struct cli_arguments *arguments,
                    const struct pack_set *packs, bool lists, struct sl_error *error)
{
    struct cell_request base;
    struct cell_axes *axes = calloc(1, sizeof(*axes));
    if (!axes)
        return sl_error_set(error, -ENOMEM, "out of memory");
    axes->next = set->axes;
    set->axes = axes;
    cell_request_init(&base, packs);
    int code = read_axes(arguments, axes, lists, &base, error);
    if (code == 0 && cell_request_check_inputs(&base, error) < 0)
        code = cli_wrap(arguments, "input", error);
    int at[CELL_OPTIONS_MOST] = {0};
    while (code == 0) {
        struct cell_point *point = add_point(set, error);
        if (!point)
            return error ? error->code : -ENOMEM;
        *point = (struct cell_point){.request = base};
        for (int i = 0; code == 0 && cell_options[i].name; i++) {
            if (axes->values[i].count == 0)
                continue;
            point->texts[i] = axes->values[i].values[at[i]];
            code = cell_options[i].read(&point->request, point->texts[i], error);
        }
        if (code == 0)
            code = cell_request_check(&point->request, error);
        if (!advance(axes, at))
            break;
    }
    return code;
}

struct sl_entry cell_policy(const char *name)
{
    struct sl_entry entry = {0};
    int i = 0;
    while (sl_list(SL_KIND_POLICY, i, &entry) && strcmp(entry.name, name))
        i++;
    assert(entry.name && !strcmp(entry.name, name));
    return entry;
}

int cell_option_index(const char *name)
{
    int i = 0;
    while (cell_options[i].name && strcmp(cell_options[i].name, name))
        i++;
    assert(cell_options[i].name);
    return i;
}

void cell_settle(struct cell_point *point)
{
    struct cell_request *request = &point->request;
    if (!cell_policy(request->cell.policy).heeds_depth) {
        request->cell.depth = request->cell.depth_bytes = 0;
        point->texts[cell_option_index("depth")] = NULL;
    }
    if (request->limits.memory_bytes == SL_NO_LIMIT) {
        request->limits.swap_bytes = SL_NO_LIMIT;
        request->limits.swap_place = SL_SWAP_ANYWHERE;
        request->make_swapfile = false;
        point->texts[cell_option_index("swap")] = NULL;
        point->texts[cell_option_index("swap-place")] = NULL;
    }
}

/* A budget is not settled away under policies that do not keep it: masa admits networks by it, and
 * the bound is told for it. */
static void note_unkept_budget(const struct cell_set *set)
{
    bool given = false, kept = false, above = false;
    for (int p = 0; p < set->count; p++) {
        const struct cell_request *request = &set->points[p].request;
        const uint64_t budget = (uint64_t)request->cell.budget_bytes;
        const bool keeps = budget && cell_policy(request->cell.policy).keeps_budget;
        given |= budget > 0;
        kept |= keeps;
        above |= keeps && budget > request->limits.memory_bytes;
    }
    if (given && !kept)
        fprintf(stderr, "sluice: note: --budget is not kept: no policy here has one\n");
    if (above)
        fprintf(stderr, "sluice: note: --budget is above --memory, which counts then\n");
}

/* Requests of one network that wait together: as many as there are inputs and runs of each. */
static int64_t queued(const struct cell *cell)
{
    const bool inputs = cell->pack_count == 1 && cell->input_count > 1;
    return cell->runs * (inputs ? cell->input_count : 1);
}

static void note_large_batch(const struct cell_set *set)
{
    for (int p = 0; p < set->count; p++) {
        const struct cell *cell = &set->points[p].request.cell;
        if (cell->batch > 1 && cell->batch > queued(cell)) {
            fprintf(stderr,
                    "sluice: note: --batch %lld is not filled, %lld queued: give more inputs or "
                    "requests\n",
                    (long long)cell->batch, (long long)queued(cell));
            return;
        }
    }
}

void cell_set_note_unused(const struct cell_set *set)
{
    static const struct {
        const char *name, *why;
    } options[] = {
        {"depth", "no policy here has one"},
        {"swap", "there is no --memory limit"},
        {"swap-place", "there is no --memory limit"},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const int index = cell_option_index(options[i].name);
        bool given = false, used = false;
        for (int p = 0; p < set->count; p++) {
            struct cell_point settled = set->points[p];
            given |= settled.texts[index] != NULL;
            cell_settle(&settled);
            used |= settled.texts[index] != NULL;
        }
        if (given && !used)
            fprintf(stderr, "sluice: note: --%s changes nothing: %s\n", options[i].name,
                    options[i].why);
    }
    note_unkept_budget(set);
    note_large_batch(set);
}

int cell_set_collapse(struct cell_set *set)
{
    int kept = 0, before = set->count;
    json_t *seen = json_object();
    for (int i = 0; i < before; i++) {
        char key[CELL_KEY_BYTES];
        cell_settle(&set->points[i]);
        cell_key(&set->points[i].request, key);
        if (json_object_get(seen, key))
            continue;
        json_object_set_new(seen, key, json_true());
        set->points[kept++] = set->points[i];
    }
    json_decref(seen);
    set->count = kept;
    return before - kept;
}

/* A kind of limit, which a user may or may not have the right to. */
static const struct limit_kind {
    const char *option;
    size_t value, bytes; /* in struct sl_limits */
    size_t right;        /* in struct sl_cgroup_rights */
} limit_kinds[] = {
#define KIND(option, limit, right)                                                                 \
    {                                                                                              \
        option, offsetof(struct sl_limits, limit), sizeof(((struct sl_limits *)NULL)->limit),      \
            offsetof(struct sl_cgroup_rights, right)                                               \
    }
    KIND("memory", memory_bytes, memory),
    KIND("read-rate", read_bytes_per_s, read_rate),
    KIND("write-rate", write_bytes_per_s, write_rate),
    KIND("cpus", cpus, cpu),
    KIND("cores", cores, cores),
#undef KIND
};

#define LIMIT_KINDS (sizeof(limit_kinds) / sizeof(limit_kinds[0]))

static const struct sl_limits no_limits = SL_LIMITS_NONE;

/* Sets one kind of limit to what it is in `from`. */
static void set_kind(struct sl_limits *limits, const struct limit_kind *kind,
                     const struct sl_limits *from)
{
    memcpy((char *)limits + kind->value, (const char *)from + kind->value, kind->bytes);
}

static bool has_kind(const struct sl_limits *limits, const struct limit_kind *kind)
{
    return memcmp((const char *)limits + kind->value, (const char *)&no_limits + kind->value,
                  kind->bytes) != 0;
}

bool cell_set_drop_refused(struct cell_set *set, const struct sl_cgroup_rights *rights,
                           struct sl_text *lost)
{
    bool any = false;
    for (size_t k = 0; k < LIMIT_KINDS; k++) {
        const struct limit_kind *kind = &limit_kinds[k];
        bool named = false;
        if (*((const bool *)((const char *)rights + kind->right)))
            continue;
        for (int i = 0; i < set->count; i++) {
            struct cell_point *point = &set->points[i];
            if (!has_kind(&point->request.limits, kind))
                continue;
            set_kind(&point->request.limits, kind, &no_limits);
            point->texts[cell_option_index(kind->option)] = NULL;
            if (!named)
                sl_text_add(lost, "%s--%s", any ? ", " : "", kind->option);
            named = any = true;
        }
    }
    return any;
}

bool cell_set_respect_rights(struct cell_set *set)
{
    struct sl_limits all = SL_LIMITS_NONE;
    bool noted = false;
    for (int i = 0; i < set->count; i++) {
        const struct sl_limits *limits = &set->points[i].request.limits;
        for (size_t k = 0; k < LIMIT_KINDS; k++)
            if (has_kind(limits, &limit_kinds[k]))
                set_kind(&all, &limit_kinds[k], limits);
        noted |= limits->memory_bytes != SL_NO_LIMIT && limits->swap_bytes > 0 &&
                 limits->write_bytes_per_s != SL_NO_LIMIT;
    }
    if (!sl_limits_any(&all))
        return false;
    struct sl_cgroup_rights rights;
    sl_cgroup_probe_for(&all, &rights);
    SL_AUTO(sl_text_free) struct sl_text lost = {0};
    bool any = cell_set_drop_refused(set, &rights, &lost);
    if (any)
        fprintf(stderr, "sluice: warning: running without %s: %s\n",
                lost.bytes ? lost.bytes : "limits", rights.reason);
    if (noted && rights.version == 1)
        sl_log(SL_LOG_NOTE, "under cgroup v1 the write rate does not hold for swap");
    return any;
}

static bool same_limits(const struct cell_request *a, const struct cell_request *b)
{
    const struct sl_limits *x = &a->limits, *y = &b->limits;
    return !strcmp(a->device.name, b->device.name) && a->packs == b->packs &&
           x->memory_bytes == y->memory_bytes && x->swap_bytes == y->swap_bytes &&
           x->swap_place == y->swap_place && x->read_bytes_per_s == y->read_bytes_per_s &&
           x->write_bytes_per_s == y->write_bytes_per_s && x->cores == y->cores &&
           x->cpus >= y->cpus && x->cpus <= y->cpus;
}

int cell_set_check_devices(const struct cell_set *set, struct sl_error *error)
{
    const struct cell_request *last = NULL;
    for (int i = 0; i < set->count; i++) {
        const struct cell_request *request = &set->points[i].request;
        /* Cells of the same limits follow each other. */
        if (last && same_limits(last, request))
            continue;
        int code =
            device_check(&request->device, &request->limits, request->packs->paths[0], error);
        if (code < 0)
            return code;
        last = request;
    }
    return 0;
}
