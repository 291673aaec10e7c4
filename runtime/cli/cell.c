#include "runtime/cli/cell.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/cli/input_name.h"
#include "runtime/cli/interrupt.h"
#include "runtime/cli/observation.h"
#include "runtime/report/record.h"

/* NULL when memory ran out, or when one of them is not UTF-8. */
static json_t *json_words(const char *const *words, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        if (json_array_append_new(list, json_string(words[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *cell_to_json(const struct cell *cell)
{
    return json_pack(
        "{s:o, s:o, s:s, s:s*, s:s*, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, "
        "s:b, s:I, s:s*, s:s*, s:I, s:I}",
        "packs", json_words(cell->packs, cell->pack_count), "inputs",
        json_words(cell->inputs, cell->input_count), "policy", cell->policy, "loader", cell->loader,
        "hints", cell->hints, "threads", (json_int_t)cell->threads, "depth",
        (json_int_t)cell->depth, "depth_bytes", (json_int_t)cell->depth_bytes, "queue_depth",
        (json_int_t)cell->queue_depth, "budget", (json_int_t)cell->budget_bytes, "device_rate",
        (json_int_t)cell->device_bytes_per_s, "runs", (json_int_t)cell->runs, "warmup",
        (json_int_t)cell->warmup, "batch", (json_int_t)cell->batch, "cold", cell->cold, "trust",
        cell->trust, "top", (json_int_t)cell->top, "labels", cell->labels, "output",
        cell->output_directory, "events_fd", (json_int_t)cell->events_fd, "events_bytes",
        (json_int_t)cell->events_bytes);
}

int cell_from_json(const json_t *json, struct cell *cell, const char ***words,
                   struct sl_error *error)
{
    const json_t *packs, *inputs;
    json_int_t threads, depth, depth_bytes, queue_depth, budget, device_rate, runs, warmup, batch,
        top;
    json_int_t events_fd, events_bytes;
    int cold, trust;
    json_error_t reason;
    *cell = (struct cell){0};
    if (json_unpack_ex(
            (json_t *)json, &reason, 0,
            "{s:o, s:o, s:s, s?:s, s?:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, "
            "s:I, s?:s, s?:s, s:I, s:I}",
            "packs", &packs, "inputs", &inputs, "policy", &cell->policy, "loader", &cell->loader,
            "hints", &cell->hints, "threads", &threads, "depth", &depth, "depth_bytes",
            &depth_bytes, "queue_depth", &queue_depth, "budget", &budget, "device_rate",
            &device_rate, "runs", &runs, "warmup", &warmup, "batch", &batch, "cold", &cold, "trust",
            &trust, "top", &top, "labels", &cell->labels, "output", &cell->output_directory,
            "events_fd", &events_fd, "events_bytes", &events_bytes) < 0)
        return sl_error_set(error, -EINVAL, "not the description of a cell: %s", reason.text);
    cell->pack_count = (int)json_array_size(packs);
    cell->input_count = (int)json_array_size(inputs);
    size_t count = (size_t)cell->pack_count + (size_t)cell->input_count;
    const char **list = calloc(count + 1, sizeof(*list));
    if (!list)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        size_t pack_count = (size_t)cell->pack_count;
        const char *word = json_string_value(
            i < pack_count ? json_array_get(packs, i) : json_array_get(inputs, i - pack_count));
        list[i] = word ? word : "";
    }
    cell->packs = list;
    cell->inputs = list + cell->pack_count;
    cell->threads = threads;
    cell->depth = depth;
    cell->depth_bytes = depth_bytes;
    cell->queue_depth = queue_depth;
    cell->budget_bytes = budget;
    cell->device_bytes_per_s = device_rate;
    cell->runs = runs;
    cell->warmup = warmup;
    cell->batch = batch;
    cell->cold = cold;
    cell->trust = trust;
    cell->top = top;
    cell->events_fd = events_fd;
    cell->events_bytes = events_bytes;
    *words = list;
    return 0;
}

/* What is open while a cell runs. */
struct execution {
    const struct cell *cell;
    struct sl_model **models;
    struct sl_session *session;
    struct sl_event_ring *events; /* NULL: nobody watches */
    struct sl_result *results;    /* [network][run], of one input */
    struct sl_result *one_result; /* [network], of one run */
    struct sl_batch *batches;     /* [run], of one input */
    int *together;                /* [run], of one input: the stack that it ran in */
    int stack;                    /* requests of each network that one run computes */
    int rounds;                   /* inputs, one after another, each cell->runs times */
    const char **names;           /* [request of the stack][network]: what it was fed */
    int *fed;                     /* [request of the stack]: round of its input, -1: none yet */
};

static void close_session(struct execution *execution)
{
    interrupt_session(NULL);
    sl_session_free(execution->session);
    execution->session = NULL;
    for (int n = 0; execution->models && n < execution->cell->pack_count; n++) {
        sl_model_close(execution->models[n]);
        execution->models[n] = NULL;
    }
}

static void execution_close(struct execution *execution)
{
    close_session(execution);
    free(execution->models);
    free(execution->names);
    free(execution->fed);
    free(execution->results);
    free(execution->one_result);
    free(execution->batches);
    free(execution->together);
}

static int open_model(const struct cell *cell, int number, int stack, struct sl_model **model,
                      struct sl_error *error)
{
    int code = sl_model_open_stacked(cell->packs[number], stack, model, error);
    if (code == 0 && cell->labels)
        code = sl_model_read_labels(*model, cell->labels, error);
    return code;
}

/* Opens models and session for so many requests together. */
static int open_session(struct execution *execution, int stack, struct sl_error *error)
{
    const struct cell *cell = execution->cell;
    struct sl_session_options options = {
        .policy = cell->policy,
        .loader = cell->loader,
        .hints = cell->hints,
        .threads = (int)cell->threads,
        .depth = (int)cell->depth,
        .depth_bytes = (uint64_t)cell->depth_bytes,
        .queue_depth = (int)cell->queue_depth,
        .budget_bytes = (uint64_t)cell->budget_bytes,
        .device_bytes_per_s = (uint64_t)cell->device_bytes_per_s,
        .trust = cell->trust,
        .events = execution->events,
    };
    int code = 0;
    for (int n = 0; code == 0 && n < cell->pack_count; n++)
        code = open_model(cell, n, stack, &execution->models[n], error);
    if (code == 0)
        code = sl_session_create(&options, &execution->session, error);
    for (int n = 0; code == 0 && n < cell->pack_count; n++) {
        int number = sl_session_add(execution->session, execution->models[n], error);
        code = number < 0 ? number : 0;
    }
    if (code < 0)
        return code;
    for (int r = 0; r < stack; r++)
        execution->fed[r] = -1;
    execution->stack = stack;
    interrupt_session(execution->session);
    return 0;
}

static int execution_open(struct execution *execution, const struct cell *cell,
                          struct sl_error *error)
{
    size_t networks = (size_t)cell->pack_count, runs = (size_t)cell->runs;
    size_t most = cell->batch > 1 ? (size_t)cell->batch : 1;
    *execution = (struct execution){
        .cell = cell,
        .models = calloc(networks, sizeof(*execution->models)),
        .results = calloc(networks * runs, sizeof(*execution->results)),
        .one_result = calloc(networks, sizeof(*execution->one_result)),
        .batches = calloc(runs, sizeof(*execution->batches)),
        .together = calloc(runs, sizeof(*execution->together)),
        .names = calloc(networks * most, sizeof(*execution->names)),
        .fed = calloc(most, sizeof(*execution->fed)),
    };
    if (!execution->models || !execution->results || !execution->one_result ||
        !execution->batches || !execution->together || !execution->names || !execution->fed)
        return sl_error_set(error, -ENOMEM, "out of memory");
    int code = observed_ring(cell, &execution->events, error);
    return code < 0 ? code : open_session(execution, 1, error);
}

/* Of the blob that `input` names; 0: a plain file. */
static size_t blob_name_length(const struct execution *execution, const char *input)
{
    return input_name_length(execution->models, execution->cell->pack_count, input);
}

/* Feeds BLOB=FILE to every network that has such an input. */
static int feed_named(const struct execution *execution, const char *input, size_t length,
                      struct sl_error *error)
{
    char name[INPUT_NAME_BYTES];
    int fed = 0, code = 0;
    input_name(input, length, name);
    for (int n = 0; n < execution->cell->pack_count; n++) {
        int blob = sl_model_find_input(execution->models[n], name, error);
        if (blob < 0)
            continue;
        code = sl_session_input_file(execution->session, n, blob, input + length + 1, error);
        if (code < 0)
            return code;
        fed++;
    }
    return fed ? 0 : -ENOENT;
}

static int feed_random(const struct execution *execution, struct sl_error *error)
{
    int code = 0;
    for (int n = 0; n < execution->cell->pack_count; n++) {
        struct sl_model_info info;
        sl_model_describe(execution->models[n], &info);
        for (int i = 0; code == 0 && i < info.input_count; i++)
            code = sl_session_input_random(execution->session, n, i, 0, error);
    }
    return code;
}

/* Plain files: one for every network; or as many as networks, one for each; or, for a single
 * network, any number, one request after another. */
static const char *plain_input(const struct execution *execution, int n)
{
    for (int i = 0; i < execution->cell->input_count; i++)
        if (blob_name_length(execution, execution->cell->inputs[i]) == 0 && n-- == 0)
            return execution->cell->inputs[i];
    return NULL;
}

static int count_plain(const struct execution *execution)
{
    int count = 0;
    while (plain_input(execution, count))
        count++;
    return count;
}

/* Feeds round `round`; names[n] tells what network n was fed, for its record. */
static int feed(const struct execution *execution, int round, const char **names,
                struct sl_error *error)
{
    const struct cell *cell = execution->cell;
    int code = feed_random(execution, error);
    for (int n = 0; n < cell->pack_count; n++)
        names[n] = "pseudo-random";
    for (int i = 0; code == 0 && i < cell->input_count; i++) {
        size_t length = blob_name_length(execution, cell->inputs[i]);
        if (length == 0)
            continue;
        code = feed_named(execution, cell->inputs[i], length, error);
        for (int n = 0; n < cell->pack_count; n++)
            names[n] = cell->inputs[i];
    }
    int plain = count_plain(execution);
    for (int n = 0; code == 0 && plain > 0 && n < cell->pack_count; n++) {
        bool each = cell->pack_count > 1 && plain == cell->pack_count;
        names[n] = plain_input(execution, each ? n : round);
        code = sl_session_input_file(execution->session, n, 0, names[n], error);
    }
    return code;
}

/* Several plain files for one network are as many rounds; cell_request_check_inputs saw to the
 * rest.
 */
static int count_rounds(const struct execution *execution)
{
    int plain = count_plain(execution);
    return execution->cell->pack_count == 1 && plain > 1 ? plain : 1;
}

static int run_once(const struct execution *execution, uint64_t more, struct sl_error *error)
{
    const struct cell *cell = execution->cell;
    for (int n = 0; cell->cold && n < cell->pack_count; n++) {
        int code = sl_model_drop_cache(execution->models[n], error);
        if (code < 0)
            return code;
    }
    return sl_session_run(execution->session, more, execution->one_result, NULL, error);
}

/* Makes DIRECTORY or DIRECTORY/PART and puts its path into buffer; part may be NULL. */
static int make_directory(const char *parent, const char *part, char buffer[PATH_MAX],
                          struct sl_error *error)
{
    int length = snprintf(buffer, PATH_MAX, "%s%s%s", parent, part ? "/" : "", part ? part : "");
    if (length < 0 || length >= PATH_MAX)
        return sl_error_set(error, -ENAMETOOLONG, "%s: name too long", parent);
    if (mkdir(buffer, 0777) < 0 && errno != EEXIST)
        return sl_error_errno(error, "cannot make directory %s", buffer);
    return 0;
}

/* File name of a path without folder and last extension, in buffer. */
static const char *stem(const char *path, char buffer[NAME_MAX + 1])
{
    const char *slash = strrchr(path, '/');
    snprintf(buffer, NAME_MAX + 1, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(buffer, '.');
    if (dot && dot != buffer)
        *dot = '\0';
    return buffer;
}

/* The file whose stem names the folder of outputs: the pack where there are several, or the input.
 */
static const char *named_after(const struct execution *execution, int i)
{
    struct sl_model_info info;
    if (execution->cell->pack_count == 1)
        return plain_input(execution, i);
    sl_model_describe(execution->models[i], &info);
    return info.path;
}

/* Its stem; behind others of the same stem STEM-2, STEM-3 and so on. */
static void name_folder(const struct execution *execution, int i, char name[NAME_MAX + 1])
{
    char other[NAME_MAX + 1];
    int number = 1;
    stem(named_after(execution, i), name);
    for (int before = 0; before < i; before++)
        number += !strcmp(stem(named_after(execution, before), other), name);
    const size_t length = strlen(name);
    if (number > 1)
        snprintf(name + length, NAME_MAX + 1 - length, "-%d", number);
}

/* Of several inputs of one network. */
static int round_of(const struct execution *execution, const char *input)
{
    int round = 0;
    while (round < execution->rounds - 1 && plain_input(execution, round) != input)
        round++;
    return round;
}

/* DIRECTORY/<blob>.npy; with several networks or inputs DIRECTORY/<folder>/<blob>.npy. */
static int write_outputs(const struct execution *execution, int network, const char *input,
                         struct sl_error *error)
{
    char directory[PATH_MAX], part[NAME_MAX + 1];
    const bool packs = execution->cell->pack_count > 1;
    const char *top = execution->cell->output_directory;
    int code = make_directory(top, NULL, directory, error);
    struct sl_model_info info;
    sl_model_describe(execution->models[network], &info);
    if (code == 0 && (packs || execution->rounds > 1)) {
        name_folder(execution, packs ? network : round_of(execution, input), part);
        code = make_directory(top, part, directory, error);
    }
    for (int output = 0; code == 0 && output < info.output_count; output++) {
        struct sl_blob_info blob;
        sl_model_output(execution->models[network], output, &blob, NULL);
        char name[NAME_MAX + 1], path[PATH_MAX];
        snprintf(name, sizeof(name), "%s", blob.name);
        for (char *c = name; *c; c++)
            if (*c == '/')
                *c = '_';
        int length = snprintf(path, sizeof(path), "%s/%s.npy", directory, name);
        if (length < 0 || length >= (int)sizeof(path))
            return sl_error_set(error, -ENAMETOOLONG, "%s: name too long", directory);
        code = sl_session_save_output(execution->session, network, output, path, error);
    }
    return code;
}

/* The memory that sluice allowed itself; null when nothing bounds it. */
static json_t *json_budget(const struct cell *cell)
{
    uint64_t given = (uint64_t)cell->budget_bytes, bytes = sl_cgroup_own_limit();
    if (given && given < bytes)
        bytes = given;
    return bytes == SL_NO_LIMIT ? json_null() : json_integer((json_int_t)bytes);
}

static json_t *json_advice(struct sl_session *session)
{
    struct sl_advice advice;
    if (!sl_session_advise(session, CELL_ADVICE_BYTES, &advice))
        return json_null();
    return json_pack("{s:f, s:I, s:f}", "reads_bind", advice.reads_bind, "more_bytes",
                     (json_int_t)CELL_ADVICE_BYTES, "saved", advice.saved);
}

/* Records of what the round finished. */
static int record_round(const struct execution *execution, int done, const char *const *inputs,
                        json_t *records, struct sl_error *error)
{
    const struct cell *cell = execution->cell;
    for (int n = 0; done > 0 && n < cell->pack_count; n++) {
        struct sl_request_samples samples = {
            .results = &execution->results[(int64_t)n * cell->runs],
            .batches = execution->batches,
            .together = execution->together,
            .count = done,
        };
        json_t *record = sl_record_network(execution->session, n, execution->models[n], inputs[n],
                                           &samples, (int)cell->top);
        if (!record)
            return sl_error_set(error, -ENOMEM, "out of memory");
        json_object_set_new(record, "budget", json_budget(cell));
        json_object_set_new(record, "advice", json_advice(execution->session));
        sl_record_add_own_usage(record);
        int code = 0;
        if (cell->output_directory && done == cell->runs)
            code = write_outputs(execution, n, inputs[n], error);
        if (code < 0) {
            json_decref(record);
            return code;
        }
        json_array_append_new(records, record);
    }
    return 0;
}

/* Feeds the requests [first, first + stack) of the queue, where every input stands cell->runs
 * times. An input stays in its place until another one follows. */
static int feed_stack(const struct execution *execution, int64_t first, struct sl_error *error)
{
    const struct cell *cell = execution->cell;
    for (int r = 0; r < execution->stack; r++) {
        int round = (int)((first + r) / cell->runs);
        if (execution->fed[r] == round)
            continue;
        int code = sl_session_select(execution->session, r, error);
        if (code == 0)
            code = feed(execution, round, execution->names + (int64_t)r * cell->pack_count, error);
        if (code < 0)
            return code;
        execution->fed[r] = round;
    }
    return 0;
}

/* Results of request r of the stack that was just run: its own digest, and its share of what was
 * read for all. */
static void take_results(const struct execution *execution, int r, int64_t run)
{
    const struct cell *cell = execution->cell;
    for (int n = 0; n < cell->pack_count; n++) {
        struct sl_result *result = &execution->results[(int64_t)n * cell->runs + run];
        *result = execution->one_result[n];
        result->digest = sl_session_digest(execution->session, n);
        result->read_bytes = result->read_bytes * (uint64_t)(r + 1) / (uint64_t)execution->stack -
                             result->read_bytes * (uint64_t)r / (uint64_t)execution->stack;
    }
    execution->together[run] = execution->stack;
    sl_session_last_batch(execution->session, &execution->batches[run]);
}

/* Runs the requests [first, first + stack) of the queue together; warm-ups before the first request
 * of an input. Makes the record of every input that is finished with them. */
static int run_stack(const struct execution *execution, int64_t first, json_t *records,
                     struct sl_error *error)
{
    const struct cell *cell = execution->cell;
    const int64_t runs = cell->runs, end = first + execution->stack;
    const int64_t later = (int64_t)execution->rounds * runs - end;
    const int64_t later_inputs = execution->rounds - 1 - (end - 1) / runs;
    bool begins = (end - 1) / runs > (first - 1) / runs || first == 0;
    int code = feed_stack(execution, first, error);
    for (int64_t i = begins ? -cell->warmup : 0; code == 0 && i <= 0; i++) {
        if (execution->events)
            sl_event_ring_label(execution->events, i < 0); /* warm-ups */
        code = run_once(execution,
                        (uint64_t)(-i + later / execution->stack + later_inputs * cell->warmup),
                        error);
    }
    for (int r = 0; code == 0 && r < execution->stack; r++) {
        int64_t run = (first + r) % runs;
        code = sl_session_select(execution->session, r, error);
        if (code < 0)
            break;
        take_results(execution, r, run);
        if (run == runs - 1)
            code = record_round(execution, (int)runs,
                                execution->names + (int64_t)r * cell->pack_count, records, error);
    }
    return code;
}

/* The input that failed or was interrupted after `done` of its requests. One of which nothing is
 * known has a record only behind those that ended well, and not when it was interrupted. */
static void record_failure(const struct execution *execution, int done, int code,
                           const struct sl_error *error, json_t *records)
{
    const struct cell *cell = execution->cell;
    const char *status = code == -EINTR ? "interrupted" : "error";
    size_t i = json_array_size(records);
    if (done > 0 && execution->session)
        record_round(execution, done, execution->names, records, NULL);
    for (int n = 0; !done && code != -EINTR && i > 0 && n < cell->pack_count; n++)
        json_array_append_new(records, cell_failed_record(cell, n, status));
    for (; i < json_array_size(records); i++) {
        json_t *record = json_array_get(records, i);
        json_object_set_new(record, "status", json_string(status));
        if (code != -EINTR)
            json_object_set_new(record, "error", json_string(error->text));
    }
}

/* As many requests together as were asked for; the rest of the queue in a smaller stack. */
static int run_queue(struct execution *execution, json_t *records, struct sl_error *error)
{
    const struct cell *cell = execution->cell;
    int code = 0;
    execution->rounds = count_rounds(execution);
    const int64_t length = (int64_t)execution->rounds * cell->runs;
    int64_t first = 0;
    while (code == 0 && first < length) {
        int64_t stack = cell->batch > 1 ? cell->batch : 1;
        stack = stack < length - first ? stack : length - first;
        if (stack != execution->stack) {
            close_session(execution);
            code = open_session(execution, (int)stack, error);
        }
        if (code == 0)
            code = run_stack(execution, first, records, error);
        first += code == 0 ? stack : 0;
    }
    if (code < 0)
        record_failure(execution, (int)(first % cell->runs), code, error, records);
    return code;
}

int cell_execute(const struct cell *cell, json_t **records, struct sl_error *error)
{
    struct sl_error own = {0};
    if (!error)
        error = &own;
    *error = own;
    struct execution execution;
    json_t *list = json_array();
    int code = execution_open(&execution, cell, error);
    if (code == 0)
        code = run_queue(&execution, list, error);
    execution_close(&execution);
    if (code < 0 && json_array_size(list) == 0 && code != -EINTR) {
        json_decref(list);
        return code;
    }
    *records = list;
    return code == -EINTR ? code : 0;
}
