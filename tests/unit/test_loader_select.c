/* Which loader is chosen and why; the loaders for tests; one read across kernel attempts. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "iouring/files.h"
#include "iouring/loader.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/units.h"
#include "tests/support/deny_io_uring.h"

#define BLOCK      4096
#define FILE_BYTES (3 * 256 * 1024)

static void remove_file(char (*path)[128])
{
    unlink(*path);
}

/* A file of bytes 'x'. */
static void make_file(char path[128], size_t bytes)
{
    const char *directory = getenv("TMPDIR");
    snprintf(path, 128, "%s/sluice-select-XXXXXX",
             directory && directory[0] ? directory : "/var/tmp");
    int fd = mkstemp(path);
    SL_AUTO_FREE char *content = malloc(bytes);

    cr_assert_geq(fd, 0);
    memset(content, 'x', bytes);
    cr_assert_eq(write(fd, content, bytes), (ssize_t)bytes);
    cr_assert_eq(fchmod(fd, 0644), 0);
    close(fd);
}

static void close_loader(struct sl_loader **loader)
{
    if (*loader)
        (*loader)->ops->close(*loader);
}

static void free_memory(char **memory)
{
    free(*memory);
}

#define LOADER SL_AUTO(close_loader) struct sl_loader *
#define MEMORY SL_AUTO(free_memory) char *

static char *take_memory(size_t bytes)
{
    char *memory = aligned_alloc(BLOCK, bytes);

    cr_assert_not_null(memory);
    memset(memory, '.', bytes);
    return memory;
}

/* Reads `count` spans of `length` one behind the other and waits for all; results by number.
 * Returns 0, or the first error of the loader itself. Usable in a child that must not use
 * assertions. */
static int read_spans(struct sl_loader *loader, int file, int count, uint64_t length, char *memory,
                      int *results)
{
    struct sl_completion done;

    for (int i = 0; i < count; i++) {
        struct sl_read read = {
            .tag = (uint64_t)i,
            .file = file,
            .offset = (uint64_t)i * length,
            .length = length,
            .destination = memory + (uint64_t)i * length,
        };
        int rc = loader->ops->submit(loader, &read, NULL);
        if (rc < 0)
            return rc;
    }
    for (int i = 0; i < count; i++) {
        int rc = loader->ops->reap(loader, &done, 1, UINT64_MAX, NULL);
        if (rc != 1)
            return rc < 0 ? rc : -EPROTO;
        results[done.tag] = done.result;
    }
    return 0;
}

Test(loaders, table_is_complete)
{
    struct sl_error error = {0};
    int count = 0;

    cr_assert_eq(sl_loaders_check(&error), 0, "%s", error.text);
    while (sl_loader_at(count))
        count++;
    cr_assert_geq(count, 4);
    cr_assert_null(sl_loader_at(-1));
    cr_assert_null(sl_loader_at(count + 1));
}

Test(loaders, unknown_name)
{
    struct sl_loader_options options = {.depth = 1};
    struct sl_loader *loader = NULL;
    struct sl_error error = {0};

    cr_assert_eq(sl_loader_open("urnig", &options, &loader, NULL, &error), -EINVAL);
    cr_assert(strstr(error.text, "did you mean uring"), "%s", error.text);
    cr_assert_eq(sl_loader_open("teleport", &options, &loader, NULL, &error), -EINVAL);
    cr_assert_null(loader);
}

Test(loaders, bad_depth)
{
    for (int i = 0; sl_loader_at(i); i++) {
        struct sl_loader *loader = NULL;
        struct sl_error error = {0};
        struct sl_loader_options options = {.depth = 0};
        cr_assert_eq(sl_loader_at(i)->open(&options, &loader, &error), -EINVAL);
        options.depth = 257;
        cr_assert_eq(sl_loader_at(i)->open(&options, &loader, &error), -EINVAL);
        cr_assert_null(loader);
        sl_loader_at(i)->close(NULL);
    }
}

enum child_exit { CHILD_OK, CHILD_UNFIT, CHILD_NOT_OPENED, CHILD_WRONG, CHILD_READ, CHILD_FORCED };

