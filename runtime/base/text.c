#include "runtime/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int text_reserve(struct sl_text *text, size_t more)
{
    if (text->failed)
        return -1;
    if (text->capacity - text->length > more)
        return 0;
    size_t capacity = text->capacity ? text->capacity : 128;
    while (capacity - text->length <= more)
        capacity *= 2;
    char *bytes = realloc(text->bytes, capacity);
    if (!bytes) {
        text->failed = 1;
        return -1;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return 0;
}

void sl_text_add_bytes(struct sl_text *text, const void *bytes, size_t length)
{
    if (text_reserve(text, length))
        return;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void sl_text_add(struct sl_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || text_reserve(text, (size_t)length))
        return;
    va_start(arguments, format);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

size_t sl_utf8_length(const char *at)
{
    const unsigned char *c = (const unsigned char *)at;
    /* The second byte has a narrower range where less would be too long or more no character. */
    unsigned char least = *c == 0xe0 ? 0xa0 : *c == 0xf0 ? 0x90 : 0x80;
    unsigned char most = *c == 0xed ? 0x9f : *c == 0xf4 ? 0x8f : 0xbf;
    size_t length = *c < 0x80                 ? *c != 0
                    : *c >= 0xc2 && *c < 0xe0 ? 2
                    : *c >= 0xe0 && *c < 0xf0 ? 3
                    : *c >= 0xf0 && *c < 0xf5 ? 4
                                              : 0;
    if (length > 1 && (c[1] < least || c[1] > most))
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

bool sl_text_is_utf8(const char *text)
{
    size_t length;
    while ((length = sl_utf8_length(text)))
        text += length;
    return !*text;
}

void sl_text_add_escaped(struct sl_text *text, const char *added)
{
    while (*added) {
        size_t length = sl_utf8_length(added);
        unsigned char byte = (unsigned char)*added;
        if (length == 0 || byte < ' ' || byte == 127)
            sl_text_add(text, "\\x%02x", byte);
        else
            sl_text_add_bytes(text, added, length);
        added += length ? length : 1;
    }
}

void sl_text_free(struct sl_text *text)
{
    free(text->bytes);
    *text = (struct sl_text){0};
}
