#include "models/prototxt.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/prototxt_lexer.h"
#include "models/reflect.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"

#define DEEPEST              64
#define LONGEST_NAME         127
#define LONGEST_NUMBER       127
#define MOST_BYTES           ((size_t)64 << 20)
#define BYTES_PER_ALLOCATION 32 /* charged for the allocator's own use */

struct reader {
    struct sl_lexer lexer;
    locale_t locale; /* "C": a decimal point is a point */
    size_t bytes_left;
    int depth;
};

/* One field of the text: what it is and where its name stands. */
struct place {
    ProtobufCMessage *message;
    const ProtobufCFieldDescriptor *field;
    struct sl_token name;
};

union value {
    int32_t int32;
    uint32_t uint32;
    int64_t int64;
    uint64_t uint64;
    float real32;
    double real64;
    protobuf_c_boolean boolean;
    char *string;
    ProtobufCBinaryData bytes;
    ProtobufCMessage *message;
};

static int fill_message(struct reader *reader, ProtobufCMessage *message, char closer);

/* The field's name as users write it. */
static const char *shown_name(const ProtobufCFieldDescriptor *field, char buffer[LONGEST_NAME + 1])
{
    size_t length = strnlen(field->name, LONGEST_NAME);
    if (length && field->name[length - 1] == '_')
        length--;
    memcpy(buffer, field->name, length);
    buffer[length] = '\0';
    return buffer;
}

/* "<place>: <Message> field '<name>' expects <what>, found <token>". */
static int expected(struct reader *reader, const struct place *place, const char *what)
{
    char name[LONGEST_NAME + 1], found[SL_TOKEN_TEXT_BYTES];
    const struct sl_token *token = &reader->lexer.token;
    return sl_lexer_error(&reader->lexer, token, "%s field '%s' expects %s, found %s",
                          place->message->descriptor->short_name, shown_name(place->field, name),
                          what, sl_token_text(token, found));
}

static bool at_symbol(const struct reader *reader, char symbol)
{
    const struct sl_token *token = &reader->lexer.token;
    return token->kind == SL_TOKEN_SYMBOL && *token->start == symbol;
}

/* 1 when the symbol was there and is passed, 0 when not, -EINVAL from the lexer. */
static int accept(struct reader *reader, char symbol)
{
    if (!at_symbol(reader, symbol))
        return 0;
    int result = sl_lexer_next(&reader->lexer);
    return result < 0 ? result : 1;
}

static int charge(struct reader *reader, size_t bytes)
{
    if (bytes > reader->bytes_left)
        return sl_error_set(reader->lexer.error, -E2BIG,
                            "%s:%zu: the network takes more than %zu MiB without its weights: this "
                            "is no network description",
                            reader->lexer.name, reader->lexer.token.line, MOST_BYTES >> 20);
    reader->bytes_left -= bytes;
    return 0;
}

static int no_memory(struct reader *reader)
{
    return sl_error_set(reader->lexer.error, -ENOMEM, "%s: out of memory", reader->lexer.name);
}

/* Copies the current identifier. */
static int token_name(struct reader *reader, char buffer[LONGEST_NAME + 1])
{
    const struct sl_token *token = &reader->lexer.token;
    if (token->length > LONGEST_NAME)
        return sl_lexer_error(&reader->lexer, token, "a name of %zu characters", token->length);
    memcpy(buffer, token->start, token->length);
    buffer[token->length] = '\0';
    return 0;
}

static int parse_magnitude(struct reader *reader, const struct place *place, const char *what,
                           uint64_t *magnitude)
{
    const struct sl_token *token = &reader->lexer.token;
    if (token->kind != SL_TOKEN_INTEGER)
        return expected(reader, place, what);
    char digits[LONGEST_NUMBER + 1];
    if (token->length > LONGEST_NUMBER)
        return expected(reader, place, what);
    memcpy(digits, token->start, token->length);
    digits[token->length] = '\0';
    errno = 0;
    *magnitude = strtoull(digits, NULL, 0);
    return errno ? expected(reader, place, what) : 0;
}

/* An optional sign and an integer within [-most_negative, most]. */
static int parse_integer(struct reader *reader, const struct place *place, uint64_t most_negative,
                         uint64_t most, const char *what, uint64_t *value)
{
    int negative = most_negative ? accept(reader, '-') : 0;
    if (negative < 0)
        return negative;
    uint64_t magnitude = 0;
    int result = parse_magnitude(reader, place, what, &magnitude);
    if (result < 0)
        return result;
    if (magnitude > (negative ? most_negative : most))
        return expected(reader, place, what);
    *value = negative ? UINT64_C(0) - magnitude : magnitude;
    return sl_lexer_next(&reader->lexer);
}

