/* A generic reader of protobuf's text format over protobuf-c's descriptors. */
#ifndef SLUICE_MODELS_PROTOTXT_H
#define SLUICE_MODELS_PROTOTXT_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "runtime/base/error.h"

/* Reads text (length bytes) into a new message of that type. *message is set on success; free it
 * with protobuf_c_message_free_unpacked(message, NULL). -EINVAL "name:line:column: ..." when the
 * text does not fit, -E2BIG when the message would take more than 64 MiB, -ENOMEM. Independent of
 * the locale. Any thread. */
int sl_prototxt_parse(const ProtobufCMessageDescriptor *descriptor, const char *name,
                      const char *text, size_t length, ProtobufCMessage **message,
                      struct sl_error *error);

#endif
