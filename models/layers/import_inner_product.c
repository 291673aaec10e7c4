/* InnerProduct: the axes from `axis` on are one vector. */
#include "models/layers/importer.h"

int sl_infer_inner_product(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__InnerProductParameter, CAFFE__INNER_PRODUCT_PARAMETER__INIT,
                  import->message->inner_product_param);
    const struct sl_shape *bottom = &import->bottoms[0];
    struct sl_inner_product_parameters *out = &import->layer->parameters.inner_product;
    int result = sl_import_axis(import, "axis", message->axis, bottom, &out->axis);
    if (result)
        return result;
    out->num_output = message->num_output;
    out->bias = message->bias_term;
    out->transpose = message->transpose;
    out->inputs = sl_shape_span(bottom, out->axis, bottom->axes);
    if (out->num_output < 1 || out->num_output > SL_MAX_DIMENSION)
        return sl_import_fail(import, "num_output must be at least 1");
    if (out->inputs > SL_MAX_DIMENSION)
        return sl_import_fail(import, "%lld inputs are too many", (long long)out->inputs);

    struct sl_shape *top = &import->tops[0];
    *top = sl_shape_make(0, 1, 1, 1, 1);
    top->axes = out->axis + 1;
    for (int i = 0; i < out->axis; i++)
        top->dim[i] = bottom->dim[i];
    top->dim[out->axis] = out->num_output;

    int64_t rows = out->transpose ? out->inputs : out->num_output;
    int64_t columns = out->transpose ? out->num_output : out->inputs;
    struct sl_shape weight = sl_shape_make(2, rows, columns, 1, 1);
    result = sl_import_weight(import, &weight);
    if (!result && out->bias)
        result = sl_import_weight_vector(import, out->num_output);
    if (result)
        return result;
    double vectors = (double)sl_shape_span(bottom, 0, out->axis);
    import->layer->flops = vectors * (2.0 * (double)import->layer->weights[0].count +
                                      (out->bias ? (double)out->num_output : 0.0));
    return 0;
}
