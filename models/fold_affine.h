/* The arithmetic of folding: layers that rescale and shift channels, collected into one map that
 * goes into the weights of the layer before them. */
#ifndef SLUICE_MODELS_FOLD_AFFINE_H
#define SLUICE_MODELS_FOLD_AFFINE_H

#include <stdbool.h>
#include <stdint.h>

#include "models/network.h"
#include "models/weights.h"
#include "runtime/base/error.h"

/* y = factor[c] x + addend[c] for each output channel c, applied to what a layer computes. */
struct sl_affine {
    char *layer; /* name; malloc'd, set by the caller */
    int64_t channels;
    int64_t inner;      /* elements of weight 0 that follow each other in one channel */
    int64_t per_group;  /* channels that follow each other in weight 0 */
    int64_t group_span; /* elements of weight 0 per group of channels */
    bool had_bias;
    double *factor, *addend; /* NULL: nothing is folded yet */
};

/* Frees what affine owns. */
void sl_affine_free(const struct sl_affine *affine);

/* Starts an empty map for a layer. False when the layer's weights cannot take one along axis 1 of
 * its top. */
bool sl_affine_describe(const struct sl_network *network, const struct sl_layer *layer,
                        struct sl_affine *affine);

/* Whether layer `next` is such a map of the same channels: BatchNorm, Scale or Bias along axis 1.
 */
bool sl_affine_accepts(const struct sl_affine *affine, const struct sl_layer *next);

/* Lets affine be followed by layer `next`, whose weights are read from source. *done says whether
 * it could be: values that are not finite are left for the layer itself to show. 0 or -errno. */
int sl_affine_compose(struct sl_affine *affine, const struct sl_layer *next,
                      struct sl_weight_source *source, bool *done, struct sl_error *error);

/* Maps elements [first, first + count) of weight blob 0 (times factor) or 1 (times factor, plus
 * addend) in place; each is computed in double and rounded once. */
void sl_affine_apply(const struct sl_affine *affine, int blob, int64_t first, int64_t count,
                     float *values);

#endif
