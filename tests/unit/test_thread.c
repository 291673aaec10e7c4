#include <criterion/criterion.h>
#include <signal.h>

#include "runtime/base/thread.h"

static void *read_mask(void *context)
{
    pthread_sigmask(SIG_SETMASK, NULL, context);
    return NULL;
}

Test(thread, hears_only_the_signals_that_it_causes)
{
    sigset_t inside, before, after;
    pthread_t thread;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    /* A stack too small for anything is as if none were asked for. */
    for (size_t stack_bytes = 1; stack_bytes <= 65536; stack_bytes += 65535) {
        cr_assert_eq(sl_thread_start(&thread, stack_bytes, read_mask, &inside), 0);
        pthread_join(thread, NULL);
        cr_expect(sigismember(&inside, SIGTERM) && sigismember(&inside, SIGALRM));
        cr_expect_not(sigismember(&inside, SIGBUS) || sigismember(&inside, SIGSEGV));
    }
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number < SIGRTMIN; number++)
        cr_expect_eq(sigismember(&after, number), sigismember(&before, number));
}
