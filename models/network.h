/* A network: layers in execution order with decoded parameters, and blobs with shapes. It holds no
 * weights. Built from Caffe's NetParameter (models/caffe.proto) by sl_network_build, both at import
 * and when a pack is opened, so that shape inference exists once.
 *
 * Blobs are single-assignment: a layer that Caffe runs in place (top named like its bottom) gets a
 * new blob id with the same name. Whether memory is shared is the activation planner's decision. */
#ifndef SLUICE_MODELS_NETWORK_H
#define SLUICE_MODELS_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

#define SL_MAX_AXES    8
#define SL_MAX_WEIGHTS 4 /* weight blobs of one layer */

/* Every dimension is at least 1, the product below 2^40; dim beyond axes is 1. axes 0: a scalar. */
struct sl_shape {
    int axes;
    int64_t dim[SL_MAX_AXES];
};

/* Product of dim[first..last), 1 when empty. */
int64_t sl_shape_span(const struct sl_shape *shape, int first, int last);
/* All elements. */
int64_t sl_shape_count(const struct sl_shape *shape);
bool sl_shape_equal(const struct sl_shape *a, const struct sl_shape *b);
/* The same but for leading axes of one: C x H x W fits 1 x C x H x W. */
bool sl_shape_equal_but_leading_ones(const struct sl_shape *a, const struct sl_shape *b);
#define SL_SHAPE_TEXT_BYTES 96
/* "1x3x227x227". Returns buffer. */
const char *sl_shape_text(const struct sl_shape *shape, char buffer[SL_SHAPE_TEXT_BYTES]);

enum sl_layer_type {
    SL_LAYER_INPUT, /* Input, MemoryData, input_dim/input_shape headers; no bottoms */
    SL_LAYER_CONVOLUTION,
    SL_LAYER_DECONVOLUTION,
    SL_LAYER_INNER_PRODUCT,
    SL_LAYER_POOLING,
    SL_LAYER_RELU,
    SL_LAYER_PRELU,
    SL_LAYER_ELU,
    SL_LAYER_SIGMOID,
    SL_LAYER_TANH,
    SL_LAYER_ABSVAL,
    SL_LAYER_POWER,
    SL_LAYER_EXP,
    SL_LAYER_LOG,
    SL_LAYER_BNLL,
    SL_LAYER_LRN,
    SL_LAYER_MVN,
    SL_LAYER_BATCH_NORM,
    SL_LAYER_SCALE,
    SL_LAYER_BIAS,
    SL_LAYER_DROPOUT, /* identity at inference */
    SL_LAYER_SOFTMAX,
    SL_LAYER_CONCAT,
    SL_LAYER_SLICE,
    SL_LAYER_SPLIT,
    SL_LAYER_ELTWISE,
    SL_LAYER_FLATTEN,
    SL_LAYER_RESHAPE,
    SL_LAYER_PERMUTE,
    SL_LAYER_NORMALIZE,
    SL_LAYER_CROP,
    SL_LAYER_ARGMAX,
    SL_LAYER_REDUCTION,
    SL_LAYER_TILE,
    SL_LAYER_UPSAMPLE,
    SL_LAYER_INTERP,
    SL_LAYER_PRIOR_BOX,
    SL_LAYER_DETECTION_OUTPUT,
    SL_LAYER_TYPES, /* how many there are */
};

/* Caffe's name of a type ("Convolution"). */
const char *sl_layer_type_name(enum sl_layer_type type);

/* Convolution and Deconvolution over 2 spatial axes. With 1 spatial axis the blobs keep 3 axes,
 * N x C x W, and weight 0 has 3; the parameters then say kernel_h = stride_h = 1, pad_h = 0, and
 * the height of such a blob is 1. Bottom N x C x H x W; weight 0 of a convolution: num_output x
 * C/group x kernel_h x kernel_w, of a deconvolution: C x num_output/group x kernel_h x kernel_w;
 * weight 1 (if bias): num_output. */
struct sl_convolution_parameters {
    int64_t num_output, group;
    int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    bool bias;
};

