#include "runtime/cli/interrupt.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>

#include "pack_fixture.h"

static void (*hangup_handler(void))(int)
{
    struct sigaction action;
    cr_assert_eq(sigaction(SIGHUP, NULL, &action), 0);
    return action.sa_handler;
}

/* Else nothing comes where the tests run under nohup. */
static void take_hangups(void)
{
    signal(SIGHUP, SIG_DFL);
}

Test(interrupt, a_terminal_hangs_up_more_than_once, .init = take_hangups)
{
    interrupt_install();
    cr_expect_not(interrupt_came());
    raise(SIGHUP);
    cr_expect(interrupt_came());
    raise(SIGHUP); /* does not kill */
}

Test(interrupt, the_first_hangup_only_asks_a_patient_command, .init = take_hangups)
{
    interrupt_install_patient();
    raise(SIGHUP);
    cr_expect(interrupt_asked());
    cr_expect_not(interrupt_came());
    raise(SIGHUP);
    cr_expect(interrupt_came());
    raise(SIGHUP);
}

Test(interrupt, nohup_is_left_alone)
{
    signal(SIGHUP, SIG_IGN);
    interrupt_install();
    cr_expect_eq(hangup_handler(), SIG_IGN);
    interrupt_install_patient();
    cr_expect_eq(hangup_handler(), SIG_IGN);
}

Test(interrupt, without_a_terminal_a_hangup_interrupts_nothing)
{
    interrupt_install();
    interrupt_install_hangup();
    raise(SIGHUP);
    cr_expect_not(interrupt_asked());
}

Test(interrupt, what_came_before_the_session_is_for_it)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    const struct sl_import_request request = {.topology = "lenet", .output = scratch.pack};
    struct sl_model *model;
    struct sl_session *session;
    struct sl_result result;
    struct sl_error error = {0};
    interrupt_install();
    cr_assert_eq(sl_import(&request, NULL, &error), 0, "%s", error.text);
    cr_assert_eq(sl_model_open(scratch.pack, &model, &error), 0, "%s", error.text);
    raise(SIGTERM);
    cr_assert_eq(sl_session_create(NULL, &session, &error), 0, "%s", error.text);
    cr_assert_eq(sl_session_add(session, model, &error), 0, "%s", error.text);
    cr_assert_eq(sl_session_input_random(session, 0, 0, 0, &error), 0, "%s", error.text);
    interrupt_session(session);
    cr_expect_eq(sl_session_run(session, 0, &result, NULL, &error), -EINTR);
    interrupt_session(NULL);
    sl_session_free(session);
    sl_model_close(model);
    scratch_end(&scratch);
}
