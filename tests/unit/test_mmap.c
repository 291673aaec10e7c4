/* What the mmap loader promises beyond the contract of all loaders (test_loader.c): which pages are
 * where after each hint, and that a file cut under its mapping is an error, not the end. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "iouring/fault_guard.h"
#include "iouring/hints.h"
#include "iouring/loader.h"
#include "iouring/read_ahead.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/units.h"

#define BLOCK      4096
#define FILE_PAGES 2048
#define FILE_BYTES ((uint64_t)FILE_PAGES * BLOCK)
#define SPAN_PAGES 300 /* an odd part of every folio size */
#define SPAN       ((uint64_t)SPAN_PAGES * BLOCK)

static char path[128];

/* A file of bytes 'x' that is in no page cache. */
static void set_up(void)
{
    const char *directory = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/sluice-mmap-XXXXXX",
             directory && directory[0] ? directory : "/var/tmp");
    SL_AUTO_FD int fd = mkstemp(path);
    SL_AUTO_FREE char *content = malloc(FILE_BYTES);
    struct sl_error error = {0};
    cr_assert_geq(fd, 0);
    memset(content, 'x', FILE_BYTES);
    cr_assert_eq(write(fd, content, FILE_BYTES), (ssize_t)FILE_BYTES);
    cr_assert_eq(fsync(fd), 0);
    cr_assert_eq(sl_file_drop_cache(path, &error), 0, "%s", error.text);
}

static void tear_down(void)
{
    unlink(path);
}

TestSuite(mmap_loader, .init = set_up, .fini = tear_down);

static void close_loader(struct sl_loader **loader)
{
    if (*loader)
        (*loader)->ops->close(*loader);
}
#define LOADER SL_AUTO(close_loader) struct sl_loader *

static struct sl_loader *open_loader(const char *hints)
{
    struct sl_loader_options options = {.depth = 4, .hints = hints};
    struct sl_loader *loader = NULL;
    struct sl_error error = {0};
    cr_assert_eq(sl_loader_open("mmap", &options, &loader, NULL, &error), 0, "%s", error.text);
    cr_assert_eq(loader->ops->add_file(loader, path, &error), 0, "%s", error.text);
    return loader;
}

/* Maps and reads a span; its result. */
static int load(struct sl_loader *loader, uint64_t offset, uint64_t length, char **memory)
{
    struct sl_error error = {0};
    *memory = loader->ops->map(loader, 0, offset, length, &error);
    if (!*memory)
        return error.code;
    struct sl_read read = {.offset = offset, .length = length, .destination = *memory};
    struct sl_completion done;
    cr_assert_eq(loader->ops->submit(loader, &read, &error), 0, "%s", error.text);
    cr_assert_eq(loader->ops->reap(loader, &done, 1, UINT64_C(10000000000), &error), 1);
    return done.result;
}

/* Pages of the file in the page cache, looked at through a mapping of our own. */
static int cached_pages(void)
{
    static unsigned char present[FILE_PAGES];
    SL_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *mapping = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    int count = 0;
    cr_assert_neq(mapping, MAP_FAILED);
    cr_assert_eq(mincore(mapping, FILE_BYTES, present), 0);
    for (int i = 0; i < FILE_PAGES; i++)
        count += present[i] & 1;
    munmap(mapping, FILE_BYTES);
    return count;
}

static void require_page_cache(void)
{
    if (cached_pages() > 0)
        cr_skip_test("skipped: the file system keeps its pages");
}

static uint64_t major_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_majflt;
}

static int sum(const char *memory, uint64_t bytes)
{
    int total = 0;
    for (uint64_t i = 0; i < bytes; i += BLOCK)
        total += ((const volatile char *)memory)[i];
    return total;
}

