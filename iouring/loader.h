/* Loaders bring shards from storage into memory. A loader is an ops table (iouring/loader_table.c);
 * `uring`, `pread` and `mmap` for use, `sim` and `fault` for tests. One thread at a time may use a
 * loader.
 *
 * A read goes straight into its destination (no copy); it is finished only when its completion was
 * reaped, also after a cancel. Short reads are resubmitted inside the loader. */
#ifndef SLUICE_IOURING_LOADER_H
#define SLUICE_IOURING_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

struct sl_read {
    uint64_t tag;      /* the caller's, returned with the completion */
    int file;          /* from add_file */
    uint64_t offset;   /* multiple of 4096 */
    uint64_t length;   /* multiple of 4096, <= SL_READ_MOST_BYTES; may reach past the end of the
                        * file only within its last block (then the rest of the block is zero) */
    void *destination; /* 4096-aligned, length bytes; of loaders with a map hook: what that told */
};
#define SL_READ_MOST_BYTES (UINT64_C(1) << 30)

struct sl_completion {
    uint64_t tag;
    int result; /* 0, or -errno (-ECANCELED after cancel, -EIO, -ENODATA: the file ends early) */
    uint64_t submitted_ns, completed_ns; /* sl_now_ns */
};

struct sl_loader_options {
    int depth;         /* most reads in flight in the kernel, 1..256; more are queued inside */
    bool buffered;     /* do not ask for O_DIRECT */
    const char *hints; /* loaders that map only (iouring/hints.h); NULL: the loader's choice */
    /* sim and fault only */
    uint64_t sim_bytes_per_s, sim_latency_ns;
    int fault_errno;      /* 0: the read claims success, but its second half is zero */
    uint64_t fault_every; /* every n-th read fails with fault_errno; 0: none */
    uint64_t fault_reap;  /* after this many reads are reaped, every reap fails; 0: none does */
    bool fault_cancelled; /* reaps fail once reads were cancelled */
};

struct sl_loader;

struct sl_loader_ops {
    const char *name;
    const char *description; /* one line for `sluice list loaders` */
    bool for_tests;          /* not one of all loaders that a sweep tries */
    bool without_data;       /* what it reads is zero: no checksum can match */
    int (*open)(const struct sl_loader_options *options, struct sl_loader **loader,
                struct sl_error *error);
    /* Opens a file for reading; returns its number >= 0 or -errno. O_DIRECT where the file system
     * takes it, else buffered with the pages dropped behind the read. */
    int (*add_file)(struct sl_loader *loader, const char *path, struct sl_error *error);
    /* Optional hook: announces memory that destinations will lie in (registered buffers). All of it
     * becomes resident and cannot be swapped, and it must stay mapped until close: for a pool
     * within a budget, not for memory that is left to swap. A refusal is not an error: returns 0
     * and reads the ordinary way. May be called again with more. */
    int (*add_memory)(struct sl_loader *loader, void *base, size_t bytes);
    /* Optional hooks, all or none, of loaders that hand out memory of their own: the file, mapped.
     * map: where the bytes of a span will be (offset and length as in sl_read), readable once a
     * read of it is finished; NULL with an error (-ENODATA: the file ends before). Nothing is
     * charged before that read. */
    void *(*map)(struct sl_loader *loader, int file, uint64_t offset, uint64_t length,
                 struct sl_error *error);
    /* The span is not needed before it is read again: its memory is given back. No read of it is
     * outstanding. */
    void (*release)(struct sl_loader *loader, void *memory, uint64_t length);
    /* The span will be needed again and again: it is locked where that is allowed and locks nothing
     * else. Ends with its release. */
    void (*keep)(struct sl_loader *loader, void *memory, uint64_t length);
    /* -EIO and the place when mapped memory could not be read since the last call, because the file
     * was cut or its device failed after the read was finished; what was read instead is zero. Else
     * 0. */
    int (*damaged)(struct sl_loader *loader, int *file, uint64_t *offset);
    /* Optional hook: from now on no more than so many bytes shall be in flight in the kernel (one
     * read of any size may; UINT64_MAX, as at open: no bound); other reads are queued inside. Some
     * devices complete all that they were given at once, when the last of it is done. */
    void (*pace)(struct sl_loader *loader, uint64_t most_bytes);
    /* Takes the read; never blocks on the device. 0 or -errno (nothing taken). */
    int (*submit)(struct sl_loader *loader, const struct sl_read *read, struct sl_error *error);
    /* Hands out at most `most` finished reads; waits up to timeout_ns (0: not at all, UINT64_MAX:
     * for ever) until there is at least one. Returns how many; 0 at once when no read is
     * outstanding, and 0 after a signal. */
    int (*reap)(struct sl_loader *loader, struct sl_completion *completions, int most,
                uint64_t timeout_ns, struct sl_error *error);
    /* A descriptor that polls readable when reap would return something. */
    int (*event_fd)(struct sl_loader *loader);
    /* Asks for all reads in flight and queued to end; their completions still come. */
    void (*cancel)(struct sl_loader *loader);
    /* Cancels, waits for what is in flight, frees. NULL is fine. */
    void (*close)(struct sl_loader *loader);
};

/* Every loader starts with this. */
struct sl_loader {
    const struct sl_loader_ops *ops;
    /* What was degraded and why, one line each separated by "; ", for the user; "" when nothing. */
    char notes[256];
    bool direct;    /* every file so far is read with O_DIRECT */
    bool lazy;      /* what is finished may not be in memory yet: its use reads the device */
    char hints[80]; /* what it tells the kernel of its mapping; "" when it maps nothing */
    /* The most of all files so far that the kernel may have on its way into memory besides what was
     * asked for: its read-ahead, where a mapping leaves that on. */
    uint64_t read_ahead_bytes;
};

/* By name; NULL name: uring, or pread when io_uring is denied (the reason goes to reason, e.g.
 * "io_uring denied (EPERM: seccomp or kernel.io_uring_disabled); reading with pread threads").
 * An unknown name is -EINVAL with the nearest known one. */
int sl_loader_open(const char *name, const struct sl_loader_options *options,
                   struct sl_loader **loader, char reason[160], struct sl_error *error);
/* Whether the loader of that name (NULL: the one chosen by itself) takes these hints; NULL is
 * always fine. -EINVAL with the reason, also for an unknown name. */
int sl_loader_check_hints(const char *name, const char *hints, struct sl_error *error);
/* What read_ahead_bytes of a loader of that name (NULL: the one chosen by itself), with these hints
 * and files, will be. 0 or -errno. */
int sl_loader_read_ahead(const char *name, const char *hints, const char *const *paths, int count,
                         uint64_t *bytes, struct sl_error *error);
/* Iterate with index from 0 until NULL. */
const struct sl_loader_ops *sl_loader_at(int index);
/* Checks the table's required hooks. */
int sl_loaders_check(struct sl_error *error);

#endif
