/* Memory that lives and ends together: what a network or a pack index points to. */
#ifndef SLUICE_MODELS_ARENA_H
#define SLUICE_MODELS_ARENA_H

#include <stddef.h>

struct sl_arena;

/* NULL when memory ran out. Free with sl_arena_free. */
struct sl_arena *sl_arena_create(void);
/* Accepts NULL. */
void sl_arena_free(struct sl_arena *arena);

/* count zeroed elements of size bytes, aligned for any type; NULL when memory ran out or count x
 * size overflows. A count of 0 gives a pointer that must not be read. One thread at a time. */
void *sl_arena_alloc(struct sl_arena *arena, size_t count, size_t size);
/* A copy of text, or of count elements of size bytes; NULL when memory ran out. NULL text gives
 * "". */
const char *sl_arena_text(struct sl_arena *arena, const char *text);
void *sl_arena_copy(struct sl_arena *arena, const void *source, size_t count, size_t size);

#endif
