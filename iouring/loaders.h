/* The loaders of the table (iouring/loader_table.c). A new loader is one file, one line here and
 * one line there. */
#ifndef SLUICE_IOURING_LOADERS_H
#define SLUICE_IOURING_LOADERS_H

#include "iouring/loader.h"

extern const struct sl_loader_ops sl_loader_uring, sl_loader_pread, sl_loader_mmap, sl_loader_sim,
    sl_loader_fault;

#endif
