/* Temporary swap files. */
#include "cgroups/swapfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>

#include "cgroups/cgroup.h"
#include "cgroups/version.h"
#include "cgroups/zram.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/log.h"
#include "runtime/base/units.h"

#define SWAP_PREFIX       "sluice-swap-"
#define SWAP_HEADER_BYTES 1024 /* left free for a boot sector */
#define FILL_BYTES        (UINT64_C(1) << 20)

struct sl_swapfile {
    char path[PATH_MAX];
    int fd; /* flocked while this process lives */
    bool enabled;
};

/* First page of a swap area, version 1, from byte 1024 on; "SWAPSPACE2" ends the page. */
struct swap_header {
    uint32_t version;
    uint32_t last_page;
    uint32_t bad_pages;
    unsigned char uuid[16];
    char volume_name[16];
};

static unsigned last_serial;

uint64_t sl_swap_free_bytes(void)
{
    struct sysinfo machine;
    return sysinfo(&machine) ? 0 : (uint64_t)machine.freeswap * machine.mem_unit;
}

static uint64_t page_bytes(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* "\040" and the like in /proc/swaps -> the characters themselves, in place. */
static void unescape(char *text)
{
    char *out = text;
    for (const char *in = text; *in; out++) {
        unsigned character;
        if (in[0] == '\\' && sscanf(in + 1, "%3o", &character) == 1 && strlen(in) >= 4) {
            *out = (char)character;
            in += 4;
        } else {
            *out = *in++;
        }
    }
    *out = '\0';
}

/* Calls visit with the path of every enabled swap area, and its free bytes. */
static void each_swap(void (*visit)(const char *path, uint64_t free_bytes, void *context),
                      void *context)
{
    SL_AUTO_FILE FILE *swaps = fopen("/proc/swaps", "re");
    SL_AUTO_FREE char *line = NULL;
    size_t capacity = 0;
    while (swaps && getline(&line, &capacity, swaps) > 0) {
        unsigned long long size_kib, used_kib;
        if (line[0] != '/' || sscanf(line, "%*s %*s %llu %llu", &size_kib, &used_kib) != 2)
            continue;
        line[strcspn(line, " \t\n")] = '\0';
        unescape(line);
        visit(line, (size_kib - used_kib) * 1024, context);
    }
}

static bool is_temporary(const char *path)
{
    const char *name = strrchr(path, '/');
    return sl_control_owner(name ? name + 1 : path, SWAP_PREFIX) != 0 || sl_zram_is_ours(path);
}

static void add_lasting(const char *path, uint64_t free_bytes, void *context)
{
    if (!is_temporary(path))
        *(uint64_t *)context += free_bytes;
}

uint64_t sl_swap_lasting_free_bytes(void)
{
    uint64_t total = 0;
    each_swap(add_lasting, &total);
    return total;
}

int sl_swap_off(const char *path)
{
    int failed;
    do
        failed = swapoff(path);
    while (failed && errno == EINTR);
    return failed ? -errno : 0;
}

/* True for a swap file of ours whose process is gone, or could not disable it before (the kernel
 * finds no memory for what is in it): it is locked from before it is enabled. */
static bool is_leftover(const char *path, bool enabled)
{
    const char *name = strrchr(path, '/');
    pid_t owner = sl_control_owner(name ? name + 1 : path, SWAP_PREFIX);
    if (!owner)
        return false;
    SL_AUTO_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    return fd >= 0 && !fstat(fd, &status) && S_ISREG(status.st_mode) &&
           (enabled ? sl_lock_free(fd) : sl_owner_gone(owner, fd));
}

static void remove_leftover(const char *path, bool enabled)
{
    if (!is_leftover(path, enabled))
        return;
    const int code = sl_swap_off(path);
    if (code && code != -EINVAL)
        return; /* still in use and not ours to disable: removing it would only hide it */
    if (!unlink(path))
        sl_log(SL_LOG_NOTE, "removed the swap file %s, left by an earlier run", path);
}

static void visit_leftover(const char *path, uint64_t free_bytes, void *context)
{
    (void)free_bytes, (void)context;
    remove_leftover(path, true);
}

static void clean_directory(const char *directory)
{
    DIR *entries = opendir(directory);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        char path[PATH_MAX];
        if (!sl_control_owner(entry->d_name, SWAP_PREFIX) ||
            snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >= PATH_MAX)
            continue;
        remove_leftover(path, false);
    }
    if (entries)
        closedir(entries);
}

void sl_swapfiles_clean(const char *directory)
{
    /* Enabled ones wherever they are, then those that were never enabled. */
    each_swap(visit_leftover, NULL);
    const char *temporary = getenv("TMPDIR");
    if (temporary && *temporary)
        clean_directory(temporary);
    clean_directory("/var/tmp");
    if (directory)
        clean_directory(directory);
}

