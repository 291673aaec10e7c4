/* A JSON array in a file that grows event by event and is complete whenever nobody is writing: each
 * write puts new events and the closing bracket over the old one, at once. So a file whose writer
 * was killed is valid JSON. */
#ifndef SLUICE_REPORT_TRACE_FILE_H
#define SLUICE_REPORT_TRACE_FILE_H

#include <stddef.h>

#include "runtime/base/error.h"

struct sl_trace_file;

/* Makes the file, or empties it: an array without elements. -errno with the path. Free with
 * sl_trace_file_close. */
int sl_trace_file_create(const char *path, struct sl_trace_file **file, struct sl_error *error);
/* Adds an element, the text of a JSON value. Kept in memory until it is flushed. */
void sl_trace_file_add(struct sl_trace_file *file, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, of a text that is there. */
void sl_trace_file_add_text(struct sl_trace_file *file, const char *element, size_t length);
/* Writes what was added. A failure is kept for sl_trace_file_close; what was written stays valid,
 * and nothing more is written. */
void sl_trace_file_flush(struct sl_trace_file *file);
/* Flushes and frees. 0, or the first failure. NULL is fine. */
int sl_trace_file_close(struct sl_trace_file *file, struct sl_error *error);

#endif
