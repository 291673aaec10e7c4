/* Lists of values as options take them: "a,b,c", "all", and ranges of numbers. */
#ifndef SLUICE_CLI_VALUE_LIST_H
#define SLUICE_CLI_VALUE_LIST_H

#include <stdbool.h>

#include "runtime/sluice.h"

#define VALUES_MOST 4096

/* Zero-initialise; free with value_list_free. */
struct value_list {
    char **values; /* owned */
    int count, capacity;
};

/* Appends the values of "V[,V...]" in order. With `ranges` a V may be a range of whole numbers:
 * "A-B" (A, A+1, ... up to B), "A-B+S" (A, A+S, ...) or "A-B*F" (A, A*F, ...). -EINVAL: an empty
 * value, a range that ends nowhere, more than VALUES_MOST values. */
int value_list_read(struct value_list *list, const char *text, bool ranges, struct sl_error *error);
/* Appends names of that kind: "N[,N...]", or "all", which are those that are not for tests only.
 * -EINVAL with the nearest known name. what: for the message. */
int value_list_read_names(struct value_list *list, const char *text, enum sl_kind kind,
                          const char *what, struct sl_error *error);
void value_list_free(struct value_list *list);

/* -EINVAL with the nearest known name when kind has no entry of that name; what: for the message.
 * Checked before anything starts, so that a typing error costs no run. */
int cli_check_name(enum sl_kind kind, const char *what, const char *name, struct sl_error *error);

#endif
