#include "runtime/report/text_table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/suggest.h"

int sl_format_parse(const char *text, enum sl_format *format, struct sl_error *error)
{
    static const char *const names[] = {"table", "json", "csv", "md", NULL};
    int chosen = sl_choose(text ? text : names[0], names, error);
    if (chosen < 0)
        return chosen;
    *format = (enum sl_format)chosen;
    return 0;
}

void sl_table_init(struct sl_table *table, const struct sl_column *columns, int column_count)
{
    *table = (struct sl_table){.columns = columns, .column_count = column_count};
}

void sl_table_free(struct sl_table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct sl_table){0};
}

void sl_table_add(struct sl_table *table, const char *format, ...)
{
    if (table->failed)
        return;
    if (table->cell_count == table->capacity) {
        size_t capacity = table->capacity ? 2 * table->capacity : 64;
        char **cells = realloc(table->cells, capacity * sizeof(*cells));
        if (!cells) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->capacity = capacity;
    }
    va_list arguments;
    va_start(arguments, format);
    char *cell;
    int length = vasprintf(&cell, format, arguments);
    va_end(arguments);
    if (length < 0)
        table->failed = true;
    else
        table->cells[table->cell_count++] = cell;
}

/* Columns that a UTF-8 text takes on a terminal, wide characters aside. */
static int text_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void write_aligned_row(const struct sl_table *table, const int *widths, char *const *cells,
                              FILE *stream)
{
    for (int column = 0; column < table->column_count; column++) {
        const char *cell = cells ? cells[column] : table->columns[column].name;
        int padding = widths[column] - text_width(cell);
        bool last = column + 1 == table->column_count;
        if (table->columns[column].number)
            fprintf(stream, "%*s%s", padding, "", cell);
        else
            fprintf(stream, "%s%*s", cell, last ? 0 : padding, "");
        fputs(last ? "\n" : "  ", stream);
    }
}

static int write_aligned(const struct sl_table *table, size_t rows, FILE *stream)
{
    size_t columns = (size_t)table->column_count;
    int *widths = calloc(columns + 1, sizeof(*widths));
    if (!widths)
        return -ENOMEM;
    for (size_t column = 0; column < columns; column++) {
        widths[column] = text_width(table->columns[column].name);
        for (size_t row = 0; row < rows; row++) {
            int width = text_width(table->cells[row * columns + column]);
            widths[column] = width > widths[column] ? width : widths[column];
        }
    }
    write_aligned_row(table, widths, NULL, stream);
    for (size_t row = 0; row < rows; row++)
        write_aligned_row(table, widths, table->cells + row * columns, stream);
    free(widths);
    return 0;
}

static void write_csv_cell(const char *cell, FILE *stream)
{
    if (!cell[strcspn(cell, ",\"\r\n")]) {
        fputs(cell, stream);
        return;
    }
    fputc('"', stream);
    for (; *cell; cell++) {
        if (*cell == '"')
            fputc('"', stream);
        fputc(*cell, stream);
    }
    fputc('"', stream);
}

static void write_markdown_cell(const char *cell, FILE *stream)
{
    for (; *cell; cell++) {
        if (*cell == '|')
            fputc('\\', stream);
        fputc(*cell == '\n' ? ' ' : *cell, stream);
    }
}

static void write_row(const struct sl_table *table, enum sl_format format, char *const *cells,
                      FILE *stream)
{
    bool markdown = format == SL_FORMAT_MARKDOWN;
    for (int column = 0; column < table->column_count; column++) {
        const char *cell = cells ? cells[column] : table->columns[column].name;
        fputs(markdown ? "| " : column ? "," : "", stream);
        if (markdown)
            write_markdown_cell(cell, stream);
        else
            write_csv_cell(cell, stream);
        fputs(markdown ? " " : "", stream);
    }
    fputs(markdown ? "|\n" : "\n", stream);
}

int sl_table_write(const struct sl_table *table, enum sl_format format, FILE *stream)
{
    if (format == SL_FORMAT_JSON)
        return -EINVAL;
    if (table->failed)
        return -ENOMEM;
    size_t columns = (size_t)table->column_count;
    size_t rows = columns ? table->cell_count / columns : 0;
    if (format == SL_FORMAT_TABLE)
        return write_aligned(table, rows, stream);
    write_row(table, format, NULL, stream);
    if (format == SL_FORMAT_MARKDOWN) {
        for (size_t column = 0; column < columns; column++)
            fputs(table->columns[column].number ? "|---:" : "|---", stream);
        fputs("|\n", stream);
    }
    for (size_t row = 0; row < rows; row++)
        write_row(table, format, table->cells + row * columns, stream);
    return 0;
}
