/* The cells that a command line or a job spans: the product of its lists. */
#ifndef SLUICE_CLI_CELL_SET_H
#define SLUICE_CLI_CELL_SET_H

#include <stdbool.h>

#include "runtime/base/text.h"
#include "runtime/cli/cell_options.h"
#include "runtime/cli/value_list.h"

#define CELLS_MOST        100000
#define CELL_OPTIONS_MOST 40
#define CELL_KEY_BYTES    17

struct cell_point {
    struct cell_request request;
    /* Per option of cell_options: the value given, NULL: none. Borrowed from the set. */
    const char *texts[CELL_OPTIONS_MOST];
};

/* Zero-initialise; free with cell_set_free. Packs and arguments outlive it. */
struct cell_set {
    struct cell_point *points;
    int count, capacity;
    struct cell_axes *axes; /* what points borrow from; a list */
};

/* Appends the cells of those packs that the arguments ask for: values are read as
 * cell_options says, what varies fastest comes first. lists: every list that sweep takes; false:
 * those of run. runs, warmup: requests inside one process. -EINVAL names option and origin. */
int cell_set_expand(struct cell_set *set, const struct cli_arguments *arguments,
                    const struct pack_set *packs, bool lists, struct sl_error *error);
void cell_set_free(struct cell_set *set);

/* What there is to say of a policy; the name must be one. */
struct sl_entry cell_policy(const char *name);

/* Takes away what changes nothing: the depth of a policy without one, swap without a limit of
 * memory. */
void cell_settle(struct cell_point *point);
/* Says on stderr which of the options given change nothing in any cell, of a budget that no cell's
 * policy keeps, and of a batch that is not full. */
void cell_set_note_unused(const struct cell_set *set);
/* Index of an option in cell_options; the name must be one. */
int cell_option_index(const char *name);
/* Settles all cells and keeps the first of those that are the same. Returns how many went. */
int cell_set_collapse(struct cell_set *set);
/* Takes away the kinds of limits that rights do not give; lost gets their options
 * ("--memory, --cpus"). Returns whether something went. */
bool cell_set_drop_refused(struct cell_set *set, const struct sl_cgroup_rights *rights,
                           struct sl_text *lost);
/* Takes away limits that this user cannot have, and says so on stderr, once. Returns whether
 * something went. */
bool cell_set_respect_rights(struct cell_set *set);

/* Whether this machine can hold the devices of all cells (device_check): a device is emulated
 * wholly or not at all. 0 or -EOPNOTSUPP. */
int cell_set_check_devices(const struct cell_set *set, struct sl_error *error);

/* The cell's name across files and machines: XXH3-64, in hexadecimal, over what a settled cell is:
 * the packs' identities (not their paths), inputs, policy, limits, depth and so on. Left out are
 * what says how it is watched (timeout) or recorded (top, labels, output). Values that are not
 * given leave no trace, so that new options change no key. */
void cell_key(const struct cell_request *request, char key[CELL_KEY_BYTES]);

#endif
