#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/api.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"
#include "runtime/engine/engine.h"
#include "runtime/input/input.h"
#include "runtime/input/npy.h"

#define RANDOM_AT_ONCE 1024

struct session_network {
    const struct sl_model *model;
    const struct sl_layer_time *layers; /* of the last run; the engine's */
};

struct sl_session {
    struct sl_engine *engine;
    struct session_network *networks;
    int network_count;
    int64_t request; /* selected, of those that run together */
};

int sl_session_create(const struct sl_session_options *options, struct sl_session **session,
                      struct sl_error *error)
{
    static const struct sl_session_options defaults;
    if (!options)
        options = &defaults;
    if (options->depth < 0 || options->queue_depth < 0)
        return sl_error_set(error, -EINVAL, "a depth of %d cannot be; give 0 for the default",
                            options->depth < 0 ? options->depth : options->queue_depth);
    struct sl_session *created = calloc(1, sizeof(*created));
    if (!created)
        return sl_error_set(error, -ENOMEM, "no memory for a session");
    struct sl_engine_options engine_options = {
        .policy = options->policy,
        .loader = options->loader,
        .threads = options->threads,
        .depth = options->depth,
        .ahead_bytes = options->depth_bytes,
        .reading = {.depth = options->queue_depth, .hints = options->hints},
        .budget_bytes = options->budget_bytes ? options->budget_bytes : UINT64_MAX,
        .verify = !options->trust,
        .events = options->events,
        .device_bytes_per_s = options->device_bytes_per_s,
    };
    int code = sl_engine_create(&engine_options, &created->engine, error);
    if (code < 0) {
        free(created);
        return code;
    }
    *session = created;
    return 0;
}

void sl_session_free(struct sl_session *session)
{
    if (!session)
        return;
    sl_engine_free(session->engine);
    free(session->networks);
    free(session);
}

int sl_session_add(struct sl_session *session, const struct sl_model *model, struct sl_error *error)
{
    struct session_network *networks =
        realloc(session->networks, ((size_t)session->network_count + 1) * sizeof(*networks));
    if (!networks)
        return sl_error_set(error, -ENOMEM, "no memory for another network");
    session->networks = networks;
    int number = sl_engine_add(session->engine, model->pack, error);
    if (number < 0)
        return number;
    networks[session->network_count++] = (struct session_network){.model = model};
    return number;
}

static const struct sl_network *find_network(const struct sl_session *session, int network,
                                             struct sl_error *error)
{
    if (network >= 0 && network < session->network_count)
        return session->networks[network].model->pack->network;
    sl_error_set(error, -ERANGE, "the session has no network %d, only %d", network,
                 session->network_count);
    return NULL;
}

static const struct sl_blob *find_input(const struct sl_session *session, int network, int input,
                                        struct sl_error *error)
{
    const struct sl_network *found = find_network(session, network, error);
    if (!found)
        return NULL;
    if (input >= 0 && input < found->input_count)
        return &found->blobs[found->inputs[input]];
    sl_error_set(error, -ERANGE, "%s has no input %d, only %d", found->name, input,
                 found->input_count);
    return NULL;
}

int sl_session_select(struct sl_session *session, int request, struct sl_error *error)
{
    int64_t most = 0;
    for (int n = 0; n < session->network_count; n++)
        if (session->networks[n].model->stack > most)
            most = session->networks[n].model->stack;
    if (request < 0 || request >= most)
        return sl_error_set(error, -ERANGE, "there is no request %d, only %" PRId64, request, most);
    session->request = request;
    return 0;
}

/* Elements before the selected request's part of a blob, of which each request has count. */
static int64_t part_begin(const struct sl_session *session, int network, int64_t count)
{
    int64_t stack = session->networks[network].model->stack;
    return (session->request < stack ? session->request : stack - 1) * count;
}

int sl_session_input(struct sl_session *session, int network, int input, const float *values,
                     int64_t count, struct sl_error *error)
{
    const struct sl_blob *blob = find_input(session, network, input, error);
    if (!blob)
        return -ERANGE;
    int64_t all = sl_shape_count(&blob->shape);
    int64_t wanted = all / session->networks[network].model->stack;
    if (count != wanted) /* the engine says what is wrong */
        return sl_engine_set_input(session->engine, network, input, values, count, error);
    return sl_engine_set_input_part(session->engine, network, input,
                                    part_begin(session, network, count), values, count, error);
}

struct reading {
    struct sl_engine *engine;
    const char *path;
};

static int make_room(void *context, uint64_t bytes, uint64_t so_far, struct sl_error *error)
{
    const struct reading *reading = context;
    int code = sl_engine_make_room(reading->engine, bytes, so_far, error);
    if (code < 0)
        sl_error_wrap(error, "%s: to decode it", reading->path);
    return code;
}

