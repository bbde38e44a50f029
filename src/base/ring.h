/* SPDX-License-Identifier: Apache-2.0
 * A bounded ring of pointers between exactly one producer thread and one consumer thread.
 * Wait-free; push fails when full, pop gives NULL when empty. The room is a power of two.
 * head and tail only grow; each side writes one of them and keeps a stale copy of the other, so
 * that an uncontended push or pop touches no line the other side is writing. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
    void **slots;
    uint32_t mask;
    _Alignas(64) _Atomic uint32_t tail; /* the producer's */
    uint32_t head_seen;
    _Alignas(64) _Atomic uint32_t head; /* the consumer's */
    uint32_t tail_seen;
};

/* room: a power of two. METE_E_MEMORY. */
__attribute__((warn_unused_result)) int ring_init(struct ring *ring, uint32_t room);
void ring_done(struct ring *ring);

static inline bool ring_push(struct ring *ring, void *item)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - ring->head_seen > ring->mask) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail - ring->head_seen > ring->mask)
            return false;
    }
    ring->slots[tail & ring->mask] = item;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

static inline void *ring_pop(struct ring *ring)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == ring->tail_seen) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head == ring->tail_seen)
            return NULL;
    }
    void *item = ring->slots[head & ring->mask];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return item;
}

/* For the consumer: the item that the pop after `ahead` others will give, left where it is; NULL if
 * it has not been seen yet. It looks at nothing of the producer's, so what was pushed since the
 * last pop that found the ring empty by its stale copy is not seen: enough for who only prepares.
 */
static inline void *ring_peek(struct ring *ring, uint32_t ahead)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (ahead >= ring->tail_seen - head)
        return NULL;
    return ring->slots[(head + ahead) & ring->mask];
}

/* A guess unless the other side stands still. */
static inline uint32_t ring_used(struct ring *ring)
{
    return atomic_load_explicit(&ring->tail, memory_order_acquire) -
           atomic_load_explicit(&ring->head, memory_order_acquire);
}

#endif
