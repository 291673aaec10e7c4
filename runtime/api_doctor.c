#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cgroups/swapfile.h"
#include "iouring/loader.h"
#include "kernels/gemm_backend.h"
#include "kernels/kernel.h"
#include "policies/policy.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/units.h"
#include "runtime/sluice.h"

#define DIRECT_BLOCK      4096
#define BALLOON_REPORTING 5 /* VIRTIO_BALLOON_F_REPORTING, a character of `features` each */
#define DAMON             "/sys/kernel/mm/damon/admin/kdamonds"

static void check_tables(const char *directory, struct sl_check *check)
{
    (void)directory;
    struct sl_error error = {0};
    check->name = "build";
    if (sl_policies_check(&error) < 0 || sl_kernels_check(&error) < 0 ||
        sl_loaders_check(&error) < 0) {
        check->status = SL_CHECK_FAILED;
        snprintf(check->detail, sizeof(check->detail), "%.200s", error.text);
        snprintf(check->cure, sizeof(check->cure), "rebuild: make clean all");
        return;
    }
    snprintf(check->detail, sizeof(check->detail), "sluice %s, kernels for %s", sl_version(),
             sl_kernels_isa());
}

static void check_cpus(const char *directory, struct sl_check *check)
{
    struct sl_context context;
    sl_context_read(directory, &context);
    check->name = "cpus";
    snprintf(check->detail, sizeof(check->detail), "%d usable, %.100s, %s", context.cpus,
             context.cpu[0] ? context.cpu : "unknown model", context.isa);
    if (!strcmp(context.isa, "generic")) {
        check->status = SL_CHECK_WARNING;
        snprintf(check->cure, sizeof(check->cure),
                 "a processor with AVX2 or NEON computes several times faster");
    }
}

static void check_uring(const char *directory, struct sl_check *check)
{
    (void)directory;
    check->name = "io_uring";
    struct sl_loader_options options = {.depth = 8};
    struct sl_loader *loader = NULL;
    struct sl_error error = {0};
    char reason[160] = "";
    if (sl_loader_open("uring", &options, &loader, reason, &error) == 0) {
        snprintf(check->detail, sizeof(check->detail), "works%s%.200s",
                 loader->notes[0] ? "; " : "", loader->notes);
        loader->ops->close(loader);
        return;
    }
    check->status = SL_CHECK_WARNING;
    snprintf(check->detail, sizeof(check->detail), "%.200s; reads use threads instead", error.text);
    char value[16];
    if (sl_file_read_text("/proc/sys/kernel/io_uring_disabled", value, sizeof(value)) > 0 &&
        value[0] != '0')
        snprintf(check->cure, sizeof(check->cure), "sysctl kernel.io_uring_disabled=0");
    else
        snprintf(check->cure, sizeof(check->cure),
                 "in a container: run it with a seccomp profile that allows io_uring_setup, "
                 "io_uring_enter and io_uring_register");
}

/* Writes and reads one block past the page cache in an unnamed file. Returns 0 or -errno; text: the
 * alignment that the file system asks for, "" when it does not tell. */
static int try_direct(const char *directory, char text[64])
{
    text[0] = '\0';
    SL_AUTO_FD int fd = open(directory, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    SL_AUTO_FREE void *block = NULL;
    if (posix_memalign(&block, DIRECT_BLOCK, DIRECT_BLOCK))
        return -ENOMEM;
    memset(block, 0, DIRECT_BLOCK);
    if (pwrite(fd, block, DIRECT_BLOCK, 0) != DIRECT_BLOCK ||
        pread(fd, block, DIRECT_BLOCK, 0) != DIRECT_BLOCK)
        return errno ? -errno : -EIO;
#ifdef STATX_DIOALIGN
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 &&
        (status.stx_mask & STATX_DIOALIGN))
        snprintf(text, 64, ", aligned to %u bytes (memory: %u)", status.stx_dio_offset_align,
                 status.stx_dio_mem_align);
#endif
    return 0;
}

static void check_storage(const char *directory, struct sl_check *check)
{
    check->name = "storage";
    struct sl_context context;
    sl_context_read(directory, &context);
    errno = 0;
    char alignment[64];
    int code = try_direct(directory, alignment);
    if (code == 0) {
        snprintf(check->detail, sizeof(check->detail), "%.120s takes O_DIRECT%s", context.storage,
                 alignment);
        return;
    }
    check->status = SL_CHECK_WARNING;
    if (code == -EACCES || code == -EROFS) {
        snprintf(check->detail, sizeof(check->detail),
                 "%.120s, not writable here, O_DIRECT unknown", context.storage);
        return;
    }
    snprintf(check->detail, sizeof(check->detail),
             "%.120s refuses O_DIRECT (%s); reads go through the page cache", context.storage,
             strerror(-code));
    snprintf(check->cure, sizeof(check->cure), "keep packs on ext4, xfs or btrfs");
}

