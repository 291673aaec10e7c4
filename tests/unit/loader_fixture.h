/* What the tests of loaders share: files of known bytes, memory, and reads that must succeed. Any
 * failure here fails the test. */
#ifndef SLUICE_TESTS_LOADER_FIXTURE_H
#define SLUICE_TESTS_LOADER_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "iouring/loader.h"
#include "runtime/base/cleanup.h"

#define BLOCK     4096u
#define POISON    0xA5
#define SECOND_NS UINT64_C(1000000000)

/* Byte of every file with this key. */
unsigned char pattern_byte(uint64_t key, uint64_t offset);
/* Makes a file, unlinked by the caller; directory "" is the default for tests. */
void make_file(const char *directory, char path[128], uint64_t key, uint64_t bytes);
void remove_file(char (*path)[128]);
#define TEMPORARY_FILE(name, key, bytes)                                                           \
    SL_AUTO(remove_file) char name[128];                                                           \
    make_file("", name, key, bytes)
/* The bytes of the file, then zeroes. */
void expect_bytes(const struct sl_read *read, uint64_t key, uint64_t file_bytes);
/* How many pages of a file are in the page cache. */
size_t cached_pages(const char *path);

/* Whole pages of POISON, given back with munmap. */
void *take_memory(size_t bytes);

/* name NULL: the default one. */
struct sl_loader *open_loader(const char *name, const struct sl_loader_options *options);
void close_loader(struct sl_loader **loader);
#define LOADER SL_AUTO(close_loader) struct sl_loader *
int add_file(struct sl_loader *loader, const char *path);

/* Loaders that map say where the bytes will be; read->destination is changed to that place. */
int place(struct sl_loader *loader, struct sl_read *read, struct sl_error *error);
void submit(struct sl_loader *loader, struct sl_read *read);
/* Reaps `count` reads; results by tag. */
void reap_all(struct sl_loader *loader, int count, int *results);
/* Its result. */
int read_one(struct sl_loader *loader, struct sl_read *read);

#endif
