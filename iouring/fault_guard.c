#include "iouring/fault_guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "iouring/files.h"

#define GUARDED_MOST 256
#define NO_FAILURE   UINT64_MAX

/* Read by the handler, at any moment: base is set last and cleared first. */
struct guarded {
    _Atomic uintptr_t base; /* 0: free */
    _Atomic size_t bytes;
    _Atomic uint64_t failed; /* offset of the first failure */
};

static struct guarded guarded[GUARDED_MOST];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over guarded_count and the handler */
static int guarded_count;
static struct sigaction handler_before;

/* Only async-signal-safe work: atomics and a system call. */
static bool replace_page(uintptr_t address)
{
    for (int i = 0; i < GUARDED_MOST; i++) {
        uintptr_t base = atomic_load(&guarded[i].base);
        if (!base || address < base || address - base >= atomic_load(&guarded[i].bytes))
            continue;
        uintptr_t page = address - address % SL_BLOCK_BYTES;
        void *zeroes = mmap((void *)page, SL_BLOCK_BYTES, PROT_READ,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        uint64_t none = NO_FAILURE;
        atomic_compare_exchange_strong(&guarded[i].failed, &none, page - base);
        return zeroes != MAP_FAILED;
    }
    return false;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    bool of_access = info->si_code > 0; /* else sent by a process */
    bool ours = of_access && replace_page((uintptr_t)info->si_addr);

    errno = saved;
    if (ours)
        return;
    if (handler_before.sa_flags & SA_SIGINFO) {
        handler_before.sa_sigaction(number, info, context);
    } else if (handler_before.sa_handler == SIG_DFL ||
               (handler_before.sa_handler == SIG_IGN && of_access)) {
        /* Comes again after we return, and ends the process as it would have. */
        signal(number, SIG_DFL);
        if (!of_access)
            raise(number);
    } else if (handler_before.sa_handler != SIG_IGN) {
        handler_before.sa_handler(number);
    }
}

static int install(struct sl_error *error)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigemptyset(&action.sa_mask);
    return sigaction(SIGBUS, &action, &handler_before) == 0
               ? 0
               : sl_error_errno(error, "cannot handle SIGBUS");
}

int sl_fault_guard_add(void *base, size_t bytes, struct sl_error *error)
{
    int number = 0, rc = 0;

    pthread_mutex_lock(&lock);
    while (number < GUARDED_MOST && atomic_load(&guarded[number].base))
        number++;
    if (number == GUARDED_MOST)
        rc = sl_error_set(error, EMFILE, "more than %d mapped packs", GUARDED_MOST);
    else if (guarded_count == 0)
        rc = install(error);
    if (rc == 0) {
        guarded_count++;
        atomic_store(&guarded[number].bytes, bytes);
        atomic_store(&guarded[number].failed, NO_FAILURE);
        atomic_store(&guarded[number].base, (uintptr_t)base);
    }
    pthread_mutex_unlock(&lock);
    return rc < 0 ? rc : number;
}

void sl_fault_guard_remove(int number)
{
    pthread_mutex_lock(&lock);
    atomic_store(&guarded[number].base, 0);
    if (--guarded_count == 0) {
        struct sigaction present;
        /* Somebody who came after us keeps theirs. */
        if (sigaction(SIGBUS, NULL, &present) == 0 && present.sa_sigaction == on_bus_error)
            sigaction(SIGBUS, &handler_before, NULL);
    }
    pthread_mutex_unlock(&lock);
}

bool sl_fault_guard_failed(int number, uint64_t *offset)
{
    uint64_t failed = atomic_exchange(&guarded[number].failed, NO_FAILURE);

    if (failed == NO_FAILURE)
        return false;
    *offset = failed;
    return true;
}
