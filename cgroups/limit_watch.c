#include "cgroups/limit_watch.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "cgroups/mounts.h"
#include "cgroups/version.h"

static void watch_file(struct sl_limit_watch *watch, const char *directory, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (watch->count == SL_WATCHED_LIMITS_MOST)
        return;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        watch->fds[watch->count++] = fd;
}

void sl_limit_watch_open(struct sl_limit_watch *watch, uint64_t bytes)
{
    const struct sl_cgroup_version *version = sl_cgroup_version_here();
    const struct sl_mount *mount = version->memory ? sl_mount_find(version->memory) : NULL;
    char directory[PATH_MAX / 2];
    sl_limit_watch_close(watch);
    watch->bytes = bytes;
    if (!mount || sl_group_own_directory(directory, sizeof(directory)))
        return;
    do {
        watch_file(watch, directory, version->memory_file);
        watch_file(watch, directory, version->asked_file);
    } while (sl_group_go_to_parent(directory, mount->point));
    sl_limit_watch_least(watch); /* the kernel's buffers come with the first look */
}

void sl_limit_watch_close(struct sl_limit_watch *watch)
{
    for (int i = 0; i < watch->count; i++)
        close(watch->fds[i]);
    *watch = (struct sl_limit_watch){0};
}

uint64_t sl_limit_watch_least(const struct sl_limit_watch *watch)
{
    uint64_t least = SL_NO_LIMIT;
    for (int i = 0; i < watch->count; i++) {
        char text[32];
        const ssize_t length = pread(watch->fds[i], text, sizeof(text) - 1, 0);
        if (length <= 0)
            continue; /* the group is gone */
        text[length] = '\0';
        const uint64_t bytes = sl_control_number(text);
        least = bytes < least ? bytes : least;
    }
    return least;
}

bool sl_limit_watch_lowered(const struct sl_limit_watch *watch)
{
    return sl_limit_watch_least(watch) < watch->bytes;
}
