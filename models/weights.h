/* Where weights come from at pack time: a caffemodel's index, or a rule and a seed. */
#ifndef SLUICE_MODELS_WEIGHTS_H
#define SLUICE_MODELS_WEIGHTS_H

#include <stdint.h>

#include "models/network.h"
#include "runtime/base/error.h"

/* Elements [first, first + count) of blob `blob` of the layer of that name, in C order, converted
 * to float32. shape is what the network expects: a source with another shape returns -EINVAL
 * (legacy num x channels x height x width matches when it is the same up to leading ones), a source
 * without that blob -ENOENT; both name layer and blob. Blocks on I/O; one thread at a time. */
struct sl_weight_source {
    int (*read)(struct sl_weight_source *source, const char *layer, const char *type, int blob,
                const struct sl_shape *shape, int64_t first, int64_t count, float *destination,
                struct sl_error *error);
    void (*close)(struct sl_weight_source *source); /* frees source */
};

/* Index of a binary caffemodel: the wire format is walked once, weights are not loaded. V1 layers,
 * legacy blob dimensions, double_data and raw fp16 data are understood. Of layers with one name the
 * last that has blobs counts, as when Caffe copies weights. Every byte of a hostile file ends in
 * success or a clear -EBADMSG with the file offset. */
int sl_caffemodel_open(const char *path, struct sl_weight_source **source, struct sl_error *error);

/* The structure of a caffemodel (its layers and parameters without any blob), for networks that
 * come without prototxt: a NetParameter owned by the caller. */
struct Caffe__NetParameter;
int sl_caffemodel_structure(const char *path, struct Caffe__NetParameter **message,
                            struct sl_error *error);

/* A first look at an opened file, whose position stays 0, for the mistakes that people make:
 * -EBADMSG with the cure for an empty file, HDF5 and text. */
struct sl_wire;
int sl_caffemodel_check_start(struct sl_wire *wire);

/* Deterministic weights. Rule: key = FNV-1a 64 of "<layer>/<blob index>" xor seed; u_i of
 * sl_rng_signed_unit(key, i), i = 1, 2, ...; Convolution, InnerProduct, Deconvolution: blob 0 =
 * u * sqrt(6 / fan_in), fan_in = count / shape[0], blob 1 = 0.1 u; BatchNorm: 0.1 u, 1 + 0.5 u, 1;
 * Scale: 1 + 0.2 u, 0.1 u; PReLU: 0.25 + 0.1 u. Not in the reference rule: Normalize as Scale, Bias
 * 0.1 u. Seed 0 gives the reference weights. */
int sl_synthetic_weights_open(uint64_t seed, struct sl_weight_source **source,
                              struct sl_error *error);

#endif
