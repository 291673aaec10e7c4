/* Reading prototxt and old network versions. The C types come from protobuf-c (caffe.pb-c.h). */
#ifndef SLUICE_MODELS_CAFFE_TEXT_H
#define SLUICE_MODELS_CAFFE_TEXT_H

#include <stddef.h>

#include "runtime/base/error.h"

struct Caffe__NetParameter;
struct sl_shape;

/* Parses text (length bytes, need not be NUL-terminated) into a V2 message: every field of every
 * message by reflection over protobuf-c descriptors; then upgraded (V0, V1, old input headers).
 * Errors read "file:line:column: message field 'x' ...; did you mean 'y'?". *message is set on
 * success; free with sl_caffe_free. name is used in messages only. */
int sl_caffe_parse(const char *name, const char *text, size_t length,
                   struct Caffe__NetParameter **message, struct sl_error *error);
/* The same from a file of at most 16 MiB. */
int sl_caffe_read(const char *path, struct Caffe__NetParameter **message, struct sl_error *error);
void sl_caffe_free(struct Caffe__NetParameter *message);

/* Upgrades in place, by Caffe's rules: V0 layers (padding layers merged), V1 `layers` to `layer`
 * (types, parameters, rules, blobs; lists of rates to `param`), input headers to one Input layer
 * "input" in front. Errors (-EINVAL, -E2BIG, -ENOMEM) name the layer; the message is then only good
 * for sl_caffe_free. It must come from the protobuf-c allocator. */
int sl_caffe_upgrade(struct Caffe__NetParameter *message, struct sl_error *error);

/* Mean file (a binary BlobProto): C x H x W floats, malloc'd, owned by the caller. -EBADMSG with
 * the file offset when it is damaged or no mean file. Blocks on I/O. */
int sl_mean_read(const char *path, float **values, struct sl_shape *shape, struct sl_error *error);

#endif
