/* tune: which settings run networks fastest at each memory limit of a device. */
#ifndef SLUICE_CLI_TUNE_H
#define SLUICE_CLI_TUNE_H

#include <jansson.h>
#include <stdio.h>

#include "runtime/base/text.h"
#include "runtime/cli/cell_set.h"
#include "runtime/cli/halving.h"
#include "runtime/cli/tune_choice.h"
#include "runtime/report/results_file.h"
#include "runtime/report/text_table.h"

#define TUNE_LIMITS_AUTO 5
#define TUNE_SHARDS_MOST 16
#define TUNE_PACKS_MOST  64
/* Settings that are run at one limit. */
#define TUNE_TRIED_MOST 32
/* Repetitions of a cell in the exhaustive sweep that tune's cost is compared with: sweep's default.
 */
#define TUNE_SWEEP_RUNS 3

/* The packs, as they are or cut again with another shard size. */
struct tune_variant {
    const char *shard;    /* "256K", as given; NULL: the packs as they are */
    uint64_t shard_bytes; /* 0: as they are */
    char **paths;         /* of packs that were made; owned; NULL: the user's */
    struct pack_set packs;
    struct sl_model *models[TUNE_PACKS_MOST]; /* for the simulator */
};

/* One cell of the space, and what is known of it. */
struct tune_candidate {
    struct cell_point *point;
    const struct tune_variant *variant;
    char key[CELL_KEY_BYTES];
    struct sl_plan_result plan;
    struct tune_setting setting;
    struct halving_arm arm; /* samples of the objective */
    int64_t runs;           /* that were made */
    uint64_t wall_ns;       /* of those that ended ok, together */
    int64_t walls;          /* how many */
    double peak_bytes;      /* most; -1: not known */
    double bound_ns;        /* least; -1: not known */
    char status[16];        /* how the last run ended; "": none */
    char error[256];
};

/* A point of the curve: the candidates at one limit, [first, first + count). */
struct tune_limit {
    uint64_t memory_bytes;
    int first, count;
    int tried[TUNE_TRIED_MOST], tried_count; /* candidates, by their index in the whole space */
    int winner;                              /* -1: none */
    bool done;                               /* the search was not cut short */
    struct tune_point point;
};

struct tune_options {
    int64_t requests; /* of a process */
    bool later;       /* the objective: later requests, or the first */
    uint64_t time_limit_ns;
    bool quiet;
    bool auto_memory;
    bool auto_depth;
    int threads, batch;   /* of the simulator; 0: the CPUs at hand */
    uint64_t most_memory; /* that the device has; SL_NO_LIMIT: not known */
};

/* Zero-initialise, file to SL_RESULTS_FILE_EMPTY; free with tune_free. */
struct tune {
    struct tune_options options;
    const struct cli_arguments *given; /* by the user */
    struct tune_variant variants[TUNE_SHARDS_MOST];
    int variant_count;
    char *folder; /* of packs that were made; NULL: none */
    struct sl_device_info device;
    uint64_t process_bytes; /* of a worker besides networks */
    char *names;            /* of the networks, joined by "+" */
    json_t *context;
    struct cell_set set;
    struct tune_candidate *candidates; /* by limit, largest first */
    int candidate_count;
    struct tune_limit *limits;
    int limit_count;
    int knee; /* index of the limit to recommend; -1: none */
    bool varies[CELL_OPTIONS_MOST];
    struct sl_results_file file;
    int64_t runs;
    uint64_t start_ns, took_ns;
    bool late; /* the time limit ended it */
};

/* tune_packs.c */

/* Opens the packs at paths as variant 0. */
int tune_open_packs(struct tune *tune, const char *const *paths, int count, struct sl_error *error);
/* Makes a variant for each of those sizes ("256K"), beside the first pack or, where that cannot be
 * written, in $TMPDIR; sizes that change nothing are left out, those that storage has no room for
 * too, with a warning. -EINTR when Ctrl-C came. */
int tune_make_variants(struct tune *tune, const struct value_list *shards, struct sl_error *error);
/* Measures the storage and the run times that are not known, and opens models for the simulator. */
int tune_measure(struct tune *tune, struct sl_error *error);
/* Measures, by a worker, what a worker holds besides networks: less than this process, since pages
 * of the program are not charged to it. Without the right to limit memory this process stands in.
 */
int tune_measure_process(struct tune *tune, struct sl_error *error);
/* What cells of that variant are planned on. */
struct cell_ground tune_ground(const struct tune *tune, const struct tune_variant *variant);
/* Removes what was made. */
void tune_remove_packs(struct tune *tune);

/* tune_space.c */

/* The cells of all variants with the values given, or those that tune tries by itself, by limit;
 * auto limits are found by the simulator. -EINVAL names the option. */
int tune_make_space(struct tune *tune, struct sl_error *error);
/* Whether the command line can be understood and the device emulated (-EOPNOTSUPP), before anything
 * is made. */
int tune_check_options(struct tune *tune, struct sl_error *error);
/* What an exhaustive sweep of the space would cost. */
double tune_exhaustive_ns(const struct tune *tune);

/* tune_search.c */

/* Searches limit after limit. 0 also when the time was up; -EINTR on Ctrl-C; other errors end it.
 * The curve holds what was found until then. */
int tune_search(struct tune *tune, struct sl_error *error);

/* The sample of the objective in the records of one process of that cell; -1: there is none.
 * Several networks: from their common arrival to the last result. */
double tune_objective(const struct tune_options *options, const struct cell *cell,
                      const json_t *records);

/* tune_print.c */

/* "auto, depth 4, loader uring, shard 256K": what tells the candidate from the others. */
void tune_label(const struct tune *tune, const struct tune_candidate *candidate,
                struct sl_text *text);
/* The command line that runs the candidate, with one that makes its pack where need be. */
void tune_command(const struct tune *tune, const struct tune_candidate *candidate,
                  struct sl_text *text);
int tune_print(const struct tune *tune, enum sl_format format, FILE *stream);

void tune_free(struct tune *tune);

#endif
