/* Results files: JSON Lines, one record per line (docs/records.md), appended to by `sweep` and read
 * by everything that compares or draws. What was finished is never lost: records are appended with
 * one write and synced, and a reader reports lines that it cannot use and keeps the rest. */
#ifndef SLUICE_REPORT_RESULTS_FILE_H
#define SLUICE_REPORT_RESULTS_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/error.h"

/* Version of the records' fields, in the field `schema` of every record. It grows when the meaning
 * of a field changes; new fields do not change it. */
#define SL_RESULTS_SCHEMA 1

/* Why a line is not among the records that were read. */
enum sl_results_fault {
    SL_RESULTS_BAD_LINE,     /* not a JSON object */
    SL_RESULTS_TORN_LINE,    /* the last one, cut off in the middle of a write */
    SL_RESULTS_OTHER_SCHEMA, /* a record of another version, or without one */
};

/* Who listens to a reader; both hooks may be NULL. */
struct sl_results_reader {
    /* A record and its line number, counted from 1. Borrowed: incref it to keep it. A negative
     * result ends the reading and is returned. */
    int (*record)(void *context, json_t *record, long line);
    /* A line that is left out. why: one line for people, with file and line number. */
    void (*complain)(void *context, long line, enum sl_results_fault fault, const char *why);
    void *context;
};

/* Reads a results file from start to end, one record in memory at a time. Empty lines are passed
 * over; a complete record whose newline is missing counts. 0; -errno when the file cannot be opened
 * or read; what reader->record returned. Any thread; blocks. */
int sl_results_each(const char *path, const struct sl_results_reader *reader,
                    struct sl_error *error);

/* The same, all records at once: *records is a new array. complain as in struct sl_results_reader,
 * may be NULL. */
int sl_results_read(const char *path, json_t **records,
                    void (*complain)(void *context, long line, enum sl_results_fault fault,
                                     const char *why),
                    void *context, struct sl_error *error);

/* What to do with results that are there already. */
enum sl_results_mode {
    SL_RESULTS_NEW,       /* refuse */
    SL_RESULTS_CONTINUE,  /* append */
    SL_RESULTS_OVERWRITE, /* throw them away */
};

/* A results file open for appending, locked against other writers. */
struct sl_results_file {
    int fd; /* -1: not open */
    char *path;
    off_t end; /* behind the last whole record */
};

/* An empty value, which sl_results_close accepts. */
#define SL_RESULTS_FILE_EMPTY ((struct sl_results_file){.fd = -1})

/* The -EEXIST of sl_results_open, for before there is anything to write; changes nothing. */
int sl_results_check(const char *path, enum sl_results_mode mode, struct sl_error *error);

/* Opens or creates path. -EEXIST: it has results and mode is SL_RESULTS_NEW; -EBUSY: another
 * process appends to it; -EINVAL: not a regular file; -errno of open, stat and read. With
 * SL_RESULTS_CONTINUE a torn last line is cut off, *torn_bytes (may be NULL) says how long it was,
 * and a whole one without its newline gets it. */
int sl_results_open(struct sl_results_file *file, const char *path, enum sl_results_mode mode,
                    uint64_t *torn_bytes, struct sl_error *error);

/* Appends records (an array) with one write and syncs them. On failure (-ENOSPC, -EIO, ...) nothing
 * of them stays in the file: what a partial write left is cut off. */
int sl_results_append(struct sl_results_file *file, const json_t *records, struct sl_error *error);

/* Gives the lock back. */
void sl_results_close(struct sl_results_file *file);

#endif
