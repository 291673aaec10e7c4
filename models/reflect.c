#include "models/reflect.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_FIELD_NAME 63

const ProtobufCFieldDescriptor *sl_reflect_field(const ProtobufCMessageDescriptor *descriptor,
                                                 const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(descriptor, name);
    size_t length = strlen(name);
    if (field || length > LONGEST_FIELD_NAME)
        return field;
    char in_c[LONGEST_FIELD_NAME + 2];
    snprintf(in_c, sizeof(in_c), "%s_", name);
    return protobuf_c_message_descriptor_get_field_by_name(descriptor, in_c);
}

size_t sl_reflect_value_bytes(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default:
        return 4;
    }
}

static void *member(const ProtobufCMessage *message, unsigned offset)
{
    return (char *)message + offset;
}

static void *pointer_at(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    void *pointer;
    memcpy(&pointer, member(message, field->offset), sizeof(pointer));
    return pointer;
}

static bool is_pointer(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE;
}

bool sl_reflect_is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(size_t *)member(message, field->quantifier_offset) > 0;
    if (is_pointer(field)) {
        const void *pointer = pointer_at(message, field);
        return pointer && pointer != field->default_value;
    }
    return *(protobuf_c_boolean *)member(message, field->quantifier_offset);
}

ProtobufCMessage *sl_reflect_new(const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = malloc(descriptor->sizeof_message);
    if (message)
        protobuf_c_message_init(descriptor, message);
    return message;
}

static int append(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                  const void *value, size_t capacity)
{
    size_t *count = member(message, field->quantifier_offset);
    size_t bytes = sl_reflect_value_bytes(field);
    char *array = pointer_at(message, field);
    if (capacity > *count) {
        if (capacity > SIZE_MAX / bytes)
            return -ENOMEM;
        array = realloc(array, capacity * bytes);
        if (!array)
            return -ENOMEM;
        memcpy(member(message, field->offset), &array, sizeof(array));
    }
    memcpy(array + *count * bytes, value, bytes);
    ++*count;
    return 0;
}

static void set(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, const void *value)
{
    memcpy(member(message, field->offset), value, sl_reflect_value_bytes(field));
    if (!is_pointer(field))
        *(protobuf_c_boolean *)member(message, field->quantifier_offset) = 1;
}

int sl_reflect_add(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                   const void *value)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(size_t *)member(message, field->quantifier_offset);
        return append(message, field, value, count + 1);
    }
    set(message, field, value);
    return 0;
}

int sl_reflect_add_many(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                        const void *value)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        /* Arrays double at powers of two, so that no capacity need be kept. */
        size_t count = *(size_t *)member(message, field->quantifier_offset);
        bool full = (count & (count - 1)) == 0;
        return append(message, field, value, !full ? 0 : count ? 2 * count : 1);
    }
    set(message, field, value);
    return 0;
}

static void forget(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const void *nothing = NULL;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        *(size_t *)member(message, field->quantifier_offset) = 0;
        memcpy(member(message, field->offset), &nothing, sizeof(nothing));
    } else if (is_pointer(field)) {
        memcpy(member(message, field->offset), &field->default_value, sizeof(void *));
    } else {
        *(protobuf_c_boolean *)member(message, field->quantifier_offset) = 0;
    }
}

int sl_reflect_move(ProtobufCMessage *from, const ProtobufCFieldDescriptor *source,
                    ProtobufCMessage *to, const ProtobufCFieldDescriptor *target)
{
    if (!sl_reflect_is_set(from, source))
        return 0;
    if (source->label == PROTOBUF_C_LABEL_REPEATED) {
        if (sl_reflect_is_set(to, target))
            return -EEXIST;
        /* The array changes owner with its count; an unset target has no array. */
        memcpy(member(to, target->offset), member(from, source->offset), sizeof(void *));
        memcpy(member(to, target->quantifier_offset), member(from, source->quantifier_offset),
               sizeof(size_t));
    } else {
        if (target->label != PROTOBUF_C_LABEL_REPEATED && sl_reflect_is_set(to, target))
            return -EEXIST;
        int result = sl_reflect_add(to, target, member(from, source->offset));
        if (result < 0)
            return result;
    }
    forget(from, source);
    return 0;
}
