/* Where data enters: Input and MemoryData. */
#include "models/layers/importer.h"

static int set_input(struct sl_layer_import *import, int top, struct sl_shape shape)
{
    if (import->batch > 0 && shape.axes > 0)
        shape.dim[0] = import->batch;
    import->tops[top] = shape;
    return 0;
}

int sl_infer_input(struct sl_layer_import *import)
{
    const Caffe__InputParameter *parameters = import->message->input_param;
    size_t shapes = parameters ? parameters->n_shape : 0;
    if (shapes != 1 && shapes != (size_t)import->top_count)
        return sl_import_fail(import,
                              "%zu shapes for %d tops; give one input_param { shape { dim: ... } } "
                              "for each top, or one for all",
                              shapes, import->top_count);
    for (int top = 0; top < import->top_count; top++) {
        const Caffe__BlobShape *given = parameters->shape[shapes == 1 ? 0 : top];
        if (given->n_dim > SL_MAX_AXES)
            return sl_import_fail(import, "%zu axes in the shape of '%.100s'; at most %d are known",
                                  given->n_dim, import->message->top[top], SL_MAX_AXES);
        struct sl_shape shape = sl_shape_make(0, 1, 1, 1, 1);
        shape.axes = (int)given->n_dim;
        for (size_t i = 0; i < given->n_dim; i++)
            shape.dim[i] = given->dim[i];
        set_input(import, top, shape);
    }
    return 0;
}

int sl_infer_memory_data(struct sl_layer_import *import)
{
    SL_PARAMETERS(parameters, Caffe__MemoryDataParameter, CAFFE__MEMORY_DATA_PARAMETER__INIT,
                  import->message->memory_data_param);
    set_input(import, 0,
              sl_shape_make(4, parameters->batch_size, parameters->channels, parameters->height,
                            parameters->width));
    if (import->top_count > 1)
        set_input(import, 1, sl_shape_make(1, parameters->batch_size, 1, 1, 1));
    return 0;
}
