/* Folding: layers that only rescale, shift or clip what the layer before them computed become part
 * of that layer at pack time, so that they cost neither time nor memory at inference.
 *
 *  - Dropout and Split are removed.
 *  - BatchNorm, Scale and Bias behind a Convolution, Deconvolution or InnerProduct go into its
 *    weights: w' = w a[c], b' = b a[c] + s[c] for output channel c, in double, rounded once.
 *  - ReLU is fused as the activation of the layer before it (pack.h, sl_layer.activation).
 *
 * Only where the value in between has no other reader and is no output; names of outputs stay. */
#ifndef SLUICE_MODELS_FOLD_H
#define SLUICE_MODELS_FOLD_H

#include "models/network.h"
#include "models/weights.h"
#include "runtime/base/error.h"

struct sl_fused_activation {
    int layer; /* of the folded message */
    float slope;
};

struct sl_fold;

/* Folds message in place; both are from sl_caffe_normalize. Reads the
 * weights of the layers that are folded away from the source, which is borrowed until
 * sl_fold_free. On failure message may be folded in part and must not be used. *fold is set on
 * success. */
int sl_fold(struct Caffe__NetParameter *message, const struct sl_network *network,
            struct sl_weight_source *weights, struct sl_fold **fold, struct sl_error *error);

/* Accepts NULL. */
void sl_fold_free(struct sl_fold *fold);

/* The weights of the folded network, made from those of the original as they are read. Owned by
 * fold; its close does nothing. */
struct sl_weight_source *sl_fold_weights(struct sl_fold *fold);

/* Activations that were fused, by ascending layer; owned by fold. */
const struct sl_fused_activation *sl_fold_activations(const struct sl_fold *fold, int *count);

#endif
