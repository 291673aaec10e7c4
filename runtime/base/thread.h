/* Threads of the library inside somebody's program. */
#ifndef SLUICE_BASE_THREAD_H
#define SLUICE_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* Starts a thread to be joined, with a stack of so many bytes where the program's thread-local
 * storage leaves it that, else of the usual size. Signals are the program's own threads' business
 * and blocked, but for those that the thread itself causes: blocked, they would end the process
 * unheard. 0 or -errno. */
int sl_thread_start(pthread_t *thread, size_t stack_bytes, void *(*body)(void *context),
                    void *context);

#endif
