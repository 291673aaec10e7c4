#include "models/prototxt_lexer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

static int hexadecimal_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

int sl_lexer_error(struct sl_lexer *lexer, const struct sl_token *place, const char *format, ...)
{
    char message[SL_ERROR_TEXT_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    return sl_error_set(lexer->error, -EINVAL, "%s:%zu:%zu: %s", lexer->name, place->line,
                        place->column, message);
}

const char *sl_token_text(const struct sl_token *token, char buffer[SL_TOKEN_TEXT_BYTES])
{
    if (token->kind == SL_TOKEN_END)
        return "the end of the file";
    const size_t longest = SL_TOKEN_TEXT_BYTES - sizeof("''...");
    size_t length = token->length < longest ? token->length : longest;
    size_t out = 0;
    buffer[out++] = '\'';
    for (size_t i = 0; i < length; i++) {
        char c = token->start[i];
        buffer[out++] = c >= ' ' && c <= '~' ? c : '?';
    }
    snprintf(buffer + out, SL_TOKEN_TEXT_BYTES - out, length < token->length ? "...'" : "'");
    return buffer;
}

static void skip_space(struct sl_lexer *lexer)
{
    bool comment = false;
    for (; lexer->at < lexer->end; lexer->at++) {
        char c = *lexer->at;
        if (c == '\n') {
            comment = false;
            lexer->line++;
            lexer->line_start = lexer->at + 1;
        } else if (c == '#') {
            comment = true;
        } else if (!comment && c != ' ' && c != '\t' && c != '\r' && c != '\f' && c != '\v') {
            return;
        }
    }
}

static size_t span(const struct sl_lexer *lexer, size_t from, bool (*wanted)(char))
{
    while (lexer->at + from < lexer->end && wanted(lexer->at[from]))
        from++;
    return from;
}

static bool is_hexadecimal(char c)
{
    return hexadecimal_value(c) >= 0;
}

static char peek(const struct sl_lexer *lexer, size_t offset)
{
    return offset < (size_t)(lexer->end - lexer->at) ? lexer->at[offset] : '\0';
}

static int scan_number(struct sl_lexer *lexer, struct sl_token *token)
{
    size_t length;
    token->kind = SL_TOKEN_INTEGER;
    if (peek(lexer, 0) == '0' && (peek(lexer, 1) | 0x20) == 'x') {
        length = span(lexer, 2, is_hexadecimal);
        if (length == 2)
            return sl_lexer_error(lexer, token, "'0x' without hexadecimal digits");
    } else {
        length = span(lexer, 0, is_digit);
        bool octal = length > 1 && peek(lexer, 0) == '0';
        if (peek(lexer, length) == '.') {
            token->kind = SL_TOKEN_FLOAT;
            length = span(lexer, length + 1, is_digit);
        }
        if ((peek(lexer, length) | 0x20) == 'e') {
            token->kind = SL_TOKEN_FLOAT;
            length++;
            if (peek(lexer, length) == '+' || peek(lexer, length) == '-')
                length++;
            size_t digits = length;
            length = span(lexer, length, is_digit);
            if (length == digits)
                return sl_lexer_error(lexer, token, "an exponent without digits");
        }
        if ((peek(lexer, length) | 0x20) == 'f') {
            token->kind = SL_TOKEN_FLOAT;
            length++;
        }
        if (octal && token->kind == SL_TOKEN_INTEGER && span(lexer, 0, is_octal) != length)
            return sl_lexer_error(lexer, token,
                                  "a number that starts with 0 is octal: 8 and 9 do not fit");
    }
    char after = peek(lexer, length);
    if (is_letter(after) || is_digit(after) || after == '.')
        return sl_lexer_error(lexer, token, "a number must end before '%c'", after);
    token->length = length;
    return 0;
}

static int scan_string(struct sl_lexer *lexer, struct sl_token *token)
{
    char quote = *lexer->at;
    token->kind = SL_TOKEN_STRING;
    for (const char *c = lexer->at + 1; c < lexer->end && *c != '\n'; c++) {
        if (*c == quote) {
            token->length = (size_t)(c - lexer->at) + 1;
            return 0;
        }
        if (*c == '\\' && c + 1 < lexer->end && c[1] != '\n')
            c++;
    }
    return sl_lexer_error(lexer, token, "a string is not closed on its line: add %c", quote);
}

int sl_lexer_next(struct sl_lexer *lexer)
{
    skip_space(lexer);
    struct sl_token token = {
        .kind = SL_TOKEN_END,
        .start = lexer->at,
        .line = lexer->line,
        .column = (size_t)(lexer->at - lexer->line_start) + 1,
    };
    int result = 0;
    char c = peek(lexer, 0);
    if (lexer->at == lexer->end) {
        token.length = 0;
    } else if (is_letter(c)) {
        token.kind = SL_TOKEN_IDENTIFIER;
        while (is_letter(peek(lexer, token.length)) || is_digit(peek(lexer, token.length)))
            token.length++;
    } else if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1)))) {
        result = scan_number(lexer, &token);
    } else if (c == '"' || c == '\'') {
        result = scan_string(lexer, &token);
    } else if (c > ' ' && c <= '~') {
        token.kind = SL_TOKEN_SYMBOL;
        token.length = 1;
    } else {
        result = sl_lexer_error(lexer, &token, "byte 0x%02x does not belong in a text file",
                                (unsigned)(unsigned char)c);
    }
    if (result < 0)
        return result;
    lexer->at += token.length;
    lexer->token = token;
    return 0;
}

