#include "iouring/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "iouring/loader.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/stats.h"
#include "runtime/base/units.h"

#define SMALL_BYTES     4096u
#define LATENCY_SAMPLES 9
#define DEPTH_MOST      32
#define HUGE_BYTES      (UINT64_C(2) << 20)
/* Into less, the copies of a virtual machine's host stay in its cache: 7.4 GB/s into 1 MiB
 * here, 5.3 into 16, 5.0 into 64. Small machines have no such host, and less to spare. */
#define MEMORY_LEAST_BYTES (UINT64_C(16) << 20)
#define MEMORY_MOST_BYTES  (UINT64_C(64) << 20)
#define MEMORY_SHARE       16
#define FREE_SHARE         4

struct measurement {
    struct sl_loader *loader;
    int file;
    uint64_t file_bytes; /* whole blocks of SMALL_BYTES */
    char *memory;        /* reads land in it by turns; nobody looks at the data */
    uint64_t memory_bytes;
    char *mapped;      /* holds it */
    uint64_t position; /* of the next read: from one end of the file to the other, then again */
    uint64_t bytes, finished_ns; /* read so far, and when the last of it came */
};

/* The next read in the order of the file, as weights are read; no cell reads what the last one
 * read. */
static int read_next(struct measurement *measurement, uint64_t block, struct sl_error *error)
{
    if (measurement->position + block > measurement->file_bytes)
        measurement->position = 0;
    const uint64_t at = measurement->position % measurement->memory_bytes;
    struct sl_read read = {
        .tag = block,
        .file = measurement->file,
        .offset = measurement->position,
        .length = block,
        .destination = measurement->memory + (at + block > measurement->memory_bytes ? 0 : at),
    };

    measurement->position += block;
    return measurement->loader->ops->submit(measurement->loader, &read, error);
}

/* Waits for at least one read; returns how many came, or -errno. */
static int collect(struct measurement *measurement, struct sl_error *error)
{
    struct sl_completion done[DEPTH_MOST];
    int count;

    do
        count = measurement->loader->ops->reap(measurement->loader, done, DEPTH_MOST, UINT64_MAX,
                                               error);
    while (count == 0); /* a signal */
    for (int i = 0; i < count; i++) {
        if (done[i].result < 0)
            return sl_error_set(error, done[i].result, "a read failed: %s",
                                strerror(-done[i].result));
        measurement->bytes += done[i].tag;
        measurement->finished_ns = done[i].completed_ns;
    }
    return count;
}

/* Keeps `depth` reads in flight until time is up, and waits for the rest: a rate counts all bytes
 * until the last completion. */
static int measure_rate(struct measurement *measurement, uint64_t budget_ns,
                        struct sl_device_rate *rate, struct sl_error *error)
{
    uint64_t start = sl_now_ns();
    int outstanding = 0, rc;

    measurement->bytes = 0;
    do {
        while (outstanding < rate->depth) {
            rc = read_next(measurement, rate->block_bytes, error);
            if (rc < 0)
                return rc;
            outstanding++;
        }
        rc = collect(measurement, error);
        if (rc < 0)
            return rc;
        outstanding -= rc;
    } while (sl_now_ns() - start < budget_ns);
    while (outstanding > 0) {
        rc = collect(measurement, error);
        if (rc < 0)
            return rc;
        outstanding -= rc;
    }
    uint64_t elapsed = measurement->finished_ns - start;
    double reads = (double)measurement->bytes / (double)rate->block_bytes;
    rate->latency_ns = (uint64_t)((double)elapsed * rate->depth / reads);
    rate->bytes_per_s =
        (uint64_t)((unsigned __int128)measurement->bytes * 1000000000u / (elapsed ? elapsed : 1));
    return 0;
}

static int measure_latency(struct measurement *measurement, uint64_t budget_ns,
                           uint64_t *latency_ns, struct sl_error *error)
{
    uint64_t samples[LATENCY_SAMPLES], begin = sl_now_ns();
    size_t count = 0;

    do {
        uint64_t start = sl_now_ns();
        int rc = read_next(measurement, SMALL_BYTES, error);
        if (rc == 0)
            rc = collect(measurement, error);
        if (rc < 0)
            return rc;
        samples[count++] = measurement->finished_ns - start;
    } while (count < LATENCY_SAMPLES && sl_now_ns() - begin < budget_ns);
    sl_sort_u64(samples, count);
    *latency_ns = samples[count / 2];
    return 0;
}

static void choose_best(const struct sl_device_rate *rates, int count,
                        struct sl_device_probe *probe)
{
    for (int i = 0; i < count; i++)
        if (rates[i].bytes_per_s > probe->best_bytes_per_s)
            probe->best_bytes_per_s = rates[i].bytes_per_s;

    uint64_t least = UINT64_MAX;
    for (int i = 0; i < count; i++) {
        const struct sl_device_rate *rate = &rates[i];
        uint64_t ahead = rate->block_bytes * (uint64_t)rate->depth;
        if (rate->bytes_per_s == 0 || rate->bytes_per_s < probe->best_bytes_per_s / 10 * 9 ||
            ahead >= least)
            continue;
        least = ahead;
        probe->best_block_bytes = rate->block_bytes;
        probe->best_depth = rate->depth;
    }
}

/* What the reads that a cell has in flight at least take at the fastest rate seen so far. */
static uint64_t fill_ns(const struct sl_device_rate *rate, uint64_t fastest)
{
    double bytes = (double)rate->block_bytes * rate->depth;
    return fastest ? (uint64_t)(bytes * 1e9 / (double)fastest) : 0;
}

