/* Packs of known topologies with synthetic weights, made when an experiment first asks for them. */
#ifndef SLUICE_CLI_TOPOLOGY_CACHE_H
#define SLUICE_CLI_TOPOLOGY_CACHE_H

#include <stdbool.h>

#include "runtime/base/error.h"

/* Path of the topology's pack in $XDG_CACHE_HOME/sluice (or ~/.cache/sluice), which is made there
 * when it is missing or of another version. Owned by the caller; NULL with an error: unknown
 * topology (-EINVAL), no folder, no space. quiet: do not tell that it is made. */
char *topology_cache_pack(const char *topology, bool quiet, struct sl_error *error);

#endif
