/* How `doctor --bench` tells what it measured. */
#ifndef SLUICE_CLI_BENCH_REPORT_H
#define SLUICE_CLI_BENCH_REPORT_H

#include <stdio.h>

#include "runtime/report/text_table.h"
#include "runtime/sluice.h"

#define BENCH_CHECKS 4
/* The measurements judged as doctor's other checks: reads, writes, compute, weights. */
void bench_checks(const struct sl_bench *bench, struct sl_check checks[BENCH_CHECKS]);

/* Rates and latencies by block and depth as a table; as JSON all measurements, one a line. -errno.
 */
int bench_print(const struct sl_bench *bench, enum sl_format format, FILE *stream);

#endif
