/* How one Caffe layer type becomes a sl_layer: one hook per type, collected in importers.c. A new
 * layer type is one hook, one line there, one entry of enum sl_layer_type and one kernel. */
#ifndef SLUICE_MODELS_LAYERS_IMPORTER_H
#define SLUICE_MODELS_LAYERS_IMPORTER_H

#include "models/arena.h"
#include "models/network.h"

#include "models/caffe.pb-c.h"

/* Longest dimension and largest element count of a blob or weight. The first keeps every product
 * of two sizes inside 64 bits, so hooks may multiply two before they check. */
#define SL_MAX_DIMENSION INT32_MAX
#define SL_MAX_ELEMENTS  (INT64_C(1) << 40)

/* One layer on its way in. The builder fills the first group and checks the counts against the
 * importer's limits; the hook reads message and bottoms, and writes layer->parameters, weights
 * (with sl_import_weight), flops and every tops[i]. The builder then checks the tops. */
struct sl_layer_import {
    const Caffe__LayerParameter *message;
    const struct sl_shape *bottoms; /* shapes, bottom_count of them */
    int bottom_count, top_count;
    int64_t batch; /* sl_network_options.batch */
    struct sl_arena *arena;
    struct sl_error *error;

    struct sl_layer *layer;
    struct sl_shape *tops;
};

#define SL_ANY_NUMBER INT32_MAX

struct sl_layer_importer {
    const char *name; /* Caffe's type name */
    enum sl_layer_type type;
    int least_bottoms, most_bottoms, least_tops, most_tops;
    /* 0, or -errno with import->error set (sl_import_fail). */
    int (*infer)(struct sl_layer_import *import);
};

/* NULL when no such type is known. */
const struct sl_layer_importer *sl_layer_importer_find(const char *caffe_type);
/* Iterate with index from 0 until NULL. */
const struct sl_layer_importer *sl_layer_importer_at(int index);

/* Whether the layer takes part in inference, by Caffe's rule: with include, one must apply;
 * without, no exclude may apply. */
bool sl_layer_included(const Caffe__LayerParameter *layer, const Caffe__NetState *state);

/* Sets the error "layer 'name' (Type): ..." and returns -EINVAL. */
int sl_import_fail(struct sl_layer_import *import, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* -ENOMEM, named likewise. */
int sl_import_no_memory(struct sl_layer_import *import);

/* Caffe's canonical axis: negative counts from the end. -EINVAL when shape has no such axis. what
 * names the field in the message. */
int sl_import_axis(struct sl_layer_import *import, const char *what, int64_t axis,
                   const struct sl_shape *shape, int *canonical);
/* -EINVAL unless bottom `index` has between least and most axes. */
int sl_import_expect_axes(struct sl_layer_import *import, int index, int least, int most);

/* Appends a weight blob; dimensions are checked. */
int sl_import_weight(struct sl_layer_import *import, const struct sl_shape *shape);
int sl_import_weight_vector(struct sl_layer_import *import, int64_t count);

/* Declares `variable`, a pointer to the parameter message, or to Caffe's defaults when the layer
 * has none. */
#define SL_PARAMETERS(variable, Type, INITIAL, message)                                            \
    const Type variable##_defaults = INITIAL;                                                      \
    const Type *variable = (message) ? (message) : &variable##_defaults

/* A shape of one to four axes; unused dimensions are 1. */
struct sl_shape sl_shape_make(int axes, int64_t d0, int64_t d1, int64_t d2, int64_t d3);
/* Whether every dimension lies in [1, SL_MAX_DIMENSION] and the product in SL_MAX_ELEMENTS. */
bool sl_shape_valid(const struct sl_shape *shape);

/* The hooks, by file. */
int sl_infer_input(struct sl_layer_import *import);       /* import_input.c */
int sl_infer_memory_data(struct sl_layer_import *import); /* import_input.c */
int sl_infer_convolution(struct sl_layer_import *import); /* import_convolution.c */
int sl_infer_deconvolution(struct sl_layer_import *import);
int sl_infer_inner_product(struct sl_layer_import *import); /* import_inner_product.c */
int sl_infer_pooling(struct sl_layer_import *import);       /* import_pooling.c */
int sl_infer_relu(struct sl_layer_import *import);          /* import_activation.c */
int sl_infer_prelu(struct sl_layer_import *import);
int sl_infer_elu(struct sl_layer_import *import);
int sl_infer_sigmoid(struct sl_layer_import *import);
int sl_infer_tanh(struct sl_layer_import *import);
int sl_infer_absval(struct sl_layer_import *import);
int sl_infer_power(struct sl_layer_import *import);
int sl_infer_exp(struct sl_layer_import *import);
int sl_infer_log(struct sl_layer_import *import);
int sl_infer_bnll(struct sl_layer_import *import);
int sl_infer_dropout(struct sl_layer_import *import);
int sl_infer_softmax(struct sl_layer_import *import);
int sl_infer_lrn(struct sl_layer_import *import); /* import_normalization.c */
int sl_infer_mvn(struct sl_layer_import *import);
int sl_infer_batch_norm(struct sl_layer_import *import);
int sl_infer_scale(struct sl_layer_import *import);
int sl_infer_bias(struct sl_layer_import *import);
int sl_infer_normalize(struct sl_layer_import *import);
int sl_infer_concat(struct sl_layer_import *import); /* import_join.c */
int sl_infer_slice(struct sl_layer_import *import);
int sl_infer_split(struct sl_layer_import *import);
int sl_infer_eltwise(struct sl_layer_import *import);
int sl_infer_flatten(struct sl_layer_import *import); /* import_shape.c */
int sl_infer_reshape(struct sl_layer_import *import);
int sl_infer_permute(struct sl_layer_import *import);
int sl_infer_crop(struct sl_layer_import *import);
int sl_infer_tile(struct sl_layer_import *import);
int sl_infer_argmax(struct sl_layer_import *import); /* import_reduction.c */
int sl_infer_reduction(struct sl_layer_import *import);
int sl_infer_upsample(struct sl_layer_import *import); /* import_resize.c */
int sl_infer_interp(struct sl_layer_import *import);
int sl_infer_prior_box(struct sl_layer_import *import); /* import_detection.c */
int sl_infer_detection_output(struct sl_layer_import *import);

#endif
