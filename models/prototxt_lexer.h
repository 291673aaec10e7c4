/* Tokens of protobuf's text format, with their places. */
#ifndef SLUICE_MODELS_PROTOTXT_LEXER_H
#define SLUICE_MODELS_PROTOTXT_LEXER_H

#include <stddef.h>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

enum sl_token_kind {
    SL_TOKEN_END,
    SL_TOKEN_IDENTIFIER,
    SL_TOKEN_INTEGER, /* decimal, 0x hexadecimal or 0 octal; the sign is a symbol before it */
    SL_TOKEN_FLOAT,
    SL_TOKEN_STRING, /* with its quotes, escapes not decoded */
    SL_TOKEN_SYMBOL, /* one character */
};

struct sl_token {
    enum sl_token_kind kind;
    const char *start;
    size_t length;
    size_t line, column; /* from 1; columns count bytes */
};

/* token is the current one. name and text are borrowed. */
struct sl_lexer {
    const char *name;
    const char *at, *end, *line_start;
    size_t line;
    struct sl_token token;
    struct sl_error *error;
};

/* Starts at the first token. 0 or -EINVAL with a message (a token that is not one). */
int sl_lexer_open(struct sl_lexer *lexer, const char *name, const char *text, size_t length,
                  struct sl_error *error);

/* Goes to the next token; at the end it stays there. 0 or -EINVAL with a message. */
int sl_lexer_next(struct sl_lexer *lexer);

/* "<name>:<line>:<column>: <message>"; returns -EINVAL. */
int sl_lexer_error(struct sl_lexer *lexer, const struct sl_token *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define SL_TOKEN_TEXT_BYTES 48
/* The token as a message shows it: quoted, shortened, printable. Returns buffer. */
const char *sl_token_text(const struct sl_token *token, char buffer[SL_TOKEN_TEXT_BYTES]);

/* Appends the decoded characters of a string token. 0 or -EINVAL with a message. */
int sl_lexer_decode(struct sl_lexer *lexer, const struct sl_token *token, struct sl_text *text);

#endif
