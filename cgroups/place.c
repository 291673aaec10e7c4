/* Where groups may be made, what crashed runs left there, and which disk holds a file. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "cgroups/mounts.h"
#include "cgroups/version.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"

#define KILL_PATIENCE_NS   UINT64_C(5000000000)
#define REMOVE_PATIENCE_NS UINT64_C(2000000000)

static void cleanup_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

static void cleanup_cgroup(struct cgroup **cgroup)
{
    if (*cgroup)
        cgroup_free(cgroup);
}

static int find_own(const struct sl_cgroup_version *version, const char *controller,
                    struct sl_places *places)
{
    char path[PATH_MAX / 4], text[16384];
    const struct sl_mount *mount = sl_mount_find(controller);
    if (!mount)
        return -ENOENT;
    snprintf(places->mount_point, sizeof(places->mount_point), "%s", mount->point);
    places->own[0] = '\0';
    if (sl_file_read_text("/proc/self/cgroup", text, sizeof(text)) > 0 &&
        sl_control_own_path(text, version->shared_directory ? NULL : controller, path,
                            sizeof(path)))
        sl_control_below_root(path, mount->root, places->own, sizeof(places->own));
    return 0;
}

/* Writes the directory of this process's own group. Returns its length, which may not fit. */
static int own_directory(const struct sl_places *places, char *directory, size_t size)
{
    return snprintf(directory, size, "%s%s%s", places->mount_point, *places->own ? "/" : "",
                    places->own);
}

static uint64_t limit_of_own(const struct sl_cgroup_version *version,
                             const struct sl_places *places)
{
    char directory[PATH_MAX / 2];
    own_directory(places, directory, sizeof(directory));
    return version->own_limit(directory, places->mount_point);
}

static void add_parent(struct sl_places *places, const char *parent)
{
    for (size_t i = 0; i < places->count; i++)
        if (!strcmp(places->parents[i], parent))
            return;
    snprintf(places->parents[places->count++], sizeof(places->parents[0]), "%s", parent);
}

bool sl_places_limited(const struct sl_cgroup_version *version)
{
    struct sl_places memory = {0};
    return !find_own(version, version->memory, &memory) &&
           limit_of_own(version, &memory) != SL_NO_LIMIT;
}

int sl_places_find(const struct sl_cgroup_version *version, const char *controller, bool limited,
                   struct sl_places *places)
{
    places->count = 0;
    int failed = find_own(version, controller, places);
    if (failed)
        return failed;
    /* A group at the root would escape from a limit that this process runs under. */
    if (!limited)
        add_parent(places, "");
    if (version->shared_directory) {
        /* v2 allows no processes beside child groups that have controllers, and this process is in
         * its own group: a sibling is what works in a delegated tree. */
        char parent[PATH_MAX / 4];
        snprintf(parent, sizeof(parent), "%s", places->own);
        char *slash = strrchr(parent, '/');
        if (slash) {
            *slash = '\0';
            add_parent(places, parent);
        }
    }
    add_parent(places, places->own);
    return 0;
}

