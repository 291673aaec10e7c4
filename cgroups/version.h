/* Inside of cgroups/: what differs between cgroup v1 and v2, and the pieces that both share. Not
 * for callers outside this folder and its tests. */
#ifndef SLUICE_CGROUPS_VERSION_H
#define SLUICE_CGROUPS_VERSION_H

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#include "cgroups/cgroup.h"

#define SL_GROUP_PREFIX      "sluice-"
#define SL_CONTROLLERS_MOST  4
#define SL_SETTINGS_MOST     8
#define SL_USAGE_FILES_MOST  6
#define SL_GROUP_STAT_BYTES  16384
#define SL_LEAST_LIMIT_BYTES (UINT64_C(1) << 20)
#define SL_CORE_LIST_BYTES   256

struct sl_device {
    unsigned major, minor;
};

/* What the numbers of struct sl_limits stand for on this machine. */
struct sl_hardware {
    struct sl_device device;            /* of limits.throttle_path */
    char cores[SL_CORE_LIST_BYTES];     /* "0-1,4": those of limits.cores */
    char all_cores[SL_CORE_LIST_BYTES]; /* that the caller may use */
};

/* One write into one control file. */
struct sl_cgroup_setting {
    const char *controller;
    const char *file;
    char value[SL_CORE_LIST_BYTES];
};

/* One directory of a group: v1 has one per controller, v2 one for all of them. */
struct sl_cgroup_part {
    const char *controllers[SL_CONTROLLERS_MOST];
    size_t controller_count;
    char name[PATH_MAX / 4];      /* as libcgroup wants it: below the mount point, no "/" first */
    char directory[PATH_MAX / 2]; /* absolute */
    int lock;                     /* the directory, flocked while its supervisor lives */
};

struct sl_cgroup {
    const struct sl_cgroup_version *version;
    bool limited;            /* sl_places_limited, when it was made */
    struct sl_limits limits; /* in force */
    struct sl_hardware hardware;
    size_t part_count;
    struct sl_cgroup_part parts[SL_CONTROLLERS_MOST]; /* parts[0] holds the memory controller */
    int files[SL_USAGE_FILES_MOST];                   /* version->usage_files, -1: not there */
};

struct sl_cgroup_version {
    int number; /* 1, 2; 0: disabled */
    const char *memory, *io, *cpu, *cpuset;
    bool shared_directory; /* one directory for all controllers */
    /* Files whose presence in a new group says what can be limited. */
    const char *memory_file, *swap_file, *read_file, *write_file, *cpu_file, *cores_file;
    /* Files of cpuset that a new group does not inherit from its parent, and without which it takes
     * no process. */
    const char *cpuset_copied[2];
    const char *usage_files[SL_USAGE_FILES_MOST]; /* of the memory controller, kept open */
    const char *asked_file;                       /* what a group was asked to stay below */
    const char *stat_file, *inactive_file_key;    /* page cache that reclaim takes first */
    /* Why no group can be made here at all: -errno and the cure. NULL when that is not so. */
    int (*refuse)(struct sl_error *error);
    /* The writes that turn limits `now` into `wanted`, in an order that the kernel accepts. Pure.
     * Both are as sl_limits_effective gives them. Returns how many. */
    size_t (*plan)(const struct sl_limits *now, const struct sl_limits *wanted,
                   const struct sl_hardware *hardware,
                   struct sl_cgroup_setting settings[SL_SETTINGS_MOST]);
    /* texts[i]: content of usage_files[i], NULL when it is not there. Pure. */
    void (*parse_usage)(const char *const texts[SL_USAGE_FILES_MOST],
                        struct sl_cgroup_usage *usage);
    /* Limit that this process runs under, or the one that it was asked to stay below (v2's
     * memory.high, v1's soft limit) when that is lower, given the directories of its group and, for
     * v2, of all the ancestors up to mount_point. */
    uint64_t (*own_limit)(const char *directory, const char *mount_point);
};

extern const struct sl_cgroup_version sl_cgroup_v1, sl_cgroup_v2, sl_cgroup_disabled;

/* The version that holds this machine's memory controller. Any thread. */
const struct sl_cgroup_version *sl_cgroup_version_here(void);
/* cgroup_new_cgroup, after libcgroup was started. */
struct cgroup *sl_library_group(const char *name);

/* --- texts of control files (cgroups/control_text.c), all pure --- */

/* "123\n" -> 123; "max", "-1", nothing, or v1's "no limit" (about 2^63) -> SL_NO_LIMIT. */
uint64_t sl_control_number(const char *text);
/* Value of "key value" lines; SL_NO_LIMIT when the key is not there. */
uint64_t sl_control_value(const char *text, const char *key);
/* Total of a line "some avg10=... total=<us>" of a pressure file in ns; SL_NO_LIMIT when it is not
 * there. */
