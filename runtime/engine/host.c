#include <pthread.h>
#include <sys/mman.h>

#include "runtime/base/checksum.h"
#include "runtime/base/clock.h"
#include "runtime/base/units.h"
#include "runtime/engine/host.h"
#include "runtime/engine/pages.h"

#define REPETITIONS 3
/* Not measured: these take a device and threads. In traces of x86-64 (Zen 5, io_uring, O_DIRECT)
 * submissions of 1.2 MB follow each other every 22 us; two wake-ups of a thread are an estimate. */
#define LOAD_NS      20000
#define HAND_OVER_NS 25000

static void keep_least(double *least, uint64_t ns, uint64_t bytes)
{
    double per_byte = (double)ns / (double)bytes;
    if (*least == 0 || per_byte < *least)
        *least = per_byte;
}

/* Small pages come in one by one, as reads into fresh memory bring them in. */
static void measure_remap(struct sl_host_costs *costs)
{
    const uint64_t bytes = SL_MIB;
    uint64_t begin_ns = sl_now_ns();
    volatile char *memory = sl_pages_map(bytes);
    if (!memory)
        return;
    for (uint64_t at = 0; at < bytes; at += SL_PAGE_BYTES)
        memory[at] = 0;
    munmap((void *)memory, bytes);
    keep_least(&costs->remap_ns_per_byte, sl_now_ns() - begin_ns, bytes);
}

static void measure_huge(struct sl_host_costs *costs)
{
    const uint64_t bytes = SL_HUGE_PAGE_BYTES;
    char *memory = sl_pages_map(bytes);
    if (!memory)
        return;
    uint64_t begin_ns = sl_now_ns();
    sl_pages_populate(memory, bytes);
    uint64_t cleared_ns = sl_now_ns();
    volatile uint64_t hash = sl_checksum(memory, bytes);
    (void)hash;
    uint64_t hashed_ns = sl_now_ns();
    munmap(memory, bytes);
    keep_least(&costs->clear_ns_per_byte, cleared_ns - begin_ns, bytes);
    keep_least(&costs->verify_ns_per_byte, hashed_ns - cleared_ns, bytes);
}

static struct sl_host_costs measured;

static void measure(void)
{
    measured = (struct sl_host_costs){.load_ns = LOAD_NS, .hand_over_ns = HAND_OVER_NS};
    for (int r = 0; r < REPETITIONS; r++) {
        measure_remap(&measured);
        measure_huge(&measured);
    }
}

void sl_host_measure(struct sl_host_costs *costs)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, measure);
    *costs = measured;
}
