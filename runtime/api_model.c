#include "runtime/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iouring/loader.h"
#include "models/encoding.h"
#include "models/pack_format.h"
#include "models/stack.h"
#include "runtime/base/file.h"
#include "runtime/base/suggest.h"
#include "runtime/engine/activation_plan.h"
#include "runtime/input/input.h"

#ifndef SL_COMMIT
#define SL_COMMIT ""
#endif

_Static_assert(SL_BLOB_AXES == SL_MAX_AXES, "public and internal shapes have the same axes");

const char *sl_version(void)
{
    return SL_VERSION;
}

const char *sl_commit(void)
{
    return SL_COMMIT;
}

/* Opens the pack with a batch of that many requests and checks that they do not mix. */
static int open_stacked(struct sl_model *model, const char *path, int64_t requests,
                        struct sl_error *error)
{
    struct sl_pack *one = model->pack, *stacked = NULL;
    struct sl_network_options options;
    int code = sl_stack_batch(one->network, requests, &options.batch, error);
    /* The pack itself is sound: what does not fit is the batch. */
    struct sl_error reason = {0};
    if (code == 0 && sl_pack_open(path, &options, &stacked, &reason) == -ENOMEM)
        code = sl_error_set(error, -ENOMEM, "%s", reason.text);
    else if (code == 0 && !stacked)
        code = sl_error_set(error, -EINVAL,
                            "%s cannot run %d requests together: its layers do not fit inputs of "
                            "that first axis (%.600s)",
                            one->network->name, (int)requests, reason.text);
    if (code == 0)
        code = sl_stack_check(one->network, stacked->network, requests, error);
    if (code < 0) {
        sl_pack_close(stacked);
        return code;
    }
    model->pack = stacked;
    model->stack = requests;
    sl_pack_close(one);
    return 0;
}

int sl_model_open_stacked(const char *path, int requests, struct sl_model **model,
                          struct sl_error *error)
{
    if (requests < 1 || requests > SL_STACK_MOST)
        return sl_error_set(error, -EINVAL, "%d requests cannot run together, only 1 to %d",
                            requests, SL_STACK_MOST);
    struct sl_model *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return sl_error_set(error, -ENOMEM, "%s: out of memory", path);
    opened->stack = 1;
    int code = sl_pack_open(path, NULL, &opened->pack, error);
    if (code == 0 && requests > 1)
        code = open_stacked(opened, path, requests, error);
    if (code < 0) {
        sl_model_close(opened);
        return code;
    }
    *model = opened;
    return 0;
}

int sl_model_open(const char *path, struct sl_model **model, struct sl_error *error)
{
    return sl_model_open_stacked(path, 1, model, error);
}

void sl_model_close(struct sl_model *model)
{
    if (!model)
        return;
    sl_pack_close(model->pack);
    free(model->labels);
    free(model);
}

void sl_model_describe(const struct sl_model *model, struct sl_model_info *info)
{
    const struct sl_pack *pack = model->pack;
    const struct sl_network *network = pack->network;
    uint64_t largest = 0, total = 0;
    for (int layer = 0; layer < network->layer_count; layer++) {
        uint64_t bytes = sl_pack_layer_bytes(&network->layers[layer]);
        total += bytes;
        largest = bytes > largest ? bytes : largest;
    }
    *info = (struct sl_model_info){
        .name = network->name,
        .path = pack->path,
        .layer_count = network->layer_count,
        .input_count = network->input_count,
        .output_count = network->output_count,
        .shard_count = pack->shard_count,
        .label_count = pack->preprocessing.label_count,
        .weight_bytes = total,
        .float_bytes = (uint64_t)network->weight_count * sizeof(float),
        .shared_bytes = pack->shared_bytes,
        .file_bytes = pack->file_bytes,
        .largest_layer_bytes = largest,
        .identity = pack->index_checksum,
        .flops = network->flops / (double)model->stack,
        .stack = (int)model->stack,
        .folded = pack->folded,
    };
}

void sl_blob_shape(const struct sl_model *model, int blob, struct sl_shape *shape)
{
    *shape = model->pack->network->blobs[blob].shape;
    if (model->stack > 1)
        shape->dim[0] /= model->stack;
}

void sl_blob_view(const struct sl_model *model, int blob, struct sl_blob_info *view)
{
    struct sl_shape shape;
    sl_blob_shape(model, blob, &shape);
    *view = (struct sl_blob_info){
        .name = model->pack->network->blobs[blob].name,
        .axes = shape.axes,
        .count = sl_shape_count(&shape),
    };
    memcpy(view->shape, shape.dim, (size_t)shape.axes * sizeof(view->shape[0]));
}

