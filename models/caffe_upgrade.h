/* Steps of sl_caffe_upgrade that live in files of their own. */
#ifndef SLUICE_MODELS_CAFFE_UPGRADE_H
#define SLUICE_MODELS_CAFFE_UPGRADE_H

#include "models/caffe.pb-c.h"
#include "runtime/base/error.h"

/* Turns the V0 layers nested in `layers` into V1 layers in place and merges padding layers into
 * the convolution or pooling after them. Does nothing when no layer is V0. 0, -EINVAL or -ENOMEM
 * with a message that names the layer. */
int sl_caffe_upgrade_v0(Caffe__NetParameter *network, struct sl_error *error);

#endif
