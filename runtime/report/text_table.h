/* Tables of text: aligned columns, CSV or Markdown. */
#ifndef SLUICE_REPORT_TEXT_TABLE_H
#define SLUICE_REPORT_TEXT_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "runtime/base/error.h"

enum sl_format { SL_FORMAT_TABLE, SL_FORMAT_JSON, SL_FORMAT_CSV, SL_FORMAT_MARKDOWN };

/* Formatted values with units; the others have exact numbers. */
static inline bool sl_format_for_people(enum sl_format format)
{
    return format == SL_FORMAT_TABLE || format == SL_FORMAT_MARKDOWN;
}

/* "table", "json", "csv" or "md"; NULL is a table. -EINVAL with the nearest known name. */
int sl_format_parse(const char *text, enum sl_format *format, struct sl_error *error);

struct sl_column {
    const char *name;
    bool number; /* right-aligned */
};

struct sl_table {
    const struct sl_column *columns; /* borrowed */
    int column_count;
    char **cells; /* row by row; owned */
    size_t cell_count, capacity;
    bool failed; /* memory ran out; nothing is written */
};

/* An empty table; free with sl_table_free. */
void sl_table_init(struct sl_table *table, const struct sl_column *columns, int column_count);
/* Frees the cells and leaves an empty table behind. */
void sl_table_free(struct sl_table *table);
/* Adds the next cell of the current row; rows fill from left to right. */
void sl_table_add(struct sl_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes title row and rows; an incomplete last row is left out. CSV quotes as RFC 4180 says;
 * Markdown escapes "|". SL_FORMAT_JSON is not for tables (-EINVAL). -ENOMEM when cells were lost.
 */
int sl_table_write(const struct sl_table *table, enum sl_format format, FILE *stream);

#endif
