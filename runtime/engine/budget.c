#include "runtime/engine/budget.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/units.h"

/* Measured: what a group is charged beyond the process's own pages (descriptors, rings, pages of
 * the pack's index in the page cache) stays below this. */
#define BUDGET_RESERVE_BYTES (2 * SL_MIB)

static uint64_t status_kib(const char *status, const char *key)
{
    const char *line = strstr(status, key);
    uint64_t kib = 0;
    if (line)
        sscanf(line + strlen(key), "%" SCNu64, &kib);
    return kib;
}

uint64_t sl_budget_overhead(const struct sl_budget *budget)
{
    return budget->process_bytes + budget->activation_bytes + budget->scratch_bytes +
           budget->reserve_bytes;
}

int sl_budget_divide(struct sl_budget *budget, struct sl_error *error)
{
    if (budget->total_bytes == UINT64_MAX) {
        budget->shard_bytes = UINT64_MAX;
        return 0;
    }
    char status[4096];
    int length = sl_file_read_text("/proc/self/status", status, sizeof(status));
    if (length < 0)
        return sl_error_set(error, length, "cannot read /proc/self/status: %s", strerror(-length));
    budget->process_bytes =
        (status_kib(status, "\nVmRSS:") + status_kib(status, "\nVmPTE:")) * SL_KIB;
    budget->reserve_bytes = BUDGET_RESERVE_BYTES;
    uint64_t overhead = sl_budget_overhead(budget);
    budget->shard_bytes = budget->total_bytes > overhead ? budget->total_bytes - overhead : 0;
    return 0;
}