static bool token_is(const struct sl_token *token, const char *word)
{
    return token->length == strlen(word) && strncasecmp(token->start, word, token->length) == 0;
}

static int parse_real(struct reader *reader, const struct place *place, double *value)
{
    int negative = accept(reader, '-');
    if (negative < 0)
        return negative;
    const struct sl_token *token = &reader->lexer.token;
    if (token->kind == SL_TOKEN_IDENTIFIER &&
        (token_is(token, "inf") || token_is(token, "infinity"))) {
        *value = (double)__builtin_inff();
    } else if (token->kind == SL_TOKEN_IDENTIFIER && token_is(token, "nan")) {
        *value = (double)__builtin_nanf("");
    } else if (token->kind == SL_TOKEN_INTEGER || token->kind == SL_TOKEN_FLOAT) {
        char digits[LONGEST_NUMBER + 1];
        if (token->length > LONGEST_NUMBER)
            return expected(reader, place, "a number");
        memcpy(digits, token->start, token->length);
        digits[token->length] = '\0';
        *value = strtod_l(digits, NULL, reader->locale);
    } else {
        return expected(reader, place, "a number");
    }
    if (negative)
        *value = -*value;
    return sl_lexer_next(&reader->lexer);
}

static int parse_boolean(struct reader *reader, const struct place *place,
                         protobuf_c_boolean *value)
{
    static const char *const yes[] = {"true", "t", "True", "1"};
    static const char *const no[] = {"false", "f", "False", "0"};
    const struct sl_token *token = &reader->lexer.token;
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
        bool is_yes =
            token->length == strlen(yes[i]) && !memcmp(token->start, yes[i], token->length);
        bool is_no = token->length == strlen(no[i]) && !memcmp(token->start, no[i], token->length);
        if (is_yes || is_no) {
            *value = is_yes;
            return sl_lexer_next(&reader->lexer);
        }
    }
    return expected(reader, place, "true or false");
}

/* "<place>: <Message> field '<name>': no <Enum> '<word>'; did you mean ...; known: A, B, C". */
static int unknown_enum_name(struct reader *reader, const struct place *place, const char *word)
{
    const ProtobufCEnumDescriptor *values = place->field->descriptor;
    struct sl_suggestion suggestion = {.wanted = word};
    char known[200] = "", name[LONGEST_NAME + 1];
    size_t length = 0;
    for (unsigned i = 0; i < values->n_values; i++) {
        sl_suggest(&suggestion, values->values[i].name);
        size_t left = sizeof(known) - length;
        int added = snprintf(known + length, left, "%s%s", i ? ", " : "", values->values[i].name);
        if (added > 0)
            length += (size_t)added < left ? (size_t)added : left - 1;
    }
    return sl_lexer_error(
        &reader->lexer, &reader->lexer.token, "%s field '%s' has no value '%s'%s%s%s; known are %s",
        place->message->descriptor->short_name, shown_name(place->field, name), word,
        suggestion.best ? "; did you mean '" : "", suggestion.best ? suggestion.best : "",
        suggestion.best ? "'?" : "", known);
}

static int parse_enum(struct reader *reader, const struct place *place, uint32_t *value)
{
    const ProtobufCEnumDescriptor *values = place->field->descriptor;
    const ProtobufCEnumValue *found;
    if (reader->lexer.token.kind == SL_TOKEN_IDENTIFIER) {
        char word[LONGEST_NAME + 1];
        int result = token_name(reader, word);
        if (result < 0)
            return result;
        found = protobuf_c_enum_descriptor_get_value_by_name(values, word);
        if (!found)
            return unknown_enum_name(reader, place, word);
        *value = (uint32_t)found->value;
        return sl_lexer_next(&reader->lexer);
    }
    uint64_t number;
    struct sl_token start = reader->lexer.token;
    int result = parse_integer(reader, place, UINT64_C(1) << 31, INT32_MAX,
                               "a name in capitals without quotes", &number);
    if (result < 0)
        return result;
    found = protobuf_c_enum_descriptor_get_value(values, (int)(int64_t)number);
    if (!found) {
        reader->lexer.token = start;
        return expected(reader, place, "a known value");
    }
    *value = (uint32_t)found->value;
    return 0;
}

