/* Every loader keeps the contract of iouring/loader.h. The same cases run over each that reads
 * data; what differs (sim, fault, selection) is in test_loader_select.c. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/rng.h"
#include "runtime/base/units.h"
#include "tests/unit/loader_fixture.h"

#define PATTERN_BYTES (9 * SL_MIB + 1234) /* ends inside a block; more than two pieces */

/* What the conformance cases run on: every loader that reads data, direct and buffered. */
struct variant {
    char name[16];
    bool buffered;
};

#define VARIANTS_MOST 32

/* Returns how many; a loader that maps is buffered always. */
static size_t list_variants(struct variant variants[VARIANTS_MOST])
{
    const struct sl_loader_ops *ops;
    size_t count = 0;
    for (int i = 0; (ops = sl_loader_at(i)); i++)
        for (int buffered = ops->map != NULL; buffered < 2 && !ops->without_data; buffered++) {
            cr_assert_lt(count, VARIANTS_MOST);
            snprintf(variants[count].name, sizeof(variants[count].name), "%s", ops->name);
            variants[count++].buffered = buffered;
        }
    return count;
}

static bool can_run(const struct variant *variant)
{
    struct sl_loader_options options = {.depth = 1};
    struct sl_loader *loader = NULL;
    struct sl_error error = {0};

    if (sl_loader_open(variant->name, &options, &loader, NULL, &error) < 0) {
        cr_log_warn("skipped: %s cannot run here: %s", variant->name, error.text);
        return false;
    }
    loader->ops->close(loader);
    return true;
}

#define CONFORMANCE(case_name)                                                                     \
    ParameterizedTestParameters(loader, case_name)                                                 \
    {                                                                                              \
        static struct variant variants[VARIANTS_MOST];                                             \
        return cr_make_param_array(struct variant, variants, list_variants(variants));             \
    }                                                                                              \
    static void case_name##_case(const struct variant *variant);                                   \
    ParameterizedTest(struct variant *variant, loader, case_name)                                  \
    {                                                                                              \
        if (!can_run(variant))                                                                     \
            cr_skip_test("skipped: %s cannot run here", variant->name);                            \
        case_name##_case(variant);                                                                 \
    }                                                                                              \
    static void case_name##_case(const struct variant *variant)

static void expect_poison(const char *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)from[i] != POISON)
            cr_assert_fail("byte %zu beside a destination was written", i);
}

/* Many sizes and offsets, far more reads than depth. Every byte must be there at the moment its
 * completion is handed out, each completion comes once, and nothing beside a destination changes.
 */
