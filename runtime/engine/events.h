/* What an engine did, as it happens: events of fixed size in a ring of fixed size. The ring is
 * plain memory of the caller's, which two processes may share: then nothing that was recorded is
 * lost when the one that records is killed, and the memory is charged to whoever touched it first.
 * One thread records (the session's), one takes; neither waits for the other. */
#ifndef SLUICE_ENGINE_EVENTS_H
#define SLUICE_ENGINE_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/export.h"

SL_C_BEGIN

enum sl_event_kind {
    SL_EVENT_BEGIN,  /* the requests of a batch arrive; bytes: the ring's label */
    SL_EVENT_ADMIT,  /* the policy starts the network's request */
    SL_EVENT_LOAD,   /* the policy has a shard loaded; a read begins unless its content is there */
    SL_EVENT_READ,   /* a read from its submission to its completion; bytes: read */
    SL_EVENT_WAIT,   /* the event loop slept until a read or a run ended */
    SL_EVENT_SERVE,  /* the event loop had major faults beside runs; bytes: swapped in by them */
    SL_EVENT_RUN,    /* a unit ran on an executor; bytes: swapped in by its faults */
    SL_EVENT_DROP,   /* the policy drops a shard; bytes: its size */
    SL_EVENT_RESULT, /* a network's request, from its arrival to its result */
    SL_EVENT_END,    /* the batch, from its begin to its end */
};

/* Times are CLOCK_MONOTONIC; an instant has begin_ns == end_ns. What does not apply is 0, or -1 for
 * layer and shard. */
struct sl_event {
    uint64_t begin_ns, end_ns;
    uint64_t bytes;
    uint64_t pool_bytes;  /* weights in memory when it was recorded */
    uint64_t faulting_ns; /* RUN with major faults: the part of its time that went into them */
    uint32_t major_faults, minor_faults; /* RUN: of the executor and its team; SERVE: of the loop */
    int32_t layer, shard;                /* of the network, in the order of its pack */
    uint16_t network;
    uint8_t kind, executor;
    uint32_t reserved;
};

struct sl_event_ring;

/* Bytes of a ring for so many events. */
SL_API size_t sl_event_ring_bytes(size_t events);
/* Makes an empty ring of the memory, aligned to 64 bytes, and touches all of it; NULL when that
 * holds no event. */
SL_API struct sl_event_ring *sl_event_ring_init(void *memory, size_t bytes);
/* The ring that sl_event_ring_init made in this memory, seen from another process; NULL when there
 * is none. */
SL_API struct sl_event_ring *sl_event_ring_at(void *memory, size_t bytes);
/* Later batches carry this label: tells warm-ups from what is measured. By the recording thread. */
SL_API void sl_event_ring_label(struct sl_event_ring *ring, uint32_t label);

/* Copies the oldest events, at most `most`, in the order in which they were recorded, and frees
 * their room. Returns how many. */
SL_API size_t sl_event_ring_take(struct sl_event_ring *ring, struct sl_event *events, size_t most);
/* Events that found the ring full so far: they are lost. */
SL_API uint64_t sl_event_ring_lost(const struct sl_event_ring *ring);

/* Records an event; ring NULL: nothing. */
void sl_event_record(struct sl_event_ring *ring, const struct sl_event *event);
/* Label of the batches to come. */
uint32_t sl_event_label(const struct sl_event_ring *ring);

SL_C_END

#endif
