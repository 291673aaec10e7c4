#include "models/fold_affine.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"

static int no_memory(struct sl_error *error)
{
    return sl_error_set(error, ENOMEM, "folding: no memory");
}

void sl_affine_free(const struct sl_affine *affine)
{
    free(affine->layer);
    free(affine->factor);
    free(affine->addend);
}

bool sl_affine_describe(const struct sl_network *network, const struct sl_layer *layer,
                        struct sl_affine *affine)
{
    if (layer->bottom_count != 1 || layer->top_count != 1 || layer->weight_count < 1)
        return false;
    const struct sl_shape *top = &network->blobs[layer->tops[0]].shape;
    if (top->axes < 2)
        return false;
    int64_t count = layer->weights[0].count;
    affine->channels = top->dim[1];
    affine->per_group = affine->channels;
    affine->group_span = count;
    if (layer->type == SL_LAYER_CONVOLUTION) {
        affine->inner = count / affine->channels;
        affine->had_bias = layer->parameters.convolution.bias;
        return layer->parameters.convolution.num_output == affine->channels;
    }
    if (layer->type == SL_LAYER_DECONVOLUTION) {
        const struct sl_convolution_parameters *parameters = &layer->parameters.convolution;
        affine->inner = parameters->kernel_h * parameters->kernel_w;
        affine->per_group = parameters->num_output / parameters->group;
        affine->group_span = count / parameters->group;
        affine->had_bias = parameters->bias;
        return parameters->num_output == affine->channels;
    }
    if (layer->type == SL_LAYER_INNER_PRODUCT) {
        const struct sl_inner_product_parameters *parameters = &layer->parameters.inner_product;
        affine->inner = parameters->transpose ? 1 : parameters->inputs;
        affine->had_bias = parameters->bias;
        return parameters->axis == 1 && parameters->num_output == affine->channels;
    }
    return false;
}

bool sl_affine_accepts(const struct sl_affine *affine, const struct sl_layer *next)
{
    int64_t channels = affine->channels;
    if (next->weight_count < 1 || next->weights[0].count != channels)
        return false;
    switch (next->type) {
    case SL_LAYER_BATCH_NORM:
        return next->weight_count == 3 && next->weights[1].count == channels &&
               next->weights[2].count == 1;
    case SL_LAYER_SCALE:
        return next->parameters.scale.axis == 1 &&
               (next->weight_count == 1 || next->weights[1].count == channels);
    case SL_LAYER_BIAS:
        return next->parameters.scale.axis == 1;
    default:
        return false;
    }
}

static int read_weight(struct sl_weight_source *source, const struct sl_layer *layer, int blob,
                       float **values, struct sl_error *error)
{
    const struct sl_weight *weight = &layer->weights[blob];
    *values = malloc((size_t)weight->count * sizeof(**values));
    if (!*values)
        return no_memory(error);
    return source->read(source, layer->name, sl_layer_type_name(layer->type), blob, &weight->shape,
                        0, weight->count, *values, error);
}

/* Caffe's batch normalisation with stored statistics: mean and variance are sums to be divided by
 * the scale factor (0: no sample was ever seen, both are 0). */
static int read_batch_norm(struct sl_weight_source *source, const struct sl_layer *layer,
                           double *factor, double *addend, struct sl_error *error)
{
    SL_AUTO_FREE float *mean = NULL;
    SL_AUTO_FREE float *variance = NULL;
    SL_AUTO_FREE float *samples = NULL;
    int result = read_weight(source, layer, 0, &mean, error);
    if (!result)
        result = read_weight(source, layer, 1, &variance, error);
    if (!result)
        result = read_weight(source, layer, 2, &samples, error);
    if (result)
        return result;
    double share = samples[0] == 0 ? 0 : 1 / (double)samples[0];
    for (int64_t c = 0; c < layer->weights[0].count; c++) {
        factor[c] = 1 / sqrt(variance[c] * share + (double)layer->parameters.batch_norm.eps);
        addend[c] = -(mean[c] * share) * factor[c];
    }
    return 0;
}

static int read_scale(struct sl_weight_source *source, const struct sl_layer *layer, double *factor,
                      double *addend, struct sl_error *error)
{
    bool bias_only = layer->type == SL_LAYER_BIAS;
    SL_AUTO_FREE float *gamma = NULL;
    SL_AUTO_FREE float *beta = NULL;
    int result = bias_only ? 0 : read_weight(source, layer, 0, &gamma, error);
    if (!result && (bias_only || layer->weight_count > 1))
        result = read_weight(source, layer, bias_only ? 0 : 1, &beta, error);
    if (result)
        return result;
    for (int64_t c = 0; c < layer->weights[0].count; c++) {
        factor[c] = gamma ? gamma[c] : 1;
        addend[c] = beta ? beta[c] : 0;
    }
    return 0;
}

int sl_affine_compose(struct sl_affine *affine, const struct sl_layer *next,
                      struct sl_weight_source *source, bool *done, struct sl_error *error)
{
    size_t channels = (size_t)affine->channels;
    SL_AUTO_FREE double *factor = calloc(channels, sizeof(*factor));
    SL_AUTO_FREE double *addend = calloc(channels, sizeof(*addend));
    if (!factor || !addend)
        return no_memory(error);
    int result = next->type == SL_LAYER_BATCH_NORM
                     ? read_batch_norm(source, next, factor, addend, error)
                     : read_scale(source, next, factor, addend, error);
    if (result)
        return result;
    *done = false;
    for (size_t c = 0; c < channels; c++)
        if (!isfinite(factor[c]) || !isfinite(addend[c]))
            return 0;
    if (affine->factor) {
        for (size_t c = 0; c < channels; c++) {
            addend[c] += factor[c] * affine->addend[c];
            factor[c] *= affine->factor[c];
        }
    }
    free(affine->factor);
    free(affine->addend);
    affine->factor = SL_STEAL(factor);
    affine->addend = SL_STEAL(addend);
    *done = true;
    return 0;
}

static int64_t channel_of(const struct sl_affine *affine, int64_t element)
{
    int64_t group = element / affine->group_span;
    return group * affine->per_group + element / affine->inner % affine->per_group;
}

void sl_affine_apply(const struct sl_affine *affine, int blob, int64_t first, int64_t count,
                     float *values)
{
    if (blob == 1) {
        for (int64_t i = 0; i < count; i++)
            values[i] = (float)(values[i] * affine->factor[first + i] + affine->addend[first + i]);
        return;
    }
    for (int64_t i = 0; i < count;) {
        /* All elements up to the next multiple of inner share a channel. */
        double factor = affine->factor[channel_of(affine, first + i)];
        int64_t same = affine->inner - (first + i) % affine->inner;
        for (int64_t end = same < count - i ? i + same : count; i < end; i++)
            values[i] = (float)(values[i] * factor);
    }
}
