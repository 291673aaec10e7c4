#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/caffe_normalize.h"
#include "models/caffe_text.h"
#include "models/fold.h"
#include "pack_fixture.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"

/* ---- a network computed in double, as plainly as possible ---- */

struct evaluation {
    const struct sl_network *network;
    struct sl_weight_source *source;
    double **blobs;
    double *weights[SL_MAX_WEIGHTS]; /* of the current layer */
};

static int64_t count_of(const struct evaluation *run, int blob)
{
    return sl_shape_count(&run->network->blobs[blob].shape);
}

static void read_weights(struct evaluation *run, const struct sl_layer *layer)
{
    for (int w = 0; w < layer->weight_count; w++) {
        int64_t count = layer->weights[w].count;
        SL_AUTO_FREE float *values = malloc((size_t)count * sizeof(*values));
        struct sl_error error = {0};
        int result = run->source->read(run->source, layer->name, sl_layer_type_name(layer->type), w,
                                       &layer->weights[w].shape, 0, count, values, &error);
        cr_assert_eq(result, 0, "%s", error.text);
        run->weights[w] = malloc((size_t)count * sizeof(double));
        for (int64_t i = 0; i < count; i++)
            run->weights[w][i] = values[i];
    }
}

/* Adds x * weight of every tap to the outputs it belongs to: the forward map of a convolution, and
 * with top and bottom exchanged the one of a deconvolution. */
static void convolve(const struct evaluation *run, const struct sl_layer *layer, bool transposed)
{
    const struct sl_convolution_parameters *p = &layer->parameters.convolution;
    const struct sl_shape *bottom = &run->network->blobs[layer->bottoms[0]].shape;
    const struct sl_shape *top = &run->network->blobs[layer->tops[0]].shape;
    const struct sl_shape *small = transposed ? bottom : top, *large = transposed ? top : bottom;
    const double *x = run->blobs[layer->bottoms[0]];
    double *y = run->blobs[layer->tops[0]];
    int64_t rows = small->dim[1], per_group = large->dim[1] / p->group;
    for (int64_t n = 0; n < top->dim[0]; n++)
        for (int64_t c = 0; c < top->dim[1]; c++)
            for (int64_t i = 0; i < top->dim[2] * top->dim[3]; i++)
                y[(n * top->dim[1] + c) * top->dim[2] * top->dim[3] + i] =
                    p->bias ? run->weights[1][c] : 0;
    for (int64_t n = 0; n < small->dim[0]; n++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t k = 0; k < per_group; k++)
                for (int64_t i = 0; i < small->dim[2] * small->dim[3] * p->kernel_h * p->kernel_w;
                     i++) {
                    int64_t kw = i % p->kernel_w, kh = i / p->kernel_w % p->kernel_h;
                    int64_t at = i / p->kernel_w / p->kernel_h;
                    int64_t w = at % small->dim[3], h = at / small->dim[3];
                    int64_t lh = h * p->stride_h - p->pad_h + kh * p->dilation_h;
                    int64_t lw = w * p->stride_w - p->pad_w + kw * p->dilation_w;
                    if (lh < 0 || lw < 0 || lh >= large->dim[2] || lw >= large->dim[3])
                        continue;
                    int64_t channel = r / (rows / p->group) * per_group + k;
                    double weight =
                        run->weights[0]
                                    [((r * per_group + k) * p->kernel_h + kh) * p->kernel_w + kw];
                    int64_t small_at = ((n * rows + r) * small->dim[2] + h) * small->dim[3] + w;
                    int64_t large_at =
                        ((n * large->dim[1] + channel) * large->dim[2] + lh) * large->dim[3] + lw;
                    y[transposed ? large_at : small_at] +=
                        weight * x[transposed ? small_at : large_at];
                }
}

