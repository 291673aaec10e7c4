/* A sweep: cells, each repeated in fresh workers, their records in a results file. */
#ifndef SLUICE_CLI_SWEEP_H
#define SLUICE_CLI_SWEEP_H

#include <jansson.h>
#include <stdio.h>

#include "runtime/base/text.h"
#include "runtime/cli/cell_set.h"
#include "runtime/report/results_file.h"
#include "runtime/report/text_table.h"

enum sweep_order { SWEEP_INTERLEAVED, SWEEP_GROUPED, SWEEP_SHUFFLED };

/* How often and in which order. */
struct sweep_plan {
    int64_t runs;     /* most repetitions of a cell */
    int64_t warmup;   /* repetitions before them that leave no record */
    double precision; /* half the width of the median's interval, of the median, at which a cell is
                       * settled; 0: never */
    uint64_t time_limit_ns; /* no repetition starts later; 0: none */
    enum sweep_order order;
    uint64_t seed; /* of the shuffled order */
    bool quiet;
};

/* Packs that run as one batch: one value of the network axis. */
struct sweep_group {
    struct pack_set packs;
    char *names;     /* of the networks, joined by "+", and their packs where names are not enough;
                      * owned */
    json_t *context; /* owned */
};

enum { SWEEP_ENDINGS = 5 }; /* enum sl_ending */

/* A cell and what is known of it, from this process or from the file. */
struct sweep_cell {
    const struct cell_point *point;
    const struct sweep_group *group;
    char key[CELL_KEY_BYTES];
    bool *complete; /* [runs]: all records are in the file; owned */
    int64_t done;   /* how many are */
    bool warm;      /* its warm-ups ran */
    /* Of repetitions that ended ok: latency (median of its requests) or makespan of a batch. */
    uint64_t *samples; /* owned; sorted by sweep_cell_sort */
    size_t sample_count, sample_capacity;
    int endings[SWEEP_ENDINGS];
    char *error;                                      /* of the first record that has one; owned */
    double peak_bytes, swap_in_bytes, swap_out_bytes; /* most; -1: not known */
    double predicted_ns;                              /* of one repetition */
    uint64_t wall_ns, walls;                          /* measured: sum and number */
};

struct sweep {
    struct sweep_plan plan;
    struct cell_set set;
    struct sweep_group *groups;
    int group_count;
    struct sweep_cell *cells;
    int cell_count;
    bool varies[CELL_OPTIONS_MOST]; /* options whose values differ between cells */
    struct sl_results_file file;
    json_t *parts;   /* "key/run": parts of that repetition that are in the file */
    json_t *indexes; /* key: index of the cell */
};

/* sweep.c */

/* Makes the cells of sweep->set: the same ones once. Returns how many were the same, or -ENOMEM. */
int sweep_prepare(struct sweep *sweep, struct sl_error *error);
void sweep_free(struct sweep *sweep);
/* Runs what is not in the file yet. Returns an enum cli_exit: CLI_OK also when cells ended oom and
 * so on (see sweep_failures). Errors are printed. */
int sweep_run(struct sweep *sweep);
/* Repetitions that did not end ok. */
int sweep_failures(const struct sweep *sweep);
/* Whether nothing more is to be run for it. */
bool sweep_cell_is_settled(const struct sweep_plan *plan, struct sweep_cell *cell);

/* sweep_results.c */

/* Takes what the file has of this sweep's cells; says on stderr what was left out. */
int sweep_resume(struct sweep *sweep, uint64_t torn_bytes, struct sl_error *error);
/* Completes the records of a repetition with key, run and so on and appends those that the file
 * lacks. Counts them. */
int sweep_record(struct sweep *sweep, struct sweep_cell *cell, int64_t run, json_t *records,
                 struct sl_error *error);
/* Says on stderr why cells ended in error. */
void sweep_print_errors(const struct sweep *sweep);
/* Hints on stderr about what makes the measurements of its cells in the file doubtful. */
void sweep_print_noise(const struct sweep *sweep);

/* sweep_progress.c */

/* Predicts what a repetition of every cell costs. */
void sweep_predict(struct sweep *sweep);
/* Before a repetition, on a terminal: bar, cell and the time that is left. */
void sweep_show_start(const struct sweep *sweep, const struct sweep_cell *cell, int64_t run);
/* Behind it: a line for whoever reads a log. records: NULL for a warm-up. */
void sweep_show_end(const struct sweep *sweep, const struct sweep_cell *cell, int64_t run,
                    const json_t *records);
/* Clears the bar. */
void sweep_show_nothing(const struct sweep *sweep);
/* "FaceNet, policy bulk, memory 75%": what tells the cell from the others. */
void sweep_label(const struct sweep *sweep, const struct sweep_cell *cell, struct sl_text *text);

/* sweep_table.c */

/* One row per cell. */
int sweep_print(const struct sweep *sweep, enum sl_format format, FILE *stream);

#endif
