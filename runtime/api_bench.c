#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>

#include "iouring/probe.h"
#include "kernels/compute_ceiling.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/rng.h"
#include "runtime/base/units.h"
#include "runtime/engine/cpus.h"
#include "runtime/sluice.h"

#define BUDGET_NS        UINT64_C(5000000000)
#define WRITE_BYTES      SL_MIB
#define FILE_MOST_BYTES  (256 * SL_MIB)
#define FILE_LEAST_BYTES (8 * SL_MIB)
/* More than caches hold, less than small machines have. */
#define MATRIX_MOST_BYTES (256 * SL_MIB)
/* Shares of the budget in hundredths. */
#define WRITE_SHARE   15
#define READ_SHARE    45
#define COMPUTE_SHARE 20 /* twice: one thread, all threads */

static uint64_t share(uint64_t budget_ns, unsigned hundredths)
{
    return budget_ns / 100 * hundredths;
}

/* A file that no name leads to, so that nothing is left whatever ends this process. */
static int open_nameless(const char *directory, struct sl_error *error)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EINVAL)
        fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd >= 0 ? fd : sl_error_errno(error, "cannot write to %s", directory);
    char path[4096];
    snprintf(path, sizeof(path), "%.4000s/sluice-bench-XXXXXX", directory);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return sl_error_errno(error, "cannot write to %s", directory);
    unlink(path);
    return fd;
}

/* Writes until time is up, but enough to read from; noise, for some storage compresses. */
static int fill(int fd, const char *directory, uint64_t budget_ns, struct sl_bench *bench,
                struct sl_error *error)
{
    struct statvfs space;
    SL_AUTO_FREE void *block = NULL;
    if (posix_memalign(&block, 4096, WRITE_BYTES))
        return sl_error_set(error, -ENOMEM, "out of memory");
    uint64_t rng = 1;
    for (size_t i = 0; i < WRITE_BYTES / sizeof(uint64_t); i++)
        ((uint64_t *)block)[i] = sl_rng_next(&rng);
    /* At most half of what is free. */
    uint64_t most = FILE_MOST_BYTES;
    if (!fstatvfs(fd, &space) && (uint64_t)space.f_bavail * space.f_frsize / 2 < most)
        most = (uint64_t)space.f_bavail * space.f_frsize / 2;
    if (most < FILE_LEAST_BYTES)
        return sl_error_set(error, -ENOSPC, "%s has too little space to measure with: 16 MiB",
                            directory);
    uint64_t start = sl_now_ns(), done = 0;
    while (done < most && (done < FILE_LEAST_BYTES || sl_now_ns() - start < budget_ns)) {
        ((uint64_t *)block)[0] = done; /* nor does some storage keep the same block twice */
        ssize_t wrote = pwrite(fd, block, WRITE_BYTES, (off_t)done);
        if (wrote <= 0 && errno != EINTR)
            return sl_error_errno(error, "cannot write to %s", directory);
        done += wrote > 0 ? (uint64_t)wrote : 0;
    }
    if (fdatasync(fd))
        return sl_error_errno(error, "cannot write to %s", directory);
    bench->file_bytes = done;
    bench->write_bytes_per_s = (uint64_t)((double)done * 1e9 / (double)(sl_now_ns() - start));
    return 0;
}

static int measure_storage(const char *directory, uint64_t budget_ns, struct sl_bench *bench,
                           struct sl_error *error)
{
    static const uint64_t blocks[] = {64 * SL_KIB, 256 * SL_KIB, SL_MIB, 4 * SL_MIB};
    static const int depths[] = {1, 4, 16, 32};
    SL_AUTO_FD int fd = open_nameless(directory, error);
    if (fd < 0)
        return fd;
    int code = fill(fd, directory, share(budget_ns, WRITE_SHARE), bench, error);
    if (code < 0)
        return code;
    struct sl_device_rate rates[SL_BENCH_RATES] = {0};
    struct sl_device_probe probe;
    for (int i = 0; i < SL_BENCH_RATES; i++) {
        rates[i].block_bytes = blocks[i / 4];
        rates[i].depth = depths[i % 4];
    }
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    code = sl_device_rates(path, share(budget_ns, READ_SHARE), sl_cgroup_own_free(), rates,
                           SL_BENCH_RATES, &probe, error);
    if (code < 0)
        return code;
    for (int i = 0; i < SL_BENCH_RATES; i++)
        bench->rates[i] = (struct sl_bench_rate){rates[i].block_bytes, rates[i].depth,
                                                 rates[i].bytes_per_s, rates[i].latency_ns};
    bench->read_bytes_per_s = probe.best_bytes_per_s;
    bench->read_latency_ns = probe.latency_ns;
    bench->direct = probe.direct;
    bench->loader = probe.loader;
    return 0;
}

/* An eighth of what there is, for the machine or this process's group. */
static uint64_t matrix_bytes(void)
{
    struct sysinfo machine;
    uint64_t there = sysinfo(&machine) ? SL_GIB : (uint64_t)machine.totalram * machine.mem_unit;
    uint64_t limit = sl_cgroup_own_limit();
    there = limit < there ? limit : there;
    return there / 8 < MATRIX_MOST_BYTES ? there / 8 : MATRIX_MOST_BYTES;
}

int sl_bench_measure(const struct sl_bench_request *request, struct sl_bench *bench,
                     struct sl_error *error)
{
    struct sl_bench found = {.threads = request->threads ? request->threads : sl_usable_cpus()};
    uint64_t budget_ns = request->budget_ns ? request->budget_ns : BUDGET_NS;
    int code =
        measure_storage(request->directory ? request->directory : ".", budget_ns, &found, error);
    for (int i = 0; code == 0 && i < 2; i++) {
        struct sl_compute_ceiling ceiling;
        code = sl_compute_ceiling_measure(i ? found.threads : 1, matrix_bytes(),
                                          share(budget_ns, COMPUTE_SHARE), &ceiling, error);
        if (code == 0) {
            found.flops_per_s[i] = ceiling.flops_per_s;
            found.bytes_per_s[i] = ceiling.bytes_per_s;
        }
    }
    if (code == 0)
        *bench = found;
    return code;
}
