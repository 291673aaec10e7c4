/* Memory-limited control groups through libcgroup, on v1 and v2. Version-specific names live in one
 * ops table per version (cgroups/v1.c, cgroups/v2.c) and `disabled` (no rights: says why). */
#ifndef SLUICE_CGROUPS_CGROUP_H
#define SLUICE_CGROUPS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/error.h"

SL_C_BEGIN

#define SL_NO_LIMIT UINT64_MAX
/* Of memory: a worker that starts in less is killed before it can say why. */
#define SL_LEAST_PROCESS_BYTES (UINT64_C(4) << 20)
/* Of a rate: a page, so that a read of one ends within a second. */
#define SL_LEAST_BYTES_PER_S UINT64_C(4096)

/* Where the pages go that a limit pushes out. */
enum sl_swap_place {
    SL_SWAP_ANYWHERE, /* what the machine has, a temporary file when that is too little */
    SL_SWAP_FILE,     /* a temporary file of its own, preferred to all other swap */
    SL_SWAP_ZRAM,     /* a compressed RAM disk of its own, whose memory no limit counts */
};

struct sl_limits {
    uint64_t memory_bytes;     /* SL_NO_LIMIT: none */
    uint64_t swap_bytes;       /* on top of memory; 0: no swap; SL_NO_LIMIT: as much as there is */
    uint64_t read_bytes_per_s; /* SL_NO_LIMIT: none; of the device that holds throttle_path */
    const char *throttle_path; /* a file on the device to throttle (the pack) */
    double cpus;               /* CPU share in cores; 0: all */
    /* SL_NO_LIMIT: none. On v1 the kernel applies it to direct and synchronous writes only: neither
     * to what the page cache writes back nor to swap. */
    uint64_t write_bytes_per_s;
    int cores; /* processor cores to run on, the first ones that the caller may use; 0: all */
    enum sl_swap_place swap_place;
};
#define SL_LIMITS_NONE                                                                             \
    {                                                                                              \
        .memory_bytes = SL_NO_LIMIT, .swap_bytes = SL_NO_LIMIT, .read_bytes_per_s = SL_NO_LIMIT,   \
        .write_bytes_per_s = SL_NO_LIMIT                                                           \
    }

/* Kernel counters of a group; v1 and v2 names mapped to one set. Values a kernel does not give are
 * SL_NO_LIMIT. */
struct sl_cgroup_usage {
    uint64_t memory_bytes, memory_peak_bytes; /* as charged, page cache included */
    uint64_t anonymous_bytes, file_bytes;
    uint64_t swap_bytes;             /* now in swap */
    uint64_t major_faults, refaults; /* refaults: workingset_refault_{anon,file} summed */
    uint64_t anonymous_refaults;     /* pages that came back from swap, of refaults */
    uint64_t swapped_in_pages, swapped_out_pages;
    uint64_t scanned_pages, reclaimed_pages; /* by reclaim; v1 does not tell */
    /* Some, or all, of its tasks waited for memory (PSI); v1 does not tell. */
    uint64_t pressure_some_ns, pressure_full_ns;
    uint64_t oom_kills;
    uint64_t limit_hits; /* memory.failcnt / memory.events max */
};

struct sl_cgroup;

/* What this user may do here. reason: one line with the cure when something is missing. */
struct sl_cgroup_rights {
    int version; /* 1, 2, 0 = none usable */
    bool memory, swap, read_rate, write_rate, cpu, cores;
    char reason[256];
};
/* Found out by the first call in a process, which makes a group and removes it. Any thread. */
SL_API void sl_cgroup_probe(struct sl_cgroup_rights *rights);
/* Only about the kinds of limits that are set there, and anew in every call: under v1, where each
 * controller has groups of its own, that takes a part of the time. What was not asked for may be
 * false. */
SL_API void sl_cgroup_probe_for(const struct sl_limits *limits, struct sl_cgroup_rights *rights);

/* Whether anything is limited; swap counts only beside a memory limit. */
SL_API bool sl_limits_any(const struct sl_limits *limits);

/* Whether swap in zram can be made here: 0, -EPERM (not root), or -ENOSYS when the kernel has no
 * zram and its module cannot be loaded, with the cure. */
SL_API int sl_zram_check(struct sl_error *error);

/* Creates a group named sluice-<pid>-<serial> and sets the limits (growing and shrinking order of
 * v1's memsw respected). -EPERM, -ENOSYS, -EINVAL name file, value and cure. Groups that a crashed
 * sluice left (their pid gone) are removed first. */
int sl_cgroup_create(const struct sl_limits *limits, struct sl_cgroup **group,
                     struct sl_error *error);
/* Moves a process in; to be called for a process that has not touched its memory yet. */
int sl_cgroup_attach(struct sl_cgroup *group, pid_t pid, struct sl_error *error);
int sl_cgroup_usage(struct sl_cgroup *group, struct sl_cgroup_usage *usage, struct sl_error *error);
/* Changes limits of a living group. Under v1 rates, cpus and cores can be set of a group that was
 * created with one of its kind, else -EPERM. */
int sl_cgroup_set(struct sl_cgroup *group, const struct sl_limits *limits, struct sl_error *error);
/* Kills what is still inside, waits, removes the group. NULL is fine. */
void sl_cgroup_destroy(struct sl_cgroup *group);

/* The memory limit that this very process runs under (its own cgroup and ancestors), or that it was
 * asked to stay below (memory.high of v2, memory.soft_limit_in_bytes of v1), SL_NO_LIMIT when none.
 * For --budget auto. */
SL_API uint64_t sl_cgroup_own_limit(void);
/* What may still be charged before that limit, or an ancestor's, is met: limit less usage, page
 * cache that is reclaimed first not counted. SL_NO_LIMIT when there is no limit or nothing tells.
 */
SL_API uint64_t sl_cgroup_own_free(void);

SL_C_END

#endif