int sl_group_own_directory(char *directory, size_t size)
{
    const struct sl_cgroup_version *version = sl_cgroup_version_here();
    struct sl_places places = {0};
    if (!version->memory || find_own(version, version->memory, &places))
        return -ENOENT;
    int length = own_directory(&places, directory, size);
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

uint64_t sl_cgroup_own_limit(void)
{
    const struct sl_cgroup_version *version = sl_cgroup_version_here();
    struct sl_places places = {0};
    if (!version->memory || find_own(version, version->memory, &places))
        return SL_NO_LIMIT;
    return limit_of_own(version, &places);
}

static uint64_t read_control(const char *directory, const char *file, const char *key)
{
    char path[PATH_MAX], text[SL_GROUP_STAT_BYTES];
    snprintf(path, sizeof(path), "%s/%s", directory, file);
    if (sl_file_read_text(path, text, sizeof(text)) < 0)
        return SL_NO_LIMIT;
    return key ? sl_control_value(text, key) : sl_control_number(text);
}

bool sl_group_go_to_parent(char *directory, const char *mount_point)
{
    char *slash = strrchr(directory, '/');
    if (!slash || (size_t)(slash - directory) < strlen(mount_point))
        return false;
    *slash = '\0';
    return true;
}

uint64_t sl_group_least(const char *directory, const char *mount_point, const char *name)
{
    char current[PATH_MAX / 2];
    uint64_t least = SL_NO_LIMIT;
    snprintf(current, sizeof(current), "%s", directory);
    do {
        uint64_t number = read_control(current, name, NULL);
        least = number < least ? number : least;
    } while (sl_group_go_to_parent(current, mount_point));
    return least;
}

/* What is left in that one group, SL_NO_LIMIT when it has no limit. */
static uint64_t group_free(const struct sl_cgroup_version *version, const char *directory)
{
    uint64_t limit = read_control(directory, version->memory_file, NULL);
    uint64_t asked = read_control(directory, version->asked_file, NULL);
    uint64_t used = read_control(directory, version->usage_files[0], NULL);
    limit = asked < limit ? asked : limit;
    if (limit == SL_NO_LIMIT || used == SL_NO_LIMIT)
        return SL_NO_LIMIT;
    uint64_t cache = read_control(directory, version->stat_file, version->inactive_file_key);
    used -= cache == SL_NO_LIMIT ? 0 : cache < used ? cache : used;
    return used < limit ? limit - used : 0;
}

uint64_t sl_cgroup_own_free(void)
{
    const struct sl_cgroup_version *version = sl_cgroup_version_here();
    struct sl_places places = {0};
    if (!version->memory || find_own(version, version->memory, &places))
        return SL_NO_LIMIT;
    char directory[PATH_MAX / 2];
    own_directory(&places, directory, sizeof(directory));
    uint64_t least = SL_NO_LIMIT;
    do {
        uint64_t left = group_free(version, directory);
        least = left < least ? left : least;
    } while (sl_group_go_to_parent(directory, places.mount_point));
    return least;
}

/* Seconds since a process started, negative when it cannot be told. */
static double process_age(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (sl_file_read_text(path, text, sizeof(text)) <= 0)
        return -1;
    /* Field 2, the name, may hold anything but ends at the last ")"; field 22 is the start. */
    const char *rest = strrchr(text, ')');
    unsigned long long ticks;
    if (!rest || sscanf(rest + 1,
                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                        "%*d %llu",
                        &ticks) != 1)
        return -1;
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9 -
           (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

bool sl_lock_free(int fd)
{
    return !flock(fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK;
}

void sl_lock_take(int fd)
{
    while (flock(fd, LOCK_EX) && errno == EINTR)
        ;
}

bool sl_owner_gone(pid_t owner, int fd)
{
    /* A living owner holds the lock, also one whose pid means something else in our namespace. The
     * pid guards the moment between creation and locking, its age against pids used again. */
    if (owner == getpid() || !sl_lock_free(fd))
        return false;
    if (kill(owner, 0) && errno == ESRCH)
        return true;
    struct stat status;
    struct timespec now;
    double age = process_age(owner);
    if (age < 0 || fstat(fd, &status))
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    return age + 2 < difftime(now.tv_sec, status.st_ctim.tv_sec);
}

/* Waits until a process has ended; false after the deadline. */
static bool wait_for_end(int pidfd, uint64_t deadline_ns)
{
    for (;;) {
        uint64_t now = sl_now_ns();
        if (now >= deadline_ns)
            return false;
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        int ready = poll(&ended, 1, (int)((deadline_ns - now) / 1000000 + 1));
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true;
    }
}

void sl_group_kill(const char *directory)
{
    uint64_t deadline = sl_now_ns() + KILL_PATIENCE_NS;
    char path[PATH_MAX], text[SL_GROUP_STAT_BYTES];
    snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
    for (bool found = true; found && sl_now_ns() < deadline;) {
        found = false;
        if (sl_file_read_text(path, text, sizeof(text)) <= 0)
            return;
        /* One at a time, each one waited for: whoever forks meanwhile is met in the next round, and
         * so is what does not fit in the text, whose last line may be half a number. 0 stands for a
         * process that our pid namespace cannot name. */
        const char *line = text;
        for (const char *end; (end = strchr(line, '\n')); line = end + 1) {
            pid_t pid = (pid_t)strtol(line, NULL, 10);
            if (pid <= 1 || pid == getpid())
                continue;
            SL_AUTO_FD int pidfd = pidfd_open(pid, 0);
            if (pidfd < 0 ? kill(pid, SIGKILL) : pidfd_send_signal(pidfd, SIGKILL, NULL, 0))
                continue;
            found = true;
            if (pidfd >= 0 && !wait_for_end(pidfd, deadline))
                return;
        }
    }
}

int sl_group_remove(const struct sl_cgroup_part *part)
{
    SL_AUTO(cleanup_cgroup) struct cgroup *cgroup = sl_library_group(part->name);
    if (!cgroup || !cgroup_add_controller(cgroup, part->controllers[0]))
        return -ENOMEM;
    uint64_t deadline = sl_now_ns() + REMOVE_PATIENCE_NS;
    /* libcgroup does not report a group that is not empty: look. */
    while (cgroup_delete_cgroup_ext(cgroup, CGFLAG_DELETE_EMPTY_ONLY) ||
           !access(part->directory, F_OK)) {
        if (sl_now_ns() >= deadline)
            return -EBUSY;
        /* A killed process leaves its group a moment after it can be reaped, and v1 has no event
         * that tells when. */
        poll(NULL, 0, 1);
    }
    return 0;
}

static void clean_parent(const char *controller, const char *mount_point, const char *parent)
{
    char directory[PATH_MAX / 2 - 256];
    const char *slash = *parent ? "/" : "";
    snprintf(directory, sizeof(directory), "%s%s%s", mount_point, slash, parent);
    SL_AUTO(cleanup_directory) DIR *entries = opendir(directory);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        pid_t owner = sl_control_owner(entry->d_name, SL_GROUP_PREFIX);
        if (!owner)
            continue;
        SL_AUTO_FD int fd =
            openat(dirfd(entries), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || !sl_owner_gone(owner, fd))
            continue;
        struct sl_cgroup_part part = {.controllers = {controller}, .controller_count = 1};
        snprintf(part.directory, sizeof(part.directory), "%s/%s", directory, entry->d_name);
        snprintf(part.name, sizeof(part.name), "%.700s%s%.255s", parent, slash, entry->d_name);
        sl_group_kill(part.directory);
        if (!sl_group_remove(&part))
            sl_log(SL_LOG_NOTE, "removed %s, left by a sluice that is gone", part.directory);
    }
}

void sl_groups_clean(const struct sl_cgroup_version *version)
{
    const char *controllers[] = {version->memory, version->io, version->cpu, version->cpuset};
    size_t count = version->shared_directory ? 1 : SL_CONTROLLERS_MOST;
    const bool limited = sl_places_limited(version);
    for (size_t i = 0; i < count; i++) {
        struct sl_places places;
        if (!controllers[i] || sl_places_find(version, controllers[i], limited, &places))
            continue;
        for (size_t j = 0; j < places.count; j++)
            clean_parent(controllers[i], places.mount_point, places.parents[j]);
    }
}

int sl_device_of(const char *path, struct sl_device *device, struct sl_error *error)
{
    struct stat status;
    if (stat(path, &status))
        return sl_error_errno(error, "find the device of %s", path);
    unsigned number_major = major(status.st_dev), number_minor = minor(status.st_dev);
    if (!number_major)
        return sl_error_set(error, -ENODEV,
                            "the rates of %s cannot be limited: its file system (overlay, "
                            "tmpfs, btrfs or network) has no block device of its own; move it to "
                            "ext4 or xfs on a disk",
                            path);
    char partition[96], text[32];
    snprintf(partition, sizeof(partition), "/sys/dev/block/%u:%u/partition", number_major,
             number_minor);
    if (!access(partition, F_OK)) {
        snprintf(partition, sizeof(partition), "/sys/dev/block/%u:%u/../dev", number_major,
                 number_minor);
        if (sl_file_read_text(partition, text, sizeof(text)) <= 0 ||
            sscanf(text, "%u:%u", &number_major, &number_minor) != 2)
            return sl_error_set(error, -ENODEV,
                                "the disk of partition %u:%u, which holds %s, is "
                                "not in %s",
                                number_major, number_minor, path, partition);
    }
    *device = (struct sl_device){number_major, number_minor};
    return 0;
}
