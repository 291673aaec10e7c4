/* How `run` prints its records. */
#ifndef SLUICE_CLI_RUN_OUTPUT_H
#define SLUICE_CLI_RUN_OUTPUT_H

#include <jansson.h>
#include <stdio.h>

#include "runtime/report/text_table.h"

/* One cell: what it took and what the network answered, for people. */
void run_print_summary(const json_t *records, FILE *stream);

/* Many cells, one row each; or any number in CSV and Markdown, one row per record. cells: an array
 * of arrays of records. */
int run_print_table(const json_t *cells, enum sl_format format, FILE *stream);

/* The profile of every cell that has one, behind what the above prints. Not in CSV, which is for
 * programs: their records have it. -ENOMEM. */
int run_print_profiles(const json_t *cells, enum sl_format format, FILE *stream);

/* The errors of cells, each of them once, as every error is printed. */
void run_print_errors(const json_t *cells, FILE *stream);

/* One line for each cell whose budget the weights did not fit: what more memory would bring. */
void run_print_advice(const json_t *cells, FILE *stream);

#endif