static int denied_child(int code, const char *path, char *memory)
{
    struct sl_loader_options options = {.depth = 8};
    struct sl_loader *loader = NULL;
    char reason[160];
    struct sl_error error = {0};
    int results[3];

    if (!deny_io_uring(code))
        return CHILD_UNFIT;
    if (sl_loader_open(NULL, &options, &loader, reason, &error) < 0)
        return CHILD_NOT_OPENED;
    if (strcmp(loader->ops->name, "pread") != 0 || !strstr(reason, "io_uring denied") ||
        !strstr(reason, code == EPERM ? "EPERM" : "ENOSYS") || !strstr(reason, "pread threads"))
        return CHILD_WRONG;
    int file = loader->ops->add_file(loader, path, &error);
    if (file < 0 || read_spans(loader, file, 3, FILE_BYTES / 3, memory, results) < 0)
        return CHILD_READ;
    for (int i = 0; i < FILE_BYTES; i++)
        if (memory[i] != 'x')
            return CHILD_READ;
    loader->ops->close(loader);
    if (sl_loader_open("uring", &options, &loader, reason, &error) != -code ||
        !strstr(error.text, "pread"))
        return CHILD_FORCED;
    return CHILD_OK;
}

typedef int child_function(int code, const char *path, char *memory);

/* Runs a child, which gives up rights for good, on a file and memory of FILE_BYTES. */
static void run_child(child_function *function, int code)
{
    char path[128];
    make_file(path, FILE_BYTES);
    MEMORY memory = take_memory(FILE_BYTES);
    int status;

    pid_t child = fork();
    if (child == 0)
        _exit(function(code, path, memory));
    cr_assert_eq(waitpid(child, &status, 0), child);
    unlink(path);
    cr_assert(WIFEXITED(status), "the child died of signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) == CHILD_UNFIT)
        cr_skip_test("skipped: this needs seccomp filters and io_uring for every user");
    cr_assert_eq(WEXITSTATUS(status), CHILD_OK, "enum child_exit %d", WEXITSTATUS(status));
}

Test(loaders, io_uring_denied_by_a_filter)
{
    run_child(denied_child, EPERM);
}

Test(loaders, io_uring_unknown_to_the_kernel)
{
    run_child(denied_child, ENOSYS);
}

/* Becomes a user who may pin at most this much. */
static bool limit_pinned_memory(rlim_t bytes)
{
    struct rlimit limit = {bytes, bytes};

    return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && (geteuid() != 0 || setuid(65534) == 0);
}

/* Room for the ring but not for the buffers: reads all the same, and says so. */
static int few_pinned_child(int unused, const char *path, char *memory)
{
    struct sl_loader_options options = {.depth = 8};
    struct sl_loader *loader = NULL;
    int results[3];

    (void)unused;
    if (!limit_pinned_memory(FILE_BYTES / 3) ||
        sl_loader_open("uring", &options, &loader, NULL, NULL) < 0)
        return CHILD_UNFIT;
    int file = loader->ops->add_file(loader, path, NULL);
    loader->ops->add_memory(loader, memory, FILE_BYTES);
    if (!strstr(loader->notes, "buffers are not registered"))
        return CHILD_WRONG;
    if (file < 0 || read_spans(loader, file, 3, FILE_BYTES / 3, memory, results) < 0 ||
        memory[FILE_BYTES - 1] != 'x')
        return CHILD_READ;
    loader->ops->close(loader);
    return CHILD_OK;
}

Test(loaders, memory_that_cannot_be_pinned)
{
    run_child(few_pinned_child, 0);
}

/* No room for the ring either, where the kernel counts it: threads read. */
static int none_pinned_child(int unused, const char *path, char *memory)
{
    struct sl_loader_options options = {.depth = 8};
    struct sl_loader *loader = NULL;
    char reason[160];
    int results[3];

    (void)unused;
    /* Denied for another reason, this one is not seen. */
    if (sl_loader_open("uring", &options, &loader, NULL, NULL) < 0)
        return CHILD_UNFIT;
    loader->ops->close(loader);
    if (!limit_pinned_memory(0))
        return CHILD_UNFIT;
    if (sl_loader_open(NULL, &options, &loader, reason, NULL) < 0)
        return CHILD_NOT_OPENED;
    if (strcmp(loader->ops->name, "pread") == 0 ? !strstr(reason, "ulimit -l") : reason[0] != '\0')
        return CHILD_WRONG;
    int file = loader->ops->add_file(loader, path, NULL);
    if (file < 0 || read_spans(loader, file, 3, FILE_BYTES / 3, memory, results) < 0 ||
        memory[FILE_BYTES - 1] != 'x')
        return CHILD_READ;
    loader->ops->close(loader);
    return CHILD_OK;
}

Test(loaders, nothing_may_be_pinned)
{
    run_child(none_pinned_child, 0);
}

Test(loaders, faults_hit_every_nth_read)
{
    SL_AUTO(remove_file) char path[128];
    make_file(path, 9 * BLOCK);
    struct sl_loader_options options = {.depth = 2, .fault_errno = EIO, .fault_every = 3};
    LOADER loader = NULL;
    MEMORY memory = take_memory(9 * BLOCK);
    int results[9];

    cr_assert_eq(sl_loader_open("fault", &options, &loader, NULL, NULL), 0);
    int file = loader->ops->add_file(loader, path, NULL);
    cr_assert_eq(read_spans(loader, file, 9, BLOCK, memory, results), 0);
    for (int i = 0; i < 9; i++)
        cr_assert_eq(results[i], i % 3 == 2 ? -EIO : 0);
}

Test(loaders, silent_faults_cut_the_data)
{
    SL_AUTO(remove_file) char path[128];
    make_file(path, 4 * BLOCK);
    struct sl_loader_options options = {.depth = 2, .fault_every = 2};
    LOADER loader = NULL;
    MEMORY memory = take_memory(4 * BLOCK);
    int results[4];

    cr_assert_eq(sl_loader_open("fault", &options, &loader, NULL, NULL), 0);
    int file = loader->ops->add_file(loader, path, NULL);
    cr_assert_eq(read_spans(loader, file, 4, BLOCK, memory, results), 0);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(results[i], 0);
        cr_assert_eq(memory[i * BLOCK + BLOCK / 2 - 1], 'x');
        cr_assert_eq(memory[i * BLOCK + BLOCK - 1], i % 2 == 1 ? 0 : 'x');
    }
}

