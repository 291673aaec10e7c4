/* Policies and limits of memory, for commands that try them without running cells: plan, inspect.
 */
#ifndef SLUICE_CLI_CELL_LIST_H
#define SLUICE_CLI_CELL_LIST_H

#include "runtime/cli/command.h"
#include "runtime/cli/value_list.h"

#define LIMITS_MOST 64

struct cell_list {
    struct value_list names; /* what policies point into */
    char **policies;
    int policy_count;
    uint64_t memory[LIMITS_MOST]; /* SL_NO_LIMIT: none */
    int memory_count;
};

/* --policy "P[,P...]" or "all"; unless given: that. -EINVAL with the nearest known name. */
int cell_list_read_policies(struct cell_list *list, const struct cli_arguments *arguments,
                            const char *unless_given, struct sl_error *error);
/* --memory "SIZE|PCT%|none[,...]", per cent of weight_bytes; not given: none. -EINVAL. */
int cell_list_read_memory(struct cell_list *list, const struct cli_arguments *arguments,
                          uint64_t weight_bytes, struct sl_error *error);
void cell_list_free(struct cell_list *list);

#endif
