/* Bytes that came back from swap, counted by the kernel: for this process's control group where it
 * tells, else for the machine. */
#ifndef SLUICE_CGROUPS_SWAP_COUNTER_H
#define SLUICE_CGROUPS_SWAP_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

struct sl_swap_counter {
    int fd;         /* -1: nothing is counted */
    bool own_group; /* memory.stat of the group; else /proc/vmstat */
};

/* Without the files nothing is counted. Close with sl_swap_counter_close. */
void sl_swap_counter_open(struct sl_swap_counter *counter);
/* Swapped in since boot, or since the group was made; 0 when it cannot be told. Any thread; takes
 * about 20 us. The group's counter may lag by some 100 pages. */
uint64_t sl_swap_counter_read(const struct sl_swap_counter *counter);
/* A counter that was never opened must have fd -1. */
void sl_swap_counter_close(struct sl_swap_counter *counter);

#endif
