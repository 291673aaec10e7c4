/* Temporary swap: a file, for cells that want more swap than the machine has. */
#ifndef SLUICE_CGROUPS_SWAPFILE_H
#define SLUICE_CGROUPS_SWAPFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/error.h"

struct sl_swapfile;

/* Bytes of swap that are free on this machine now. */
uint64_t sl_swap_free_bytes(void);

/* Makes (real blocks, no holes), formats and enables a swap file of `bytes` in directory (NULL:
 * the first of $TMPDIR, /var/tmp that can hold one). -EOPNOTSUPP with the reason where the storage
 * holds none: tmpfs, btrfs without nocow, a full or read-only disk, a directory that is not there.
 * -EPERM without CAP_SYS_ADMIN or the right to write there. -EINVAL: no swap file has that size.
 * The file is named sluice-swap-<pid>-<serial>. Disable and remove with sl_swapfile_remove;
 * sl_swapfiles_clean removes what a crashed sluice left. preferred: the kernel fills it before all
 * other swap. */
int sl_swapfile_create(const char *directory, uint64_t bytes, bool preferred,
                       struct sl_swapfile **swapfile, struct sl_error *error);

/* Disables it (which reads what it holds back into memory) and deletes it. NULL is fine. */
void sl_swapfile_remove(struct sl_swapfile *swapfile);

/* swapoff to its end, whatever signals come: it takes long where pages are to be brought back. 0 or
 * -errno. */
int sl_swap_off(const char *path);

/* For swapon: before all other swap. */
#define SL_SWAP_PREFERRED   (SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK)
#define SL_SWAP_LABEL_BYTES 16

/* Formats `bytes` of an open file or disk as swap. label: at most 16 bytes, seen by others.
 * -errno. */
int sl_swap_format(int fd, uint64_t bytes, const char *label);
/* The label of what is formatted so; "" when it is no swap. */
void sl_swap_label(int fd, char label[SL_SWAP_LABEL_BYTES + 1]);

#endif