/* Whichever way the storage refuses, full, read-only or of the wrong kind, it means that this
 * machine cannot hold the file. Lack of a right, of memory or descriptors, and a signal, are not
 * the storage's. */
static int refusal(int code)
{
    switch (code) {
    case -EPERM:
    case -EACCES:
        return -EPERM;
    case -ENOMEM:
    case -EMFILE:
    case -ENFILE:
    case -EINTR:
        return code;
    default:
        return -EOPNOTSUPP;
    }
}

/* Swap needs a file system that lets the kernel write to fixed blocks. */
static int check_directory(const char *directory, uint64_t bytes, struct sl_error *error)
{
    struct statfs status;
    struct statvfs space;
    char wanted[SL_UNIT_TEXT_BYTES], available[SL_UNIT_TEXT_BYTES];
    if (statfs(directory, &status) || statvfs(directory, &space))
        return sl_error_set(error, refusal(-errno), "make a swap file in %s: %s", directory,
                            strerror(errno));
    const char *kind = NULL;
    switch ((unsigned long)status.f_type) {
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
        kind = "kept in memory";
        break;
    case OVERLAYFS_SUPER_MAGIC:
        kind = "an overlay";
        break;
    case NFS_SUPER_MAGIC:
        kind = "on the network";
        break;
    }
    if (kind)
        return sl_error_set(error, -EOPNOTSUPP,
                            "%s cannot hold a swap file: it is %s; choose a directory on ext4 or "
                            "xfs with TMPDIR",
                            directory, kind);
    if ((uint64_t)space.f_bavail * space.f_frsize < bytes)
        return sl_error_set(
            error, -EOPNOTSUPP,
            "%s has %s free, too little for a swap file of %s; free some, or choose "
            "another directory with TMPDIR",
            directory, sl_format_size((uint64_t)space.f_bavail * space.f_frsize, available),
            sl_format_size(bytes, wanted));
    return 0;
}

