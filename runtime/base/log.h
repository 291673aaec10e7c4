/* Diagnostics of the library: it never prints, it hands lines to one sink that the program sets
 * (the command line writes them to stderr). The level and sink are the only global state. */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include "runtime/base/export.h"

SL_C_BEGIN

enum sl_log_level {
    SL_LOG_ERROR,
    SL_LOG_WARNING,
    SL_LOG_NOTE, /* a fallback was taken, a default was chosen */
    SL_LOG_DEBUG,
};

typedef void sl_log_sink(enum sl_log_level level, const char *line, void *context);

/* Sets the sink (NULL: silent, the default) and the highest level passed on. Call before threads
 * start. */
SL_API void sl_log_set(enum sl_log_level highest, sl_log_sink *sink, void *context);

/* One line without a newline. Any thread. */
void sl_log(enum sl_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

SL_C_END

#endif
