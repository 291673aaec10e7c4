#include "iouring/read_ahead.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/units.h"

#define BDI_FOLDER "/sys/class/bdi"
/* VM_READAHEAD_PAGES */
#define DEFAULT_WINDOW_BYTES (128 * SL_KIB)

static bool read_window(const char *path, uint64_t *bytes)
{
    char text[32];
    uint64_t kib;

    if (sl_file_read_text(path, text, sizeof(text)) < 0 || sscanf(text, "%" SCNu64, &kib) != 1)
        return false;
    *bytes = kib * SL_KIB;
    return true;
}

static void close_folder(DIR **folder)
{
    if (*folder)
        closedir(*folder);
}

static uint64_t largest_window(void)
{
    SL_AUTO(close_folder) DIR *folder = opendir(BDI_FOLDER);
    const struct dirent *entry;
    uint64_t most = 0, bytes;
    bool found = false;

    while (folder && (entry = readdir(folder))) {
        char path[sizeof(BDI_FOLDER) + sizeof(entry->d_name) + 24];
        snprintf(path, sizeof(path), BDI_FOLDER "/%s/read_ahead_kb", entry->d_name);
        if (!read_window(path, &bytes))
            continue;
        found = true;
        most = bytes > most ? bytes : most;
    }
    return found ? most : DEFAULT_WINDOW_BYTES;
}

uint64_t sl_read_ahead_window(dev_t device)
{
    char own[80], disk[80];
    uint64_t bytes;

    snprintf(own, sizeof(own), BDI_FOLDER "/%u:%u/read_ahead_kb", major(device), minor(device));
    /* A partition has none of its own: its folder lies in that of the disk. */
    snprintf(disk, sizeof(disk), "/sys/dev/block/%u:%u/../queue/read_ahead_kb", major(device),
             minor(device));
    if (read_window(own, &bytes) || read_window(disk, &bytes))
        return bytes;
    return largest_window();
}

uint64_t sl_read_ahead_window_of(int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return largest_window();
    return sl_read_ahead_window(S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev);
}

uint64_t sl_read_ahead_most(uint64_t window_bytes)
{
    return window_bytes / 2 + 2 * window_bytes;
}
