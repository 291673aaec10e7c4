/* What the mmap loader tells the kernel of its mapping: the words of --hints. */
#ifndef SLUICE_IOURING_HINTS_H
#define SLUICE_IOURING_HINTS_H

#include "runtime/base/error.h"

enum sl_hint {
    /* Of the whole mapping: no read-ahead, or more of it. */
    SL_HINT_RANDOM = 1 << 0,
    SL_HINT_SEQUENTIAL = 1 << 1,
    /* Ahead of the run, as far as the policy loads: start reading; wait until it is resident. */
    SL_HINT_WILLNEED = 1 << 2,
    SL_HINT_POPULATE = 1 << 3,
    /* What stays across requests: keep it from being reclaimed. */
    SL_HINT_LOCK = 1 << 4,
    /* Behind the run: reclaim first; reclaim now; drop from mapping and page cache. */
    SL_HINT_COLD = 1 << 5,
    SL_HINT_PAGEOUT = 1 << 6,
    SL_HINT_DONTNEED = 1 << 7,
};

/* The set that reads exactly what is asked for, and gives all of it back. Read-ahead would bring,
 * and charge to the cgroup, pages in folios that reach beyond the shard and cannot be dropped with
 * it (measured: 196 of 226 MB stayed). Without SL_HINT_RANDOM what may be on its way at once counts
 * (sl_loader.read_ahead_bytes). */
#define SL_HINTS_DEFAULT                                                                           \
    (SL_HINT_RANDOM | SL_HINT_WILLNEED | SL_HINT_POPULATE | SL_HINT_LOCK | SL_HINT_DONTNEED)

#define SL_HINTS_TEXT_BYTES 80

/* "willneed,dontneed", "none", or NULL for the default. -EINVAL for unknown words, with the nearest
 * known one, and for sets that contradict themselves. */
int sl_hints_parse(const char *text, unsigned *hints, struct sl_error *error);
/* The words of a set, in fixed order; returns text. */
const char *sl_hints_format(unsigned hints, char text[SL_HINTS_TEXT_BYTES]);

#endif
