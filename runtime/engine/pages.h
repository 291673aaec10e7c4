/* Anonymous memory in whole pages, huge ones where they fit. */
#ifndef SLUICE_ENGINE_PAGES_H
#define SLUICE_ENGINE_PAGES_H

#include <stdint.h>

#define SL_PAGE_BYTES      4096
#define SL_HUGE_PAGE_BYTES (UINT64_C(2) << 20)

/* bytes: a multiple of SL_PAGE_BYTES. No huge page reaches into a neighbour's mapping: when one of
 * the two is unmapped, the kernel keeps the whole page charged until memory runs out. NULL with
 * errno when there is no memory. Give back with munmap. */
void *sl_pages_map(uint64_t bytes);

/* Brings them in. */
void sl_pages_populate(void *memory, uint64_t bytes);

#endif