/* The room that was made is for weights again. */
static void give_heap_back(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

int sl_session_input_file(struct sl_session *session, int network, int input, const char *path,
                          struct sl_error *error)
{
    const struct sl_blob *blob = find_input(session, network, input, error);
    if (!blob)
        return -ERANGE;
    const struct sl_model *model = session->networks[network].model;
    struct sl_shape shape;
    sl_blob_shape(model, model->pack->network->inputs[input], &shape);
    const int64_t count = sl_shape_count(&shape);
    float *values;
    int code = sl_engine_input(session->engine, network, input, part_begin(session, network, count),
                               count, &values, error);
    if (code < 0)
        return code;
    struct reading reading = {.engine = session->engine, .path = path};
    struct sl_room room = {.make = make_room, .context = &reading};
    code = sl_input_read(path, &model->pack->preprocessing, &shape, &room, values, error);
    if (room.asked_bytes)
        give_heap_back();
    return code;
}

int sl_session_input_random(struct sl_session *session, int network, int input, uint64_t seed,
                            struct sl_error *error)
{
    const struct sl_blob *blob = find_input(session, network, input, error);
    if (!blob)
        return -ERANGE;
    int64_t count = sl_shape_count(&blob->shape) / session->networks[network].model->stack;
    const int64_t begin = part_begin(session, network, count);
    const uint64_t key = sl_fnv1a(blob->name) ^ seed;
    int code = 0;
    for (int64_t i = 0; code == 0 && i < count; i += RANDOM_AT_ONCE) {
        float values[RANDOM_AT_ONCE];
        const int64_t some = count - i < RANDOM_AT_ONCE ? count - i : RANDOM_AT_ONCE;
        for (int64_t k = 0; k < some; k++)
            values[k] = sl_rng_signed_unit(key, (uint64_t)(i + k) + 1);
        code = sl_engine_set_input_part(session->engine, network, input, begin + i, values, some,
                                        error);
    }
    return code;
}

int sl_session_run(struct sl_session *session, uint64_t more, struct sl_result *results,
                   uint64_t *makespan_ns, struct sl_error *error)
{
    if (session->network_count == 0)
        return sl_error_set(error, -EINVAL, "the session has no network; add one first");
    if (!results)
        return sl_error_set(error, -EINVAL,
                            "there are no results to fill in; give one per network");
    size_t count = (size_t)session->network_count;
    SL_AUTO_FREE struct sl_network_result *inner = calloc(count, sizeof(*inner));
    if (!inner)
        return sl_error_set(error, -ENOMEM, "no memory for results");
    for (size_t n = 0; n < count; n++)
        session->networks[n].layers = NULL;
    uint64_t makespan = 0;
    int code = sl_engine_run(session->engine, more, inner, &makespan, error);
    if (code < 0)
        return code;
    for (size_t n = 0; n < count; n++) {
        session->networks[n].layers = inner[n].layers;
        results[n] = (struct sl_result){
            .latency_ns = inner[n].latency_ns,
            .load_ns = inner[n].load_ns,
            .run_ns = inner[n].run_ns,
            .stall_ns = inner[n].stall_ns,
            .read_bytes = inner[n].read_bytes,
            .digest = inner[n].digest,
        };
    }
    if (makespan_ns)
        *makespan_ns = makespan;
    return 0;
}

void sl_session_last_batch(const struct sl_session *session, struct sl_batch *batch)
{
    struct sl_batch_facts facts;
    sl_engine_last_batch(session->engine, &facts);
    *batch = (struct sl_batch){facts.makespan_ns, facts.load_ns, facts.bound_ns};
}

void sl_session_set_budget(struct sl_session *session, uint64_t budget_bytes)
{
    sl_engine_set_budget(session->engine, budget_bytes ? budget_bytes : UINT64_MAX);
}

void sl_session_reread_limit(struct sl_session *session)
{
    sl_engine_reread_limit(session->engine);
}

void sl_session_interrupt(struct sl_session *session)
{
    sl_engine_interrupt(session->engine);
}

const float *sl_session_output(const struct sl_session *session, int network, int output)
{
    const float *values = sl_engine_output(session->engine, network, output);
    if (!values)
        return NULL;
    const struct sl_model *model = session->networks[network].model;
    struct sl_shape shape;
    sl_blob_shape(model, model->pack->network->outputs[output], &shape);
    return values + part_begin(session, network, sl_shape_count(&shape));
}

uint64_t sl_session_digest(const struct sl_session *session, int network)
{
    struct sl_blob_info blob;
    XXH3_state_t digest;
    XXH3_64bits_reset(&digest);
    if (network < 0 || network >= session->network_count || !session->networks[network].layers)
        return 0;
    const struct sl_model *model = session->networks[network].model;
    for (int output = 0; sl_model_output(model, output, &blob, NULL) == 0; output++)
        XXH3_64bits_update(&digest, sl_session_output(session, network, output),
                           (size_t)blob.count * sizeof(float));
    return XXH3_64bits_digest(&digest);
}

/* Values and shape of the selected request's part of an output; NULL when there is no such output
 * or nothing ran. */
static const float *find_output(const struct sl_session *session, int network, int output,
                                struct sl_shape *shape, struct sl_error *error)
{
    const struct sl_network *found = find_network(session, network, error);
    if (!found)
        return NULL;
    if (output < 0 || output >= found->output_count) {
        sl_error_set(error, -ERANGE, "%s has no output %d, only %d", found->name, output,
                     found->output_count);
        return NULL;
    }
    const float *values = sl_session_output(session, network, output);
    if (!values)
        sl_error_set(error, -ERANGE, "%s did not run yet", found->name);
    sl_blob_shape(session->networks[network].model, found->outputs[output], shape);
    return values;
}

int sl_session_save_output(const struct sl_session *session, int network, int output,
                           const char *path, struct sl_error *error)
{
    struct sl_shape shape;
    const float *values = find_output(session, network, output, &shape, error);
    if (!values)
        return -ERANGE;
    return sl_npy_write(path, &shape, values, error);
}

/* Sum of exp(value - largest): what turns values into a softmax. */
static double softmax_sum(const float *values, int64_t count, float largest)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += exp((double)values[i] - (double)largest);
    return sum;
}