static void multiply(const struct evaluation *run, const struct sl_layer *layer)
{
    const struct sl_inner_product_parameters *p = &layer->parameters.inner_product;
    const double *x = run->blobs[layer->bottoms[0]];
    double *y = run->blobs[layer->tops[0]];
    for (int64_t i = 0; i < count_of(run, layer->tops[0]); i++) {
        int64_t m = i / p->num_output, row = i % p->num_output;
        y[i] = p->bias ? run->weights[1][row] : 0;
        for (int64_t k = 0; k < p->inputs; k++)
            y[i] += x[m * p->inputs + k] *
                    run->weights[0][p->transpose ? k * p->num_output + row : row * p->inputs + k];
    }
}

/* Layers that treat each element by itself. */
static double map(const struct evaluation *run, const struct sl_layer *layer, int64_t i)
{
    const struct sl_shape *shape = &run->network->blobs[layer->bottoms[0]].shape;
    bool rescales = layer->type == SL_LAYER_SCALE || layer->type == SL_LAYER_BIAS;
    int axis = rescales ? layer->parameters.scale.axis : 1;
    int64_t c = i / sl_shape_span(shape, axis + 1, shape->axes) % shape->dim[axis];
    double x = run->blobs[layer->bottoms[0]][i];
    switch (layer->type) {
    case SL_LAYER_BATCH_NORM:
        return (x - run->weights[0][c] / run->weights[2][0]) /
               sqrt(run->weights[1][c] / run->weights[2][0] +
                    (double)layer->parameters.batch_norm.eps);
    case SL_LAYER_SCALE:
        return x * run->weights[0][c] + (layer->weight_count > 1 ? run->weights[1][c] : 0);
    case SL_LAYER_BIAS:
        return x + run->weights[0][c];
    case SL_LAYER_RELU:
        return x > 0 ? x : x * (double)layer->parameters.relu.negative_slope;
    case SL_LAYER_PRELU:
        return x > 0 ? x : x * run->weights[0][layer->parameters.prelu.channel_shared ? 0 : c];
    case SL_LAYER_ELTWISE: {
        double sum = 0;
        for (int b = 0; b < layer->bottom_count; b++) {
            const float *coefficients = layer->parameters.eltwise.coefficients;
            sum += run->blobs[layer->bottoms[b]][i] * (coefficients ? (double)coefficients[b] : 1);
        }
        return sum;
    }
    default:
        cr_assert(layer->type == SL_LAYER_DROPOUT || layer->type == SL_LAYER_SPLIT);
        return x;
    }
}

static void evaluate_layer(struct evaluation *run, const struct sl_layer *layer)
{
    read_weights(run, layer);
    if (layer->type == SL_LAYER_INPUT) {
        for (int64_t i = 0; i < count_of(run, layer->tops[0]); i++)
            run->blobs[layer->tops[0]][i] = (double)sl_rng_signed_unit(7, (uint64_t)i + 1);
    } else if (layer->type == SL_LAYER_CONVOLUTION || layer->type == SL_LAYER_DECONVOLUTION) {
        convolve(run, layer, layer->type == SL_LAYER_DECONVOLUTION);
    } else if (layer->type == SL_LAYER_INNER_PRODUCT) {
        multiply(run, layer);
    } else {
        for (int t = 0; t < layer->top_count; t++)
            for (int64_t i = 0; i < count_of(run, layer->tops[t]); i++)
                run->blobs[layer->tops[t]][i] = map(run, layer, i);
    }
    double *y = run->blobs[layer->tops[0]];
    for (int64_t i = 0; layer->activation && i < count_of(run, layer->tops[0]); i++)
        y[i] = y[i] > 0 ? y[i] : y[i] * (double)layer->activation_slope;
    for (int w = 0; w < layer->weight_count; w++)
        free(run->weights[w]);
}

static void evaluate(struct evaluation *run, const struct sl_network *network,
                     struct sl_weight_source *source)
{
    run->network = network;
    run->source = source;
    run->blobs = calloc((size_t)network->blob_count, sizeof(*run->blobs));
    for (int b = 0; b < network->blob_count; b++)
        run->blobs[b] = calloc((size_t)count_of(run, b), sizeof(double));
    for (int l = 0; l < network->layer_count; l++)
        evaluate_layer(run, &network->layers[l]);
}

