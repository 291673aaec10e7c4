#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>

#include "runtime/base/checksum.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/stats.h"
#include "runtime/base/thread.h"
#include "runtime/base/units.h"
#include "runtime/engine/cpus.h"
#include "runtime/engine/host.h"
#include "runtime/engine/pages.h"

#define REPETITIONS 5
/* The engine's own work, which `make bench-schedule` shows: 3 us for both. What they take besides
 * differs with the network and is known from its passes (calibrate.h). */
#define UNIT_NS 2000
#define LOAD_NS 2000
/* A first unit touches its code and its part of the activations, and wakes the team. */
#define FIRST_UNIT_NS     90000
#define LITTLE_SLOT_PAGES 16
#define HOST_STACK_BYTES  (64 * SL_KIB)
/* Longer than a kernel watches for work before it lets a processor sleep (haltpoll: 200 us). */
#define ASLEEP_NS 400000

static void keep_least(double *least, uint64_t ns, uint64_t bytes)
{
    double per_byte = (double)ns / (double)bytes;
    if (*least == 0 || per_byte < *least)
        *least = per_byte;
}

static uint64_t median(uint64_t ns[REPETITIONS])
{
    sl_sort_u64(ns, REPETITIONS);
    return ns[REPETITIONS / 2];
}

static void *stay_awake(void *ended)
{
    while (!atomic_load((atomic_bool *)ended))
        ;
    return NULL;
}

/* Memory as a policy without a budget has it for each shard: small pages, brought in by the kernel
 * as it pins them for a read. What these take varies with what the machine does: medians. */
struct slot_times {
    uint64_t map_ns, touch_ns, unmap_ns;
};

static bool time_slot(uint64_t bytes, struct slot_times *times)
{
    uint64_t map_ns[REPETITIONS], touch_ns[REPETITIONS], unmap_ns[REPETITIONS];
    for (int r = 0; r < REPETITIONS; r++) {
        uint64_t begin_ns = sl_now_ns();
        volatile char *memory = sl_pages_map(bytes);
        if (!memory)
            return false;
        sl_pages_populate((void *)memory, bytes);
        uint64_t mapped_ns = sl_now_ns();
        for (uint64_t at = 0; at < bytes; at += SL_PAGE_BYTES)
            (void)memory[at];
        uint64_t touched_ns = sl_now_ns();
        munmap((void *)memory, bytes);
        map_ns[r] = mapped_ns - begin_ns;
        touch_ns[r] = touched_ns - mapped_ns;
        unmap_ns[r] = sl_now_ns() - touched_ns;
    }
    *times = (struct slot_times){median(map_ns), median(touch_ns), median(unmap_ns)};
    return true;
}

static void measure_small(struct sl_host_costs *costs)
{
    struct slot_times large, little;
    if (!time_slot(SL_MIB, &large) || !time_slot(LITTLE_SLOT_PAGES * SL_PAGE_BYTES, &little))
        return;
    costs->map_ns_per_byte = (double)large.map_ns / (double)SL_MIB;
    costs->touch_ns_per_byte = (double)large.touch_ns / (double)SL_MIB;
    costs->unmap_ns = large.unmap_ns;
    costs->unmap_page_ns = little.unmap_ns / LITTLE_SLOT_PAGES;
}

/* The other processors that run this process must forget what is unmapped: one of them does. */
static void measure_small_among_threads(struct sl_host_costs *costs)
{
    atomic_bool ended = false;
    pthread_t other;
    bool accompanied =
        sl_usable_cpus() > 1 && !sl_thread_start(&other, HOST_STACK_BYTES, stay_awake, &ended);
    measure_small(costs);
    atomic_store(&ended, true);
    if (accompanied)
        pthread_join(other, NULL);
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

struct hand_over {
    int given, taken; /* eventfds */
};

static void *take_over(void *argument)
{
    const struct hand_over *events = argument;
    eventfd_t value;
    for (int r = 0; r < REPETITIONS; r++) {
        while (eventfd_read(events->given, &value))
            ; /* a signal came */
        eventfd_write(events->taken, 1);
    }
    return NULL;
}

/* To a thread that sleeps, and back to one that does. */
static void measure_hand_over(struct sl_host_costs *costs)
{
    struct hand_over events = {eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE),
                               eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE)};
    pthread_t other;
    if (events.given >= 0 && events.taken >= 0 &&
        !sl_thread_start(&other, HOST_STACK_BYTES, take_over, &events)) {
        uint64_t took_ns[REPETITIONS];
        for (int r = 0; r < REPETITIONS; r++) {
            eventfd_t value;
            nanosleep(&(struct timespec){.tv_nsec = ASLEEP_NS}, NULL);
            const uint64_t begin_ns = sl_now_ns();
            eventfd_write(events.given, 1);
            eventfd_read(events.taken, &value);
            took_ns[r] = sl_now_ns() - begin_ns;
        }
        pthread_join(other, NULL);
        costs->hand_over_ns = median(took_ns);
    }
    sl_cleanup_fd(&events.given);
    sl_cleanup_fd(&events.taken);
}

static struct sl_host_costs measured;

static void measure(void)
{
    measured = (struct sl_host_costs){
        .unit_ns = UNIT_NS, .first_unit_ns = FIRST_UNIT_NS, .load_ns = LOAD_NS};
    measure_hand_over(&measured);
    measure_small_among_threads(&measured);
    for (int r = 0; r < REPETITIONS; r++)
        measure_huge(&measured);
}

void sl_host_measure(struct sl_host_costs *costs)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, measure);
    *costs = measured;
}
