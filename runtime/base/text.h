/* A growing string, and what is UTF-8. */
#ifndef SLUICE_BASE_TEXT_H
#define SLUICE_BASE_TEXT_H

#include <stdbool.h>
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
/* Appends text with every byte that is no part of UTF-8, and every control character, as \xNN. */
void sl_text_add_escaped(struct sl_text *text, const char *added);
/* Frees the bytes and leaves an empty text behind. */
void sl_text_free(struct sl_text *text);

/* Bytes of the character that starts there (RFC 3629: no surrogate, nothing longer than it need
 * be); 0: it is not UTF-8, or the end of the text. */
size_t sl_utf8_length(const char *at);
/* Whether all of a NUL-terminated text is UTF-8, as JSON wants it. */
bool sl_text_is_utf8(const char *text);

#endif
