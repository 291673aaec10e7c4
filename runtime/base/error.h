/* Errors as values: every fallible function returns 0 (or a positive result) or -errno, and fills
 * a caller-owned struct sl_error given last. No heap is used: sluice runs at memory limits. */
#ifndef SLUICE_BASE_ERROR_H
#define SLUICE_BASE_ERROR_H

#include "runtime/base/export.h"

SL_C_BEGIN

#define SL_ERROR_TEXT_BYTES 1024

/* What helps against EMFILE. */
#define SL_OPEN_FILES_CURE "raise the limit of open files (ulimit -n)"

/* code: 0 when no error is set, else -errno. text: one line, what failed on what, why, the cure. */
struct sl_error {
    int code;
    char text[SL_ERROR_TEXT_BYTES];
};

/* Sets code and text and returns code. code is -errno (a positive errno is negated); error may be
 * NULL, then only the code is returned. Any thread. */
SL_API int sl_error_set(struct sl_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As sl_error_set, with ": <strerror(errno)>" appended, of EMFILE also what helps; code = -errno at
 * entry. */
SL_API int sl_error_errno(struct sl_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "<context>: " before the text of a set error on its way up; returns error->code. */
SL_API int sl_error_wrap(struct sl_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

SL_C_END

#endif