Test(loaders, simulated_device_keeps_its_rate)
{
    SL_AUTO(remove_file) char path[128];
    make_file(path, FILE_BYTES);
    struct sl_loader_options options = {
        .depth = 2, .sim_bytes_per_s = 100 * SL_MIB, .sim_latency_ns = 2000000};
    LOADER loader = NULL;
    MEMORY memory = take_memory(FILE_BYTES);
    int results[3];

    cr_assert_eq(sl_loader_open("sim", &options, &loader, NULL, NULL), 0);
    int file = loader->ops->add_file(loader, path, NULL);
    uint64_t start = sl_now_ns();
    cr_assert_eq(read_spans(loader, file, 3, FILE_BYTES / 3, memory, results), 0);
    uint64_t elapsed = sl_now_ns() - start;
    /* 2 ms latency once (the others overlap), then 3 x 2.5 ms of bytes. */
    cr_assert_geq(elapsed, UINT64_C(9500000));
    cr_assert_lt(elapsed, UINT64_C(500000000));
    for (int i = 0; i < FILE_BYTES; i++)
        cr_assert_eq(memory[i], 0);
}

Test(loaders, null_device_touches_nothing)
{
    SL_AUTO(remove_file) char path[128];
    make_file(path, FILE_BYTES);
    struct sl_loader_options options = {.depth = 2};
    LOADER loader = NULL;
    MEMORY memory = take_memory(2 * FILE_BYTES);
    int results[6];

    cr_assert_eq(sl_loader_open("sim", &options, &loader, NULL, NULL), 0);
    int file = loader->ops->add_file(loader, path, NULL);
    cr_assert_eq(read_spans(loader, file, 6, FILE_BYTES / 3, memory, results), 0);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(results[i], i < 3 ? 0 : -ENODATA);
    for (int i = 0; i < 2 * FILE_BYTES; i++)
        cr_assert_eq(memory[i], '.');
}