/* Inserts into the ascending-by-rank list of at most `most` classes; returns the new length. */
static int insert_class(struct sl_class *classes, int length, int most, int64_t index, float value)
{
    int at = length;
    while (at > 0 && classes[at - 1].value < value)
        at--;
    if (at >= most)
        return length;
    int moved = (length < most ? length : most - 1) - at;
    memmove(&classes[at + 1], &classes[at], (size_t)moved * sizeof(*classes));
    classes[at] = (struct sl_class){.index = index, .value = value};
    return length < most ? length + 1 : length;
}

int sl_session_top(const struct sl_session *session, int network, int output, int most,
                   struct sl_class *classes, struct sl_error *error)
{
    struct sl_shape shape;
    const float *values = find_output(session, network, output, &shape, error);
    if (!values)
        return -ERANGE;
    const struct sl_model *model = session->networks[network].model;
    const struct sl_network *found = model->pack->network;
    const int producer = found->blobs[found->outputs[output]].producer;
    int64_t count = sl_shape_span(&shape, shape.axes > 1 ? 1 : 0, shape.axes);
    int length = 0;
    for (int64_t i = 0; i < count && most > 0; i++)
        if (!isnan(values[i]))
            length = insert_class(classes, length, most, i, values[i]);
    bool softmax = found->layers[producer].type == SL_LAYER_SOFTMAX;
    double sum = !softmax && length > 0 ? softmax_sum(values, count, classes[0].value) : 1;
    float largest = length > 0 ? classes[0].value : 0;
    for (int i = 0; i < length; i++) {
        classes[i].probability =
            softmax ? classes[i].value
                    : (float)(exp((double)classes[i].value - (double)largest) / sum);
        classes[i].label = sl_model_label(model, classes[i].index);
    }
    return length;
}

int sl_session_layer(const struct sl_session *session, int network, int layer,
                     struct sl_layer_result *result, struct sl_error *error)
{
    const struct sl_network *found = find_network(session, network, error);
    if (!found)
        return -ERANGE;
    const struct sl_layer_time *times = session->networks[network].layers;
    if (!times || layer < 0 || layer >= found->layer_count)
        return sl_error_set(error, -ERANGE, "%s: no times of layer %d", found->name, layer);
    const struct sl_layer_time *time = &times[layer];
    *result = (struct sl_layer_result){
        .load_ns = time->load_ns,
        .run_ns = time->run_ns,
        .stall_ns = time->stall_ns,
        .read_bytes = time->read_bytes,
        .major_faults = time->major_faults,
        .start_ns = time->start_ns,
        .end_ns = time->end_ns,
        .load_start_ns = time->load_start_ns,
    };
    return 0;
}

bool sl_session_advise(struct sl_session *session, uint64_t more_bytes, struct sl_advice *advice)
{
    struct sl_engine_advice inner;
    if (!sl_engine_advise(session->engine, more_bytes, &inner))
        return false;
    *advice = (struct sl_advice){inner.reads_bind, inner.saved};
    return true;
}

void sl_session_describe(const struct sl_session *session, struct sl_session_info *info)
{
    struct sl_engine_facts facts;
    sl_engine_facts(session->engine, &facts);
    *info = (struct sl_session_info){
        .policy = facts.policy,
        .loader = facts.loader,
        .loader_reason = facts.loader_reason,
        .loader_notes = facts.loader_notes,
        .hints = facts.hints,
        .threads = facts.threads,
        .direct = facts.direct,
        .shards_peak_bytes = facts.shards_peak_bytes,
        .activation_bytes = facts.activation_bytes,
        .scratch_bytes = facts.scratch_bytes,
        .division = sl_division_of(&facts.budget, facts.slot_bytes, facts.pinned_bytes),
    };
}
