#include <criterion/criterion.h>

#include "runtime/base/text.h"

Test(text, is_utf8_or_not)
{
    static const char *const good[] = {"",
                                       "facenet",
                                       "caf\xc3\xa9",
                                       "\xe2\x82\xac",
                                       "\xed\x9f\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "caf\xe9",          /* Latin-1 */
        "\x80",             /* starts in the middle */
        "\xc3",             /* cut off */
        "\xe2\x82",         /* cut off */
        "\xc0\xaf",         /* longer than need be */
        "\xe0\x80\xaf",     /* longer than need be */
        "\xf0\x8f\xbf\xbf", /* longer than need be */
        "\xed\xa0\x80",     /* a surrogate */
        "\xf4\x90\x80\x80", /* behind the last character */
        "\xff",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_expect(sl_text_is_utf8(good[i]), "%zu", i);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not(sl_text_is_utf8(bad[i]), "%zu", i);
}

Test(text, shows_what_no_terminal_can)
{
    struct sl_text text = {0};
    sl_text_add_escaped(&text, "caf\xe9\n \xc3\xa9\xe2\x82");
    cr_expect_str_eq(text.bytes, "caf\\xe9\\x0a \xc3\xa9\\xe2\\x82");
    sl_text_free(&text);
}
