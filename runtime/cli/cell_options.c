#include "runtime/cli/cell_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/cli/ceiling.h"
#include "runtime/cli/device_cache.h"
#include "runtime/cli/input_name.h"
#include "runtime/cli/value_list.h"
#include "runtime/report/record.h"

int cell_parse_memory(const char *text, uint64_t weight_bytes, uint64_t *bytes,
                      struct sl_error *error)
{
    size_t length = strlen(text);
    uint64_t limit = SL_NO_LIMIT;
    int code = 0;
    if (length > 1 && text[length - 1] == '%') {
        char number[32];
        double percent = 0;
        snprintf(number, sizeof(number), "%.*s", (int)length - 1, text);
        code = sl_parse_real(number, 0.001, 1e6, &percent, error);
        limit = (uint64_t)((double)weight_bytes * percent / 100);
    } else if (strcmp(text, "none")) {
        code = sl_parse_size(text, &limit, error);
    }
    if (code < 0)
        return code;
    if (limit < SL_LEAST_PROCESS_BYTES)
        return sl_error_set(error, -EINVAL,
                            "%s is less than a process needs to start; give at least %llu MiB",
                            text, (unsigned long long)(SL_LEAST_PROCESS_BYTES >> 20));
    *bytes = limit;
    return 0;
}

/* The first option: what others say goes over it. */
static int read_device(struct cell_request *request, const char *text, struct sl_error *error)
{
    const char *path = request->limits.throttle_path;
    int code = device_profile_read(text, &request->device, error);
    if (code < 0)
        return code;
    request->limits = request->device.limits;
    request->limits.throttle_path = path;
    request->make_swapfile =
        request->limits.swap_bytes > 0 && request->limits.swap_bytes != SL_NO_LIMIT;
    return 0;
}

static int read_write_rate(struct cell_request *request, const char *text, struct sl_error *error)
{
    return device_read_value("write-rate", text, &request->limits, error);
}

static int read_cores(struct cell_request *request, const char *text, struct sl_error *error)
{
    return device_read_value("cores", text, &request->limits, error);
}

static int read_swap_place(struct cell_request *request, const char *text, struct sl_error *error)
{
    return device_read_value("swap-place", text, &request->limits, error);
}

static int read_top(struct cell_request *request, const char *text, struct sl_error *error)
{
    return sl_parse_integer(text, 0, 1000, &request->cell.top, error);
}

static int read_labels(struct cell_request *request, const char *text, struct sl_error *error)
{
    (void)error;
    request->cell.labels = text;
    return 0;
}

static int read_policy(struct cell_request *request, const char *text, struct sl_error *error)
{
    request->cell.policy = text;
    return cli_check_name(SL_KIND_POLICY, "policy", text, error);
}

static int read_memory(struct cell_request *request, const char *text, struct sl_error *error)
{
    return cell_parse_memory(text, request->packs->weight_bytes, &request->limits.memory_bytes,
                             error);
}

static int read_swap(struct cell_request *request, const char *text, struct sl_error *error)
{
    request->make_swapfile = false;
    request->limits.swap_bytes = SL_NO_LIMIT;
    if (!strcmp(text, "max"))
        return 0;
    int code = sl_parse_size(text, &request->limits.swap_bytes, error);
    request->make_swapfile = code == 0 && request->limits.swap_bytes > 0;
    return code;
}

static int read_read_rate(struct cell_request *request, const char *text, struct sl_error *error)
{
    return device_read_value("read-rate", text, &request->limits, error);
}

static int read_cpus(struct cell_request *request, const char *text, struct sl_error *error)
{
    return device_read_value("cpus", text, &request->limits, error);
}

static int read_timeout(struct cell_request *request, const char *text, struct sl_error *error)
{
    return cli_parse_duration(text, &request->timeout_ns, error);
}

static int read_budget(struct cell_request *request, const char *text, struct sl_error *error)
{
    uint64_t bytes = 0;
    if (!strcmp(text, "auto"))
        return 0;
    int code = sl_parse_size(text, &bytes, error);
    if (code == 0 && bytes == 0)
        code = sl_error_set(error, -EINVAL, "0: nothing can run in no memory");
    request->cell.budget_bytes = (int64_t)bytes;
    return code;
}

static int read_depth(struct cell_request *request, const char *text, struct sl_error *error)
{
    return cli_parse_depth(text, &request->cell.depth, &request->cell.depth_bytes, error);
}

static int read_queue_depth(struct cell_request *request, const char *text, struct sl_error *error)
{
    return sl_parse_integer(text, 1, 256, &request->cell.queue_depth, error);
}

static int read_loader(struct cell_request *request, const char *text, struct sl_error *error)
{
    request->cell.loader = text;
    return cli_check_name(SL_KIND_LOADER, "loader", text, error);
}

static int read_hints(struct cell_request *request, const char *text, struct sl_error *error)
{
    (void)error;
    request->cell.hints = text;
    return 0;
}

static int read_threads(struct cell_request *request, const char *text, struct sl_error *error)
{
    return sl_parse_integer(text, 1, 64, &request->cell.threads, error);
}

static int read_batch(struct cell_request *request, const char *text, struct sl_error *error)
{
    return sl_parse_integer(text, 1, 1024, &request->cell.batch, error);
}

static int read_cold(struct cell_request *request, const char *text, struct sl_error *error)
{
    (void)text, (void)error;
    request->cell.cold = true;
    return 0;
}

static int read_no_verify(struct cell_request *request, const char *text, struct sl_error *error)
{
    (void)text, (void)error;
    request->cell.trust = true;
    return 0;
}