static const char *yes(bool can)
{
    return can ? "yes" : "no";
}

static void check_cgroup(const char *directory, struct sl_check *check)
{
    (void)directory;
    check->name = "cgroup";
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    bool all = rights.memory && rights.swap && rights.read_rate && rights.write_rate &&
               rights.cpu && rights.cores;
    check->status = all ? SL_CHECK_OK : SL_CHECK_WARNING;
    if (rights.version == 0)
        snprintf(check->detail, sizeof(check->detail),
                 "none usable: --memory, --swap, rates, --cpus and --cores do not work");
    else
        snprintf(check->detail, sizeof(check->detail),
                 "v%d%s: memory %s, swap %s, read rate %s, cpu %s, write rate %s, cores %s",
                 rights.version, geteuid() ? ", delegated to this user" : "", yes(rights.memory),
                 yes(rights.swap), yes(rights.read_rate), yes(rights.cpu), yes(rights.write_rate),
                 yes(rights.cores));
    if (!all)
        snprintf(check->cure, sizeof(check->cure), "%s", rights.reason);
}

static void check_own_limit(const char *directory, struct sl_check *check)
{
    (void)directory;
    check->name = "own limit";
    uint64_t limit = sl_cgroup_own_limit();
    char text[SL_UNIT_TEXT_BYTES];
    if (limit == SL_NO_LIMIT)
        snprintf(check->detail, sizeof(check->detail), "no memory limit on this shell");
    else
        snprintf(check->detail, sizeof(check->detail), "this shell may use %s of memory",
                 sl_format_size(limit, text));
}

static void check_swap(const char *directory, struct sl_check *check)
{
    (void)directory;
    check->name = "swap";
    uint64_t free_bytes = sl_swap_free_bytes();
    char text[SL_UNIT_TEXT_BYTES];
    if (free_bytes > 0) {
        snprintf(check->detail, sizeof(check->detail), "%s free", sl_format_size(free_bytes, text));
        return;
    }
    bool root = geteuid() == 0;
    check->status = root ? SL_CHECK_OK : SL_CHECK_WARNING;
    snprintf(check->detail, sizeof(check->detail), "none%s",
             root ? "; --swap SIZE makes a temporary file" : ", and only root can make some");
    if (!root)
        snprintf(check->cure, sizeof(check->cure), "run sluice as root, or enable swap");
}

static void check_zram(const char *directory, struct sl_check *check)
{
    (void)directory;
    check->name = "zram";
    struct sl_error error = {0};
    if (sl_zram_check(&error) == 0) {
        snprintf(check->detail, sizeof(check->detail), "swap in zram can be made");
        return;
    }
    check->status = SL_CHECK_WARNING;
    snprintf(check->detail, sizeof(check->detail), "no swap in zram (--swap-place, some --device)");
    snprintf(check->cure, sizeof(check->cure), "%.250s", error.text);
}

static void check_memlock(const char *directory, struct sl_check *check)
{
    (void)directory;
    check->name = "memlock";
    struct rlimit limit;
    char text[SL_UNIT_TEXT_BYTES];
    if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
        snprintf(check->detail, sizeof(check->detail), "unlimited");
        return;
    }
    snprintf(check->detail, sizeof(check->detail), "%s may be locked",
             sl_format_size(limit.rlim_cur, text));
    if (limit.rlim_cur < 64 * SL_MIB && geteuid() != 0) {
        check->status = SL_CHECK_WARNING;
        snprintf(check->cure, sizeof(check->cure),
                 "ulimit -l unlimited (or memlock in /etc/security/limits.conf); only registered "
                 "buffers need it, reads work without");
    }
}

static void check_pages(const char *directory, struct sl_check *check)
{
    (void)directory;
    check->name = "pages";
    char mode[128] = "";
    sl_file_read_text("/sys/kernel/mm/transparent_hugepage/enabled", mode, sizeof(mode));
    mode[strcspn(mode, "\n")] = '\0';
    char *chosen = strchr(mode, '[');
    if (chosen)
        chosen[1 + strcspn(chosen + 1, "]")] = '\0';
    long bytes = sysconf(_SC_PAGESIZE);
    snprintf(check->detail, sizeof(check->detail), "%ld bytes, transparent huge pages: %.64s",
             bytes, chosen ? chosen + 1 : "not in this kernel");
}

static void check_pressure(const char *directory, struct sl_check *check)
{
    (void)directory;
    check->name = "pressure";
    char text[128];
    if (sl_file_read_text("/proc/pressure/memory", text, sizeof(text)) > 0) {
        snprintf(check->detail, sizeof(check->detail),
                 "stalls for memory are counted (PSI) for the machine, and with cgroup v2 for "
                 "groups");
        return;
    }
    check->status = SL_CHECK_WARNING;
    snprintf(check->detail, sizeof(check->detail), "this kernel does not count stalls (PSI)");
    snprintf(check->cure, sizeof(check->cure), "boot with psi=1");
}

