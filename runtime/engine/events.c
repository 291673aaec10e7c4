#include "runtime/engine/events.h"

#include <stdatomic.h>
#include <string.h>

#define RING_MAGIC UINT64_C(0x676e697265756c73)
#define CACHE_LINE 64

_Static_assert(sizeof(struct sl_event) == CACHE_LINE, "an event is one cache line");

/* Counts go up for ever; an event lies at its number modulo the capacity. */
struct sl_event_ring {
    uint64_t magic, capacity;
    _Alignas(CACHE_LINE) _Atomic uint64_t recorded;
    _Atomic uint64_t lost;
    uint32_t label;
    _Alignas(CACHE_LINE) _Atomic uint64_t taken;
    _Alignas(CACHE_LINE) struct sl_event events[];
};

size_t sl_event_ring_bytes(size_t events)
{
    return sizeof(struct sl_event_ring) + events * sizeof(struct sl_event);
}

struct sl_event_ring *sl_event_ring_init(void *memory, size_t bytes)
{
    if (bytes < sl_event_ring_bytes(1))
        return NULL;
    memset(memory, 0, bytes);
    struct sl_event_ring *ring = memory;
    ring->capacity = (bytes - sizeof(*ring)) / sizeof(struct sl_event);
    ring->magic = RING_MAGIC;
    return ring;
}

struct sl_event_ring *sl_event_ring_at(void *memory, size_t bytes)
{
    struct sl_event_ring *ring = memory;
    if (bytes < sl_event_ring_bytes(1) || ring->magic != RING_MAGIC || !ring->capacity ||
        ring->capacity > (bytes - sizeof(*ring)) / sizeof(struct sl_event))
        return NULL;
    return ring;
}

void sl_event_ring_label(struct sl_event_ring *ring, uint32_t label)
{
    ring->label = label;
}

uint32_t sl_event_label(const struct sl_event_ring *ring)
{
    return ring ? ring->label : 0;
}

void sl_event_record(struct sl_event_ring *ring, const struct sl_event *event)
{
    if (!ring)
        return;
    uint64_t recorded = atomic_load_explicit(&ring->recorded, memory_order_relaxed);
    uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
    if (recorded - taken >= ring->capacity) {
        atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
        return;
    }
    ring->events[recorded % ring->capacity] = *event;
    atomic_store_explicit(&ring->recorded, recorded + 1, memory_order_release);
}

size_t sl_event_ring_take(struct sl_event_ring *ring, struct sl_event *events, size_t most)
{
    uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    uint64_t count = atomic_load_explicit(&ring->recorded, memory_order_acquire) - taken;
    count = count < most ? count : most;
    for (uint64_t i = 0; i < count; i++)
        events[i] = ring->events[(taken + i) % ring->capacity];
    atomic_store_explicit(&ring->taken, taken + count, memory_order_release);
    return count;
}

uint64_t sl_event_ring_lost(const struct sl_event_ring *ring)
{
    return atomic_load_explicit(&ring->lost, memory_order_relaxed);
}
