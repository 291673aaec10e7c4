/* The team: every task once, whoever runs it; loops one after another; sleepers wake. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "kernels/threads.h"
#include "runtime/base/cleanup.h"

#define MOST_TASKS 1000

struct tally {
    _Atomic int runs[MOST_TASKS];
    _Atomic int bad_workers;
    int workers;
};

static void count_task(void *context, int64_t task, int worker)
{
    struct tally *tally = context;
    atomic_fetch_add(&tally->runs[task], 1);
    if (worker < 0 || worker >= tally->workers)
        atomic_fetch_add(&tally->bad_workers, 1);
}

static void free_team(struct sl_threads **threads)
{
    sl_threads_free(*threads);
}

static void expect_each_task_once(struct sl_threads *threads, int64_t tasks)
{
    struct tally tally = {.workers = sl_threads_count(threads)};
    sl_parallel_for(threads, tasks, count_task, &tally);
    for (int64_t task = 0; task < MOST_TASKS; task++)
        cr_assert_eq(tally.runs[task], task < tasks, "task %lld ran %d times", (long long)task,
                     tally.runs[task]);
    cr_assert_eq(tally.bad_workers, 0);
}

Test(threads, null_is_the_caller_alone)
{
    cr_assert_eq(sl_threads_count(NULL), 1);
    expect_each_task_once(NULL, 17);
}

Test(threads, every_task_runs_once)
{
    for (int count = 1; count <= 5; count++) {
        SL_AUTO(free_team) struct sl_threads *threads = NULL;
        cr_assert_eq(sl_threads_create(count, &threads, NULL), 0);
        cr_assert_eq(sl_threads_count(threads), count);
        for (int64_t tasks = 0; tasks < 40; tasks++)
            expect_each_task_once(threads, tasks);
        expect_each_task_once(threads, MOST_TASKS);
    }
}

Test(threads, many_short_loops)
{
    SL_AUTO(free_team) struct sl_threads *threads = NULL;
    cr_assert_eq(sl_threads_create(3, &threads, NULL), 0);
    struct tally tally = {.workers = 3};
    for (int loop = 0; loop < 20000; loop++)
        sl_parallel_for(threads, 3, count_task, &tally);
    for (int task = 0; task < 3; task++)
        cr_assert_eq(tally.runs[task], 20000);
}

/* Longer than the workers look for work: they have gone to sleep when the next loop begins. */
Test(threads, wakes_sleepers)
{
    SL_AUTO(free_team) struct sl_threads *threads = NULL;
    cr_assert_eq(sl_threads_create(2, &threads, NULL), 0);
    for (int loop = 0; loop < 20; loop++) {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        expect_each_task_once(threads, 50);
    }
}

Test(threads, refuses_impossible_counts)
{
    struct sl_threads *threads = NULL;
    struct sl_error error = {0};
    cr_assert_eq(sl_threads_create(0, &threads, &error), -EINVAL);
    cr_assert_eq(sl_threads_create(65, &threads, &error), -EINVAL);
    cr_assert(strstr(error.text, "1 to 64"), "%s", error.text);
    cr_assert_null(threads);
    sl_threads_free(NULL);
}
