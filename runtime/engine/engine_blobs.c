/* Inputs and outputs of the networks. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "runtime/engine/engine_state.h"

static const struct sl_blob *find_input(const struct sl_engine *engine, int network, int input,
                                        struct sl_error *error)
{
    if (network < 0 || network >= engine->network_count)
        sl_error_set(error, -EINVAL, "there is no network %d", network);
    else if (input < 0 || input >= engine->networks[network]->network->input_count)
        sl_error_set(error, -EINVAL, "%s has no input %d", engine->networks[network]->network->name,
                     input);
    else
        return &engine->networks[network]
                    ->network->blobs[engine->networks[network]->network->inputs[input]];
    return NULL;
}

int sl_engine_set_input(struct sl_engine *engine, int network, int input, const float *values,
                        int64_t count, struct sl_error *error)
{
    const struct sl_blob *blob = find_input(engine, network, input, error);
    char text[SL_SHAPE_TEXT_BYTES];
    if (blob && count != sl_shape_count(&blob->shape))
        return sl_error_set(error, -EINVAL,
                            "%s: input %s is %s, %" PRId64 " values, but %" PRId64 " were given",
                            engine->networks[network]->network->name, blob->name,
                            sl_shape_text(&blob->shape, text), sl_shape_count(&blob->shape), count);
    return blob ? sl_engine_set_input_part(engine, network, input, 0, values, count, error)
                : -EINVAL;
}

int sl_engine_take_blobs(struct sl_engine *engine, struct sl_network_state *state,
                         struct sl_error *error)
{
    const uint64_t bytes = sl_network_state_missing_bytes(state);
    int result = bytes ? sl_engine_check_room(engine, bytes, error) : 0;
    return result ? result : sl_network_state_take_blobs(state, engine->pool, error);
}

int sl_engine_input(struct sl_engine *engine, int network, int input, int64_t first, int64_t count,
                    float **values, struct sl_error *error)
{
    const struct sl_blob *blob = find_input(engine, network, input, error);
    if (!blob)
        return -EINVAL;
    int64_t all = sl_shape_count(&blob->shape);
    if (first < 0 || count < 0 || first > all || count > all - first)
        return sl_error_set(error, -EINVAL,
                            "values %" PRId64 " to %" PRId64 " are not in input %s, which has "
                            "%" PRId64,
                            first, first + count - 1, blob->name, all);
    struct sl_network_state *state = engine->networks[network];
    int result = sl_engine_take_blobs(engine, state, error);
    if (!result)
        *values = state->inputs[input] + first;
    return result;
}

int sl_engine_set_input_part(struct sl_engine *engine, int network, int input, int64_t first,
                             const float *values, int64_t count, struct sl_error *error)
{
    float *blob;
    int result = sl_engine_input(engine, network, input, first, count, &blob, error);
    if (!result)
        memcpy(blob, values, (size_t)count * sizeof(float));
    return result;
}

const float *sl_engine_output(const struct sl_engine *engine, int network, int output)
{
    if (network < 0 || network >= engine->network_count || output < 0 ||
        output >= engine->networks[network]->network->output_count)
        return NULL;
    return engine->networks[network]->outputs[output];
}
