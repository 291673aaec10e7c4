/* One cell of an experiment: networks under one policy, run in this process or in a fresh worker
 * inside a limited control group. A cell is described by a JSON object, so that a worker can be
 * handed it as one word; records come back the same way. */
#ifndef SLUICE_CLI_CELL_H
#define SLUICE_CLI_CELL_H

#include <jansson.h>
#include <stdbool.h>

#include "runtime/sluice.h"

/* More memory that a record's advice is about. */
#define CELL_ADVICE_BYTES (UINT64_C(40) << 20)

struct observation;

struct cell {
    const char *const *packs; /* all pointers borrowed */
    int pack_count;
    const char *const *inputs; /* FILE or BLOB=FILE, as given; none: pseudo-random values */
    int input_count;
    const char *policy, *loader; /* loader NULL: by itself */
    const char *hints;           /* of loader mmap; NULL: its choice */
    int64_t threads, queue_depth;
    int64_t depth,
        depth_bytes;      /* to read ahead, in shards or in bytes; both 0: the policy's choice */
    int64_t budget_bytes; /* 0: the limit of the process that runs the cell */
    int64_t runs, warmup; /* measured and unmeasured requests of every input; runs >= 1 */
    int64_t batch;        /* queued requests that run together over each shard; 0: 1 */
    bool cold;            /* drop the packs from the page cache before every request */
    int64_t device_bytes_per_s; /* raw rate of the storage, for the bound; 0: unknown */
    bool trust;                 /* no checksums */
    int64_t top;
    const char *labels;           /* file of class names; NULL: the pack's */
    const char *output_directory; /* NULL: outputs are not written */
    /* The watcher's: what of the cell is wanted beside its records; NULL: nothing. */
    const struct observation *observation;
    /* The worker's: memory for events, an inherited descriptor; events_bytes 0: there is none. */
    int64_t events_fd, events_bytes;
};

/* A new reference; NULL when memory ran out. */
json_t *cell_to_json(const struct cell *cell);
/* Reads a description back; pointers live as long as json, except packs and inputs, which are one
 * malloc'd block in *words each to be freed by the caller. -EINVAL when it is none. */
int cell_from_json(const json_t *json, struct cell *cell, const char ***words,
                   struct sl_error *error);

/* Runs the cell in this process. *records: one record per network and input, in order; a new
 * reference, also on -EINTR (what was finished). An input that fails ends the cell: it is the last
 * record, with status "error", or, when nothing was finished before it, an error. Signals: see
 * interrupt.h. */
int cell_execute(const struct cell *cell, json_t **records, struct sl_error *error);

/* The record of a network that has no results. */
json_t *cell_failed_record(const struct cell *cell, int network, const char *status);
/* An array of them, one for each network, all with that error (NULL: none). */
json_t *cell_failed_records(const struct cell *cell, const char *status, const char *error);

/* How a cell ended: the status of the first of its records that is not "ok". Lives as long as it.
 */
const char *cell_status(const json_t *records);

/* Runs the cell in a worker under limits. *records as above, status and usage filled in. A worker
 * that takes too long or is interrupted tells what it finished; where it died, one record per
 * network without results tells how it ended. Fails (-EPERM,
 * -ENOSYS, -EOPNOTSUPP, -ENODEV) only when the limits cannot be set up. */
int cell_supervise(const struct cell *cell, const struct sl_limits *limits, bool make_swapfile,
                   uint64_t timeout_ns, json_t **records, struct sl_error *error);

#endif