uint64_t sl_control_pressure(const char *text, const char *kind);
/* Sum that leaves out SL_NO_LIMIT parts; SL_NO_LIMIT when there is nothing else. */
uint64_t sl_control_sum(uint64_t a, uint64_t b);
/* Path of the calling process from the text of /proc/self/cgroup: of `controller` on v1, of the
 * unified hierarchy when NULL. False when it is not listed. */
bool sl_control_own_path(const char *text, const char *controller, char *path, size_t size);
/* Makes an own path relative to what is mounted: root is the mountinfo field. "" when the group
 * lies outside of the mount (then the mount itself is the nearest that can be seen). */
void sl_control_below_root(const char *path, const char *root, char *relative, size_t size);
/* "sluice-<pid>-<serial>" -> pid, 0 when the name is not ours. */
pid_t sl_control_owner(const char *name, const char *prefix);
/* Checks what no kernel would take and what makes no sense: -EINVAL with the cure. */
int sl_limits_check(const struct sl_limits *limits, struct sl_error *error);
/* limits with what has no effect taken out (swap counts only beside a memory limit) and sums that
 * overflow made "none". */
struct sl_limits sl_limits_effective(const struct sl_limits *limits);
/* CPU share -> quota and period in microseconds. Short periods keep the pauses of a throttled
 * process well below the latencies that are measured. */
void sl_cpu_quota(double cpus, unsigned *quota_us, unsigned *period_us);
/* The first `count` processors of a set as the kernel's list, "0-2,5". -EINVAL when there are
 * fewer, -ENAMETOOLONG. */
int sl_core_list(const cpu_set_t *set, int count, char text[SL_CORE_LIST_BYTES]);

/* --- places, leftovers (cgroups/place.c) --- */

#define SL_PLACES_MOST 3
struct sl_places {
    char mount_point[PATH_MAX / 4];
    char own[PATH_MAX / 4];                     /* this process's group below mount_point */
    char parents[SL_PLACES_MOST][PATH_MAX / 4]; /* where to try a new group, best first */
    size_t count;
};
/* What to do about a group that cannot be made, set or entered; static. */
const char *sl_group_cure(int code);
/* Files through which a process enters a group by writing "0": v1 only. Its kernels let a single
 * thread move itself without the lock that a move from outside waits for, up to 15 ms. */
struct sl_entries {
    size_t count;
    int files[SL_CONTROLLERS_MOST];
};
/* count 0 where there are none: sl_cgroup_attach does it. -errno, nothing open. */
int sl_group_open_entries(const struct sl_cgroup *group, struct sl_entries *entries,
                          struct sl_error *error);
void sl_entries_close(struct sl_entries *entries);

/* Whether this process runs under a memory limit: no group may be made outside its own then. */
bool sl_places_limited(const struct sl_cgroup_version *version);
/* Where groups of a controller may be made. -ENOENT when it is not mounted. */
int sl_places_find(const struct sl_cgroup_version *version, const char *controller, bool limited,
                   struct sl_places *places);
/* Directory of this process's group of the memory controller. -ENOENT when there is none to see. */
int sl_group_own_directory(char *directory, size_t size);
/* Makes a group's directory that of its parent; false when it is the mount point already. */
bool sl_group_go_to_parent(char *directory, const char *mount_point);
/* Least number in files of that name in a directory and its ancestors up to mount_point;
 * SL_NO_LIMIT when there is none. */
uint64_t sl_group_least(const char *directory, const char *mount_point, const char *name);
/* True when the process that the name of this locked directory or file says is gone. */
bool sl_owner_gone(pid_t owner, int fd);
/* True when nobody holds the lock of this directory or file: where it is always held before there
 * is anything to clean up, its owner is done with it, though it may live. fd holds it then. */
bool sl_lock_free(int fd);
/* Locks an open directory, file or disk of ours for as long as it stays open. Others hold it for a
 * moment while they look whether it is left over: waits for them. */
void sl_lock_take(int fd);
/* Kills everything inside a group of ours and waits up to five seconds for its end. */
void sl_group_kill(const char *directory);
/* Removes an empty group through libcgroup; waits for processes that are still on their way out. */
int sl_group_remove(const struct sl_cgroup_part *part);
/* Kills and removes the groups whose sluice process is gone. */
void sl_groups_clean(const struct sl_cgroup_version *version);

/* Disables and removes swap files whose sluice process is gone: enabled ones anywhere, others in
 * $TMPDIR, /var/tmp and directory (may be NULL). */
void sl_swapfiles_clean(const char *directory);

/* Disables and removes zram disks whose sluice process is gone. */
void sl_zrams_clean(void);

/* Free swap that stays: without the temporary swap of sluice processes, which goes when their run
 * ends. */
uint64_t sl_swap_lasting_free_bytes(void);

/* The whole disk that holds a file: what the throttles want. -ENODEV with the reason for file
 * systems without a block device. */
int sl_device_of(const char *path, struct sl_device *device, struct sl_error *error);

#endif
