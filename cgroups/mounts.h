/* Where control groups are mounted, read once: libcgroup's own start clears megabytes of tables
 * (2.4 ms here), which a process that only asks for its limit need not wait for. */
#ifndef SLUICE_CGROUPS_MOUNTS_H
#define SLUICE_CGROUPS_MOUNTS_H

#include <limits.h>
#include <stdbool.h>

struct sl_mount {
    char point[PATH_MAX / 4];
    char root[PATH_MAX / 4]; /* the part of the hierarchy that is mounted there, "/": all of it */
    char options[128];       /* of the hierarchy: a v1 one names its controllers */
    bool unified;            /* cgroup v2 */
};

/* The mount whose groups have that controller; NULL when there is none. Static. Any thread. */
const struct sl_mount *sl_mount_find(const char *controller);

/* Takes a line of /proc/self/mountinfo apart; false when it is none of control groups. */
bool sl_mount_parse(const char *line, struct sl_mount *mount);

#endif