static void evaluation_free(struct evaluation *run)
{
    for (int b = 0; b < run->network->blob_count; b++)
        free(run->blobs[b]);
    free(run->blobs);
}

/* ---- folded against unfolded ---- */

struct folded {
    Caffe__NetParameter *message;
    struct sl_network *before, *after;
    struct rule_weights weights;
    struct sl_fold *fold;
};

static void folded_begin(struct folded *folded, const char *text)
{
    struct sl_error error = {0};
    folded->message = parse_network(text);
    rule_weights_init(&folded->weights);
    int result = sl_caffe_normalize(folded->message, &folded->before, &error);
    cr_assert_eq(result, 0, "%s", error.text);
    result =
        sl_fold(folded->message, folded->before, &folded->weights.source, &folded->fold, &error);
    cr_assert_eq(result, 0, "%s", error.text);
    result = sl_network_build(folded->message, NULL, &folded->after, &error);
    cr_assert_eq(result, 0, "%s", error.text);
    cr_assert(sl_caffe_matches(folded->message, folded->after));
    int count;
    const struct sl_fused_activation *fused = sl_fold_activations(folded->fold, &count);
    for (int i = 0; i < count; i++) {
        folded->after->layers[fused[i].layer].activation = SL_ACTIVATION_RELU;
        folded->after->layers[fused[i].layer].activation_slope = fused[i].slope;
    }
}

static void folded_end(struct folded *folded)
{
    sl_fold_free(folded->fold);
    sl_network_free(folded->before);
    sl_network_free(folded->after);
    sl_caffe_free(folded->message);
}

/* Outputs have the same names and, but for the rounding of weights, the same values; the folded
 * network has so many layers. */
static void expect_same_outputs(const char *text, int layers)
{
    struct folded folded;
    folded_begin(&folded, text);
    struct evaluation before, after;
    evaluate(&before, folded.before, &folded.weights.source);
    evaluate(&after, folded.after, sl_fold_weights(folded.fold));
    cr_expect_eq(folded.after->layer_count, layers, "%d layers", folded.after->layer_count);
    cr_assert_eq(folded.after->output_count, folded.before->output_count);
    for (int o = 0; o < folded.before->output_count; o++) {
        int blob = folded.before->outputs[o];
        const char *name = folded.before->blobs[blob].name;
        int other = sl_network_find_blob(folded.after, name);
        cr_assert(other >= 0 && folded.after->blobs[other].last_consumer < 0, "%s", name);
        cr_assert(
            sl_shape_equal(&folded.before->blobs[blob].shape, &folded.after->blobs[other].shape));
        double most = 0, difference = 0;
        for (int64_t i = 0; i < count_of(&before, blob); i++) {
            double wanted = before.blobs[blob][i];
            most = fmax(most, fabs(wanted));
            difference = fmax(difference, fabs(wanted - after.blobs[other][i]));
        }
        cr_expect(most > 0 && difference <= 1e-5 * fmax(1, most), "%s: %g of %g", name, difference,
                  most);
    }
    evaluation_free(&before);
    evaluation_free(&after);
    folded_end(&folded);
}

#define INPUT(dims) "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { " dims " } } } "
#define CONV(name, bottom, top, more)                                                              \
    "layer { name: '" name "' type: 'Convolution' bottom: '" bottom "' top: '" top "' "            \
    "convolution_param { num_output: 6 kernel_size: 3 pad: 1 " more " } } "
#define LAYER(name, type, bottom, top, more)                                                       \
    "layer { name: '" name "' type: '" type "' bottom: '" bottom "' top: '" top "' " more " } "
#define IMAGE INPUT("dim: 2 dim: 4 dim: 5 dim: 5")

Test(fold, every_kind_of_layer)
{
    expect_same_outputs(residual_text, 6);
}

