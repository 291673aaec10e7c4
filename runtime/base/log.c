#include "runtime/base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static enum sl_log_level log_highest = SL_LOG_NOTE;
static sl_log_sink *log_sink;
static void *log_context;

void sl_log_set(enum sl_log_level highest, sl_log_sink *sink, void *context)
{
    log_highest = highest;
    log_sink = sink;
    log_context = context;
}

void sl_log(enum sl_log_level level, const char *format, ...)
{
    if (!log_sink || level > log_highest)
        return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    log_sink(level, line, log_context);
}
