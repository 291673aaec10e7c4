#include "runtime/report/text_table.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"

static const struct sl_column columns[] = {{"name", false}, {"bytes", true}};

static char *write_table(enum sl_format format)
{
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, columns, 2);
    sl_table_add(&table, "a|b");
    sl_table_add(&table, "%d", 5);
    sl_table_add(&table, "say \"x\", y");
    sl_table_add(&table, "%d", 12345);
    sl_table_add(&table, "an incomplete row is left out");
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    cr_assert_eq(sl_table_write(&table, format, stream), 0);
    fclose(stream);
    return text;
}

Test(text_table, aligns)
{
    SL_AUTO_FREE char *text = write_table(SL_FORMAT_TABLE);
    cr_expect_str_eq(text, "name        bytes\n"
                           "a|b             5\n"
                           "say \"x\", y  12345\n");
}

Test(text_table, csv_quotes)
{
    SL_AUTO_FREE char *text = write_table(SL_FORMAT_CSV);
    cr_expect_str_eq(text, "name,bytes\na|b,5\n\"say \"\"x\"\", y\",12345\n");
}

Test(text_table, markdown_escapes)
{
    SL_AUTO_FREE char *text = write_table(SL_FORMAT_MARKDOWN);
    cr_expect_str_eq(text, "| name | bytes |\n|---|---:|\n| a\\|b | 5 |\n"
                           "| say \"x\", y | 12345 |\n");
}

Test(text_table, formats_by_name)
{
    enum sl_format format;
    struct sl_error error;
    cr_expect_eq(sl_format_parse(NULL, &format, &error), 0);
    cr_expect_eq(format, SL_FORMAT_TABLE);
    cr_expect_eq(sl_format_parse("md", &format, &error), 0);
    cr_expect_eq(format, SL_FORMAT_MARKDOWN);
    cr_expect_eq(sl_format_parse("cvs", &format, &error), -EINVAL);
    cr_expect(strstr(error.text, "did you mean 'csv'") != NULL);
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, columns, 2);
    cr_expect_eq(sl_table_write(&table, SL_FORMAT_JSON, stdout), -EINVAL);
}
