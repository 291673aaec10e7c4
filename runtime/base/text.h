/* A growing string. */
#ifndef SLUICE_BASE_TEXT_H
#define SLUICE_BASE_TEXT_H

#include <stddef.h>

/* Zero-initialise; bytes is NUL-terminated once something was added and is owned by the struct.
 * failed is set when memory ran out; later additions are then ignored. */
struct sl_text {
    char *bytes;
    size_t length;
    size_t capacity;
    int failed;
};

void sl_text_add(struct sl_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sl_text_add_bytes(struct sl_text *text, const void *bytes, size_t length);
void sl_text_free(struct sl_text *text);

#endif