const struct cell_option cell_options[] = {
#define CELL_OPTION(name, letter, value, kind, reader, help, choices) {name, CELL_##kind, reader},
#include "runtime/cli/cell_options.inc.h"
    {0},
};

void cell_request_init(struct cell_request *request, const struct pack_set *packs)
{
    *request = (struct cell_request){
        .cell = {.packs = packs->paths,
                 .pack_count = packs->count,
                 .policy = "auto",
                 .runs = 1,
                 .top = 5},
        .limits = SL_LIMITS_NONE,
        .packs = packs,
    };
    request->limits.throttle_path = packs->paths[0];
}

int cell_request_check(const struct cell_request *request, struct sl_error *error)
{
    const struct cell *cell = &request->cell;
    const struct sl_limits *limits = &request->limits;
    if (limits->swap_place != SL_SWAP_ANYWHERE && limits->swap_bytes == SL_NO_LIMIT)
        return sl_error_set(error, -EINVAL, "--swap-place needs a --swap SIZE");
    int code = sl_check_hints(cell->loader, cell->hints, error);
    for (int n = 0; cell->batch > 1 && code == 0 && n < cell->pack_count; n++) {
        struct sl_model *model = NULL;
        code = sl_model_open_stacked(cell->packs[n], (int)cell->batch, &model, error);
        sl_model_close(model);
        if (code < 0)
            return sl_error_wrap(error, "--batch");
    }
    return code;
}

/* Of open models. */
static int check_inputs(const struct cell *cell, struct sl_model *const *models,
                        struct sl_error *error)
{
    int plain = 0;
    for (int i = 0; i < cell->input_count; i++) {
        char name[INPUT_NAME_BYTES];
        const size_t length = input_name_length(models, cell->pack_count, cell->inputs[i]);
        bool known = length == 0;
        plain += length == 0;
        for (int before = 0; before < i && length > 0; before++)
            if (input_name_length(models, cell->pack_count, cell->inputs[before]) == length &&
                !strncmp(cell->inputs[before], cell->inputs[i], length))
                return sl_error_set(error, -EINVAL,
                                    "blob '%.*s' is given twice; for several requests give files "
                                    "without a name",
                                    (int)length, cell->inputs[i]);
        input_name(cell->inputs[i], length, name);
        for (int n = 0; !known && n < cell->pack_count; n++)
            known = sl_model_find_input(models[n], name, error) >= 0;
        if (!known)
            return -EINVAL;
    }
    if (cell->pack_count == 1 || plain < 2 || plain == cell->pack_count)
        return 0;
    return sl_error_set(error, -EINVAL,
                        "%d inputs for %d networks: give one for all, or one for each", plain,
                        cell->pack_count);
}

int cell_request_check_inputs(const struct cell_request *request, struct sl_error *error)
{
    const struct cell *cell = &request->cell;
    bool asked = cell->pack_count > 1 && cell->input_count > 1;
    for (int i = 0; i < cell->input_count; i++)
        asked |= strchr(cell->inputs[i], '=') != NULL;
    if (!asked || cell->pack_count == 0)
        return 0;
    SL_AUTO_FREE struct sl_model **models = calloc((size_t)cell->pack_count, sizeof(*models));
    int code = models ? 0 : sl_error_set(error, -ENOMEM, "out of memory");
    for (int n = 0; code == 0 && n < cell->pack_count; n++)
        code = sl_model_open(cell->packs[n], &models[n], error);
    if (code == 0)
        code = check_inputs(cell, models, error);
    for (int n = 0; models && n < cell->pack_count; n++)
        sl_model_close(models[n]);
    return code;
}

void cell_request_measure(struct cell_request *request, struct pack_set *packs)
{
    uint64_t limit = request->limits.read_bytes_per_s, rate = pack_set_device_rate(packs);
    if (!rate || limit < rate)
        rate = limit == SL_NO_LIMIT ? 0 : limit;
    request->cell.device_bytes_per_s = (int64_t)rate;
}

static json_t *given_or_null(int64_t number)
{
    return number > 0 ? json_integer((json_int_t)number) : json_null();
}

static json_t *flag_or_null(bool given)
{
    return given ? json_true() : json_null();
}

void cell_finish_records(const struct cell_request *request, json_t *records, json_t *context)
{
    size_t i;
    json_t *record;
    struct ceiling ceiling;
    SL_AUTO_FREE char *cache = cli_ceiling_cache();
    ceiling_find(cache, request->packs->paths[0], &ceiling);
    ceiling_add_shares(records, request->packs->count, &ceiling, &request->limits);
    json_array_foreach(records, i, record)
    {
        sl_record_add_limits(record, &request->limits);
        device_record(record, &request->device);
        json_object_set_new(record, "depth", given_or_null(request->cell.depth));
        json_object_set_new(record, "depth_bytes", given_or_null(request->cell.depth_bytes));
        json_object_set_new(record, "queue_depth", given_or_null(request->cell.queue_depth));
        json_object_set_new(record, "budget_given", given_or_null(request->cell.budget_bytes));
        json_object_set_new(record, "cold", flag_or_null(request->cell.cold));
        json_object_set_new(record, "no_verify", flag_or_null(request->cell.trust));
        json_object_set(record, "context", context);
    }
}

void cell_name_records(json_t *records, const char *key, int64_t run)
{
    const char *ended = cell_status(records);
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        json_object_set_new(record, "ended", json_string(ended));
        json_object_set_new(record, "key", json_string(key));
        json_object_set_new(record, "run", json_integer((json_int_t)run));
        json_object_set_new(record, "part", json_integer((json_int_t)i));
        json_object_set_new(record, "parts", json_integer((json_int_t)json_array_size(records)));
    }
}
