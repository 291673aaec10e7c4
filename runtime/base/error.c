#include "runtime/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int sl_error_set(struct sl_error *error, int code, const char *format, ...)
{
    if (code > 0)
        code = -code;
    if (!error)
        return code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    error->code = code;
    return code;
}

int sl_error_errno(struct sl_error *error, const char *format, ...)
{
    int saved = errno ? errno : EIO;
    if (!error)
        return -saved;
    char text[SL_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return sl_error_set(error, -saved, "%s: %s%s", text, strerror(saved),
                        saved == EMFILE ? "; " SL_OPEN_FILES_CURE : "");
}

int sl_error_wrap(struct sl_error *error, const char *format, ...)
{
    if (!error)
        return -EIO;
    char context[SL_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context, sizeof(context), format, arguments);
    va_end(arguments);
    char inner[SL_ERROR_TEXT_BYTES];
    memcpy(inner, error->text, sizeof(inner));
    /* Truncation keeps the outer context, which names the user's own object. */
    if (snprintf(error->text, sizeof(error->text), "%s: %s", context, inner) < 0)
        memcpy(error->text, context, sizeof(context));
    return error->code;
}
