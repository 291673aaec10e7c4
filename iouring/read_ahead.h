/* What the kernel reads, and charges to the group of whoever touched a mapped page, beside the page
 * that was missing. */
#ifndef SLUICE_IOURING_READ_AHEAD_H
#define SLUICE_IOURING_READ_AHEAD_H

#include <stdint.h>
#include <sys/types.h>

/* The window of read-ahead that files on this device get when they are opened (read_ahead_kb in
 * sysfs, also of the disk that it is a partition of). Of devices that sysfs does not know by number
 * (btrfs, overlays) it is the largest window of any device, without sysfs the kernel's default. */
uint64_t sl_read_ahead_window(dev_t device);
/* The same of an open file or block device. */
uint64_t sl_read_ahead_window_of(int fd);

/* The most that may be on its way around one place that is touched, whatever the threads are that
 * touch it: a page is read once. A fault where nothing was read reads half a window before the page
 * and half of one behind it (or one behind it, MADV_SEQUENTIAL). The mark in what was read, which
 * starts the next window when it is touched, lies at most one window before the end of it, and the
 * next has at most a window, too (mm/filemap.c, mm/readahead.c of Linux 6.18). */
uint64_t sl_read_ahead_most(uint64_t window_bytes);

#endif