Test(mmap_loader, finished_means_resident_and_released_means_gone)
{
    require_page_cache();
    LOADER loader = open_loader(NULL);
    cr_assert_str_eq(loader->hints, "random,willneed,populate,lock,dontneed");
    cr_assert_not(loader->lazy);
    char *spans[6];
    for (int i = 0; i < 6; i++)
        cr_assert_eq(load(loader, (uint64_t)i * SPAN, SPAN, &spans[i]), 0);
    cr_assert_eq(cached_pages(), 6 * SPAN_PAGES, "exactly what was read: no read-ahead");
    uint64_t faults = major_faults();
    for (int i = 0; i < 6; i++)
        cr_assert_eq(sum(spans[i], SPAN), SPAN_PAGES * 'x');
    cr_assert_eq(major_faults(), faults);
#ifndef __SANITIZE_ADDRESS__ /* whose munlock does nothing */
    loader->ops->keep(loader, spans[2], SPAN);
#endif
    cr_assert_str_eq(loader->notes, "");
    for (int i = 0; i < 6; i++) {
        loader->ops->release(loader, spans[i], SPAN);
        cr_assert_eq(cached_pages(), (5 - i) * SPAN_PAGES, "after span %d", i);
    }
    cr_assert_eq(load(loader, SPAN, SPAN, &spans[1]), 0);
    cr_assert_eq(sum(spans[1], SPAN), SPAN_PAGES * 'x');
}

Test(mmap_loader, without_hints_nothing_is_read_before_its_use)
{
    require_page_cache();
    LOADER loader = open_loader("none");
    char *memory;
    cr_assert(loader->lazy);
    cr_assert_str_eq(loader->hints, "none");
    cr_assert_eq(load(loader, 0, FILE_BYTES, &memory), 0);
    cr_assert_eq(cached_pages(), 0);
    cr_assert_eq(sum(memory, FILE_BYTES), FILE_PAGES * 'x');
    loader->ops->release(loader, memory, FILE_BYTES);
    cr_assert_eq(cached_pages(), FILE_PAGES);
}

static uint64_t window_here(void)
{
    SL_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    return sl_read_ahead_window_of(fd);
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

Test(mmap_loader, read_ahead_counts_where_it_is_left_on)
{
    const uint64_t most = sl_read_ahead_most(window_here());
    static const struct {
        const char *hints;
        uint64_t places;
    } sets[] = {{NULL, 0},
                {"random", 0},
                {"none", 1},
                {"sequential,lock", 1},
                {"willneed,dontneed", 1},
                {"populate", 2},
                {"sequential,willneed,populate", 2}};
    const char *const paths[] = {path, path};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        struct sl_error error = {0};
        const uint64_t wanted = sets[i].places * most;
        uint64_t two = 1;
        LOADER loader = open_loader(sets[i].hints);
        cr_expect_eq(loader->read_ahead_bytes, least_of(wanted, FILE_BYTES), "%s", loader->hints);
        cr_assert_eq(sl_loader_read_ahead("mmap", sets[i].hints, paths, 2, &two, &error), 0, "%s",
                     error.text);
        cr_expect_eq(two, least_of(wanted, 2 * FILE_BYTES), "%s", loader->hints);
    }
}

Test(mmap_loader, nothing_else_reads_ahead)
{
    static const char *const names[] = {NULL, "pread", "uring"};
    const char *const paths[] = {path};
    const char *const missing[] = {"/nonexistent"};
    struct sl_error error = {0};
    uint64_t bytes = 1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        bytes = 1;
        cr_assert_eq(sl_loader_read_ahead(names[i], NULL, paths, 1, &bytes, &error), 0);
        cr_expect_eq(bytes, 0);
    }
    cr_expect_eq(sl_loader_read_ahead("pread", "none", paths, 1, &bytes, &error), -EINVAL);
    cr_expect_eq(sl_loader_read_ahead("mmap", "none", missing, 1, &bytes, &error), -ENOENT);
}

Test(mmap_loader, a_fault_reads_no_more_than_the_window)
{
    require_page_cache();
    static const char *const sets[] = {"none", "sequential"};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        LOADER loader = open_loader(sets[i]);
        struct sl_error error = {0};
        char *memory;
        cr_assert_eq(load(loader, FILE_BYTES / 2, SPAN, &memory), 0);
        cr_assert_eq(sum(memory, BLOCK), 'x');
        cr_expect_leq(cached_pages(), 1 + window_here() / BLOCK, "%s", sets[i]);
        cr_assert_eq(sl_file_drop_cache(path, &error), 0, "%s", error.text);
    }
}

Test(mmap_loader, nothing_is_locked_where_it_is_read_ahead)
{
    static const char *const sets[] = {"lock", "willneed,populate,lock", "sequential,lock"};
    if (!window_here())
        cr_skip_test("skipped: the device has no read-ahead");
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        LOADER loader = open_loader(sets[i]);
        char *memory;
        cr_assert_eq(load(loader, SPAN, SPAN, &memory), 0);
        cr_expect_str_eq(loader->notes, "");
        loader->ops->keep(loader, memory, SPAN);
        cr_expect(strstr(loader->notes, "not locked: read-ahead"), "'%s'", loader->notes);
    }
}

