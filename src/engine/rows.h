/* SPDX-License-Identifier: Apache-2.0
 * What waits to be written to the records: a bounded ring of packed projections from the owner to
 * the projector. Rows may be taken only up to a mark that the writer sets once their entries are
 * durable (INV-05).
 * THREADS rows_put() and rows_have_room(): the owner. rows_release(): the writer. rows_take() and
 * rows_done(): the projector. MEMORY LIMIT_RECORD_BYTES of address space; touched pages are used
 * again before new ones are, as long as the projector keeps up. */
#ifndef ENGINE_ROWS_H
#define ENGINE_ROWS_H

#include "base/details.h"
#include "engine/project.h"

#include <stdatomic.h>

struct rows {
    uint8_t *bytes;
    _Alignas(64) uint64_t tail;            /* the owner's; positions only grow */
    uint64_t put;                          /* rows ever put */
    _Alignas(64) _Atomic uint64_t durable; /* the writer's mark */
    _Alignas(64) _Atomic uint64_t head;    /* the projector's */
    _Atomic uint64_t taken;                /* rows ever taken */
    uint64_t reading, read;                /* the projector's, ahead of head and taken */
};

METE_MUST_USE int rows_init(struct rows *rows);
void rows_release_memory(struct rows *rows);

/* Texts of one usage record, and of a budget that a template makes (its id twice, its entry), at
 * most. */
enum {
    ROWS_USAGE_TEXTS =
        LIMIT_NOTE + 4 * LIMIT_ID + DETAILS_MAX + (METE_TAGS_MAX + 2) * LIMIT_SESSION,
    ROWS_DEFAULT_TEXTS = 2 * LIMIT_ID + 512
};

struct rows_need {
    size_t rows, texts, events; /* projections, bytes of text and events in all of them */
};
/* Whether they fit now; more may fit later. What one operation needs always fits an empty ring. */
bool rows_have_room(struct rows *rows, const struct rows_need *need);
/* There is room (asserted). A projection of nothing takes none. */
void rows_put(struct rows *rows, const struct projection *projection, uint64_t seq);

static inline uint64_t rows_tail(const struct rows *rows)
{
    return rows->tail;
}

static inline void rows_release(struct rows *rows, uint64_t position)
{
    atomic_store_explicit(&rows->durable, position, memory_order_release);
}

/* The next one, its slices borrowed from the ring until rows_done(). False: none is durable. */
bool rows_take(struct rows *rows, struct projection *ret_projection, uint64_t *ret_seq);
/* What was taken has been written (or never will be: its room is free again). */
void rows_done(struct rows *rows);
uint64_t rows_waiting(struct rows *rows); /* the owner */

#endif