/* Bottom seen as M x K (K = span from axis on); weight 0: num_output x K, or K x num_output when
 * transposed; weight 1 (if bias): num_output. */
struct sl_inner_product_parameters {
    int64_t num_output, inputs; /* inputs = K */
    int axis;
    bool bias, transpose;
};

enum sl_pooling_method { SL_POOLING_MAX, SL_POOLING_AVERAGE };
/* Windows clipped as Caffe does: max over the window inside the map; average divides by the window
 * clipped to the padded map. Global pooling is decoded into kernel = map, pad 0. */
struct sl_pooling_parameters {
    enum sl_pooling_method method;
    int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
};

enum sl_eltwise_operation { SL_ELTWISE_PRODUCT, SL_ELTWISE_SUM, SL_ELTWISE_MAX };
enum sl_reduction_operation {
    SL_REDUCTION_SUM,
    SL_REDUCTION_ASUM,
    SL_REDUCTION_SUMSQ,
    SL_REDUCTION_MEAN,
};
enum sl_box_code { SL_BOX_CORNER, SL_BOX_CENTER_SIZE, SL_BOX_CORNER_SIZE };

struct sl_layer_parameters {
    union {
        struct sl_convolution_parameters convolution; /* and deconvolution */
        struct sl_inner_product_parameters inner_product;
        struct sl_pooling_parameters pooling;
        struct {
            float negative_slope;
        } relu;
        struct {
            bool channel_shared;
        } prelu; /* weight 0: C, or a scalar (axes 0, count 1) when shared */
        struct {
            float alpha;
        } elu;
        struct {
            float power, scale, shift;
        } power; /* (shift + scale x)^power */
        struct {
            float base, scale, shift;
        } exponential; /* Exp: base^(shift + scale x); Log: log_base(shift + scale x); base -1 = e
                        */
        struct {
            int64_t local_size;
            float alpha, beta, k;
            bool within_channel;
        } lrn;
        struct {
            bool normalize_variance, across_channels;
            float eps;
        } mvn;
        struct {
            float eps;
        } batch_norm; /* weights: mean C, variance C, scale factor 1 */
        struct {
            int axis, num_axes;
            bool bias;
        } scale; /* and Bias; weight 0 has the shape of bottom axes [axis, axis + num_axes), a
                  * scalar (axes 0) when num_axes is 0; with two bottoms the second is the factor
                  * (Bias: the addend), and the weights are only Scale's bias, if any */
        struct {
            int axis;
        } softmax;
        struct {
            int axis;
        } concat; /* and Slice; slice sizes are those of the tops */
        struct {
            enum sl_eltwise_operation operation;
            const float *coefficients; /* one per bottom, or NULL = all 1; owned by the network */
        } eltwise;
        struct {
            int order[SL_MAX_AXES];
        } permute; /* top axis i is bottom axis order[i] */
        struct {
            bool across_spatial, channel_shared;
            float eps;
        } normalize; /* weight 0: C, or a scalar (axes 0) when shared */
        struct {
            int64_t offset[SL_MAX_AXES];
        } crop; /* per bottom axis */
        struct {
            bool out_max_value;
            int64_t top_k;
            bool has_axis;
            int axis;
        } argmax;
        struct {
            enum sl_reduction_operation operation;
            int axis;
            float coefficient;
        } reduction;
        struct {
            int axis;
            int64_t tiles;
        } tile;
        struct {
            int64_t scale_h, scale_w;
        } upsample; /* nearest neighbour */
        struct {
            int64_t pad_begin, pad_end; /* <= 0, cropping */
        } interp;                       /* bilinear, corners aligned, to the top's size */
        struct {
            const float *min_sizes, *max_sizes, *aspect_ratios; /* owned by the network; aspect
                                              ratios complete: 1 first, flips added, no doubles */
            int min_count, max_count, aspect_count;
            bool clip;
            float variance[4];
            int64_t image_h, image_w; /* resolved from the second bottom when not given */
            float step_h, step_w;     /* resolved likewise */
            float offset;
        } prior_box;
        struct {
            int64_t num_classes;
            bool share_location, variance_encoded_in_target;
            int background_label_id;
            float nms_threshold, nms_eta, confidence_threshold;
            int64_t nms_top_k, keep_top_k; /* -1 = all */
            enum sl_box_code code;
        } detection_output; /* top: 1 x 1 x capacity x 7, rows [image, label, score, xmin, ymin,
                             * xmax, ymax]; Caffe's top has as many rows as there are detections,
                             * ours a fixed number: those after the last detection are all 0 (as
                             * OpenCV leaves them), so score 0 means no detection */
    };
};

