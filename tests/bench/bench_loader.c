/* Reads a file from start to end as the engine reads a pack, block by block at a queue depth, and
 * prints the rate: bench_loader LOADER FILE [DEPTH [BLOCK]]. One line: bytes/s, CPU seconds, and
 * what was degraded. Used by scripts/bench_loader.sh. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "iouring/loader.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/units.h"

/* Places to read into beyond those in flight, as an engine has that computes on some. */
#define SPARE_PLACES 2

struct bench {
    struct sl_loader *loader;
    int file, places;
    char *memory;
    uint64_t block, file_bytes, next_offset;
    int outstanding;
};

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/* Reads the next block into a place. */
static int read_next(struct bench *bench, int place, struct sl_error *error)
{
    uint64_t rest = sl_align_up(bench->file_bytes - bench->next_offset, 4096);
    struct sl_read read = {
        .tag = (uint64_t)place,
        .file = bench->file,
        .offset = bench->next_offset,
        .length = rest < bench->block ? rest : bench->block,
        .destination = bench->memory + (uint64_t)place * bench->block,
    };
    int rc = bench->loader->ops->submit(bench->loader, &read, error);

    if (rc == 0) {
        bench->next_offset += read.length;
        bench->outstanding++;
    }
    return rc;
}

static int read_all(struct bench *bench, struct sl_error *error)
{
    for (int i = 0; i < bench->places && bench->next_offset < bench->file_bytes; i++) {
        int rc = read_next(bench, i, error);
        if (rc < 0)
            return rc;
    }
    while (bench->outstanding > 0) {
        struct sl_completion done[8];
        int count = bench->loader->ops->reap(bench->loader, done, 8, UINT64_MAX, error);
        if (count < 0)
            return count;
        bench->outstanding -= count;
        for (int i = 0; i < count; i++) {
            if (done[i].result < 0)
                return sl_error_set(error, done[i].result, "a read failed: %s",
                                    strerror(-done[i].result));
            if (bench->next_offset < bench->file_bytes) {
                int rc = read_next(bench, (int)done[i].tag, error);
                if (rc < 0)
                    return rc;
            }
        }
    }
    return 0;
}

static int run(const char *name, const char *path, int depth, uint64_t block,
               struct sl_error *error)
{
    struct sl_loader_options options = {.depth = depth};
    struct bench bench = {.places = depth + SPARE_PLACES, .block = block};
    struct stat status;

    int rc = sl_file_drop_cache(path, error);
    if (rc < 0)
        return rc;
    if (stat(path, &status) != 0)
        return sl_error_errno(error, "cannot stat %s", path);
    bench.file_bytes = (uint64_t)status.st_size;
    size_t bytes = (size_t)bench.places * block;
    bench.memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (bench.memory == MAP_FAILED)
        return sl_error_errno(error, "no memory for %zu bytes", bytes);
    rc = sl_loader_open(name, &options, &bench.loader, NULL, error);
    if (rc < 0)
        return rc;
    bench.file = bench.loader->ops->add_file(bench.loader, path, error);
    if (bench.loader->ops->add_memory)
        bench.loader->ops->add_memory(bench.loader, bench.memory, bytes);

    double cpu_before = cpu_seconds();
    uint64_t start = sl_now_ns();
    rc = bench.file < 0 ? bench.file : read_all(&bench, error);
    uint64_t end = sl_now_ns();
    if (rc == 0)
        printf("%.0f %.3f %s\n", (double)bench.file_bytes * 1e9 / (double)(end - start),
               cpu_seconds() - cpu_before, bench.loader->notes);
    bench.loader->ops->close(bench.loader);
    munmap(bench.memory, bytes);
    return rc;
}

int main(int argc, char **argv)
{
    int64_t depth = 8;
    uint64_t block = SL_MIB;
    struct sl_error error = {0};

    if (argc < 3 || argc > 5 ||
        (argc > 3 && sl_parse_integer(argv[3], 1, 256, &depth, &error) < 0) ||
        (argc > 4 && sl_parse_size(argv[4], &block, &error) < 0) || block % 4096 || block == 0 ||
        block > SL_READ_MOST_BYTES) {
        fprintf(stderr, "usage: bench_loader LOADER FILE [DEPTH [BLOCK]] %s\n", error.text);
        return 2;
    }
    if (run(argv[1], argv[2], (int)depth, block, &error) < 0) {
        fprintf(stderr, "bench_loader: %s\n", error.text);
        return 1;
    }
    return 0;
}
