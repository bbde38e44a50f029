/* SPDX-License-Identifier: Apache-2.0
 * Two batches, of which the owner fills one while the writer flushes the other.
 *
 *   FREE --take--> FILLING --batch_publish()--> PENDING --writer--> FLUSHING --writer--> FREE
 *                     ^                            |
 *                     +------- batch_take() -------+     the writer has not begun it: add more
 *
 * Owner and writer each go strictly from one batch to the other, so groups are flushed in the order
 * they were filled even if both are PENDING. Publishing at the end of every turn and taking back
 * what the writer has not begun is the whole of group commit: a flush takes what gathered during
 * the one before it, and an idle writer begins at once. Nobody waits on purpose.
 *
 * The rooms are reserved as address space and touched as far as batches ever grow. */
#include "engine/engine.h"

#include <sys/mman.h>

int batches_init(struct mete *mete)
{
    const size_t answers = LIMIT_GROUP_ANSWERS * sizeof(struct answer);
    const size_t events = LIMIT_GROUP_EVENTS * sizeof(struct mete_event);
    for (int i = 0; i < BATCHES; i++) {
        struct batch *batch = &mete->batches[i];
        size_t mapped = LIMIT_GROUP + answers + events;
        uint8_t *at = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED)
            return METE_E_MEMORY;
        batch->mapped = mapped;
        batch->bytes = at;
        batch->answers = (struct answer *)(void *)(at + LIMIT_GROUP); /* a page's start */
        batch->events = (struct mete_event *)(void *)(at + LIMIT_GROUP + answers);
        atomic_init(&batch->state, BATCH_FREE);
    }
    return 0;
}

void batches_done(struct mete *mete)
{
    for (int i = 0; i < BATCHES; i++)
        if (mete->batches[i].bytes)
            munmap(mete->batches[i].bytes, mete->batches[i].mapped);
}

bool batch_is_empty(const struct batch *batch)
{
    return !batch->count && !batch->answers_len && !batch->events_len;
}

void batch_clear(struct batch *batch)
{
    batch->count = 0;
    batch->bytes_len = batch->answers_len = batch->events_len = 0;
    batch->last_at_us = 0;
    batch->first_seq = batch->seen_seq = 0;
}

static bool change_state(struct batch *batch, int from, int to)
{
    return atomic_compare_exchange_strong(&batch->state, &from, to);
}

/* The owner's latest batch is with the writer, done, or full: go on to the other one. */
bool batch_take_other(struct mete *mete)
{
    ASSERT(!mete->filling);
    unsigned other = mete->latest_batch ^ 1;
    if (!change_state(&mete->batches[other], BATCH_FREE, BATCH_FILLING))
        return false;
    ASSERT(batch_is_empty(&mete->batches[other]));
    mete->latest_batch = other;
    mete->filling = &mete->batches[other];
    return true;
}

void batch_take(struct mete *mete)
{
    struct batch *latest = &mete->batches[mete->latest_batch];
    if (mete->filling)
        return;
    if (change_state(latest, BATCH_PENDING, BATCH_FILLING)) {
        mete->filling = latest;
        return;
    }
    /* The writer has begun the latest one, so it is through with the other. */
    bool taken = batch_take_other(mete);
    ASSERT(taken);
}

void batch_publish(struct mete *mete)
{
    struct batch *batch = mete->filling;
    if (!batch || batch_is_empty(batch))
        return;
    ASSERT(mete->is_durable);
    batch->seen_seq = ledger_last_seq(mete->ledger);
    batch->rows_end = rows_tail(&mete->rows);
    mete->filling = NULL;
    atomic_store(&batch->state, BATCH_PENDING);
    bell_call(&mete->writer_bell);
}

void batch_add_entry(struct batch *batch, const struct entry *entry)
{
    ASSERT(batch->bytes_len + entry_size_max(entry) <= LIMIT_GROUP);
    ASSERT(!batch->count || entry->seq == batch->first_seq + batch->count);
    struct writer w = {batch->bytes + batch->bytes_len, batch->bytes + LIMIT_GROUP};
    entry_write(&w, entry, batch->last_at_us);
    batch->bytes_len = (size_t)(w.at - batch->bytes);
    if (!batch->count)
        batch->first_seq = entry->seq;
    batch->count++;
    batch->last_at_us = entry->at_us;
}

void batch_add_answer(struct batch *batch, struct mete_port *port, struct mete_op *op)
{
    ASSERT(batch->answers_len < LIMIT_GROUP_ANSWERS);
    batch->answers[batch->answers_len++] = (struct answer){op, port};
}

void batch_add_events(struct batch *batch, const struct mete_event *events, size_t len)
{
    ASSERT(batch->events_len + len <= LIMIT_GROUP_EVENTS);
    if (len)
        memcpy(batch->events + batch->events_len, events, len * sizeof *events);
    batch->events_len += len;
}