Test(loaders, simulated_reads_can_be_cancelled)
{
    SL_AUTO(remove_file) char path[128];
    make_file(path, FILE_BYTES);
    struct sl_loader_options options = {.depth = 2, .sim_latency_ns = 3600 * UINT64_C(1000000000)};
    LOADER loader = NULL;
    MEMORY memory = take_memory(BLOCK);
    struct sl_completion done[3];

    cr_assert_eq(sl_loader_open("sim", &options, &loader, NULL, NULL), 0);
    struct sl_read read = {
        .file = loader->ops->add_file(loader, path, NULL), .length = BLOCK, .destination = memory};
    for (int i = 0; i < 3; i++)
        cr_assert_eq(loader->ops->submit(loader, &read, NULL), 0);
    cr_assert_eq(loader->ops->reap(loader, done, 3, 1000000, NULL), 0, "a timeout");
    loader->ops->cancel(loader);
    cr_assert_eq(loader->ops->reap(loader, done, 3, UINT64_MAX, NULL), 3);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(done[i].result, -ECANCELED);
}

Test(loaders, page_cache_is_dropped)
{
    SL_AUTO(remove_file) char path[128];
    make_file(path, FILE_BYTES);
    struct sl_error error = {0};
    unsigned char present[FILE_BYTES / BLOCK];

    cr_assert_eq(sl_file_drop_cache(path, &error), 0, "%s", error.text);
    cr_assert_eq(sl_file_drop_cache("/no/such/file", &error), -ENOENT);
    SL_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *mapping = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    cr_assert_neq(mapping, MAP_FAILED);
    cr_assert_eq(mincore(mapping, FILE_BYTES, present), 0);
    for (int i = 0; i < FILE_BYTES / BLOCK; i++)
        cr_assert_eq(present[i] & 1, 0, "page %d is still cached", i);
    munmap(mapping, FILE_BYTES);
}

/* One read of 3 blocks at block 1 of a file of `file_bytes`; the kernel's answers are ours. */
struct attempt_case {
    struct sl_file file;
    struct sl_request request;
    char path[128];
    char memory[3 * BLOCK];
};

static void begin(struct attempt_case *attempt, size_t file_bytes, bool direct)
{
    make_file(attempt->path, file_bytes);
    int fd = open(attempt->path, O_RDONLY | O_CLOEXEC);
    unlink(attempt->path);
    attempt->file = (struct sl_file){.fd = fd, .direct = direct, .alignment = 512};
    attempt->request = (struct sl_request){
        .file = &attempt->file,
        .read = {.offset = BLOCK, .length = 3 * BLOCK, .destination = attempt->memory},
    };
    memset(attempt->memory, '.', sizeof(attempt->memory));
    sl_request_attempt(&attempt->request);
    cr_assert_eq(attempt->request.attempt_bytes, 3 * BLOCK);
}

static bool answer(struct attempt_case *attempt, ssize_t value)
{
    bool finished = sl_request_advance(&attempt->request, value);

    if (!finished)
        sl_request_attempt(&attempt->request);
    return finished;
}

Test(attempts, short_reads_go_on)
{
    struct attempt_case attempt;

    begin(&attempt, 10 * BLOCK, false);
    cr_assert_not(answer(&attempt, 100));
    cr_assert_eq(attempt.request.done, 100);
    cr_assert_eq(attempt.request.attempt_bytes, 3 * BLOCK - 100);
    cr_assert_not(answer(&attempt, BLOCK));
    cr_assert(answer(&attempt, 2 * BLOCK - 100));
    cr_assert_eq(attempt.request.result, 0);
    close(attempt.file.fd);
}

Test(attempts, direct_reads_go_on_from_an_aligned_offset)
{
    struct attempt_case attempt;

    begin(&attempt, 10 * BLOCK, true);
    cr_assert_not(answer(&attempt, BLOCK + 700));
    cr_assert_eq(attempt.request.done, BLOCK + 512);
    cr_assert_not(answer(&attempt, 100), "nothing gained, but tried again");
    cr_assert_eq(attempt.request.done, BLOCK + 512);
    cr_assert(answer(&attempt, 2 * BLOCK - 512));
    cr_assert_eq(attempt.request.result, 0);
    close(attempt.file.fd);
}

