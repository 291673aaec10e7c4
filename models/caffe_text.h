/* Reading prototxt and old network versions. The C types come from protobuf-c (caffe.pb-c.h). */
#ifndef SLUICE_MODELS_CAFFE_TEXT_H
#define SLUICE_MODELS_CAFFE_TEXT_H

#include <stddef.h>

#include "runtime/base/error.h"

struct Caffe__NetParameter;

/* Parses text (length bytes, need not be NUL-terminated) into a V2 message: every field of every
 * message by reflection over protobuf-c descriptors; then upgraded (V0, V1, old input headers).
 * Errors read "file:line:column: message field 'x' ...; did you mean 'y'?". *message is set on
 * success; free with sl_caffe_free. name is used in messages only. */
int sl_caffe_parse(const char *name, const char *text, size_t length,
                   struct Caffe__NetParameter **message, struct sl_error *error);
/* The same from a file of at most 16 MiB. */
int sl_caffe_read(const char *path, struct Caffe__NetParameter **message, struct sl_error *error);
void sl_caffe_free(struct Caffe__NetParameter *message);

/* Upgrades in place: V1 `layers` to `layer` (types, include/exclude, blobs_lr dropped, Normal/
 * DataParameter transforms dropped), legacy pads. The message must come from the protobuf-c
 * allocator. */
int sl_caffe_upgrade(struct Caffe__NetParameter *message, struct sl_error *error);

/* Mean file (a binary BlobProto): C x H x W floats, malloc'd, owned by the caller. */
struct sl_shape;
int sl_mean_read(const char *path, float **values, struct sl_shape *shape, struct sl_error *error);

#endif
