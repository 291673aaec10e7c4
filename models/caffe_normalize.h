/* A network message as a pack stores it: only the layers of inference, and nothing implied. */
#ifndef SLUICE_MODELS_CAFFE_NORMALIZE_H
#define SLUICE_MODELS_CAFFE_NORMALIZE_H

#include <stdbool.h>

#include "models/network.h"
#include "runtime/base/error.h"

/* In place, on a message from the protobuf-c allocator: upgrades it, drops blobs and the layers
 * that are not part of inference, and gathers all Silence layers into one at the end. Then builds
 * the network (free with sl_network_free), whose layers are those of the message one for one
 * (sl_caffe_matches). */
int sl_caffe_normalize(struct Caffe__NetParameter *message, struct sl_network **network,
                       struct sl_error *error);

/* Whether the network's layers are those of the message, one for one by name, but for one Silence
 * layer that may follow. */
bool sl_caffe_matches(const struct Caffe__NetParameter *message, const struct sl_network *network);

#endif
