/* Runs one cell: a fresh worker process inside a new group, watched from outside it. */
#ifndef SLUICE_CGROUPS_SUPERVISOR_H
#define SLUICE_CGROUPS_SUPERVISOR_H

#include <stddef.h>
#include <stdint.h>

#include "cgroups/cgroup.h"

SL_C_BEGIN

enum sl_ending {
    SL_ENDED_OK,          /* exit 0 */
    SL_ENDED_OOM,         /* killed by the group's out-of-memory killer */
    SL_ENDED_TIMEOUT,     /* ended by us after timeout_ns */
    SL_ENDED_ERROR,       /* any other exit code or signal */
    SL_ENDED_INTERRUPTED, /* ended by us because *interrupted was set */
};
/* "ok", "oom", "timeout", "error" or "interrupted". Static. */
SL_API const char *sl_ending_name(enum sl_ending ending);

struct sl_memory_sample {
    uint64_t time_ns; /* since the worker's start */
    uint64_t memory_bytes, swap_bytes;
    uint64_t major_faults, swap_in_bytes, swap_out_bytes; /* since the start, as are all below */
    uint64_t refaults;                       /* pages that came back; 0 without a group */
    uint64_t scanned_pages, reclaimed_pages; /* of the group; where it does not tell (v1) or there
                                              * is none, of the machine */
    uint64_t pressure_some_ns, pressure_full_ns; /* likewise; some or all tasks waited for memory */
};

struct sl_cell {
    char *const *argv; /* the worker: argv[0] is the program's path */
    struct sl_limits limits;
    bool make_swapfile;         /* swap anywhere: make a file when free swap <
                                 * limits.swap_bytes; swap of other sluice runs does not count as
                                 * free */
    const char *swap_directory; /* NULL: choose */
    const char *const
        *cold_files;     /* NULL-terminated: dropped from the page cache before the start */
    uint64_t timeout_ns; /* 0: none */
    uint64_t grace_ns;   /* from SIGTERM, at the timeout or when interrupted, to SIGKILL; 0: SIGKILL
                          * at once */
    uint64_t sample_interval_ns;     /* 0: 10 ms */
    const volatile int *interrupted; /* polled; may be NULL */
    /* Called with every sample, the last one of which comes after the worker's end; NULL: not. */
    void (*sampled)(void *context, const struct sl_memory_sample *sample);
    void *sampled_context;
};

struct sl_outcome {
    enum sl_ending ending;
    int exit_code, signal;
    bool limited; /* a group was used */
    uint64_t wall_ns;
    struct sl_cgroup_usage usage; /* at the end; peak is the kernel's own */
    /* pswpin, pswpout over the run, of a limited worker's group where that tells (newer cgroup v2).
     * Else of the whole machine, swap_in at most what the group took back: idle memory of other
     * programs may be among what went out. */
    uint64_t swap_in_bytes, swap_out_bytes;
    /* Swap in zram: most memory that its compressed pages took, which no limit counts; else
     * SL_NO_LIMIT. */
    uint64_t zram_peak_bytes;
    struct sl_memory_sample *samples; /* owned */
    size_t sample_count;
    char *output; /* the worker's stdout (its record), NUL-terminated, owned */
    size_t output_bytes;
    char *diagnostics; /* its stderr, owned */
};

/* Creates swap and group as needed, starts the worker so that all its memory is charged to the
 * group, samples, reaps, says how it ended, removes everything. The worker's death by limit is an
 * outcome, not an error. Errors: the environment does not allow what was asked (-EPERM, -ENOSYS,
 * -EOPNOTSUPP, -ENODEV) with the cure. Call from one thread; SIGCHLD must not be ignored. */
SL_API int sl_supervise(const struct sl_cell *cell, struct sl_outcome *outcome,
                        struct sl_error *error);
SL_API void sl_outcome_free(struct sl_outcome *outcome);

/* Removes groups, swap files and zram disks whose sluice process is gone. */
SL_API void sl_supervisor_clean(void);

SL_C_END

#endif
