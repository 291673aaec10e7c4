/* Swap on zram. A disk says whose it is by the label of its swap area, "sluice-<pid>-<serial>", and
 * the process that made it holds a lock on it: so leftovers are told from those in use. */
#include "cgroups/zram.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups/swapfile.h"
#include "cgroups/version.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/units.h"

#define CONTROL "/sys/class/zram-control"
/* A disk may be opened for a moment by whatever watches new disks (udev). */
#define REMOVE_TRIES 100

struct sl_zram {
    int number;
    char path[32];
    int fd; /* flocked while this process lives */
    bool enabled;
};

static unsigned last_serial;

static int write_text(const char *path, const char *text)
{
    SL_AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int write_attribute(int number, const char *attribute, const char *text)
{
    char path[96];
    snprintf(path, sizeof(path), "/sys/block/zram%d/%s", number, attribute);
    return write_text(path, text);
}

/* Resets and removes a disk that is no swap any more. Nobody may have it open. */
static int remove_disk(int number)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", number);
    int code = -EBUSY;
    for (int tries = 0; tries < REMOVE_TRIES && code == -EBUSY; tries++) {
        if (tries)
            usleep(10000);
        code = write_text(CONTROL "/hot_remove", text);
    }
    return code;
}

/* Loads the module where it is one. */
static void load_module(void)
{
    pid_t pid = fork();
    if (!pid) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        /* No disks of its own: hot_add makes those that are wanted. */
        execlp("modprobe", "modprobe", "zram", "num_devices=0", (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int sl_zram_check(struct sl_error *error)
{
    if (geteuid())
        return sl_error_set(error, -EPERM,
                            "only root can make swap in zram; run as root, or use --swap 0");
    if (access(CONTROL "/hot_add", R_OK))
        load_module();
    if (access(CONTROL "/hot_add", R_OK))
        return sl_error_set(error, -ENOSYS,
                            "this kernel offers no zram (" CONTROL
                            " is not there and modprobe zram did not help); use --swap-place file");
    return 0;
}

/* Opens the disk's node, which may have to be made where no udev or devtmpfs does. */
static int open_disk(int number, int flags)
{
    char path[32], text[32], device[64];
    unsigned major_number, minor_number;
    snprintf(path, sizeof(path), "/dev/zram%d", number);
    snprintf(device, sizeof(device), "/sys/block/zram%d/dev", number);
    if (access(path, F_OK) && sl_file_read_text(device, text, sizeof(text)) > 0 &&
        sscanf(text, "%u:%u", &major_number, &minor_number) == 2)
        mknod(path, S_IFBLK | 0600, makedev(major_number, minor_number));
    int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Number of the disk "zram<N>", -1 for any other name. */
static int disk_number(const char *name)
{
    int number, end = 0;
    return sscanf(name, "zram%d%n", &number, &end) == 1 && number >= 0 && !name[end] ? number : -1;
}

/* The process that made an open disk; 0 when no sluice did. */
static pid_t disk_owner(int fd)
{
    char label[SL_SWAP_LABEL_BYTES + 1];
    sl_swap_label(fd, label);
    return sl_control_owner(label, SL_GROUP_PREFIX);
}

bool sl_zram_is_ours(const char *path)
{
    if (strncmp(path, "/dev/zram", 9))
        return false;
    SL_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && disk_owner(fd);
}

static void clean_disk(int number)
{
    char path[32];
    snprintf(path, sizeof(path), "/dev/zram%d", number);
    int fd = open_disk(number, O_RDONLY);
    if (fd < 0)
        return;
    pid_t owner = disk_owner(fd);
    /* One of our own without the lock could not be disabled before. */
    bool gone = owner && (owner == getpid() ? sl_lock_free(fd) : sl_owner_gone(owner, fd));
    close(fd);
    if (!gone)
        return;
    int code = sl_swap_off(path);
    if (code && code != -EINVAL)
        return;
    if (!remove_disk(number))
        sl_log(SL_LOG_NOTE, "removed the swap disk %s, left by an earlier run", path);
}

void sl_zrams_clean(void)
{
    /* Others may not read the labels, nor remove anything. */
    if (geteuid())
        return;
    DIR *disks = opendir("/sys/block");
    for (struct dirent *disk; disks && (disk = readdir(disks));) {
        int number = disk_number(disk->d_name);
        if (number >= 0)
            clean_disk(number);
    }
    if (disks)
        closedir(disks);
}

static int set_up(struct sl_zram *zram, uint64_t bytes)
{
    char text[32], label[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
    int code = write_attribute(zram->number, "disksize", text);
    if (code)
        return code;
    int fd = open_disk(zram->number, O_RDWR);
    if (fd < 0)
        return fd;
    zram->fd = fd;
    sl_lock_take(fd);
    unsigned serial = __atomic_add_fetch(&last_serial, 1, __ATOMIC_RELAXED);
    /* The serial tells nothing here, and pids take up to seven digits of sixteen. */
    snprintf(label, sizeof(label), SL_GROUP_PREFIX "%d-%u", getpid(), serial % 10);
    code = sl_swap_format(fd, bytes, label);
    if (code)
        return code;
    zram->enabled = !swapon(zram->path, SL_SWAP_PREFERRED);
    return zram->enabled ? 0 : -errno;
}

int sl_zram_create(uint64_t bytes, struct sl_zram **zram, struct sl_error *error)
{
    int code = sl_zram_check(error);
    if (code)
        return code;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    if (!bytes || bytes / page >= UINT32_MAX - 1)
        return sl_error_set(error, -EINVAL, "a zram disk of %llu bytes cannot be made",
                            (unsigned long long)bytes);
    struct sl_zram *made = calloc(1, sizeof(*made));
    if (!made)
        return sl_error_set(error, -ENOMEM, "out of memory for a zram disk");
    made->fd = -1;
    char text[16];
    /* Reading it adds a disk and tells its number. */
    if (sl_file_read_text(CONTROL "/hot_add", text, sizeof(text)) <= 0) {
        free(made);
        return sl_error_set(error, -EIO, "add a zram disk through " CONTROL "/hot_add failed");
    }
    made->number = (int)strtol(text, NULL, 10);
    snprintf(made->path, sizeof(made->path), "/dev/zram%d", made->number);
    code = set_up(made, sl_align_up(bytes, page) + page); /* one page for the header */
    if (code) {
        sl_error_set(error, code, "set up swap on %s: %s; use --swap-place file", made->path,
                     strerror(-code));
        sl_zram_remove(made);
        return code;
    }
    *zram = made;
    return 0;
}

uint64_t sl_zram_peak_bytes(const struct sl_zram *zram)
{
    char path[64], text[256];
    unsigned long long peak;
    snprintf(path, sizeof(path), "/sys/block/zram%d/mm_stat", zram->number);
    /* orig_data_size compr_data_size mem_used_total mem_limit mem_used_max ... */
    if (sl_file_read_text(path, text, sizeof(text)) <= 0 ||
        sscanf(text, "%*u %*u %*u %*u %llu", &peak) != 1)
        return SL_NO_LIMIT;
    return peak;
}

void sl_zram_remove(struct sl_zram *zram)
{
    if (!zram)
        return;
    int code = zram->enabled ? sl_swap_off(zram->path) : 0;
    /* Only a disk that nobody has open can be removed. */
    sl_cleanup_fd(&zram->fd);
    if (!code)
        code = remove_disk(zram->number);
    if (code)
        sl_log(SL_LOG_WARNING,
               "the swap disk %s could not be removed: %s; the next run tries again, or run "
               "swapoff %s, then echo %d > " CONTROL "/hot_remove",
               zram->path, strerror(-code), zram->path, zram->number);
    free(zram);
}
