#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/units.h"
#include "runtime/engine/pages.h"
#include "runtime/engine/warmer.h"

#define SPAN_BYTES (8 * SL_HUGE_PAGE_BYTES + 3 * SL_PAGE_BYTES)

static const struct sl_limit_watch unlimited;

static uint64_t resident_bytes(void *memory, uint64_t bytes)
{
    static unsigned char pages[SPAN_BYTES / SL_PAGE_BYTES];
    uint64_t resident = 0;
    cr_assert_eq(mincore(memory, bytes, pages), 0);
    for (uint64_t p = 0; p < bytes / SL_PAGE_BYTES; p++)
        resident += pages[p] & 1 ? SL_PAGE_BYTES : 0;
    return resident;
}

/* Whatever the thread has come to: what was asked for is there, and what is written there stays. */
Test(warmer, brings_what_is_asked_for)
{
    for (int round = 0; round < 50; round++) {
        char *memory = sl_pages_map(SPAN_BYTES);
        struct sl_warmer warmer = {0};
        cr_assert_not_null(memory);
        sl_warmer_start(&warmer, memory, SPAN_BYTES, &unlimited);
        for (uint64_t at = SPAN_BYTES - SL_PAGE_BYTES;; at -= SL_MIB) {
            uint64_t bytes = SPAN_BYTES - at < SL_MIB ? SPAN_BYTES - at : SL_MIB;
            sl_warmer_bring(&warmer, memory + at, bytes);
            cr_assert_eq(resident_bytes(memory + at, bytes), bytes);
            memset(memory + at, round + 1, bytes);
            if (at < SL_MIB)
                break;
        }
        if (round % 2)
            sl_warmer_stop(&warmer);
        for (uint64_t at = SL_MIB; at < SPAN_BYTES; at += SL_PAGE_BYTES)
            cr_assert_eq(memory[at], round + 1);
        sl_warmer_stop(&warmer);
        munmap(memory, SPAN_BYTES);
    }
}

/* Without a thread at work it is populating. */
Test(warmer, brings_what_it_was_not_started_for)
{
    char *memory = sl_pages_map(SPAN_BYTES);
    struct sl_warmer warmer = {0};
    sl_warmer_bring(&warmer, memory, SL_MIB);
    cr_assert_eq(resident_bytes(memory, SL_MIB), SL_MIB);
    sl_warmer_start(&warmer, memory, 2 * SL_HUGE_PAGE_BYTES, &unlimited);
    char *beyond = memory + 3 * SL_HUGE_PAGE_BYTES;
    sl_warmer_bring(&warmer, beyond, SL_MIB);
    cr_assert_eq(resident_bytes(beyond, SL_MIB), SL_MIB);
    sl_warmer_stop(&warmer);
    munmap(memory, SPAN_BYTES);
}

/* A span that reaches beyond what is warmed is used at once: the thread does not spoil it. */
Test(warmer, leaves_alone_what_is_in_use)
{
    for (int round = 0; round < 50; round++) {
        char *memory = sl_pages_map(SPAN_BYTES);
        struct sl_warmer warmer = {0};
        sl_warmer_start(&warmer, memory, 5 * SL_HUGE_PAGE_BYTES + SL_MIB, &unlimited);
        char *span = memory + 5 * SL_HUGE_PAGE_BYTES - SL_MIB / 2;
        sl_warmer_bring(&warmer, span, 2 * SL_MIB);
        cr_assert_eq(resident_bytes(span, 2 * SL_MIB), 2 * SL_MIB);
        memset(span, 7, 2 * SL_MIB);
        sl_warmer_bring(&warmer, memory, SPAN_BYTES);
        for (uint64_t at = 0; at < 2 * SL_MIB; at += SL_PAGE_BYTES)
            cr_assert_eq(span[at], 7);
        sl_warmer_stop(&warmer);
        munmap(memory, SPAN_BYTES);
    }
}

/* Halted at any moment it leaves the rest alone, and what is asked for comes in all the same. */
Test(warmer, comes_to_a_halt)
{
    int left_some = 0;
    for (int round = 0; round < 20; round++) {
        char *memory = sl_pages_map(SPAN_BYTES);
        struct sl_warmer warmer = {0};
        sl_warmer_halt(&warmer);
        sl_warmer_start(&warmer, memory, SPAN_BYTES, &unlimited);
        for (volatile int pause = 0; pause < round * 1000; pause++) {
        }
        sl_warmer_halt(&warmer);
        sl_warmer_bring(&warmer, memory, SL_MIB);
        cr_expect_geq(resident_bytes(memory, SL_MIB), SL_MIB);
        left_some += resident_bytes(memory, SPAN_BYTES) < SPAN_BYTES;
        sl_warmer_bring(&warmer, memory, SPAN_BYTES);
        cr_expect_eq(resident_bytes(memory, SPAN_BYTES), SPAN_BYTES);
        sl_warmer_stop(&warmer);
        munmap(memory, SPAN_BYTES);
    }
    cr_expect_gt(left_some, 0);
}

/* A watched limit that is lowered ends the warming; what is asked for comes in all the same. */
Test(warmer, ends_when_the_limit_is_lowered)
{
    char text[] = "/tmp/sluice-test-limit-XXXXXX";
    struct sl_limit_watch watch = {.count = 1, .bytes = 64 * SL_MIB};
    watch.fds[0] = mkstemp(text);
    cr_assert_geq(watch.fds[0], 0);
    unlink(text);
    cr_assert_not(sl_limit_watch_lowered(&watch), "nothing is there");
    cr_assert_eq(pwrite(watch.fds[0], "max\n     \n", 10, 0), 10);
    cr_assert_not(sl_limit_watch_lowered(&watch));
    cr_assert_eq(pwrite(watch.fds[0], "67108864\n\n", 10, 0), 10);
    cr_assert_not(sl_limit_watch_lowered(&watch), "as it was");
    cr_assert_eq(pwrite(watch.fds[0], "67104768\n\n", 10, 0), 10);
    cr_assert(sl_limit_watch_lowered(&watch));
    char *memory = sl_pages_map(SPAN_BYTES);
    struct sl_warmer warmer = {0};
    sl_warmer_start(&warmer, memory, SPAN_BYTES, &watch);
    poll(NULL, 0, 50);
    cr_expect_eq(resident_bytes(memory, SPAN_BYTES), 0);
    sl_warmer_bring(&warmer, memory, SL_MIB);
    cr_expect_geq(resident_bytes(memory, SPAN_BYTES), SL_MIB);
    cr_expect_leq(resident_bytes(memory, SPAN_BYTES), SL_HUGE_PAGE_BYTES);
    sl_warmer_stop(&warmer);
    munmap(memory, SPAN_BYTES);
    sl_limit_watch_close(&watch);
    cr_expect_not(sl_limit_watch_lowered(&watch));
}
