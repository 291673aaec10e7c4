/* A process with a known appetite, for tests of limits:
 *   memory_hog MIB [ROUNDS [FILE [buffered|write]]]
 * allocates MIB MiB, writes every page ROUNDS times (default 1), reads FILE from its start to its
 * end with O_DIRECT, or through the page cache, and prints "done <bytes read>"; write: writes over
 * it with O_DIRECT instead, and prints "done <bytes written>". ROUNDS 0: touches
 * once, then waits for a signal. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB         ((size_t)1 << 20)
#define PAGE        ((size_t)4096)
#define READ_BYTES  MIB
#define EXIT_FAILED 3
#define EXIT_USAGE  2

static void touch(unsigned char *memory, size_t bytes, unsigned round)
{
    for (size_t i = 0; i < bytes; i += PAGE)
        memory[i] = (unsigned char)(i / PAGE + round);
}

static long long read_all(const char *path, int flags)
{
    void *buffer;
    int fd = open(path, O_RDONLY | flags);
    if (fd < 0 || posix_memalign(&buffer, PAGE, READ_BYTES))
        return -1;
    long long total = 0;
    for (ssize_t got; (got = read(fd, buffer, READ_BYTES)) > 0;)
        total += got;
    free(buffer);
    close(fd);
    return total;
}

static long long write_over(const char *path)
{
    void *buffer;
    int fd = open(path, O_WRONLY | O_DIRECT);
    if (fd < 0 || posix_memalign(&buffer, PAGE, READ_BYTES))
        return -1;
    memset(buffer, 'y', READ_BYTES);
    long long total = 0, size = lseek(fd, 0, SEEK_END);
    for (ssize_t put; total < size && (put = pwrite(fd, buffer, READ_BYTES, total)) > 0;)
        total += put;
    free(buffer);
    close(fd);
    return total;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return EXIT_USAGE;
    size_t bytes = strtoul(argv[1], NULL, 10) * MIB;
    unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    if (bytes) {
        unsigned char *memory =
            mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            return EXIT_FAILED;
        touch(memory, bytes, 0);
        for (unsigned round = 1; round < rounds; round++)
            touch(memory, bytes, round);
    }
    if (!rounds) {
        puts("holding");
        fflush(stdout);
        pause();
    }
    const char *how = argc > 4 ? argv[4] : "";
    long long total = 0;
    if (argc > 3)
        total =
            !strcmp(how, "write") ? write_over(argv[3]) : read_all(argv[3], *how ? 0 : O_DIRECT);
    if (total < 0)
        return EXIT_FAILED;
    printf("done %lld\n", total);
    return 0;
}
