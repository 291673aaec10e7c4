#include "runtime/cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* Signal handlers have no argument of ours: the only state of the command line that is global. */
static volatile int asked, interrupted;
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

static void install(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* A closing terminal hangs up more than once: the shell does, and the kernel. None of them may
     * kill before all is cleaned up. nohup asks to be left alone. */
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
        action.sa_flags = 0;
        sigaction(SIGHUP, &action, NULL);
    }
}

static void on_first_signal(int number)
{
    (void)number;
    static const char text[] = "\nsluice: ending after this cell; Ctrl-C again kills it\n";
    int error = errno;
    asked = 1;
    install(on_signal, (int)SA_RESETHAND);
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        asked = 1; /* nobody reads it: nothing to do about that */
    errno = error;
}

void interrupt_install(void)
{
    install(on_signal, (int)SA_RESETHAND);
}

void interrupt_install_patient(void)
{
    install(on_first_signal, 0);
}

bool interrupt_asked(void)
{
    return asked || interrupted;
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
    if (session && interrupted)
        sl_session_interrupt(session);
}