static int measure(struct measurement *measurement, uint64_t budget_ns,
                   struct sl_device_rate *rates, int count, struct sl_device_probe *probe,
                   struct sl_error *error)
{
    uint64_t start = sl_now_ns(), share = budget_ns / (uint64_t)(count + 1), fastest = 0;
    uint64_t latency_again_ns = UINT64_MAX;

    /* Before and after the rates: whatever else reads only ever adds to it. */
    int rc = measure_latency(measurement, share / 2, &probe->latency_ns, error);
    for (int i = 0; rc == 0 && i < count; i++) {
        struct sl_device_rate *rate = &rates[i];
        rate->bytes_per_s = rate->latency_ns = 0;
        /* A slow device gets no second budget, but there is always one rate. */
        bool time_left = i == 0 || sl_now_ns() - start < 2 * budget_ns;
        if (rate->block_bytes <= measurement->file_bytes &&
            rate->block_bytes <= measurement->memory_bytes && time_left &&
            fill_ns(rate, fastest) < budget_ns)
            rc = measure_rate(measurement, share, rate, error);
        if (rate->bytes_per_s > fastest)
            fastest = rate->bytes_per_s;
    }
    if (rc == 0)
        rc = measure_latency(measurement, share / 2, &latency_again_ns, error);
    if (rc < 0)
        return rc;
    if (latency_again_ns < probe->latency_ns)
        probe->latency_ns = latency_again_ns;
    choose_best(rates, count, probe);
    return 0;
}

/* In huge pages, as slots are: a read into small pages is many segments to the device. Touched, so
 * that no read waits for the kernel to clear a page. */
static int map_memory(struct measurement *measurement, uint64_t free_bytes, struct sl_error *error)
{
    struct sysinfo machine;
    uint64_t bytes = MEMORY_LEAST_BYTES;
    if (sysinfo(&machine) == 0)
        bytes = (uint64_t)machine.freeram * machine.mem_unit / MEMORY_SHARE;
    bytes = bytes < MEMORY_LEAST_BYTES ? MEMORY_LEAST_BYTES : bytes;
    bytes = bytes > MEMORY_MOST_BYTES ? MEMORY_MOST_BYTES : bytes;
    bytes = bytes > measurement->file_bytes ? measurement->file_bytes : bytes;
    const uint64_t most = free_bytes / FREE_SHARE / SL_MIB * SL_MIB;
    bytes = sl_align_up(bytes, SL_MIB);
    bytes = bytes > most ? most : bytes;
    bytes = bytes < SL_MIB ? SL_MIB : bytes;
    char *mapped =
        mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        return sl_error_errno(error, "no memory to measure the device with");
    measurement->mapped = mapped;
    measurement->memory_bytes = bytes;
    measurement->memory = mapped + HUGE_BYTES - (uintptr_t)mapped % HUGE_BYTES;
    madvise(measurement->memory, bytes, MADV_HUGEPAGE);
    for (uint64_t at = 0; at < bytes; at += SMALL_BYTES)
        ((volatile char *)measurement->memory)[at] = 0;
    return 0;
}

static int open_measurement(struct measurement *measurement, const char *path, uint64_t free_bytes,
                            struct sl_error *error)
{
    const struct sl_loader_options options = {.depth = DEPTH_MOST};
    struct stat status;

    int rc = sl_file_drop_cache(path, error);
    if (rc == 0)
        rc = sl_loader_open(NULL, &options, &measurement->loader, NULL, error);
    if (rc)
        return rc;
    measurement->file = measurement->loader->ops->add_file(measurement->loader, path, error);
    if (measurement->file < 0)
        return measurement->file;
    if (stat(path, &status) != 0)
        return sl_error_errno(error, "cannot stat %s", path);
    measurement->file_bytes = (uint64_t)status.st_size / SMALL_BYTES * SMALL_BYTES;
    if (measurement->file_bytes == 0)
        return sl_error_set(error, ENODATA, "%s is too small to measure the device with", path);
    return map_memory(measurement, free_bytes, error);
}

int sl_device_probe(const char *path, uint64_t budget_ns, uint64_t free_bytes,
                    struct sl_device_probe *probe, struct sl_error *error)
{
    static const uint64_t block_sizes[] = {128 * SL_KIB, 512 * SL_KIB, SL_MIB};
    static const int depths[] = {1, 4, DEPTH_MOST};
    struct sl_device_rate rates[SL_DEVICE_RATES];
    for (int i = 0; i < SL_DEVICE_RATES; i++)
        rates[i] =
            (struct sl_device_rate){.block_bytes = block_sizes[i / 3], .depth = depths[i % 3]};
    int rc = sl_device_rates(path, budget_ns, free_bytes, rates, SL_DEVICE_RATES, probe, error);
    if (rc == 0)
        memcpy(probe->rates, rates, sizeof(rates));
    return rc;
}

int sl_device_rates(const char *path, uint64_t budget_ns, uint64_t free_bytes,
                    struct sl_device_rate *rates, int count, struct sl_device_probe *probe,
                    struct sl_error *error)
{
    struct measurement measurement = {0};
    struct sl_device_probe found = {0};

    int rc = open_measurement(&measurement, path, free_bytes, error);
    if (rc == 0)
        rc = measure(&measurement, budget_ns, rates, count, &found, error);
    if (rc == 0) {
        found.direct = measurement.loader->direct;
        found.loader = measurement.loader->ops->name;
        *probe = found;
    } else {
        sl_error_wrap(error, "device probe");
    }
    if (measurement.loader)
        measurement.loader->ops->close(measurement.loader);
    if (measurement.mapped)
        munmap(measurement.mapped, measurement.memory_bytes + HUGE_BYTES);
    return rc;
}
