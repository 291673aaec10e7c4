/* Layers that keep the shape and need no weights, and PReLU. */
#include "models/layers/importer.h"

#include <math.h>

/* The top is shaped like the bottom; flops_per_element operations are counted for each. */
static int same_shape(struct sl_layer_import *import, double flops_per_element)
{
    import->tops[0] = import->bottoms[0];
    import->layer->flops = flops_per_element * (double)sl_shape_count(&import->bottoms[0]);
    return 0;
}

int sl_infer_relu(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__ReLUParameter, CAFFE__RE_LUPARAMETER__INIT,
                  import->message->relu_param);
    import->layer->parameters.relu.negative_slope = message->negative_slope;
    return same_shape(import, 1);
}

int sl_infer_prelu(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__PReLUParameter, CAFFE__PRE_LUPARAMETER__INIT,
                  import->message->prelu_param);
    int result = sl_import_expect_axes(import, 0, 2, SL_MAX_AXES);
    if (result)
        return result;
    bool shared = message->channel_shared;
    import->layer->parameters.prelu.channel_shared = shared;
    struct sl_shape weight = sl_shape_make(shared ? 0 : 1, 1, 1, 1, 1);
    if (!shared)
        weight.dim[0] = import->bottoms[0].dim[1];
    result = sl_import_weight(import, &weight);
    return result ? result : same_shape(import, 2);
}

int sl_infer_elu(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__ELUParameter, CAFFE__ELUPARAMETER__INIT,
                  import->message->elu_param);
    import->layer->parameters.elu.alpha = message->alpha;
    return same_shape(import, 3);
}

int sl_infer_sigmoid(struct sl_layer_import *import)
{
    return same_shape(import, 3);
}

int sl_infer_tanh(struct sl_layer_import *import)
{
    return same_shape(import, 3);
}

int sl_infer_absval(struct sl_layer_import *import)
{
    return same_shape(import, 1);
}

int sl_infer_bnll(struct sl_layer_import *import)
{
    return same_shape(import, 3);
}

int sl_infer_dropout(struct sl_layer_import *import)
{
    return same_shape(import, 0);
}

int sl_infer_power(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__PowerParameter, CAFFE__POWER_PARAMETER__INIT,
                  import->message->power_param);
    import->layer->parameters.power.power = message->power;
    import->layer->parameters.power.scale = message->scale;
    import->layer->parameters.power.shift = message->shift;
    return same_shape(import, 3);
}

static int set_exponential(struct sl_layer_import *import, float base, float scale, float shift)
{
    if (base != -1.0f && !(base > 0.0f && isfinite(base)))
        return sl_import_fail(import, "base must be positive, or -1 for e; it is %g", (double)base);
    import->layer->parameters.exponential.base = base;
    import->layer->parameters.exponential.scale = scale;
    import->layer->parameters.exponential.shift = shift;
    return same_shape(import, 3);
}

int sl_infer_exp(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__ExpParameter, CAFFE__EXP_PARAMETER__INIT,
                  import->message->exp_param);
    return set_exponential(import, message->base_, message->scale, message->shift);
}

int sl_infer_log(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__LogParameter, CAFFE__LOG_PARAMETER__INIT,
                  import->message->log_param);
    if (message->base_ == 1.0f)
        return sl_import_fail(import, "a logarithm of base 1 does not exist");
    return set_exponential(import, message->base_, message->scale, message->shift);
}

int sl_infer_softmax(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__SoftmaxParameter, CAFFE__SOFTMAX_PARAMETER__INIT,
                  import->message->softmax_param);
    int result = sl_import_axis(import, "axis", message->axis, &import->bottoms[0],
                                &import->layer->parameters.softmax.axis);
    return result ? result : same_shape(import, 5);
}
