/* Did-you-mean. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/suggest.h"

Test(suggest, a_choice_is_an_index)
{
    static const char *const names[] = {"table", "json", "md", NULL};
    struct sl_error error = {0};
    cr_expect_eq(sl_choose("table", names, &error), 0);
    cr_expect_eq(sl_choose("md", names, &error), 2);
    cr_expect_eq(sl_choose("jsn", names, &error), -EINVAL);
    cr_expect_str_eq(error.text, "'jsn' is not one of table, json, md; did you mean 'json'?");
    cr_expect_eq(sl_choose("picture", names, &error), -EINVAL);
    cr_expect_str_eq(error.text, "'picture' is not one of table, json, md");
    cr_expect_eq(sl_choose("", names, &error), -EINVAL);
}

Test(suggest, long_words_and_lists_are_cut)
{
    static char words[100][32];
    const char *names[101] = {NULL};
    char text[4000];
    struct sl_error error = {0};
    for (int i = 0; i < 100; i++) {
        snprintf(words[i], sizeof(words[i]), "a-long-name-%d", i);
        names[i] = words[i];
    }
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    cr_expect_eq(sl_choose(text, names, &error), -EINVAL);
    cr_expect(!strncmp(error.text, "'xxx", 4), "%s", error.text);
    cr_expect(strstr(error.text, "' is not one of a-long-name-0, a-long-name-1, "), "%s",
              error.text);
    cr_expect_eq(sl_choose("a-long-name-99", names, &error), 99);
}
