/* Values of protobuf-c messages by field descriptor: what the prototxt reader and the upgrades of
 * old networks share. Messages and what hangs off them come from protobuf-c's default allocator
 * (malloc), so that protobuf_c_message_free_unpacked(message, NULL) frees them. */
#ifndef SLUICE_MODELS_REFLECT_H
#define SLUICE_MODELS_REFLECT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/* Field by its name in text; a trailing underscore of our field names is not part of it. NULL when
 * there is none. */
const ProtobufCFieldDescriptor *sl_reflect_field(const ProtobufCMessageDescriptor *descriptor,
                                                 const char *name);

/* Bytes of one value in the C struct (the pointer for strings and messages). */
size_t sl_reflect_value_bytes(const ProtobufCFieldDescriptor *field);

/* Whether a singular field was given, or a repeated one has a value. */
bool sl_reflect_is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/* A new message with default values; NULL without memory. */
ProtobufCMessage *sl_reflect_new(const ProtobufCMessageDescriptor *descriptor);

/* Sets a singular field that is not set, or appends to a repeated one. value points to
 * sl_reflect_value_bytes(field) bytes; pointers in it change owner on success. 0 or -ENOMEM. */
int sl_reflect_add(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                   const void *value);

/* The same in amortised constant time, for messages from sl_reflect_new whose repeated fields this
 * function alone has filled. */
int sl_reflect_add_many(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                        const void *value);

/* Moves the value of one field to another of the same type in another message; a singular value
 * may move to a repeated field. An unset source does nothing. 0, -ENOMEM, or -EEXIST when the
 * target is singular and set. */
int sl_reflect_move(ProtobufCMessage *from, const ProtobufCFieldDescriptor *source,
                    ProtobufCMessage *to, const ProtobufCFieldDescriptor *target);

#endif