Test(mmap_loader, the_window_of_an_unknown_device_is_that_of_any)
{
    cr_expect_geq(sl_read_ahead_window(makedev(0, 999999)), window_here());
}

Test(mmap_loader, pageout_frees_what_was_read)
{
    require_page_cache();
    LOADER loader = open_loader("random,willneed,populate,pageout");
    char *memory;
    cr_assert_eq(load(loader, 0, FILE_BYTES, &memory), 0);
    loader->ops->release(loader, memory, FILE_BYTES);
    if (strstr(loader->notes, "MADV_PAGEOUT"))
        cr_skip_test("skipped: %s", loader->notes);
    /* Pages that another processor has not yet put on a list escape. */
    cr_assert_lt(cached_pages(), FILE_PAGES / 2);
}

Test(mmap_loader, every_hint_reads_the_same_bytes)
{
    static const char *const sets[] = {"willneed",       "populate",      "sequential,willneed",
                                       "random",         "cold,dontneed", "random,populate,cold",
                                       "willneed,lock",  "dontneed",      "sequential,populate",
                                       "willneed,random"};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        LOADER loader = open_loader(sets[i]);
        for (int round = 0; round < 3; round++) {
            char *memory;
            cr_assert_eq(load(loader, SPAN, SPAN, &memory), 0, "%s", sets[i]);
            cr_assert_eq(sum(memory, SPAN), SPAN_PAGES * 'x', "%s", sets[i]);
            loader->ops->keep(loader, memory, SPAN);
            loader->ops->release(loader, memory, SPAN);
        }
    }
}

Test(mmap_loader, a_file_cut_under_the_mapping_is_an_error)
{
    static const char *const sets[] = {NULL, "none", "populate", "willneed"};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        LOADER loader = open_loader(sets[i]);
        char *memory, *again;
        int file = -1;
        uint64_t offset = 0;
        cr_assert_eq(load(loader, 0, FILE_BYTES, &memory), 0);
        cr_assert_eq(loader->ops->damaged(loader, &file, &offset), 0);
        cr_assert_eq(truncate(path, (off_t)(FILE_BYTES / 2)), 0);
        cr_assert_eq(sum(memory, FILE_BYTES), FILE_PAGES / 2 * 'x', "zeroes behind the cut");
        cr_assert_eq(loader->ops->damaged(loader, &file, &offset), -EIO);
        cr_assert_eq(file, 0);
        cr_assert_eq(offset, FILE_BYTES / 2);
        cr_assert_eq(loader->ops->damaged(loader, &file, &offset), 0, "told once");
        if (strcmp(loader->hints, "none") != 0)
            cr_assert_eq(load(loader, 0, FILE_BYTES, &again), -ENODATA);
        tear_down();
        set_up();
    }
}

Test(mmap_loader, a_file_grown_again_is_read_anew)
{
    LOADER loader = open_loader(NULL);
    char *memory;
    int file;
    uint64_t offset;
    cr_assert_eq(load(loader, 0, FILE_BYTES, &memory), 0);
    cr_assert_eq(truncate(path, BLOCK), 0);
    cr_assert_eq(sum(memory, FILE_BYTES), 'x');
    cr_assert_eq(loader->ops->damaged(loader, &file, &offset), -EIO);
    cr_assert_eq(truncate(path, (off_t)FILE_BYTES), 0);
    SL_AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert_eq(pwrite(fd, "y", 1, 5 * BLOCK), 1);
    cr_assert_eq(load(loader, 0, FILE_BYTES, &memory), 0);
    cr_assert_eq(memory[5 * BLOCK], 'y');
}

static sigjmp_buf before_the_access;
static volatile sig_atomic_t passed_on;

static void note_signal(int number)
{
    (void)number;
    passed_on++;
    siglongjmp(before_the_access, 1);
}

