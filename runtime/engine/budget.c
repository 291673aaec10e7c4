#include "runtime/engine/budget.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/units.h"
#include "runtime/engine/cpus.h"
#include "runtime/engine/pages.h"

/* What comes after the budget was divided: page tables of all it holds, 8 bytes a page, and rings,
 * stacks, records, pages of the program that were not touched yet, which were measured to stay
 * below 1 MiB together. */
#ifndef __SANITIZE_ADDRESS__
#define BUDGET_RESERVE_BYTES SL_MIB
#else
#define BUDGET_RESERVE_BYTES (6 * SL_MIB) /* the sanitizer keeps what was freed */
#endif
#define BUDGET_BYTES_PER_PTE (4096 / 8)

/* The kernel charges a group 64 pages at a time for each processor (MEMCG_CHARGE_BATCH); stacks and
 * rings take about as much as one more. */
#define BUDGET_STOCK_BYTES (64 * SL_PAGE_BYTES)

static uint64_t tables(uint64_t bytes)
{
    return bytes / BUDGET_BYTES_PER_PTE;
}

static bool read_kib(const char *status, const char *key, uint64_t *kib)
{
    const char *line = strstr(status, key);
    return line && sscanf(line + strlen(key), "%" SCNu64, kib) == 1;
}

uint64_t sl_budget_usable(const struct sl_budget *budget)
{
    const uint64_t total = budget->total_bytes, limit = budget->limit_bytes;
    const uint64_t left = limit > budget->others_bytes ? limit - budget->others_bytes : 0;
    return budget->others_bytes && left < total ? left : total;
}

uint64_t sl_budget_overhead(const struct sl_budget *budget)
{
    return budget->process_bytes + budget->activation_bytes + budget->scratch_bytes +
           budget->reserve_bytes + budget->room_bytes + budget->read_ahead_bytes;
}

uint64_t sl_budget_least(const struct sl_budget *budget, uint64_t shard_bytes)
{
    const uint64_t bytes = shard_bytes + budget->process_bytes + budget->activation_bytes +
                           budget->scratch_bytes + budget->read_ahead_bytes + BUDGET_RESERVE_BYTES;
    return bytes + bytes / (BUDGET_BYTES_PER_PTE - 1) + 1;
}

uint64_t sl_budget_arena(const struct sl_budget *budget, uint64_t least_bytes, uint64_t arena_bytes)
{
    if (budget->shard_bytes >= least_bytes)
        return UINT64_MAX;
    uint64_t missing = sl_budget_overhead(budget) + least_bytes - sl_budget_usable(budget);
    return arena_bytes > missing ? arena_bytes - missing : 0;
}

void sl_budget_rest(struct sl_budget *budget)
{
    uint64_t total = sl_budget_usable(budget), overhead = sl_budget_overhead(budget);
    budget->shard_bytes = total == UINT64_MAX ? UINT64_MAX
                          : total > overhead  ? total - overhead
                                              : 0;
}

void sl_budget_lower(struct sl_budget *budget, uint64_t total_bytes, bool unmaps)
{
    const uint64_t before = budget->total_bytes;
    if (unmaps && before != UINT64_MAX && total_bytes < before)
        budget->reserve_bytes -= tables(before) - tables(total_bytes);
    budget->total_bytes = total_bytes;
    sl_budget_rest(budget);
}

uint64_t sl_budget_networks(const struct sl_budget *budget)
{
    return budget->shard_bytes == UINT64_MAX ? UINT64_MAX
                                             : budget->shard_bytes + budget->activation_bytes;
}

/* Of this process's resident pages those that key tells, and its page tables. */
static int resident_bytes(const char *key, uint64_t *bytes, struct sl_error *error)
{
    char status[16384]; /* a user of a thousand groups has a long one */
    uint64_t pages_kib, tables_kib;
    int length = sl_file_read_text("/proc/self/status", status, sizeof(status));
    if (length < 0)
        return sl_error_set(error, -EIO, "cannot read /proc/self/status: %s", strerror(-length));
    if (!read_kib(status, key, &pages_kib) || !read_kib(status, "\nVmPTE:", &tables_kib))
        return sl_error_set(error, -EIO, "/proc/self/status does not tell %s", key + 1);
    *bytes = (pages_kib + tables_kib) * SL_KIB;
    return 0;
}

int sl_budget_resident(uint64_t *bytes, struct sl_error *error)
{
    return resident_bytes("\nVmRSS:", bytes, error);
}

int sl_budget_charged(uint64_t *bytes, struct sl_error *error)
{
    int result = resident_bytes("\nRssAnon:", bytes, error);
    if (result)
        return result;
    *bytes += (uint64_t)(sl_usable_cpus() + 1) * BUDGET_STOCK_BYTES;
    return 0;
}

int sl_budget_divide(struct sl_budget *budget, uint64_t free_bytes, uint64_t pool_bytes,
                     struct sl_error *error)
{
    const bool limited = budget->total_bytes != UINT64_MAX;
    /* Pages of the program and its libraries that others brought in are not charged to the group,
     * other processes of the group are. */
    if (limited && free_bytes <= budget->total_bytes)
        budget->process_bytes = budget->total_bytes - free_bytes;
    else if (sl_budget_resident(&budget->process_bytes, error) < 0)
        return -EIO;
    budget->process_bytes -=
        pool_bytes < budget->process_bytes ? pool_bytes : budget->process_bytes;
    budget->reserve_bytes = BUDGET_RESERVE_BYTES + (limited ? tables(budget->total_bytes) : 0);
    sl_budget_rest(budget);
    return 0;
}