int sl_model_input(const struct sl_model *model, int input, struct sl_blob_info *blob,
                   struct sl_error *error)
{
    const struct sl_network *network = model->pack->network;
    if (input < 0 || input >= network->input_count)
        return sl_error_set(error, -ERANGE, "%s has no input %d, only %d", network->name, input,
                            network->input_count);
    sl_blob_view(model, network->inputs[input], blob);
    return 0;
}

int sl_model_output(const struct sl_model *model, int output, struct sl_blob_info *blob,
                    struct sl_error *error)
{
    const struct sl_network *network = model->pack->network;
    if (output < 0 || output >= network->output_count)
        return sl_error_set(error, -ERANGE, "%s has no output %d, only %d", network->name, output,
                            network->output_count);
    sl_blob_view(model, network->outputs[output], blob);
    return 0;
}

int sl_model_find_input(const struct sl_model *model, const char *name, struct sl_error *error)
{
    const struct sl_network *network = model->pack->network;
    struct sl_suggestion suggestion = {.wanted = name};
    for (int input = 0; input < network->input_count; input++) {
        const char *candidate = network->blobs[network->inputs[input]].name;
        if (!strcmp(candidate, name))
            return input;
        sl_suggest(&suggestion, candidate);
    }
    if (suggestion.best)
        return sl_error_set(error, -ENOENT, "%s has no input '%s'; did you mean '%s'?",
                            network->name, name, suggestion.best);
    return sl_error_set(error, -ENOENT, "%s has no input '%s'; `sluice inspect %s` lists them",
                        network->name, name, model->pack->path);
}

int sl_model_layer(const struct sl_model *model, int layer, struct sl_layer_info *info,
                   struct sl_error *error)
{
    const struct sl_pack *pack = model->pack;
    const struct sl_network *network = pack->network;
    if (layer < 0 || layer >= network->layer_count)
        return sl_error_set(error, -ERANGE, "%s has no layer %d, only %d", network->name, layer,
                            network->layer_count);
    const struct sl_layer *source = &network->layers[layer];
    *info = (struct sl_layer_info){
        .name = source->name,
        .type = sl_layer_type_name(source->type),
        .activation = source->activation == SL_ACTIVATION_RELU ? "ReLU" : "",
        .encoding = sl_encoding_name(source->encoding),
        .weight_bytes = sl_pack_layer_bytes(source),
        .shard_count = pack->layer_first_shard[layer + 1] - pack->layer_first_shard[layer],
        .flops = source->flops / (double)model->stack,
    };
    if (source->top_count > 0)
        sl_blob_view(model, source->tops[0], &info->output);
    return 0;
}

void sl_model_preprocessing(const struct sl_model *model, struct sl_preprocessing_info *info)
{
    static const char *const orders[] = {"bgr", "rgb", "gray"};
    const struct sl_preprocessing *source = &model->pack->preprocessing;
    *info = (struct sl_preprocessing_info){
        .order = orders[source->order],
        .resize_short = source->resize_short,
        .crop = source->crop,
        .scale = source->scale,
        .mean_count = source->mean_count,
        .mean = source->mean,
    };
}

int sl_model_read_labels(struct sl_model *model, const char *path, struct sl_error *error)
{
    char **labels;
    int count, code = sl_labels_read(path, &labels, &count, error);
    if (code < 0)
        return code;
    free(model->labels);
    model->labels = labels;
    model->label_count = count;
    return 0;
}

const char *sl_model_label(const struct sl_model *model, int64_t index)
{
    const struct sl_preprocessing *preprocessing = &model->pack->preprocessing;
    if (model->labels)
        return index >= 0 && index < model->label_count ? model->labels[index] : NULL;
    return index >= 0 && index < preprocessing->label_count ? preprocessing->labels[index] : NULL;
}

int sl_model_activation_bytes(const struct sl_model *model, uint64_t *bytes, struct sl_error *error)
{
    struct sl_activation_plan plan;
    int code = sl_activation_plan_create(model->pack->network, &plan, error);
    if (code < 0)
        return code;
    *bytes = plan.bytes;
    sl_activation_plan_free(&plan);
    return 0;
}

int sl_model_drop_cache(const struct sl_model *model, struct sl_error *error)
{
    return sl_file_drop_cache(model->pack->path, error);
}