/* Other mappings of the program fail as they would without us, and afterwards all is as before. */
Test(mmap_loader, faults_elsewhere_reach_the_programs_own_handler)
{
    struct sigaction own = {.sa_handler = note_signal, .sa_flags = SA_NODEFER}, now;
    cr_assert_eq(sigaction(SIGBUS, &own, NULL), 0);
    struct sl_loader *loader = open_loader(NULL);
    SL_AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    char *other = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    cr_assert_neq(other, MAP_FAILED);
    cr_assert_eq(ftruncate(fd, BLOCK), 0);
    if (sigsetjmp(before_the_access, 1) == 0)
        sum(other, FILE_BYTES);
    cr_assert_eq(passed_on, 1);
    if (sigsetjmp(before_the_access, 1) == 0)
        raise(SIGBUS);
    cr_assert_eq(passed_on, 2);
    loader->ops->close(loader);
    cr_assert_eq(sigaction(SIGBUS, NULL, &now), 0);
    cr_assert_eq(now.sa_handler, note_signal);
    munmap(other, FILE_BYTES);
}

Test(mmap_loader, many_files)
{
    enum { MOST = 300 };
    struct sl_loader_options options = {.depth = 1};
    struct sl_loader *loader = NULL;
    struct sl_error error = {0};
    cr_assert_eq(sl_loader_open("mmap", &options, &loader, NULL, &error), 0);
    int file = 0, count = 0;
    while (count < MOST && (file = loader->ops->add_file(loader, path, &error)) >= 0)
        count++;
    cr_assert_eq(file, -EMFILE, "%d", file);
    cr_assert_geq(count, 64);
    loader->ops->close(loader);
    loader = open_loader(NULL);
    loader->ops->close(loader);
}

Test(mmap_loader, unlocked_is_said)
{
    tear_down(); /* whom it becomes may not remove the file */
    if (geteuid() == 0 && setresuid(65534, 65534, -1) != 0)
        cr_skip_test("skipped: cannot become an ordinary user");
    struct rlimit limit = {0, 0};
    cr_assert_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    LOADER loader = NULL;
    struct sl_loader_options options = {.depth = 1};
    struct sl_error error = {0};
    cr_assert_eq(sl_loader_open("mmap", &options, &loader, NULL, &error), 0);
    if (loader->ops->add_file(loader, "/proc/self/exe", &error) < 0)
        cr_skip_test("skipped: %s", error.text);
    void *memory = loader->ops->map(loader, 0, 0, BLOCK, &error);
    loader->ops->keep(loader, memory, BLOCK);
    cr_assert(strstr(loader->notes, "not locked"), "'%s'", loader->notes);
    loader->ops->release(loader, memory, BLOCK);
}

Test(hints, words)
{
    static const struct {
        const char *text, *canonical;
    } good[] = {
        {"none", "none"},
        {"dontneed,willneed", "willneed,dontneed"},
        {"random", "random"},
        {"random,sequential", NULL},
        {"none,cold", NULL},
        {"cold,none", NULL},
        {"", NULL},
        {"willneed,", NULL},
        {",willneed", NULL},
        {"wilneed", NULL},
        {"a-word-longer-than-any-hint-there-is-or-will-be", NULL},
        {"random,willneed,populate,lock,cold,pageout,dontneed",
         "random,willneed,populate,lock,cold,pageout,dontneed"},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char text[SL_HINTS_TEXT_BYTES];
        unsigned hints = 99999;
        struct sl_error error = {0};
        int rc = sl_hints_parse(good[i].text, &hints, &error);
        cr_assert_eq(rc, good[i].canonical ? 0 : -EINVAL, "'%s'", good[i].text);
        if (rc == 0)
            cr_assert_str_eq(sl_hints_format(hints, text), good[i].canonical);
        else
            cr_assert(error.text[0] && hints == 99999);
    }
    struct sl_error error = {0};
    unsigned hints;
    sl_hints_parse("dontned", &hints, &error);
    cr_assert(strstr(error.text, "'dontneed'"), "%s", error.text);
}

Test(hints, are_refused_where_nothing_is_mapped)
{
    static const char *const names[] = {NULL, "uring", "pread", "fault", "sim"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct sl_loader_options options = {.depth = 1, .hints = "willneed"};
        struct sl_loader *loader = NULL;
        struct sl_error error = {0};
        cr_assert_eq(sl_loader_open(names[i], &options, &loader, NULL, &error), -EINVAL);
        cr_assert(strstr(error.text, "--loader mmap"), "%s", error.text);
    }
}
