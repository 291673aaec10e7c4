/* What import and synth print when they are done. */
#ifndef SLUICE_CLI_IMPORT_REPORT_H
#define SLUICE_CLI_IMPORT_REPORT_H

#include "runtime/sluice.h"

void cli_import_report(const char *path, const struct sl_import_summary *summary);

#endif
