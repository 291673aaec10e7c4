/* What a device does, measured through a file on it: rates by block size and queue depth, and the
 * latency of one small read. For plan, tune and doctor. */
#ifndef SLUICE_IOURING_PROBE_H
#define SLUICE_IOURING_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/error.h"

struct sl_device_rate {
    uint64_t block_bytes;
    int depth;
    uint64_t bytes_per_s; /* 0: the file is smaller than a block, or time ran out */
    /* Mean time of a read from its submission on, as Little's law gives it: depth / reads per s. */
    uint64_t latency_ns;
};

#define SL_DEVICE_RATES 9

struct sl_device_probe {
    struct sl_device_rate rates[SL_DEVICE_RATES]; /* all blocks x all depths, ascending */
    uint64_t best_bytes_per_s;                    /* the highest rate */
    /* The smallest read-ahead (block x depth) that reaches 90 % of it. */
    uint64_t best_block_bytes;
    int best_depth;
    uint64_t latency_ns; /* median of single reads of 4 KiB */
    bool direct;         /* false: no O_DIRECT here; then rates may be those of the page cache */
    const char *loader;  /* that measured; static */
};

/* Measures for about budget_ns, at most three times that (50 ms is enough for a rough idea; a
 * device that is slower than that per block takes longer). Cells that would take too long on a slow
 * device are left out. Reads the file in order with O_DIRECT; it should be 16 MiB or larger, and
 * -ENODATA when it is less than one block of 4096. Takes 16 to 64 MiB of memory, but no more than
 * a quarter of free_bytes, which is what this process may still take, nor than the file has, and
 * 1 MiB at least; into little, rates are those of a host's cache. Blocks larger than it are
 * left out. The file is not changed; its pages are dropped from the page cache. Blocks; any thread.
 * On failure *probe is untouched. */
int sl_device_probe(const char *path, uint64_t budget_ns, uint64_t free_bytes,
                    struct sl_device_probe *probe, struct sl_error *error);

/* The same for cells of the caller's choice: block_bytes (multiples of 4096, at most 16 MiB) and
 * depth (at most 32) of rates[count] are given, the rest is filled in. best_* of *probe are of
 * these cells; its own rates stay 0. */
int sl_device_rates(const char *path, uint64_t budget_ns, uint64_t free_bytes,
                    struct sl_device_rate *rates, int count, struct sl_device_probe *probe,
                    struct sl_error *error);

#endif
