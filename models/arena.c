#include "models/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)16 << 10)

struct chunk {
    struct chunk *next;
    size_t used, capacity;
    alignas(max_align_t) unsigned char bytes[];
};

struct sl_arena {
    struct chunk *newest;
};

struct sl_arena *sl_arena_create(void)
{
    return calloc(1, sizeof(struct sl_arena));
}

void sl_arena_free(struct sl_arena *arena)
{
    if (!arena)
        return;
    while (arena->newest) {
        struct chunk *next = arena->newest->next;
        free(arena->newest);
        arena->newest = next;
    }
    free(arena);
}

void *sl_arena_alloc(struct sl_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct chunk *chunk = arena->newest;
    if (!chunk || chunk->capacity - chunk->used < bytes) {
        size_t capacity = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        chunk = calloc(1, sizeof(*chunk) + capacity);
        if (!chunk)
            return NULL;
        chunk->capacity = capacity;
        chunk->next = arena->newest;
        arena->newest = chunk;
    }
    void *result = chunk->bytes + chunk->used;
    chunk->used += bytes;
    return result;
}

void *sl_arena_copy(struct sl_arena *arena, const void *source, size_t count, size_t size)
{
    void *copy = sl_arena_alloc(arena, count, size);
    if (copy && count && size)
        memcpy(copy, source, count * size);
    return copy;
}

const char *sl_arena_text(struct sl_arena *arena, const char *text)
{
    if (!text)
        return "";
    return sl_arena_copy(arena, text, strlen(text) + 1, 1);
}
