#include "cgroups/mounts.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"

#define MOUNTS_MOST 24

static struct sl_mount mounts[MOUNTS_MOST];
static int mount_count;
static pthread_once_t read_once = PTHREAD_ONCE_INIT;

/* "id parent dev root point options [fields...] - type source super-options" */
bool sl_mount_parse(const char *line, struct sl_mount *mount)
{
    char type[32];
    *mount = (struct sl_mount){0};
    const char *rest = strstr(line, " - ");
    if (!rest || sscanf(line, "%*s %*s %*s %1023s %1023s", mount->root, mount->point) != 2 ||
        sscanf(rest, " - %31s %*s %127s", type, mount->options) != 2)
        return false;
    mount->unified = !strcmp(type, "cgroup2");
    return mount->unified || !strcmp(type, "cgroup");
}

/* A later mount hides an earlier one at the same place. */
static void read_mounts(void)
{
    SL_AUTO_FILE FILE *file = fopen("/proc/self/mountinfo", "re");
    SL_AUTO_FREE char *line = NULL;
    size_t capacity = 0;
    struct sl_mount mount;
    while (file && getline(&line, &capacity, file) > 0) {
        if (!sl_mount_parse(line, &mount))
            continue;
        int at = 0;
        while (at < mount_count && strcmp(mounts[at].point, mount.point))
            at++;
        if (at == MOUNTS_MOST)
            continue;
        mounts[at] = mount;
        mount_count += at == mount_count;
    }
}

/* Whether the list, with that separator, has the word. */
static bool lists(const char *list, char separator, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = list; at; at = strchr(at, separator)) {
        at += *at == separator;
        if (!strncmp(at, word, length) && strchr(" ,\n", at[length]))
            return true;
    }
    return false;
}

const struct sl_mount *sl_mount_find(const char *controller)
{
    pthread_once(&read_once, read_mounts);
    for (int m = 0; m < mount_count; m++) {
        char path[PATH_MAX], controllers[256] = "";
        if (mounts[m].unified) {
            int length = snprintf(path, sizeof(path), "%s/cgroup.controllers", mounts[m].point);
            if (length > 0 && length < (int)sizeof(path))
                sl_file_read_text(path, controllers, sizeof(controllers));
        }
        if (mounts[m].unified ? lists(controllers, ' ', controller)
                              : lists(mounts[m].options, ',', controller))
            return &mounts[m];
    }
    return NULL;
}