/* Adjacent strings are one. The result is NUL-terminated and owned by the caller. */
static int parse_string(struct reader *reader, const struct place *place, char **string,
                        size_t *length)
{
    struct sl_text text SL_AUTO(sl_text_free) = {0};
    struct sl_token start = reader->lexer.token;
    if (start.kind != SL_TOKEN_STRING)
        return expected(reader, place, "a string in quotes");
    while (reader->lexer.token.kind == SL_TOKEN_STRING) {
        int result = charge(reader, reader->lexer.token.length);
        if (result == 0)
            result = sl_lexer_decode(&reader->lexer, &reader->lexer.token, &text);
        if (result == 0)
            result = sl_lexer_next(&reader->lexer);
        if (result < 0)
            return result;
    }
    if (place->field->type == PROTOBUF_C_TYPE_STRING && text.length &&
        memchr(text.bytes, '\0', text.length)) {
        reader->lexer.token = start;
        return expected(reader, place, "a string without a zero character");
    }
    char *copy = malloc(text.length + 1);
    if (!copy || text.failed) {
        free(copy);
        return no_memory(reader);
    }
    if (text.length)
        memcpy(copy, text.bytes, text.length);
    copy[text.length] = '\0';
    *string = copy;
    *length = text.length;
    return 0;
}

/* Any value but a message; a string in it is owned by the caller. */
static int parse_scalar(struct reader *reader, const struct place *place, union value *value)
{
    uint64_t number = 0;
    double real = 0;
    int result;
    switch (place->field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        result = parse_integer(reader, place, UINT64_C(1) << 31, INT32_MAX, "an integer of 32 bits",
                               &number);
        value->int32 = (int32_t)(int64_t)number;
        return result;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        result = parse_integer(reader, place, 0, UINT32_MAX,
                               "an integer of 32 bits that is not negative", &number);
        value->uint32 = (uint32_t)number;
        return result;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        result = parse_integer(reader, place, UINT64_C(1) << 63, INT64_MAX, "an integer of 64 bits",
                               &number);
        value->int64 = (int64_t)number;
        return result;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        result = parse_integer(reader, place, 0, UINT64_MAX,
                               "an integer of 64 bits that is not negative", &number);
        value->uint64 = number;
        return result;
    case PROTOBUF_C_TYPE_FLOAT:
        result = parse_real(reader, place, &real);
        value->real32 = (float)real;
        return result;
    case PROTOBUF_C_TYPE_DOUBLE:
        return parse_real(reader, place, &value->real64);
    case PROTOBUF_C_TYPE_BOOL:
        return parse_boolean(reader, place, &value->boolean);
    case PROTOBUF_C_TYPE_ENUM:
        return parse_enum(reader, place, &value->uint32);
    case PROTOBUF_C_TYPE_STRING:
        return parse_string(reader, place, &value->string, &(size_t){0});
    case PROTOBUF_C_TYPE_BYTES: {
        char *bytes = NULL;
        result = parse_string(reader, place, &bytes, &value->bytes.len);
        value->bytes.data = (uint8_t *)bytes;
        return result;
    }
    default:
        return expected(reader, place, "nothing that text can say");
    }
}

static int store(struct reader *reader, const struct place *place, union value *value)
{
    const ProtobufCFieldDescriptor *field = place->field;
    int result = charge(reader, sl_reflect_value_bytes(field));
    if (result == 0 && sl_reflect_add_many(place->message, field, value) < 0)
        result = no_memory(reader);
    if (result == 0)
        return 0;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        free(value->string);
    else if (field->type == PROTOBUF_C_TYPE_BYTES)
        free(value->bytes.data);
    else if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        protobuf_c_message_free_unpacked(value->message, NULL);
    return result;
}

static int parse_message(struct reader *reader, const struct place *place)
{
    const ProtobufCMessageDescriptor *descriptor = place->field->descriptor;
    char closer = at_symbol(reader, '<') ? '>' : '}';
    if (closer == '}' && !at_symbol(reader, '{'))
        return expected(reader, place, "'{'");
    if (reader->depth == DEEPEST)
        return sl_lexer_error(&reader->lexer, &reader->lexer.token,
                              "messages are nested more than %d deep", DEEPEST);
    int result = sl_lexer_next(&reader->lexer);
    if (result == 0)
        result = charge(reader, descriptor->sizeof_message + BYTES_PER_ALLOCATION);
    if (result < 0)
        return result;
    /* Stored before it is filled, so that whoever frees the whole frees it. */
    union value value = {.message = sl_reflect_new(descriptor)};
    if (!value.message)
        return no_memory(reader);
    result = store(reader, place, &value);
    if (result < 0)
        return result;
    reader->depth++;
    result = fill_message(reader, value.message, closer);
    reader->depth--;
    return result;
}

