#include "runtime/base/thread.h"

#include <errno.h>
#include <signal.h>

static const int caused_by_the_thread[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS};

int sl_thread_start(pthread_t *thread, size_t stack_bytes, void *(*body)(void *context),
                    void *context)
{
    pthread_attr_t attributes;
    sigset_t blocked, before;
    int code = pthread_attr_init(&attributes);
    if (code)
        return -code;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(caused_by_the_thread) / sizeof(caused_by_the_thread[0]); i++)
        sigdelset(&blocked, caused_by_the_thread[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    code = pthread_create(thread, &attributes, body, context);
    if (code == EINVAL)
        code = pthread_create(thread, NULL, body, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -code;
}
