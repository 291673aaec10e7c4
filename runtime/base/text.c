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

void sl_text_free(struct sl_text *text)
{
    free(text->bytes);
    *text = (struct sl_text){0};
}
