/* Files as loaders read them: opened with O_DIRECT where the file system takes it, else buffered
 * with the pages dropped behind each read, and the state of one read across kernel attempts. Shared
 * by all loaders; no function here is thread-safe by itself, a loader serialises its calls. */
#ifndef SLUICE_IOURING_FILES_H
#define SLUICE_IOURING_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "iouring/loader.h"
#include "runtime/base/error.h"

/* Offsets, lengths and destinations of reads are multiples of this. */
#define SL_BLOCK_BYTES 4096
/* One attempt asks the kernel for at most this much, so that a cancel of a large read is prompt and
 * one read cannot keep the device to itself. Larger pieces do not read faster. */
#define SL_PIECE_BYTES (UINT64_C(4) << 20)

struct sl_file {
    int fd;
    bool direct;
    uint32_t alignment;   /* of offsets of direct reads, <= SL_BLOCK_BYTES */
    const char *degraded; /* NULL, or why the file is buffered; static text */
    bool mapped;          /* its pages are used in place: reads leave them in the page cache */
    bool noted;           /* the loader's notes say so */
    char name[48];        /* end of the path, for messages */
};

/* Opens a regular file or block device. buffered: do not try O_DIRECT. The caller owns *file. */
int sl_file_open(const char *path, bool buffered, struct sl_file **file, struct sl_error *error);
/* NULL is fine. */
void sl_file_close(struct sl_file *file);
/* Gives back the pages of a finished read when the file is buffered and not mapped. */
void sl_file_drop_behind(const struct sl_file *file, uint64_t offset, uint64_t length);

/* One read on its way. */
struct sl_request {
    struct sl_request *next;
    struct sl_read read;
    struct sl_file *file;
    uint64_t submitted_ns, completed_ns;
    uint64_t done; /* bytes of the destination that are filled */
    int result;
    int fruitless; /* attempts in a row that brought nothing */
    bool cancelled;
    unsigned cancels_before; /* sl_requests.cancels when it was submitted */
    /* What the attempt under way asked for. */
    uint64_t attempt_bytes;
    bool attempt_direct;
};

/* Starts the next attempt: the caller then reads request->attempt_bytes bytes at offset
 * read.offset + done into destination + done. */
void sl_request_attempt(struct sl_request *request);

/* Digests the kernel's answer to the attempt (bytes, 0 at the end of the file, -errno). True: the
 * read is finished and request->result is set. False: another attempt is needed (short read,
 * EAGAIN, EINTR, or a refused O_DIRECT, after which the file is buffered).
 *
 * The last block of a file is filled up with zeroes. A direct read may end at any byte there, but
 * can only go on from an aligned offset. */
bool sl_request_advance(struct sl_request *request, ssize_t answer);

#endif