CONFORMANCE(random_reads)
{
    enum { READS = 200 };
    TEMPORARY_FILE(path, 1, PATTERN_BYTES);
    uint64_t blocks = sl_align_up(PATTERN_BYTES, BLOCK) / BLOCK;
    struct sl_loader_options options = {.depth = 7, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    int file = add_file(loader, path);
    uint64_t random = 7;
    struct sl_error error = {0};
    static struct sl_read reads[READS];
    bool reaped[READS] = {false};
    size_t total = BLOCK;

    for (int i = 0; i < READS; i++) {
        uint64_t first = sl_rng_below(&random, blocks);
        uint64_t most = blocks - first < 80 ? blocks - first : 80;
        reads[i] = (struct sl_read){
            .tag = (uint64_t)i,
            .file = file,
            .offset = first * BLOCK,
            .length = (1 + sl_rng_below(&random, most)) * BLOCK,
        };
        total += reads[i].length + BLOCK;
    }
    char *memory = take_memory(total);
    char *next = memory + BLOCK;
    for (int i = 0; i < READS; i++) {
        reads[i].destination = next;
        next += reads[i].length + BLOCK;
        submit(loader, &reads[i]);
    }
    for (int left = READS; left > 0;) {
        struct sl_completion done[3];
        int got = loader->ops->reap(loader, done, 3, 10 * SECOND_NS, &error);
        cr_assert(got > 0 && got <= 3, "%d %s", got, error.text);
        for (int i = 0; i < got; i++) {
            cr_assert_lt(done[i].tag, READS);
            const struct sl_read *read = &reads[done[i].tag];
            cr_assert_not(reaped[done[i].tag]);
            reaped[done[i].tag] = true;
            cr_assert_eq(done[i].result, 0, "%s", strerror(-done[i].result));
            expect_bytes(read, 1, PATTERN_BYTES);
            if (loader->ops->map)
                continue;
            expect_poison((char *)read->destination - BLOCK, BLOCK);
            expect_poison((char *)read->destination + read->length, BLOCK);
        }
        left -= got;
    }
    cr_assert_eq(loader->ops->reap(loader, &(struct sl_completion){0}, 1, UINT64_MAX, &error), 0,
                 "nothing is outstanding");
    munmap(memory, total);
}

CONFORMANCE(whole_file_in_one_read)
{
    TEMPORARY_FILE(path, 2, PATTERN_BYTES);
    struct sl_loader_options options = {.depth = 1, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    uint64_t length = sl_align_up(PATTERN_BYTES, BLOCK);
    char *memory = take_memory(length);
    struct sl_read read = {.file = add_file(loader, path), .length = length, .destination = memory};

    cr_assert_eq(read_one(loader, &read), 0);
    expect_bytes(&read, 2, PATTERN_BYTES);
    munmap(memory, length);
}

CONFORMANCE(end_of_file)
{
    static const struct {
        uint64_t file_bytes, offset, length;
        int result;
    } cases[] = {
        {5 * BLOCK, 4 * BLOCK, BLOCK, 0},
        {5 * BLOCK, 4 * BLOCK, 2 * BLOCK, -ENODATA},
        {5 * BLOCK, 5 * BLOCK, BLOCK, -ENODATA},
        {5 * BLOCK, 500 * BLOCK, BLOCK, -ENODATA},
        {5 * BLOCK + 1, 5 * BLOCK, BLOCK, 0},
        {5 * BLOCK + 513, 0, 6 * BLOCK, 0},
        {5 * BLOCK + 512, 3 * BLOCK, 4 * BLOCK, -ENODATA},
        {6 * BLOCK - 1, 5 * BLOCK, BLOCK, 0},
        {6 * BLOCK - 1, 5 * BLOCK, 2 * BLOCK, -ENODATA},
        {100, 0, BLOCK, 0},
        {0, 0, BLOCK, -ENODATA},
    };
    struct sl_loader_options options = {.depth = 2, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    char *memory = take_memory(8 * BLOCK);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        TEMPORARY_FILE(path, i, cases[i].file_bytes);
        struct sl_read read = {
            .file = add_file(loader, path),
            .offset = cases[i].offset,
            .length = cases[i].length,
            .destination = memory,
        };
        memset(memory, POISON, 8 * BLOCK);
        int result = read_one(loader, &read);
        cr_assert_eq(result, cases[i].result, "case %zu: %s", i, strerror(-result));
        if (result == 0)
            expect_bytes(&read, i, cases[i].file_bytes);
    }
    munmap(memory, 8 * BLOCK);
}

CONFORMANCE(file_cut_while_open)
{
    TEMPORARY_FILE(path, 3, SL_MIB);
    struct sl_loader_options options = {.depth = 2, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    char *memory = take_memory(SL_MIB);
    struct sl_read read = {.file = add_file(loader, path), .length = SL_MIB, .destination = memory};

    cr_assert_eq(truncate(path, 100 * BLOCK + 5), 0);
    cr_assert_eq(read_one(loader, &read), -ENODATA);
    read.length = 101 * BLOCK;
    cr_assert_eq(read_one(loader, &read), 0);
    expect_bytes(&read, 3, 100 * BLOCK + 5);
    munmap(memory, SL_MIB);
}

CONFORMANCE(two_files)
{
    TEMPORARY_FILE(one, 4, SL_MIB);
    TEMPORARY_FILE(two, 5, SL_MIB);
    struct sl_loader_options options = {.depth = 4, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    char *memory = take_memory(8 * 64 * BLOCK);
    struct sl_read reads[8];
    int results[8];
    int first = add_file(loader, one);

    for (int i = 0; i < 8; i++) {
        /* The second file comes while the first is being read. */
        int file = i == 4 ? add_file(loader, two) : i > 4 ? reads[4].file : first;
        reads[i] = (struct sl_read){
            .tag = (uint64_t)i,
            .file = file,
            .offset = (uint64_t)(i % 4) * 64 * BLOCK,
            .length = 64 * BLOCK,
            .destination = memory + i * 64 * BLOCK,
        };
        submit(loader, &reads[i]);
    }
    cr_assert_neq(first, reads[4].file);
    reap_all(loader, 8, results);
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(results[i], 0);
        expect_bytes(&reads[i], i < 4 ? 4 : 5, SL_MIB);
    }
    munmap(memory, 8 * 64 * BLOCK);
}

static bool readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) == 1;
}

CONFORMANCE(event_descriptor)
{
    enum { READS = 12 };
    TEMPORARY_FILE(path, 6, READS * 16 * BLOCK);
    struct sl_loader_options options = {.depth = 3, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    int fd = loader->ops->event_fd(loader);
    char *memory = take_memory(READS * 16 * BLOCK);
    struct sl_completion done;
    struct sl_error error = {0};
    int file = add_file(loader, path);

    cr_assert_not(readable(fd, 0));
    for (int i = 0; i < READS; i++) {
        struct sl_read read = {
            .tag = (uint64_t)i,
            .file = file,
            .offset = (uint64_t)i * 16 * BLOCK,
            .length = 16 * BLOCK,
            .destination = memory + i * 16 * BLOCK,
        };
        submit(loader, &read);
    }
    /* Driven by the descriptor alone, one at a time: it must stay readable while reads are left. */
    for (int left = READS; left > 0;) {
        cr_assert(readable(fd, 10000), "%d reads left and no event", left);
        int got = loader->ops->reap(loader, &done, 1, 0, &error);
        cr_assert_geq(got, 0, "%s", error.text);
        cr_assert(got == 0 || done.result == 0);
        left -= got;
    }
    cr_assert_eq(loader->ops->reap(loader, &done, 1, 0, &error), 0);
    cr_assert_not(readable(fd, 0));
    munmap(memory, READS * 16 * BLOCK);
}

/* While two reads are more than may be in flight, they come one by one; all come when that ends. */
CONFORMANCE(pace)
{
    enum { READS = 12 };
    TEMPORARY_FILE(path, 9, READS * 16 * BLOCK);
    struct sl_loader_options options = {.depth = 8, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    char *memory = take_memory(READS * 16 * BLOCK);
    struct sl_read reads[READS];
    struct sl_completion done;
    struct sl_error error = {0};
    int results[READS], file = add_file(loader, path);
    /* Where io_uring is denied, what stands in for it reads with threads, in any order. */
    const bool in_order = loader->ops->pace && can_run(&(struct variant){.name = "uring"});

    if (loader->ops->pace)
        loader->ops->pace(loader, 31 * BLOCK);
    for (int i = 0; i < READS; i++) {
        reads[i] = (struct sl_read){
            .tag = (uint64_t)i,
            .file = file,
            .offset = (uint64_t)i * 16 * BLOCK,
            .length = 16 * BLOCK,
            .destination = memory + i * 16 * BLOCK,
        };
        submit(loader, &reads[i]);
    }
    for (int i = 0; i < READS / 2; i++) {
        cr_assert_eq(loader->ops->reap(loader, &done, 1, UINT64_MAX, &error), 1, "%s", error.text);
        cr_assert(!in_order || done.tag == (uint64_t)i);
        results[done.tag] = done.result;
    }
    if (loader->ops->pace)
        loader->ops->pace(loader, UINT64_MAX);
    reap_all(loader, READS - READS / 2, results);
    for (int i = 0; i < READS; i++) {
        cr_assert_eq(results[i], 0);
        expect_bytes(&reads[i], 9, READS * 16 * BLOCK);
    }
    munmap(memory, READS * 16 * BLOCK);
}

CONFORMANCE(cancel)
{
    enum { READS = 40 };
    TEMPORARY_FILE(path, 8, PATTERN_BYTES);
    struct sl_loader_options options = {.depth = 2, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    uint64_t length = sl_align_up(PATTERN_BYTES, BLOCK);
    char *memory = take_memory(READS * length / 4);
    static struct sl_read reads[READS];
    int results[READS], cancelled = 0;
    int file = add_file(loader, path);

    /* A busy machine may finish all reads before we cancel, but not round after round. */
    for (int round = 0; round < 100 && cancelled == 0; round++) {
        for (int i = 0; i < READS; i++) {
            reads[i] = (struct sl_read){
                .tag = (uint64_t)i,
                .file = file,
                .length = sl_align_up(length / 4, BLOCK) - BLOCK,
                .destination = memory + (uint64_t)i * (sl_align_up(length / 4, BLOCK) - BLOCK),
            };
            submit(loader, &reads[i]);
            results[i] = 1;
        }
        loader->ops->cancel(loader);
        cr_assert(readable(loader->ops->event_fd(loader), 10000));
        reap_all(loader, READS, results);
        for (int i = 0; i < READS; i++) {
            cr_assert(results[i] == 0 || results[i] == -ECANCELED, "%d", results[i]);
            cancelled += results[i] != 0;
            if (results[i] == 0)
                expect_bytes(&reads[i], 8, PATTERN_BYTES);
        }
    }
    cr_assert_gt(cancelled, 0);
    cr_assert_eq(read_one(loader, &reads[0]), 0, "usable after a cancel");
    expect_bytes(&reads[0], 8, PATTERN_BYTES);
    munmap(memory, READS * length / 4);
}

CONFORMANCE(cancel_of_nothing)
{
    struct sl_loader_options options = {.depth = 2, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    struct sl_completion done;
    struct sl_error error = {0};

    loader->ops->cancel(loader);
    cr_assert_eq(loader->ops->reap(loader, &done, 1, UINT64_MAX, &error), 0);
}

/* After close the memory is the caller's again: nothing may write into it. */
CONFORMANCE(close_with_reads_in_flight)
{
    TEMPORARY_FILE(path, 9, PATTERN_BYTES);
    struct sl_loader_options options = {.depth = 8, .buffered = variant->buffered};
    char *memory = take_memory(8 * SL_MIB);
    char *other = take_memory(8 * SL_MIB);

    for (int round = 0; round < 5; round++) {
        struct sl_loader *loader = open_loader(variant->name, &options);
        int file = add_file(loader, path);
        for (uint64_t i = 0; i < 64; i++) {
            struct sl_read read = {
                .tag = i,
                .file = file,
                .offset = i % 8 * SL_MIB,
                .length = SL_MIB,
                .destination = memory + i % 8 * SL_MIB,
            };
            submit(loader, &read);
        }
        loader->ops->close(loader);
        memset(memory, POISON, 8 * SL_MIB);

        LOADER again = open_loader(variant->name, &options);
        struct sl_read read = {
            .file = add_file(again, path), .length = 8 * SL_MIB, .destination = other};
        cr_assert_eq(read_one(again, &read), 0);
        expect_poison(memory, 8 * SL_MIB);
    }
    munmap(memory, 8 * SL_MIB);
    munmap(other, 8 * SL_MIB);
}

CONFORMANCE(errors_of_one_read_stay_there)
{
    if (!strcmp(variant->name, "mmap"))
        return; /* it reads into memory of its own only */
    TEMPORARY_FILE(path, 10, SL_MIB);
    struct sl_loader_options options = {.depth = 4, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    int file = add_file(loader, path);
    char *memory = take_memory(SL_MIB);
    void *forbidden = mmap(NULL, BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sl_read reads[3];
    int results[3];

    for (int i = 0; i < 3; i++) {
        reads[i] = (struct sl_read){
            .tag = (uint64_t)i,
            .file = file,
            .length = BLOCK,
            .destination = i == 1 ? forbidden : memory + i * BLOCK,
        };
        submit(loader, &reads[i]);
    }
    reap_all(loader, 3, results);
    cr_assert_eq(results[0], 0);
    cr_assert_eq(results[1], -EFAULT, "%s", strerror(-results[1]));
    cr_assert_eq(results[2], 0);
    expect_bytes(&reads[0], 10, SL_MIB);
    munmap(forbidden, BLOCK);
    munmap(memory, SL_MIB);
}

CONFORMANCE(refused_reads)
{
    TEMPORARY_FILE(path, 11, SL_MIB);
    struct sl_loader_options options = {.depth = 4, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    int file = add_file(loader, path);
    char *memory = take_memory(2 * BLOCK);
    const struct sl_read bad[] = {
        {.file = file + 1, .length = BLOCK, .destination = memory},
        {.file = -1, .length = BLOCK, .destination = memory},
        {.file = file, .length = 0, .destination = memory},
        {.file = file, .length = 512, .destination = memory},
        {.file = file, .offset = 512, .length = BLOCK, .destination = memory},
        {.file = file, .length = BLOCK, .destination = memory + 8},
        {.file = file, .length = BLOCK, .destination = NULL},
        {.file = file, .length = SL_READ_MOST_BYTES + BLOCK, .destination = memory},
        {.file = file, .offset = UINT64_MAX - BLOCK + 1, .length = BLOCK, .destination = memory},
        {.file = file, .offset = UINT64_C(1) << 63, .length = BLOCK, .destination = memory},
    };
    struct sl_completion done;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sl_error error = {0};
        cr_assert_eq(loader->ops->submit(loader, &bad[i], &error), -EINVAL, "case %zu", i);
        cr_assert_neq(error.text[0], '\0');
        cr_assert_eq(loader->ops->reap(loader, &done, 1, 0, &error), 0);
    }
    munmap(memory, 2 * BLOCK);
}

CONFORMANCE(refused_files)
{
    struct sl_loader_options options = {.depth = 4, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    struct sl_error error = {0};
    TEMPORARY_FILE(fifo, 12, 0);

    unlink(fifo);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    cr_assert_eq(loader->ops->add_file(loader, "/no/such/file", &error), -ENOENT);
    cr_assert(strstr(error.text, "/no/such/file"), "%s", error.text);
    cr_assert_eq(loader->ops->add_file(loader, "/", &error), -EISDIR);
    cr_assert_eq(loader->ops->add_file(loader, fifo, &error), -EINVAL, "%s", error.text);
}

CONFORMANCE(announced_memory)
{
    enum { READS = 16, SPAN = 32 * BLOCK };
    TEMPORARY_FILE(path, 13, READS * SPAN);
    struct sl_loader_options options = {.depth = 4, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    char *memory = take_memory(READS * SPAN);
    struct sl_read reads[READS];
    int results[READS];
    int file = add_file(loader, path);

    /* Two announced regions; one read crosses out of the second, some lie in none. */
    if (loader->ops->add_memory) {
        cr_assert_eq(loader->ops->add_memory(loader, memory, 4 * SPAN), 0);
        cr_assert_eq(loader->ops->add_memory(loader, memory + 6 * SPAN, 2 * SPAN + BLOCK), 0);
    }
    cr_assert_eq(strstr(loader->notes, "not registered"), NULL, "%s", loader->notes);
    for (int i = 0; i < READS; i++) {
        reads[i] = (struct sl_read){
            .tag = (uint64_t)i,
            .file = file,
            .offset = (uint64_t)i * SPAN,
            .length = SPAN,
            .destination = memory + i * SPAN,
        };
        submit(loader, &reads[i]);
    }
    reap_all(loader, READS, results);
    for (int i = 0; i < READS; i++) {
        cr_assert_eq(results[i], 0, "%s", strerror(-results[i]));
        expect_bytes(&reads[i], 13, READS * SPAN);
    }
    munmap(memory, READS * SPAN);
}

struct handover {
    struct sl_loader *loader;
    struct sl_read read;
};

static void *submit_in_thread(void *argument)
{
    struct handover *handover = argument;

    submit(handover->loader, &handover->read);
    return NULL;
}

/* One thread at a time, but any: opened here, submitted there, by a thread that ends, reaped here.
 */
CONFORMANCE(thread_to_thread)
{
    TEMPORARY_FILE(path, 14, PATTERN_BYTES);
    struct sl_loader_options options = {.depth = 4, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    uint64_t length = sl_align_up(PATTERN_BYTES, BLOCK);
    char *memory = take_memory(length);
    struct handover handover = {
        .loader = loader,
        .read = {.file = add_file(loader, path), .length = length, .destination = memory},
    };
    pthread_t thread;
    int result = 1;

    cr_assert_eq(pthread_create(&thread, NULL, submit_in_thread, &handover), 0);
    pthread_join(thread, NULL);
    reap_all(loader, 1, &result);
    cr_assert_eq(result, 0, "%s", strerror(-result));
    expect_bytes(&handover.read, 14, PATTERN_BYTES);
    munmap(memory, length);
}

/* tmpfs has no O_DIRECT worth the name: the loader says so and reads all the same. */
CONFORMANCE(file_system_without_direct_reads)
{
    SL_AUTO(remove_file) char path[128] = "";

    if (access("/dev/shm", W_OK) != 0)
        cr_skip_test("skipped: /dev/shm is not writable");
    make_file("/dev/shm", path, 15, SL_MIB);
    struct sl_loader_options options = {.depth = 4, .buffered = variant->buffered};
    LOADER loader = open_loader(variant->name, &options);
    char *memory = take_memory(SL_MIB);
    struct sl_read read = {.file = add_file(loader, path), .length = SL_MIB, .destination = memory};

    cr_assert_eq(read_one(loader, &read), 0);
    expect_bytes(&read, 15, SL_MIB);
    cr_assert_not(loader->direct);
    cr_assert(variant->buffered ? !loader->notes[0] : !!strstr(loader->notes, "is read buffered"),
              "%s", loader->notes);
    munmap(memory, SL_MIB);
}

/* Neither direct nor buffered reads leave pages in the page cache, which the cgroup would pay. */
CONFORMANCE(page_cache_stays_empty)
{
    TEMPORARY_FILE(path, 16, PATTERN_BYTES);
    struct sl_loader_options options = {.depth = 4, .buffered = variant->buffered};
    struct sl_error error = {0};
    cr_assert_eq(sl_file_drop_cache(path, &error), 0, "%s", error.text);
    if (cached_pages(path) > 0) {
        unlink(path);
        cr_skip_test("skipped: the file system keeps its pages");
    }

    LOADER loader = open_loader(variant->name, &options);
    char *memory = take_memory(8 * SL_MIB);
    struct sl_read read = {
        .file = add_file(loader, path), .length = 8 * SL_MIB, .destination = memory};
    cr_assert_eq(read_one(loader, &read), 0);
    if (loader->ops->map)
        loader->ops->release(loader, read.destination, read.length);
    cr_assert_eq(cached_pages(path), 0);
    munmap(memory, 8 * SL_MIB);
}
