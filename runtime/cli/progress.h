/* A line on stderr that is written over, where stderr is a terminal. */
#ifndef SLUICE_CLI_PROGRESS_H
#define SLUICE_CLI_PROGRESS_H

#include <stdbool.h>

/* Whether there is one: a terminal, and not --quiet. */
bool progress_is_shown(bool quiet);
/* Shows line in place of the last one, cut to the width of the terminal. */
void progress_show(const char *line);
void progress_clear(void);

#endif