/* On btrfs only files without copy-on-write can be swapped to; the flag holds for empty files. */
static void forbid_copy_on_write(int fd)
{
    struct statfs status;
    int flags;
    if (fstatfs(fd, &status) || (unsigned long)status.f_type != BTRFS_SUPER_MAGIC ||
        ioctl(fd, FS_IOC_GETFLAGS, &flags))
        return;
    flags |= FS_NOCOW_FL;
    ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int fill_with_zeros(int fd, uint64_t bytes)
{
    SL_AUTO_FREE char *zeros = calloc(1, FILL_BYTES);
    if (!zeros)
        return -ENOMEM;
    for (uint64_t done = 0; done < bytes;) {
        uint64_t part = bytes - done < FILL_BYTES ? bytes - done : FILL_BYTES;
        ssize_t wrote = pwrite(fd, zeros, part, (off_t)done);
        if (wrote < 0 && errno != EINTR)
            return -errno;
        done += wrote > 0 ? (uint64_t)wrote : 0;
    }
    return fsync(fd) ? -errno : 0;
}

static const char signature[10] = "SWAPSPACE2"; /* no NUL */

int sl_swap_format(int fd, uint64_t bytes, const char *label)
{
    uint64_t page = page_bytes();
    SL_AUTO_FREE char *first = calloc(1, page);
    if (!first)
        return -ENOMEM;
    struct swap_header header = {.version = 1, .last_page = (uint32_t)(bytes / page - 1)};
    if (getrandom(header.uuid, sizeof(header.uuid), GRND_NONBLOCK) < 0)
        memset(header.uuid, 0x5a, sizeof(header.uuid));
    memcpy(header.volume_name, label, strnlen(label, sizeof(header.volume_name)));
    memcpy(first + SWAP_HEADER_BYTES, &header, sizeof(header));
    memcpy(first + page - sizeof(signature), signature, sizeof(signature));
    ssize_t wrote = pwrite(fd, first, page, 0);
    if (wrote < 0)
        return -errno;
    return (uint64_t)wrote == page && !fsync(fd) ? 0 : -EIO;
}

void sl_swap_label(int fd, char label[SL_SWAP_LABEL_BYTES + 1])
{
    SL_AUTO_FREE char *first = malloc(page_bytes());
    struct swap_header header;
    label[0] = '\0';
    if (!first || pread(fd, first, page_bytes(), 0) != (ssize_t)page_bytes() ||
        memcmp(first + page_bytes() - sizeof(signature), signature, sizeof(signature)) != 0)
        return;
    memcpy(&header, first + SWAP_HEADER_BYTES, sizeof(header));
    memcpy(label, header.volume_name, sizeof(header.volume_name));
    label[SL_SWAP_LABEL_BYTES] = '\0';
}

static int enable(struct sl_swapfile *swapfile, uint64_t bytes, bool preferred,
                  struct sl_error *error)
{
    const int flags = preferred ? SL_SWAP_PREFERRED : 0;
    char size[SL_UNIT_TEXT_BYTES];
    forbid_copy_on_write(swapfile->fd);
    int code = fallocate(swapfile->fd, 0, 0, (off_t)bytes) ? -errno : 0;
    bool filled = code == -EOPNOTSUPP;
    if (filled)
        code = fill_with_zeros(swapfile->fd, bytes);
    if (!code)
        code = sl_swap_format(swapfile->fd, bytes, "");
    if (code)
        return sl_error_set(error, refusal(code), "write the swap file %s of %s: %s",
                            swapfile->path, sl_format_size(bytes, size), strerror(-code));
    if (!swapon(swapfile->path, flags))
        return 0;
    /* Some file systems give unwritten blocks that swap does not take: write them. */
    if (errno == EINVAL && !filled && !fill_with_zeros(swapfile->fd, bytes) &&
        !sl_swap_format(swapfile->fd, bytes, "") && !swapon(swapfile->path, flags))
        return 0;
    return sl_error_set(error, refusal(-errno), "enable the swap file %s: %s; %s", swapfile->path,
                        strerror(errno),
                        errno == EPERM ? "run as root, enable swap yourself, or use --swap 0"
                                       : "choose a directory on ext4 or xfs, or use --swap 0");
}

static int create_in(const char *directory, uint64_t bytes, bool preferred,
                     struct sl_swapfile **result, struct sl_error *error)
{
    int code = check_directory(directory, bytes, error);
    if (code)
        return code;
    struct sl_swapfile *swapfile = calloc(1, sizeof(*swapfile));
    if (!swapfile)
        return sl_error_set(error, -ENOMEM, "out of memory for a swap file");
    /* The kernel names enabled files by their absolute path, and so do we. */
    SL_AUTO_FREE char *absolute = realpath(directory, NULL);
    snprintf(swapfile->path, sizeof(swapfile->path), "%.3000s/" SWAP_PREFIX "%d-%u",
             absolute ? absolute : directory, getpid(),
             __atomic_add_fetch(&last_serial, 1, __ATOMIC_RELAXED));
    swapfile->fd = open(swapfile->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (swapfile->fd < 0) {
        code = sl_error_set(error, refusal(-errno),
                            "make the swap file %s: %s; choose a directory that you may write to "
                            "with TMPDIR, or use --swap 0",
                            swapfile->path, strerror(errno));
        free(swapfile);
        return code;
    }
    sl_lock_take(swapfile->fd);
    code = enable(swapfile, bytes, preferred, error);
    swapfile->enabled = !code;
    if (code) {
        sl_swapfile_remove(swapfile);
        return code;
    }
    *result = swapfile;
    return 0;
}

int sl_swapfile_create(const char *directory, uint64_t bytes, bool preferred,
                       struct sl_swapfile **swapfile, struct sl_error *error)
{
    uint64_t page = page_bytes();
    /* One page more for the header; the header counts pages in 32 bits. */
    if (!bytes || bytes / page >= UINT32_MAX - 1)
        return sl_error_set(
            error, -EINVAL, "a swap file of %llu bytes cannot be made; give 1 page to %llu bytes",
            (unsigned long long)bytes, (unsigned long long)(page * (UINT32_MAX - 2)));
    bytes = sl_align_up(bytes, page) + page;
    if (bytes < 10 * page) /* the kernel's least */
        bytes = 10 * page;
    if (directory)
        return create_in(directory, bytes, preferred, swapfile, error);
    const char *temporary = getenv("TMPDIR");
    if (temporary && *temporary && !create_in(temporary, bytes, preferred, swapfile, NULL))
        return 0;
    return create_in("/var/tmp", bytes, preferred, swapfile, error);
}

void sl_swapfile_remove(struct sl_swapfile *swapfile)
{
    if (!swapfile)
        return;
    const int code = swapfile->enabled ? sl_swap_off(swapfile->path) : 0;
    if (code)
        sl_log(SL_LOG_WARNING,
               "the swap file %s could not be disabled: %s; the next run tries again, or run "
               "swapoff %s, then remove it",
               swapfile->path, strerror(-code), swapfile->path);
    else
        unlink(swapfile->path);
    sl_cleanup_fd(&swapfile->fd);
    free(swapfile);
}
