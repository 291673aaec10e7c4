/* What `doctor --bench` measured, kept for later results: how near they come to it. */
#ifndef SLUICE_CLI_CEILING_H
#define SLUICE_CLI_CEILING_H

#include <jansson.h>
#include <stdbool.h>

#include "runtime/sluice.h"

/* Of one machine and the storage of one file. */
struct ceiling {
    uint64_t read_bytes_per_s; /* 0: nothing is known, nor are the others */
    int threads;
    double flops_per_s[2], bytes_per_s[2]; /* one thread, `threads` of them */
};

/* Keeps the ceilings of this machine with the storage of path in the cache file, in place of older
 * ones. -errno. */
int ceiling_keep(const char *cache, const char *path, const struct sl_bench *bench,
                 struct sl_error *error);
/* Finds them; all zero when they were not measured here within the last 30 days. cache may be
 * NULL. */
void ceiling_find(const char *cache, const char *path, struct ceiling *ceiling);

/* Most operations per second that a cell can do with so many threads and this share of processors
 * (0: all). */
double ceiling_flops(const struct ceiling *ceiling, int threads, double cpus);

/* Adds read_ceiling_share and compute_ceiling_share to the records of one cell, networks after
 * networks for every input; null where nothing is known, where too little was read to tell, or
 * where the page cache may have served it. Limits are part of the ceiling. */
void ceiling_add_shares(json_t *records, int networks, const struct ceiling *ceiling,
                        const struct sl_limits *limits);

#endif