static int parse_value(struct reader *reader, const struct place *place)
{
    if (place->field->type == PROTOBUF_C_TYPE_MESSAGE)
        return parse_message(reader, place);
    union value value = {0};
    int result = parse_scalar(reader, place, &value);
    return result < 0 ? result : store(reader, place, &value);
}

/* After '[': values with commas between, and the ']'. */
static int parse_list(struct reader *reader, const struct place *place)
{
    int closed = accept(reader, ']');
    while (closed == 0) {
        int result = parse_value(reader, place);
        if (result < 0)
            return result;
        closed = accept(reader, ']');
        if (closed)
            break;
        result = accept(reader, ',');
        if (result < 0)
            return result;
        if (result == 0)
            return expected(reader, place, "',' or ']'");
    }
    return closed < 0 ? closed : 0;
}

static int unknown_field(struct reader *reader, const ProtobufCMessage *message, const char *name)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    struct sl_suggestion suggestion = {.wanted = name};
    for (unsigned i = 0; i < descriptor->n_fields; i++)
        sl_suggest(&suggestion, descriptor->fields[i].name);
    char best[LONGEST_NAME + 1];
    const ProtobufCFieldDescriptor *field =
        suggestion.best ? sl_reflect_field(descriptor, suggestion.best) : NULL;
    return sl_lexer_error(&reader->lexer, &reader->lexer.token, "%s field '%s' is not known%s%s%s",
                          descriptor->short_name, name, field ? "; did you mean '" : "",
                          field ? shown_name(field, best) : "", field ? "'?" : "");
}

/* At the name of a field: the field, its ':' and its value or list of values. */
static int parse_field(struct reader *reader, ProtobufCMessage *message)
{
    char name[LONGEST_NAME + 1];
    int result = token_name(reader, name);
    if (result < 0)
        return result;
    struct place place = {
        .message = message,
        .field = sl_reflect_field(message->descriptor, name),
        .name = reader->lexer.token,
    };
    if (!place.field)
        return unknown_field(reader, message, name);
    bool repeated = place.field->label == PROTOBUF_C_LABEL_REPEATED;
    if (!repeated && sl_reflect_is_set(message, place.field))
        return sl_lexer_error(&reader->lexer, &place.name,
                              "%s field '%s' is given twice: remove one",
                              message->descriptor->short_name, name);
    result = sl_lexer_next(&reader->lexer);
    if (result < 0)
        return result;
    int colon = accept(reader, ':');
    if (colon < 0)
        return colon;
    if (!colon && place.field->type != PROTOBUF_C_TYPE_MESSAGE)
        return expected(reader, &place, "':' and a value");
    if (repeated && at_symbol(reader, '[')) {
        result = accept(reader, '[');
        result = result < 0 ? result : parse_list(reader, &place);
    } else {
        result = parse_value(reader, &place);
    }
    if (result < 0)
        return result;
    result = accept(reader, ';');
    if (result == 0)
        result = accept(reader, ',');
    return result < 0 ? result : 0;
}

/* Fields up to the closer, which is passed; closer '\0': up to the end of the text. */
static int fill_message(struct reader *reader, ProtobufCMessage *message, char closer)
{
    for (;;) {
        const struct sl_token *token = &reader->lexer.token;
        if (closer && at_symbol(reader, closer))
            return sl_lexer_next(&reader->lexer);
        if (!closer && token->kind == SL_TOKEN_END)
            return 0;
        if (token->kind != SL_TOKEN_IDENTIFIER) {
            char found[SL_TOKEN_TEXT_BYTES];
            char wanted[] = {' ', 'o', 'r', ' ', '\'', closer, '\'', '\0'};
            return sl_lexer_error(&reader->lexer, token, "expected a field of %s%s, found %s",
                                  message->descriptor->short_name, closer ? wanted : "",
                                  sl_token_text(token, found));
        }
        int result = parse_field(reader, message);
        if (result < 0)
            return result;
    }
}

int sl_prototxt_parse(const ProtobufCMessageDescriptor *descriptor, const char *name,
                      const char *text, size_t length, ProtobufCMessage **message,
                      struct sl_error *error)
{
    struct reader reader = {.bytes_left = MOST_BYTES};
    int result = sl_lexer_open(&reader.lexer, name, text, length, error);
    if (result < 0)
        return result;
    ProtobufCMessage *filled = sl_reflect_new(descriptor);
    reader.locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (filled && reader.locale)
        result = fill_message(&reader, filled, '\0');
    else
        result = no_memory(&reader);
    if (reader.locale)
        freelocale(reader.locale);
    if (result < 0) {
        if (filled)
            protobuf_c_message_free_unpacked(filled, NULL);
        return result;
    }
    *message = filled;
    return 0;
}