static bool file_says(const char *path, const char *word)
{
    char text[32] = "";
    sl_file_read_text(path, text, sizeof(text));
    text[strcspn(text, "\n")] = '\0';
    return strcmp(text, word) == 0;
}

/* DAMON, where it is set to page idle memory out: by hand, in sysfs, or as DAMON_RECLAIM. */
static bool damon_pages_out(void)
{
    if (file_says("/sys/module/damon_reclaim/parameters/enabled", "Y"))
        return true;
    glob_t found = {0};
    bool pages_out = false;
    if (glob(DAMON "/*/contexts/*/schemes/*/action", 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && !pages_out; i++) {
            unsigned daemon = 0;
            char state[sizeof(DAMON) + 32];
            sscanf(found.gl_pathv[i], DAMON "/%u", &daemon);
            snprintf(state, sizeof(state), DAMON "/%u/state", daemon);
            pages_out = file_says(found.gl_pathv[i], "pageout") && file_says(state, "on");
        }
    }
    globfree(&found);
    return pages_out;
}

static void check_idle_memory(const char *directory, struct sl_check *check)
{
    (void)directory;
    check->name = "idle";
    if (!damon_pages_out()) {
        snprintf(check->detail, sizeof(check->detail), "stays in memory");
        return;
    }
    check->status = SL_CHECK_WARNING;
    snprintf(check->detail, sizeof(check->detail),
             "DAMON pages out what lies idle, below every limit; counters of swap see it");
    snprintf(check->cure, sizeof(check->cure),
             "while measuring: echo off > " DAMON "/0/state (or DAMON_RECLAIM off)");
}

/* virtio-balloon with free page reporting: the host has what is free within seconds, and makes it
 * anew, in milliseconds for each huge page, when it is touched. */
static void check_host(const char *directory, struct sl_check *check)
{
    (void)directory;
    check->name = "host";
    glob_t found = {0};
    bool reports = false;
    if (glob("/sys/bus/virtio/drivers/virtio_balloon/virtio*/features", 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && !reports; i++) {
            char features[BALLOON_REPORTING + 2] = "";
            sl_file_read_text(found.gl_pathv[i], features, sizeof(features));
            reports = features[BALLOON_REPORTING] == '1';
        }
    }
    globfree(&found);
    if (!reports) {
        snprintf(check->detail, sizeof(check->detail), "no host takes free memory back");
        return;
    }
    check->status = SL_CHECK_WARNING;
    snprintf(check->detail, sizeof(check->detail),
             "takes free memory back within seconds (virtio-balloon): what runs after a pause "
             "waits for it");
    snprintf(check->cure, sizeof(check->cure),
             "give the virtual machine no free-page-reporting, or run once before measuring");
}

static void check_blas(const char *directory, struct sl_check *check)
{
    (void)directory;
    check->name = "blas";
    char text[128];
    struct sl_error error = {0};
    bool there = sl_openblas_describe(text, sizeof(text), &error) == 0;
    snprintf(check->detail, sizeof(check->detail),
             "products are sluice's own, for %s; OpenBLAS to compare with: %s", sl_kernels_isa(),
             there ? text : "not installed");
}

static void check_clock(const char *directory, struct sl_check *check)
{
    (void)directory;
    check->name = "clock";
    char governor[64] = "", throttled[32] = "";
    sl_file_read_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor,
                      sizeof(governor));
    sl_file_read_text("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count",
                      throttled, sizeof(throttled));
    governor[strcspn(governor, "\n")] = throttled[strcspn(throttled, "\n")] = '\0';
    if (!governor[0] && !throttled[0]) {
        snprintf(check->detail, sizeof(check->detail),
                 "governor and throttling are not to be seen here (a virtual machine?)");
        return;
    }
    snprintf(check->detail, sizeof(check->detail), "governor %s, throttled by heat %s times",
             governor[0] ? governor : "unknown", throttled[0] ? throttled : "an unknown number of");
    if (governor[0] && strcmp(governor, "performance") != 0) {
        check->status = SL_CHECK_WARNING;
        snprintf(check->cure, sizeof(check->cure),
                 "for steady measurements: cpupower frequency-set -g performance");
    }
}

int sl_doctor(const char *directory, struct sl_check checks[SL_CHECKS_MOST])
{
    static void (*const all[])(const char *, struct sl_check *) = {
        check_tables,   check_cpus,        check_uring,     check_storage, check_cgroup,
        check_swap,     check_zram,        check_own_limit, check_memlock, check_pages,
        check_pressure, check_idle_memory, check_host,      check_blas,    check_clock,
    };
    int count = sizeof(all) / sizeof(all[0]);
    for (int i = 0; i < count; i++) {
        checks[i] = (struct sl_check){.status = SL_CHECK_OK};
        all[i](directory ? directory : ".", &checks[i]);
    }
    return count;
}
