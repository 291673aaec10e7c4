/* Which cells a command line spans: policies x limits of memory. Shared by run and plan. */
#ifndef SLUICE_CLI_CELL_LIST_H
#define SLUICE_CLI_CELL_LIST_H

#include "runtime/sluice.h"

#define POLICIES_MOST 32
#define LIMITS_MOST   64

struct cell_list {
    char *policy_words; /* owned: what policies point into */
    const char *policies[POLICIES_MOST];
    int policy_count;
    uint64_t memory[LIMITS_MOST]; /* SL_NO_LIMIT: none */
    int memory_count;
};

/* "P[,P...]" or "all"; NULL: the default policy. -EINVAL with the nearest known name. */
int cell_list_read_policies(struct cell_list *list, const char *text, struct sl_error *error);
/* "SIZE|PCT%|none[,...]", per cent of weight_bytes; NULL: none. -EINVAL. */
int cell_list_read_memory(struct cell_list *list, const char *text, uint64_t weight_bytes,
                          struct sl_error *error);
void cell_list_free(struct cell_list *list);

/* -EINVAL with the nearest known name when kind has no entry of that name; what: for the message.
 * Checked before anything starts, so that a typing error costs no run. */
int cli_check_name(enum sl_kind kind, const char *what, const char *name, struct sl_error *error);

#endif
