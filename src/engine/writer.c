/* SPDX-License-Identifier: Apache-2.0
 * The writer: takes the pending batch, appends it as one group (one flush), and only then lets go
 * what rests on it, in this order: the mark of what is durable, the rows for the records, events,
 * answers (INV-05). Moving groups from the write-ahead file to their place comes afterwards, when
 * nobody waits for it. A failure ends the process (INV-15).
 *
 * A batch without entries holds answers that rest on the batch before it: no flush, just its turn.
 */
#include "engine/engine.h"

static void count_flush(struct mete *mete, int64_t took_us)
{
    int bucket = 0;
    while (bucket < HISTOGRAM - 1 && took_us > INT64_C(1) << bucket)
        bucket++;
    atomic_fetch_add_explicit(&mete->flush_us_bucket[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&mete->flush_us_sum, (uint64_t)took_us, memory_order_relaxed);
    atomic_fetch_add_explicit(&mete->flushes, 1, memory_order_relaxed);
}

void writer_flush(struct mete *mete, struct batch *batch)
{
    if (batch->count) {
        struct journal_group group = {
            batch->first_seq, batch->count, {(const char *)batch->bytes, batch->bytes_len}};
        int64_t began_us = os_monotonic_us(&mete->os);
        if (journal_append(mete->journal, &group))
            mete->os.die(mete->os.user, "the journal could not be written or flushed");
        count_flush(mete, os_monotonic_us(&mete->os) - began_us);
        mete->space_grown += batch->bytes_len;
        rows_release(&mete->rows, batch->rows_end); /* first: see projector_step() */
        atomic_store_explicit(&mete->flushed, batch->first_seq + batch->count - 1,
                              memory_order_release);
    }
    ASSERT_INV("INV-05", batch->seen_seq <= atomic_load(&mete->flushed));
}

/* ---- Free space ------------------------------------------------------------------------------ */

enum {
    SPACE_EVERY_US = 250000,
    SPACE_GROWN = 16 << 20, /* bytes after which it is looked at in any case */
    SPACE_IDLE_US = 5000000
};

/* Admission comes back at five quarters of the reserve, so that it does not flicker. A file system
 * that does not say is taken for large enough: a write that fails still ends the process. */
void writer_check_space(struct mete *mete)
{
    int64_t now_us = os_monotonic_us(&mete->os);
    if (mete->space_grown < SPACE_GROWN && mete->space_at_us &&
        now_us - mete->space_at_us < SPACE_EVERY_US)
        return;
    mete->space_at_us = now_us;
    mete->space_grown = 0;
    uint64_t bytes = 0;
    if (!mete->os.free_bytes || mete->os.free_bytes(mete->os.user, mete->directory, &bytes)) {
        atomic_store(&mete->free_bytes, 0);
        atomic_store(&mete->admission_stopped, false);
        return;
    }
    atomic_store(&mete->free_bytes, bytes);
    uint64_t back = mete->free_reserve + mete->free_reserve / 4;
    bool was_stopped = atomic_load(&mete->admission_stopped);
    atomic_store(&mete->admission_stopped, bytes < (was_stopped ? back : mete->free_reserve));
}

static int64_t space_sleep_us(struct mete *mete)
{
    return atomic_load(&mete->admission_stopped) ? SPACE_EVERY_US : SPACE_IDLE_US;
}

/* ---- One batch ------------------------------------------------------------------------------- */

static void let_go(struct mete *mete, struct batch *batch)
{
    for (size_t i = 0; i < batch->events_len; i++)
        mete->on_event(mete->on_event_user, &batch->events[i]);
    for (size_t i = 0; i < batch->answers_len; i++)
        port_finish_by_writer(batch->answers[i].port, batch->answers[i].op);
    uint32_t len = batch->answers_len ? atomic_load(&mete->ports_len) : 0;
    for (uint32_t i = 0; i < len; i++) {
        struct mete_port *port = mete->ports[i];
        if (!port->writer_touched)
            continue;
        port->writer_touched = false;
        port_signal(port);
    }
}

static void write_batch(struct mete *mete, struct batch *batch)
{
    bool had_entries = batch->count > 0;
    writer_flush(mete, batch);
    let_go(mete, batch);
    batch_clear(batch);
    atomic_store(&batch->state, BATCH_FREE);
    if (atomic_exchange(&mete->is_stalled, false))
        owner_call(mete);
    if (had_entries && mete->has_records)
        bell_call(&mete->projector_bell);
    if (had_entries && atomic_load(&mete->follower.idles) &&
        atomic_exchange(&mete->follower.idles, false))
        bell_call(&mete->follower.bell);
    if (journal_tidy(mete->journal))
        mete->os.die(mete->os.user, "the journal could not be tidied");
}

void *writer_main(void *user)
{
    struct mete *mete = user;
    for (unsigned next = 1;;) { /* the owner begins with batch 1: latest_batch is 0 at first */
        (void)bell_heard(&mete->writer_bell);
        /* Before looking: the owner publishes its last batch, then the stop is set. */
        bool stops = atomic_load(&mete->writer_stops);
        writer_chore(mete);
        writer_check_space(mete);
        struct batch *batch = &mete->batches[next];
        int pending = BATCH_PENDING;
        if (atomic_compare_exchange_strong(&batch->state, &pending, BATCH_FLUSHING)) {
            write_batch(mete, batch);
            next ^= 1;
        } else if (stops)
            return NULL;
        else if (bell_doze(&mete->writer_bell))
            bell_sleep(&mete->writer_bell, space_sleep_us(mete));
    }
}
