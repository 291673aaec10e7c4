/* Watches the memory limit of this process's group for whoever is about to take memory or has to
 * give some back. A look takes 3 us where sl_cgroup_own_limit takes 35 (four files, v1, on the test
 * machine), and charges nothing to the group: v2 lets a process over memory.high sleep for up to 2
 * s when it is charged, and opening a file is enough for that. */
#ifndef SLUICE_CGROUPS_LIMIT_WATCH_H
#define SLUICE_CGROUPS_LIMIT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define SL_WATCHED_LIMITS_MOST 16

/* Zero-initialised: watches nothing. */
struct sl_limit_watch {
    int fds[SL_WATCHED_LIMITS_MOST];
    int count;
    uint64_t bytes;
};

/* Watches what the group of this process and its ancestors are limited to, and were asked to stay
 * below, as far as these files can be opened. bytes: the limit in force. Not while another thread
 * looks. Close with sl_limit_watch_close. */
void sl_limit_watch_open(struct sl_limit_watch *watch, uint64_t bytes);
void sl_limit_watch_close(struct sl_limit_watch *watch);

/* The lowest of them now; UINT64_MAX: nothing limits, or nothing is watched. Any thread. */
uint64_t sl_limit_watch_least(const struct sl_limit_watch *watch);

/* That is below the limit that was in force. Any thread. */
bool sl_limit_watch_lowered(const struct sl_limit_watch *watch);

#endif
