#include "runtime/cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

/* Signal handlers have no argument of ours: the only state of the command line that is global. */
static volatile int interrupted;
static struct sl_session *volatile running_session;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
    if (running_session)
        sl_session_interrupt(running_session);
}

static void on_hangup(int number)
{
    (void)number;
    if (running_session)
        sl_session_reread_limit(running_session);
}

void interrupt_install_hangup(void)
{
    struct sigaction action = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGHUP, &action, NULL);
}

void interrupt_install(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_came(void)
{
    return interrupted;
}

const volatile int *interrupt_flag(void)
{
    return &interrupted;
}

void interrupt_session(struct sl_session *session)
{
    running_session = session;
}