Test(fold, whole_chains_into_convolutions)
{
    /* Separate names, with and without bias, groups, a slope. */
    expect_same_outputs(IMAGE CONV("c", "x", "a", "") LAYER("b", "BatchNorm", "a", "b", "")
                            LAYER("s", "Scale", "b", "d", "scale_param { bias_term: true }")
                                LAYER("r", "ReLU", "d", "e", "relu_param { negative_slope: 0.1 }"),
                        2);
    /* In place. */
    expect_same_outputs(IMAGE CONV("c", "x", "a", "group: 2 bias_term: false")
                            LAYER("b", "BatchNorm", "a", "a", "") LAYER("s", "Scale", "a", "a", "")
                                LAYER("r", "ReLU", "a", "a", ""),
                        2);
    /* A lone scale, and a bias behind it. */
    expect_same_outputs(IMAGE CONV("c", "x", "a", "") LAYER("s", "Scale", "a", "b", "")
                            LAYER("t", "Bias", "b", "out", ""),
                        2);
    /* A deconvolution takes the scale, but no activation. */
    expect_same_outputs(
        IMAGE LAYER("d", "Deconvolution", "x", "a",
                    "convolution_param { num_output: 6 kernel_size: 4 stride: 2 group: 2 }")
            LAYER("s", "Scale", "a", "a", "scale_param { bias_term: true }")
                LAYER("r", "ReLU", "a", "a", ""),
        3);
}

Test(fold, scales_along_another_axis_stay)
{
    expect_same_outputs(IMAGE CONV("c", "x", "a", "")
                            LAYER("s", "Scale", "a", "b", "scale_param { axis: 2 }")
                                LAYER("r", "ReLU", "b", "b", ""),
                        3);
    expect_same_outputs(
        INPUT("dim: 1 dim: 5 dim: 3")
            LAYER("ip", "InnerProduct", "x", "a", "inner_product_param { num_output: 5 axis: 2 }")
                LAYER("s", "Scale", "a", "b", ""),
        3);
}

Test(fold, values_that_others_read_stay)
{
    /* Batch normalisation beside another reader of the convolution. */
    expect_same_outputs(IMAGE CONV("c", "x", "a", "") LAYER("b", "BatchNorm", "a", "b", "")
                            LAYER("r", "ReLU", "a", "other", ""),
                        4);
    /* In place after another layer has read the value. */
    expect_same_outputs(IMAGE CONV("c", "x", "a", "") CONV("d", "a", "b", "")
                            LAYER("r", "ReLU", "a", "a", "") LAYER("e", "Scale", "a", "f", ""),
                        5);
    /* A residual block: Eltwise takes its activation, and the shortcut keeps its own. */
    expect_same_outputs(IMAGE CONV("c", "x", "a", "") LAYER("r", "ReLU", "a", "a", "")
                            CONV("d", "a", "b", "")
                                LAYER("n", "BatchNorm", "b", "b",
                                      "") "layer { name: 'sum' type: 'Eltwise' bottom: 'a' bottom: "
                                          "'b' top: 's' } " LAYER("q", "ReLU", "s", "s", ""),
                        4);
}

Test(fold, copies_are_removed_and_outputs_keep_their_names)
{
    /* Dropout in the middle, at the end (its name is the output's), and behind a shared value. */
    expect_same_outputs(IMAGE CONV("c", "x", "a", "") LAYER("d", "Dropout", "a", "b", "")
                            LAYER("r", "ReLU", "b", "e", "") LAYER("f", "Dropout", "e", "out", ""),
                        2);
    expect_same_outputs(IMAGE CONV("c", "x", "a", "") LAYER("d", "Dropout", "a", "out", "")
                            LAYER("r", "ReLU", "a", "b", ""),
                        4);
    /* An input that is only passed on keeps its layer. */
    expect_same_outputs(IMAGE LAYER("d", "Dropout", "x", "out", ""), 2);
    /* Split: what reads its tops reads the value; with a top as output it stays. */
    expect_same_outputs(
        IMAGE CONV(
            "c", "x", "a",
            "") "layer { name: 'sp' type: 'Split' bottom: 'a' top: 'p' top: 'q' } " LAYER("r",
                                                                                          "ReLU",
                                                                                          "p", "p2",
                                                                                          "")
            LAYER("t", "Scale", "q", "q2", ""),
        4);
    expect_same_outputs(
        IMAGE CONV(
            "c", "x", "a",
            "") "layer { name: 'sp' type: 'Split' bottom: 'a' top: 'p' top: 'q' } " LAYER("r",
                                                                                          "ReLU",
                                                                                          "p", "p2",
                                                                                          ""),
        4);
}

