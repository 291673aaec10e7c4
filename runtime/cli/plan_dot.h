/* The task graph of a plan in Graphviz's dot language: loads, runs and drops of the first request,
 * and what each waits for. */
#ifndef SLUICE_CLI_PLAN_DOT_H
#define SLUICE_CLI_PLAN_DOT_H

#include "runtime/sluice.h"

/* path: a file, "-" for stdout. A graph of more than some hundred shards is drawn by layers, with a
 * note in it. */
int plan_write_dot(const struct sl_plan_request *request, const char *path, struct sl_error *error);

#endif