enum sl_activation { SL_ACTIVATION_NONE, SL_ACTIVATION_RELU };

/* How the elements of a weight blob are stored in a pack (models/encoding.h). */
enum sl_encoding {
    SL_ENCODING_F32,
    SL_ENCODING_F16,
    SL_ENCODING_BF16,
    SL_ENCODING_I8,       /* with one scale per row */
    SL_ENCODING_LOSSLESS, /* likewise */
    SL_ENCODINGS,         /* how many there are */
};

struct sl_weight {
    struct sl_shape shape;
    int64_t count;
};

struct sl_layer {
    const char *name;
    enum sl_layer_type type;
    struct sl_layer_parameters parameters;
    /* Fused at pack time into Convolution, InnerProduct, Eltwise, Scale, BatchNorm: applied to the
     * result before it is stored. RELU: x > 0 ? x : activation_slope * x. */
    enum sl_activation activation;
    float activation_slope;
    enum sl_encoding encoding; /* of weight 0 in the shards of a pack; kernels read float32 */
    int64_t exceptions;        /* SL_ENCODING_LOSSLESS: places for them in each of its rows */
    int bottom_count, top_count, weight_count;
    const int *bottoms; /* blob ids */
    const int *tops;
    struct sl_weight weights[SL_MAX_WEIGHTS];
    double flops; /* multiply and add counted as two */
};

struct sl_blob {
    const char *name;
    struct sl_shape shape;
    int producer;      /* layer index */
    int last_consumer; /* layer index, -1 = none: an output of the network; the producer itself
                        * when only a Silence layer took it */
};

struct sl_network {
    const char *name;
    int layer_count, blob_count, input_count, output_count;
    struct sl_layer *layers;
    struct sl_blob *blobs;
    const int *inputs;  /* blob ids, in the file's order */
    const int *outputs; /* blob ids without a consumer, in the order of their producers */
    double flops;
    int64_t weight_count; /* elements of all weights */
    void *arena;          /* owns every pointer above */
};

/* struct sl_network_options: batch > 0 replaces the first dimension of every input blob. */
struct sl_network_options {
    int64_t batch;
};

struct Caffe__NetParameter; /* models/caffe.proto through protobuf-c; C type Sl__Caffe__... is not
                             * used: the package is "caffe", the C type Caffe__NetParameter */

/* Builds a network from an inference-ready V2 message: layers excluded by phase TEST are skipped,
 * headers (input, input_dim, input_shape) become Input layers, parameters are decoded, shapes
 * inferred with Caffe's rules. The message is not kept. Errors name the layer, its type, what does
 * not fit and the shapes; an unknown type names the nearest known one; -EILSEQ: a name that is not
 * UTF-8. *network is set on success;
 * free with sl_network_free. Any thread. */
int sl_network_build(const struct Caffe__NetParameter *message,
                     const struct sl_network_options *options, struct sl_network **network,
                     struct sl_error *error);
void sl_network_free(struct sl_network *network);

/* Blob id by name, the last version of it; -1 when there is none. */
int sl_network_find_blob(const struct sl_network *network, const char *name);

/* Fully connected in the sense of the published policies: InnerProduct, or a convolution whose
 * output map is 1x1. Layers without weights go with the one before them. */
bool sl_layer_is_fully_connected(const struct sl_network *network, int layer);

#endif