/* The copy outlives its source's name: 'a' is rewritten in place before 'b', once a copy of the
 * older 'a', is read. */
Test(fold, names_that_come_between)
{
    expect_same_outputs(IMAGE CONV("c", "x", "a", "") LAYER("d", "Dropout", "a", "b", "")
                            LAYER("r", "ReLU", "a", "a", "") LAYER("s", "Scale", "a", "o1", "")
                                LAYER("t", "Scale", "b", "o2", ""),
                        5);
}

Test(fold, rows_are_read_in_any_pieces)
{
    struct folded folded;
    folded_begin(&folded, residual_text);
    struct sl_weight_source *source = sl_fold_weights(folded.fold);
    for (int l = 0; l < folded.after->layer_count; l++) {
        const struct sl_layer *layer = &folded.after->layers[l];
        for (int w = 0; w < layer->weight_count; w++) {
            int64_t count = layer->weights[w].count;
            SL_AUTO_FREE float *whole = calloc((size_t)count, sizeof(float));
            SL_AUTO_FREE float *pieces = calloc((size_t)count, sizeof(float));
            const char *type = sl_layer_type_name(layer->type);
            const struct sl_shape *shape = &layer->weights[w].shape;
            cr_assert_eq(source->read(source, layer->name, type, w, shape, 0, count, whole, NULL),
                         0);
            for (int64_t first = 0; first < count; first += 7) {
                int64_t length = count - first < 7 ? count - first : 7;
                cr_assert_eq(source->read(source, layer->name, type, w, shape, first, length,
                                          pieces + first, NULL),
                             0);
            }
            cr_expect_arr_eq(whole, pieces, (size_t)count * sizeof(float));
        }
    }
    folded_end(&folded);
}

/* Against the formula: w a, and (b - mean) a + beta, rounded once. */
Test(fold, weights_are_rounded_once)
{
    struct folded folded;
    folded_begin(&folded, IMAGE CONV("c", "x", "a", "") LAYER("n", "BatchNorm", "a", "a", "")
                              LAYER("s", "Scale", "a", "a", "scale_param { bias_term: true }"));
    struct sl_weight_source *source = sl_fold_weights(folded.fold);
    float weights[6 * 36], bias[6];
    const struct sl_layer *layer = &folded.after->layers[1];
    cr_assert_eq(layer->weight_count, 2);
    cr_assert_eq(source->read(source, "c", "Convolution", 0, &layer->weights[0].shape, 0, 216,
                              weights, NULL),
                 0);
    cr_assert_eq(
        source->read(source, "c", "Convolution", 1, &layer->weights[1].shape, 0, 6, bias, NULL), 0);
    for (int c = 0; c < 6; c++) {
        double share = 1 / (double)rule_weight("n", "BatchNorm", 2, 0);
        double deviation = sqrt(rule_weight("n", "BatchNorm", 1, c) * share + (double)1e-5f);
        double a = rule_weight("s", "Scale", 0, c) * (1 / deviation);
        double mean = rule_weight("n", "BatchNorm", 0, c) * share;
        for (int k = 0; k < 36; k++) {
            double wanted = rule_weight("c", "Convolution", 0, c * 36 + k) * a;
            cr_expect(fabs(weights[c * 36 + k] - wanted) <= fabs(wanted) * 0x1.01p-24);
        }
        double wanted =
            (rule_weight("c", "Convolution", 1, c) - mean) * a + rule_weight("s", "Scale", 1, c);
        cr_expect(fabs(bias[c] - wanted) <= fabs(wanted) * 0x1.01p-24 + 1e-15);
    }
    folded_end(&folded);
}
