/* Survives pages of mapped files that cannot be read: the file was cut under the mapping, or its
 * device failed. The access finds zeroes and the failure is noted, instead of the SIGBUS that would
 * end the process.
 *
 * A process has one handler per signal: ours is there while any mapping is guarded, passes on what
 * is not ours to the handler that was there before, and puts that back with the last mapping. That
 * is why this state is global. Any thread. */
#ifndef SLUICE_IOURING_FAULT_GUARD_H
#define SLUICE_IOURING_FAULT_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

/* Guards a mapping; returns its number >= 0 or -errno (-EMFILE: too many). */
int sl_fault_guard_add(void *base, size_t bytes, struct sl_error *error);
/* Before the mapping goes. */
void sl_fault_guard_remove(int number);
/* True when an access failed since the last call; *offset: of the page that failed first, from
 * base. The failed pages stay zero until the caller maps the file anew. */
bool sl_fault_guard_failed(int number, uint64_t *offset);

#endif
