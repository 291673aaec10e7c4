#include "runtime/cli/value_list.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/text.h"

static void expect(const char *text, bool ranges, const char *values)
{
    SL_AUTO(value_list_free) struct value_list list = {0};
    SL_AUTO(sl_text_free) struct sl_text joined = {0};
    struct sl_error error = {0};
    int code = value_list_read(&list, text, ranges, &error);
    if (!values) {
        cr_expect_eq(code, -EINVAL, "'%s' was accepted", text);
        return;
    }
    cr_assert_eq(code, 0, "'%s': %s", text, error.text);
    for (int i = 0; i < list.count; i++)
        sl_text_add(&joined, "%s%s", i ? "," : "", list.values[i]);
    cr_expect_str_eq(joined.bytes, values, "'%s' is %s", text, joined.bytes);
}

Test(value_list, lists)
{
    expect("4", false, "4");
    expect("none,75%,50%", false, "none,75%,50%");
    expect("a, b", false, "a,b");
    expect("1-4", false, "1-4");
    expect("", false, NULL);
    expect("a,,b", false, NULL);
    expect("a,", false, NULL);
}

Test(value_list, ranges)
{
    expect("1-4", true, "1,2,3,4");
    expect("1-9+2", true, "1,3,5,7,9");
    expect("1-16*2", true, "1,2,4,8,16");
    expect("1-10*3", true, "1,3,9");
    expect("3-3", true, "3");
    expect("1,4-5,8-32*2", true, "1,4,5,8,16,32");
    expect("deep", true, "deep"); /* refused by the option that takes it */
}

Test(value_list, bad_ranges)
{
    expect("5-1", true, NULL);
    expect("1-", true, NULL);
    expect("1-4+", true, NULL);
    expect("1-4+0", true, NULL);
    expect("1-4*1", true, NULL);
    expect("0-4*2", true, NULL);
    expect("1-4/2", true, NULL);
    expect("1-4+1x", true, NULL);
    expect("1-9999999", true, NULL);
}

Test(value_list, names)
{
    SL_AUTO(value_list_free) struct value_list list = {0};
    struct sl_error error = {0};
    cr_assert_eq(value_list_read_names(&list, "all", SL_KIND_POLICY, "policy", &error), 0);
    cr_expect_geq(list.count, 7);
    value_list_free(&list);
    cr_assert_eq(value_list_read_names(&list, "all", SL_KIND_LOADER, "loader", &error), 0);
    cr_expect_gt(list.count, 0);
    for (int i = 0; i < list.count; i++)
        cr_expect_str_neq(list.values[i], "sim");
    value_list_free(&list);
    cr_expect_eq(value_list_read_names(&list, "bulk,liner", SL_KIND_POLICY, "policy", &error),
                 -EINVAL);
    cr_expect_not_null(strstr(error.text, "'linear'"), "%s", error.text);
}