int sl_lexer_open(struct sl_lexer *lexer, const char *name, const char *text, size_t length,
                  struct sl_error *error)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    const size_t mark = sizeof(byte_order_mark) - 1;
    if (length >= mark && memcmp(text, byte_order_mark, mark) == 0) {
        text += mark;
        length -= mark;
    }
    *lexer = (struct sl_lexer){
        .name = name,
        .at = text,
        .end = text + length,
        .line_start = text,
        .line = 1,
        .error = error,
    };
    return sl_lexer_next(lexer);
}

static void add_utf8(struct sl_text *text, uint32_t point)
{
    unsigned char bytes[4];
    size_t length;
    if (point < 0x80) {
        bytes[0] = (unsigned char)point;
        length = 1;
    } else if (point < 0x800) {
        bytes[0] = (unsigned char)(0xc0 | point >> 6);
        length = 2;
    } else if (point < 0x10000) {
        bytes[0] = (unsigned char)(0xe0 | point >> 12);
        length = 3;
    } else {
        bytes[0] = (unsigned char)(0xf0 | point >> 18);
        length = 4;
    }
    for (size_t i = 1; i < length; i++)
        bytes[i] = (unsigned char)(0x80 | (point >> 6 * (length - 1 - i) & 0x3f));
    sl_text_add_bytes(text, bytes, length);
}

/* Reads up to most digits of a base at *c; returns how many. */
static size_t read_digits(const char **c, const char *end, uint32_t base, size_t most,
                          uint32_t *value)
{
    size_t digits = 0;
    *value = 0;
    for (; digits < most && *c < end; digits++, ++*c) {
        int digit = hexadecimal_value(**c);
        if (digit < 0 || (uint32_t)digit >= base)
            break;
        *value = *value * base + (uint32_t)digit;
    }
    return digits;
}

/* *c is after the backslash; leaves it after the escape. */
static int decode_escape(struct sl_lexer *lexer, const struct sl_token *token, const char **c,
                         const char *end, struct sl_text *text)
{
    static const char simple[] = "abfnrtv\\'\"?";
    static const char meaning[] = "\a\b\f\n\r\t\v\\'\"?";
    uint32_t value;
    const char *known = strchr(simple, **c);
    if (**c && known) {
        sl_text_add_bytes(text, meaning + (known - simple), 1);
        ++*c;
        return 0;
    }
    if (is_octal(**c)) {
        read_digits(c, end, 8, 3, &value);
        if (value > 0xff)
            return sl_lexer_error(lexer, token, "an octal escape above \\377");
        sl_text_add_bytes(text, &(unsigned char){(unsigned char)value}, 1);
        return 0;
    }
    char kind = *(*c)++;
    if (kind == 'x' || kind == 'X') {
        if (!read_digits(c, end, 16, 2, &value))
            return sl_lexer_error(lexer, token, "the escape '\\x' without hexadecimal digits");
        sl_text_add_bytes(text, &(unsigned char){(unsigned char)value}, 1);
        return 0;
    }
    if (kind == 'u' || kind == 'U') {
        size_t wanted = kind == 'u' ? 4 : 8;
        if (read_digits(c, end, 16, wanted, &value) != wanted || value > 0x10ffff ||
            (value >= 0xd800 && value < 0xe000))
            return sl_lexer_error(lexer, token, "the escape '\\%c' is not a Unicode character",
                                  kind);
        add_utf8(text, value);
        return 0;
    }
    return sl_lexer_error(lexer, token, "a string with an unknown escape '\\%c'",
                          kind >= ' ' && kind <= '~' ? kind : '?');
}

int sl_lexer_decode(struct sl_lexer *lexer, const struct sl_token *token, struct sl_text *text)
{
    const char *end = token->start + token->length - 1;
    for (const char *c = token->start + 1; c < end;) {
        const char *plain = c;
        while (c < end && *c != '\\')
            c++;
        sl_text_add_bytes(text, plain, (size_t)(c - plain));
        if (c == end)
            break;
        c++;
        int result = decode_escape(lexer, token, &c, end, text);
        if (result < 0)
            return result;
    }
    return 0;
}
