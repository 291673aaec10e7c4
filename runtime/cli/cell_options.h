/* The options of a cell (cell_options.inc.h), and what one cell takes: shared by `run`, `sweep` and
 * job files. A new option is one row there, its reader in cell_options.c, and a field here. */
#ifndef SLUICE_CLI_CELL_OPTIONS_H
#define SLUICE_CLI_CELL_OPTIONS_H

#include "runtime/cli/cell.h"
#include "runtime/cli/command.h"
#include "runtime/cli/device_profile.h"
#include "runtime/cli/pack_set.h"

enum cell_option_kind {
    CELL_SINGLE,   /* one value */
    CELL_FLAG,     /* given or not */
    CELL_REPEATED, /* every occurrence counts */
    CELL_LISTED,   /* a list: one cell for each value */
    CELL_SWEPT,    /* one value in run, a list in sweep */
    CELL_RANGED,   /* the same, numbers: ranges too */
    CELL_DEVICE,   /* as CELL_SWEPT; one value in tune, which compares settings of one device */
    /* The same in run and sweep; one value in tune, which compares settings at one load. */
    CELL_LOAD = CELL_RANGED,
};

/* What the value of an option is called in the help of run, of sweep, and of tune. */
#define CELL_VALUE_SINGLE(value)   value
#define CELL_VALUE_FLAG(value)     value
#define CELL_VALUE_REPEATED(value) value
#define CELL_VALUE_LISTED(value)   value
#define CELL_VALUE_SWEPT(value)    value
#define CELL_VALUE_RANGED(value)   value
#define CELL_VALUE_DEVICE(value)   value
#define CELL_VALUE_LOAD(value)     value
#define CELL_LIST_SINGLE(value)    value
#define CELL_LIST_FLAG(value)      value
#define CELL_LIST_REPEATED(value)  value
#define CELL_LIST_LISTED(value)    value
#define CELL_LIST_SWEPT(value)     value "[,...]"
#define CELL_LIST_RANGED(value)    value "[,...]|A-B[+S|*F]"
#define CELL_LIST_DEVICE(value)    value "[,...]"
#define CELL_LIST_LOAD(value)      CELL_LIST_RANGED(value)
#define CELL_TUNED_SINGLE(value)   value
#define CELL_TUNED_FLAG(value)     value
#define CELL_TUNED_REPEATED(value) value
#define CELL_TUNED_LISTED(value)   CELL_LIST_LISTED(value)
#define CELL_TUNED_SWEPT(value)    CELL_LIST_SWEPT(value)
#define CELL_TUNED_RANGED(value)   CELL_LIST_RANGED(value)
#define CELL_TUNED_DEVICE(value)   value
#define CELL_TUNED_LOAD(value)     value
/* Rows of a command's option table. */
#define CELL_ROW_IN_RUN(name, letter, value, kind, reader, help, choices)                          \
    {name, letter, CELL_VALUE_##kind(value), help, choices, CELL_##kind == CELL_REPEATED},
#define CELL_ROW_IN_SWEEP(name, letter, value, kind, reader, help, choices)                        \
    {name, letter, CELL_LIST_##kind(value), help, choices, CELL_##kind == CELL_REPEATED},
#define CELL_ROW_IN_TUNE(name, letter, value, kind, reader, help, choices)                         \
    {name, letter, CELL_TUNED_##kind(value), help, choices, CELL_##kind == CELL_REPEATED},

/* Everything that one cell takes. Pointers are borrowed. */
struct cell_request {
    struct cell cell;
    struct device_profile device; /* which the limits are built on */
    struct sl_limits limits;
    bool make_swapfile;
    uint64_t timeout_ns;
    const struct pack_set *packs;
};

struct cell_option {
    const char *name; /* NULL ends the table */
    enum cell_option_kind kind;
    /* Takes the text of one value; NULL: not read here. The message does not name the option. */
    int (*read)(struct cell_request *request, const char *text, struct sl_error *error);
};

/* In the order of cell_options.inc.h. */
extern const struct cell_option cell_options[];

/* A cell of those packs with nothing given: policy auto, no limits, one request. */
void cell_request_init(struct cell_request *request, const struct pack_set *packs);
/* What can be known to be wrong with a whole cell before it starts: hints without a loader that
 * takes them, networks that cannot be batched. -EINVAL. */
int cell_request_check(const struct cell_request *request, struct sl_error *error);
/* Whether the networks can be fed with the inputs: as many files as fit, and blobs that there are.
 * -EINVAL. Files are not looked at. */
int cell_request_check_inputs(const struct cell_request *request, struct sl_error *error);
/* The raw rate of the storage under the packs, for the bound. */
void cell_request_measure(struct cell_request *request, struct pack_set *packs);

/* What the cell adds to the records of its networks: limits, depth, queue_depth, context. */
void cell_finish_records(const struct cell_request *request, json_t *records, json_t *context);

/* What says which repetition of which cell (cell_key) they are, and how that ended: key, run, part,
 * parts, ended. */
void cell_name_records(json_t *records, const char *key, int64_t run);

/* "170M", "25%" of weight_bytes, "none" (SL_NO_LIMIT). -EINVAL, also when no process can start in
 * it. */
int cell_parse_memory(const char *text, uint64_t weight_bytes, uint64_t *bytes,
                      struct sl_error *error);

#endif
