#include <pthread.h>
#include <sys/mman.h>

#include "runtime/base/checksum.h"
#include "runtime/base/clock.h"
#include "runtime/base/units.h"
#include "runtime/engine/host.h"
#include "runtime/engine/pages.h"

#define REPETITIONS 3
/* Not measured: these take a device and threads. Chosen so that predictions of four networks, on
 * the raw disk and with a throttle, came nearest to what was measured (x86-64, Zen 5, a virtual
 * machine in which a page fault takes 13 us): a first unit touches its code and its part of the
 * activations, and wakes the team. Two wake-ups of a thread are an estimate. */
#define UNIT_NS       10000
#define FIRST_UNIT_NS 90000
#define LOAD_NS       45000
#define HAND_OVER_NS  25000

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
    measured = (struct sl_host_costs){.unit_ns = UNIT_NS,
                                      .first_unit_ns = FIRST_UNIT_NS,
                                      .load_ns = LOAD_NS,
                                      .hand_over_ns = HAND_OVER_NS};
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
