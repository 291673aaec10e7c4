/* Brings the pages of a span in ahead of their first use, on a thread of its own: the kernel clears
 * them at some 10 GB/s, and where the host of a virtual machine has taken them back, at 0.5 GB/s.
 */
#ifndef SLUICE_ENGINE_WARMER_H
#define SLUICE_ENGINE_WARMER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "cgroups/limit_watch.h"

/* Zero-initialised: not at work. Calls come from one thread. */
struct sl_warmer {
    char *base;
    uint64_t bytes;
    unsigned char *granules; /* their states; NULL: not at work */
    const struct sl_limit_watch *watch;
    bool stop;
    pthread_t thread;
};

/* Begins with the lowest of the whole huge pages, and ends when the watched limit is lowered. base:
 * aligned to one; stays mapped until the stop, as does the watch. Nothing happens when there is no
 * thread to be had, or no processor for it. */
void sl_warmer_start(struct sl_warmer *warmer, void *base, uint64_t bytes,
                     const struct sl_limit_watch *watch);
/* This span is in memory on return, whoever brought it in. Two threads never touch the same page
 * for the first time together: both would be charged for a moment. */
void sl_warmer_bring(struct sl_warmer *warmer, void *memory, uint64_t bytes);
/* Its thread is at some page of the span. */
bool sl_warmer_at(const struct sl_warmer *warmer, const void *memory, uint64_t bytes);
/* The thread ends after the page it is at, without anybody waiting for it. */
void sl_warmer_halt(struct sl_warmer *warmer);
/* The same, and waits for it. */
void sl_warmer_stop(struct sl_warmer *warmer);

#endif
