/* Temporary swap on a compressed RAM disk (zram), as small devices have it. */
#ifndef SLUICE_CGROUPS_ZRAM_H
#define SLUICE_CGROUPS_ZRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "cgroups/cgroup.h"

struct sl_zram;

/* Adds a zram disk of `bytes` (before compression), formats it as swap and enables it before all
 * other swap. Errors as sl_zram_check, and -errno of the kernel. Disable and remove with
 * sl_zram_remove; sl_zrams_clean removes what a crashed sluice left. */
int sl_zram_create(uint64_t bytes, struct sl_zram **zram, struct sl_error *error);
/* Most memory that it took for its pages so far; no control group counts it. SL_NO_LIMIT when the
 * kernel does not tell. */
uint64_t sl_zram_peak_bytes(const struct sl_zram *zram);
/* Disables it (which decompresses what it holds into memory) and removes it. NULL is fine. */
void sl_zram_remove(struct sl_zram *zram);

/* True for the path of a zram disk that some sluice made. */
bool sl_zram_is_ours(const char *path);

#endif
