/* Memory that reading an input takes for a while: whoever lives within a limit is asked first. */
#ifndef SLUICE_INPUT_ROOM_H
#define SLUICE_INPUT_ROOM_H

#include <stdint.h>

#include "runtime/base/error.h"

struct sl_room {
    /* Makes sure that so many bytes more may be taken now; so_far: all that this input asked for,
     * these among it. 0 or -errno. */
    int (*make)(void *context, uint64_t bytes, uint64_t so_far, struct sl_error *error);
    void *context;
    uint64_t asked_bytes;
};

/* What make says. A room that is NULL has no bounds. */
int sl_room_ask(struct sl_room *room, uint64_t bytes, struct sl_error *error);

#endif
