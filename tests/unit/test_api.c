/* What callers of the library can get wrong: -EINVAL with the reason, never a crash. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/sluice.h"

TestSuite(api, .timeout = 60);

Test(api, depths_below_zero)
{
    const struct sl_session_options mistakes[] = {{.depth = -1}, {.queue_depth = -8}};
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct sl_error error = {0};
        struct sl_session *session = NULL;
        cr_expect_eq(sl_session_create(&mistakes[i], &session, &error), -EINVAL);
        cr_expect_not_null(strstr(error.text, "give 0 for the default"), "%s", error.text);
        sl_session_free(session);
    }
}

Test(api, nowhere_to_put_what_was_made)
{
    struct sl_error error = {0};
    struct sl_model *model;
    struct sl_session *session;
    const char *directory = getenv("TMPDIR");
    char path[256];
    snprintf(path, sizeof(path), "%.200s/api_lenet.sluice", directory ? directory : "/var/tmp");
    const struct sl_import_request request = {.topology = "lenet", .output = path};
    cr_assert_eq(sl_import(&request, NULL, &error), 0, "%s", error.text);
    cr_assert_eq(sl_model_open(path, &model, &error), 0, "%s", error.text);
    cr_assert_eq(sl_session_create(NULL, &session, &error), 0, "%s", error.text);
    cr_assert_eq(sl_session_add(session, model, &error), 0, "%s", error.text);
    cr_expect_eq(sl_session_run(session, 0, NULL, NULL, &error), -EINVAL);
    cr_expect_not_null(strstr(error.text, "one per network"), "%s", error.text);
    cr_expect_eq(sl_repack(path, 0, NULL, NULL, &error), -EINVAL);
    cr_expect_not_null(strstr(error.text, "names of two packs"), "%s", error.text);
    sl_session_free(session);
    sl_model_close(model);
    remove(path);
}
