/* Inside of cgroups/: the machine's counters of paging, from /proc/vmstat. */
#ifndef SLUICE_CGROUPS_VMSTAT_H
#define SLUICE_CGROUPS_VMSTAT_H

#include <stdint.h>

#define SL_VMSTAT_PATH "/proc/vmstat"

/* Since boot. 0 where the kernel has no such counter, as without swap. */
struct sl_vmstat {
    uint64_t swap_in_bytes, swap_out_bytes;
    uint64_t scanned_pages, reclaimed_pages; /* by reclaim, that of groups included */
};

/* From the text of /proc/vmstat. Pure. */
void sl_vmstat_parse(const char *text, uint64_t page_bytes, struct sl_vmstat *vmstat);
/* From the open file; all 0 when it cannot be read, as with fd -1. */
void sl_vmstat_read(int fd, struct sl_vmstat *vmstat);

#endif
