#include "runtime/input/room.h"

#include <stddef.h>

int sl_room_ask(struct sl_room *room, uint64_t bytes, struct sl_error *error)
{
    if (!room)
        return 0;
    room->asked_bytes += bytes;
    return room->make(room->context, bytes, room->asked_bytes, error);
}
