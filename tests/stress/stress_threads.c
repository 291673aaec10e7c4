/* Exercises what hands work between threads, for ThreadSanitizer (Criterion cannot run under it):
 * the team of sl_parallel_for, and the pread loader with reads, reaps and cancels.
 * usage: stress_threads FILE   a file of at least 1 MiB to read */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iouring/loader.h"
#include "kernels/threads.h"
#include "runtime/base/clock.h"
#include "runtime/base/rng.h"
#include "runtime/base/units.h"

#define TEAMS       20
#define LOOPS       300
#define TASKS       37
#define ROUNDS      40
#define READS       64
#define BLOCK       4096
#define FILE_BLOCKS (SL_MIB / BLOCK)

struct sums {
    int64_t of_task[TASKS];   /* one writer each */
    int64_t of_worker[64][8]; /* a cache line each */
};

static void add(void *context, int64_t task, int worker)
{
    struct sums *sums = context;
    sums->of_task[task] += task;
    sums->of_worker[worker][0] += task;
}

/* The caller reads what the workers wrote, and writes what they read next, without a lock. */
static int stress_team(int count)
{
    struct sl_threads *threads;
    struct sl_error error = {0};
    if (sl_threads_create(count, &threads, &error)) {
        fprintf(stderr, "threads: %s\n", error.text);
        return 1;
    }
    struct sums sums = {0};
    int64_t all = 0;
    for (int loop = 1; loop <= LOOPS; loop++) {
        sl_parallel_for(threads, TASKS, add, &sums);
        all = 0;
        for (int task = 0; task < TASKS; task++)
            all += sums.of_task[task];
    }
    for (int worker = 0; worker < 64; worker++)
        all -= sums.of_worker[worker][0];
    sl_threads_free(threads);
    return all != 0;
}

static uint64_t random_below(uint64_t *state, uint64_t bound)
{
    *state += SL_SPLITMIX_GAMMA;
    return sl_mix64(*state) % bound;
}

/* Submits READS reads, reaps them in small parts, cancels every third round; memory is read here
 * as soon as its completion is reaped. */
static int stress_loader(const char *path)
{
    struct sl_loader_options options = {.depth = 8};
    struct sl_loader *loader = NULL;
    struct sl_error error = {0};
    char *memory = aligned_alloc(BLOCK, READS * BLOCK);
    uint64_t state = 1, sum = 0;
    int failed = !memory || sl_loader_open("pread", &options, &loader, NULL, &error) < 0;
    int file = failed ? -1 : loader->ops->add_file(loader, path, &error);
    failed |= file < 0;
    for (int round = 0; round < ROUNDS && !failed; round++) {
        for (int i = 0; i < READS && !failed; i++) {
            struct sl_read read = {.tag = (uint64_t)i,
                                   .file = file,
                                   .offset = random_below(&state, FILE_BLOCKS) * BLOCK,
                                   .length = BLOCK,
                                   .destination = memory + (size_t)i * BLOCK};
            failed = loader->ops->submit(loader, &read, &error) < 0;
        }
        if (round % 3 == 2)
            loader->ops->cancel(loader);
        for (int reaped = 0; reaped < READS && !failed;) {
            struct sl_completion done[5];
            int count = loader->ops->reap(loader, done, 5, UINT64_MAX, &error);
            for (int i = 0; i < count; i++) {
                failed |= done[i].result && done[i].result != -ECANCELED;
                sum += (unsigned char)memory[done[i].tag * BLOCK];
                memory[done[i].tag * BLOCK] = 0;
            }
            failed |= count < 0;
            reaped += count;
        }
    }
    if (failed)
        fprintf(stderr, "loader: %s\n", error.text);
    else
        printf("pread: %d reads, sum of first bytes %llu\n", ROUNDS * READS,
               (unsigned long long)sum);
    if (loader)
        loader->ops->close(loader);
    free(memory);
    return failed;
}

int main(int count, char **words)
{
    if (count != 2) {
        fprintf(stderr, "usage: stress_threads FILE\n");
        return 2;
    }
    int failed = 0;
    for (int team = 0; team < TEAMS && !failed; team++)
        failed = stress_team(1 + team % 4);
    printf("teams: %d of 1 to 4 threads, %d loops each\n", TEAMS, LOOPS);
    return failed || stress_loader(words[1]);
}
