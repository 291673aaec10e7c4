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

/* Appends what printf would print. */
void sl_text_add(struct sl_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Appends bytes as they are. */
void sl_text_add_bytes(struct sl_text *text, const void *bytes, size_t length);
/* Frees the bytes and leaves an empty text behind. */
void sl_text_free(struct sl_text *text);

#endif