Test(attempts, no_progress_ends)
{
    struct attempt_case attempt;
    int tries = 0;

    begin(&attempt, 10 * BLOCK, true);
    while (!answer(&attempt, -EAGAIN))
        cr_assert_lt(tries++, 100000);
    cr_assert_eq(attempt.request.result, -EIO);
    close(attempt.file.fd);
}

Test(attempts, cut_in_the_last_block)
{
    struct attempt_case attempt;

    begin(&attempt, 3 * BLOCK + 5, true);
    cr_assert(answer(&attempt, 2 * BLOCK + 5));
    cr_assert_eq(attempt.request.result, 0);
    cr_assert_eq(attempt.memory[2 * BLOCK + 4], '.');
    for (int i = 2 * BLOCK + 5; i < 3 * BLOCK; i++)
        cr_assert_eq(attempt.memory[i], 0);
    close(attempt.file.fd);
}

Test(attempts, end_before_the_last_block)
{
    struct attempt_case attempt;

    begin(&attempt, 2 * BLOCK + 5, true);
    cr_assert(answer(&attempt, BLOCK + 5));
    cr_assert_eq(attempt.request.result, -ENODATA);
    close(attempt.file.fd);
    begin(&attempt, 10 * BLOCK, false);
    cr_assert_not(answer(&attempt, 2 * BLOCK));
    cr_assert(answer(&attempt, 0), "the file was cut meanwhile");
    cr_assert_eq(attempt.request.result, -ENODATA);
    close(attempt.file.fd);
}

Test(attempts, refused_direct_read_becomes_buffered)
{
    struct attempt_case attempt;

    begin(&attempt, 10 * BLOCK, true);
    cr_assert_not(answer(&attempt, -EINVAL));
    cr_assert_not(attempt.file.direct);
    cr_assert_not_null(attempt.file.degraded);
    cr_assert_not(attempt.request.attempt_direct);
    cr_assert(answer(&attempt, -EINVAL));
    cr_assert_eq(attempt.request.result, -EINVAL);
    close(attempt.file.fd);
}

Test(attempts, cancelled_reads_stop_between_attempts)
{
    struct attempt_case attempt;

    begin(&attempt, 10 * BLOCK, false);
    attempt.request.cancelled = true;
    cr_assert(answer(&attempt, BLOCK));
    cr_assert_eq(attempt.request.result, -ECANCELED);
    attempt.request.done = 0;
    cr_assert(answer(&attempt, 3 * BLOCK), "what was read to the end counts");
    cr_assert_eq(attempt.request.result, 0);
    close(attempt.file.fd);
}

Test(attempts, pages_are_dropped_behind)
{
    SL_AUTO(remove_file) char path[128];
    make_file(path, FILE_BYTES);
    struct sl_file *file = NULL;
    MEMORY memory = take_memory(FILE_BYTES);
    unsigned char present[FILE_BYTES / BLOCK];
    int cached = 0;

    cr_assert_eq(sl_file_drop_cache(path, NULL), 0);
    cr_assert_eq(sl_file_open(path, true, &file, NULL), 0);
    cr_assert_not(file->direct);
    void *mapping = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, file->fd, 0);
    cr_assert_eq(pread(file->fd, memory, FILE_BYTES, 0), FILE_BYTES);
    cr_assert_eq(mincore(mapping, FILE_BYTES, present), 0);
    for (int i = 0; i < FILE_BYTES / BLOCK; i++)
        cached += present[i] & 1;
    cr_assert_gt(cached, 0, "there is something to drop");
    sl_file_drop_behind(file, BLOCK, FILE_BYTES - BLOCK);
    cr_assert_eq(mincore(mapping, FILE_BYTES, present), 0);
    for (int i = 16; i < FILE_BYTES / BLOCK; i++)
        cr_assert_eq(present[i] & 1, 0, "page %d is still cached", i);
    munmap(mapping, FILE_BYTES);
    sl_file_close(file);
}
