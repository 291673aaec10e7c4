#include "cgroups/swap_counter.h"

#include <fcntl.h>
#include <stdio.h>

#include "cgroups/version.h"
#include "cgroups/vmstat.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"

#define STAT_FILE "memory.stat"

/* Pages of the group that came back; SL_NO_LIMIT when the file does not tell. */
static uint64_t group_pages(int fd)
{
    char text[SL_GROUP_STAT_BYTES];
    if (fd < 0 || sl_fd_read_text(fd, text, sizeof(text)) <= 0)
        return SL_NO_LIMIT;
    uint64_t pages = sl_control_value(text, "total_workingset_refault_anon");
    return pages != SL_NO_LIMIT ? pages : sl_control_value(text, "workingset_refault_anon");
}

void sl_swap_counter_open(struct sl_swap_counter *counter)
{
    char directory[PATH_MAX], path[PATH_MAX + sizeof(STAT_FILE)];
    *counter = (struct sl_swap_counter){.fd = -1};
    if (!sl_group_own_directory(directory, sizeof(directory))) {
        snprintf(path, sizeof(path), "%s/" STAT_FILE, directory);
        counter->fd = open(path, O_RDONLY | O_CLOEXEC);
        counter->own_group = group_pages(counter->fd) != SL_NO_LIMIT;
        if (counter->own_group)
            return;
        sl_cleanup_fd(&counter->fd);
    }
    counter->fd = open(SL_VMSTAT_PATH, O_RDONLY | O_CLOEXEC);
}

uint64_t sl_swap_counter_read(const struct sl_swap_counter *counter)
{
    if (!counter->own_group) {
        struct sl_vmstat vmstat;
        sl_vmstat_read(counter->fd, &vmstat);
        return vmstat.swap_in_bytes;
    }
    uint64_t pages = group_pages(counter->fd);
    return pages == SL_NO_LIMIT ? 0 : pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void sl_swap_counter_close(struct sl_swap_counter *counter)
{
    sl_cleanup_fd(&counter->fd);
    counter->fd = -1;
}
