#include "tests/unit/loader_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/rng.h"

/* The 8 bytes at offset 8 i of the file with this key. */
static uint64_t pattern_word(uint64_t key, uint64_t i)
{
    return sl_mix64(key + i * SL_SPLITMIX_GAMMA);
}

unsigned char pattern_byte(uint64_t key, uint64_t offset)
{
    return (unsigned char)(pattern_word(key, offset / 8) >> (offset % 8 * 8));
}

void make_file(const char *directory, char path[128], uint64_t key, uint64_t bytes)
{
    const char *chosen = directory[0] ? directory : getenv("TMPDIR");

    snprintf(path, 128, "%s/sluice-loader-XXXXXX", chosen && chosen[0] ? chosen : "/var/tmp");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0, "cannot make %s", path);
    unsigned char *content = malloc(bytes + 8);
    for (uint64_t i = 0; i < bytes; i += 8) {
        uint64_t word = pattern_word(key, i / 8);
        memcpy(content + i, &word, 8);
    }
    cr_assert_eq(write(fd, content, bytes), (ssize_t)bytes);
    free(content);
    cr_assert_eq(fsync(fd), 0);
    close(fd);
}

void remove_file(char (*path)[128])
{
    unlink(*path);
}

void *take_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(memory, MAP_FAILED);
    memset(memory, POISON, bytes);
    return memory;
}

void close_loader(struct sl_loader **loader)
{
    if (*loader)
        (*loader)->ops->close(*loader);
}

struct sl_loader *open_loader(const char *name, const struct sl_loader_options *options)
{
    struct sl_loader *loader = NULL;
    struct sl_error error = {0};

    cr_assert_eq(sl_loader_open(name, options, &loader, NULL, &error), 0, "%s: %s",
                 name ? name : "default", error.text);
    return loader;
}

int add_file(struct sl_loader *loader, const char *path)
{
    struct sl_error error = {0};
    int file = loader->ops->add_file(loader, path, &error);

    cr_assert_geq(file, 0, "%s", error.text);
    return file;
}

int place(struct sl_loader *loader, struct sl_read *read, struct sl_error *error)
{
    if (!loader->ops->map)
        return 0;
    void *mapped = loader->ops->map(loader, read->file, read->offset, read->length, error);
    if (!mapped)
        return error->code;
    read->destination = mapped;
    return 0;
}

void submit(struct sl_loader *loader, struct sl_read *read)
{
    struct sl_error error = {0};

    cr_assert_eq(place(loader, read, &error), 0, "%s", error.text);
    cr_assert_eq(loader->ops->submit(loader, read, &error), 0, "%s", error.text);
}

void reap_all(struct sl_loader *loader, int count, int *results)
{
    struct sl_error error = {0};

    while (count > 0) {
        struct sl_completion completions[5];
        int got = loader->ops->reap(loader, completions, 5, 10 * SECOND_NS, &error);
        cr_assert_gt(got, 0, "%s: no read finished in time %s", loader->ops->name, error.text);
        for (int i = 0; i < got; i++) {
            cr_assert_geq(completions[i].completed_ns, completions[i].submitted_ns);
            results[completions[i].tag] = completions[i].result;
        }
        count -= got;
    }
}

int read_one(struct sl_loader *loader, struct sl_read *read)
{
    struct sl_error error = {0};
    int result = place(loader, read, &error);

    if (result < 0)
        return result;
    read->tag = 0;
    submit(loader, read);
    reap_all(loader, 1, &result);
    return result;
}

size_t cached_pages(const char *path)
{
    SL_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    size_t count = 0;

    cr_assert(fd >= 0 && fstat(fd, &status) == 0);
    size_t pages = ((size_t)status.st_size + BLOCK - 1) / BLOCK;
    void *mapping = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
    SL_AUTO_FREE unsigned char *present = malloc(pages);
    cr_assert(mapping != MAP_FAILED && mincore(mapping, (size_t)status.st_size, present) == 0);
    for (size_t i = 0; i < pages; i++)
        count += present[i] & 1;
    munmap(mapping, (size_t)status.st_size);
    return count;
}

void expect_bytes(const struct sl_read *read, uint64_t key, uint64_t file_bytes)
{
    const unsigned char *bytes = read->destination;

    for (uint64_t i = 0; i < read->length; i++) {
        uint64_t position = read->offset + i;
        unsigned char wanted = position < file_bytes ? pattern_byte(key, position) : 0;
        if (bytes[i] != wanted)
            cr_assert_fail("read %llu: byte %llu of the file is %02x, not %02x",
                           (unsigned long long)read->tag, (unsigned long long)position, bytes[i],
                           wanted);
    }
}
