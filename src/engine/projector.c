/* SPDX-License-Identifier: Apache-2.0
 * The projector: writes durable rows to the records, many to a transaction. It lingers some
 * milliseconds for more to gather, because a transaction costs as much as some twenty rows, unless
 * somebody waits for the records or the ring fills. A failure ends the process: the disk is full or
 * failing, and the journal on it comes first (INV-15).
 *
 * What a transaction says it contains: an entry's rows lie together, so after the last row of entry
 * n everything up to n is in; when the ring was emptied up to the writer's mark, everything up to
 * the last entry flushed before the mark was read. Entries that give no row cost no transaction. */
#include "engine/engine.h"

#include "base/checked.h"
#include "engine/keeping.h"
#include "engine/retention.h"

enum {
    STEP_ROWS = 8192,  /* in one transaction */
    ROOM_ROWS = 256,   /* after so many their room is given back: an owner that has none waits */
    LINGER_US = 40000, /* that a row waits for others */
    ENOUGH_ROWS = 1024 /* that do not wait any longer */
};

static void must(struct mete *mete, int error)
{
    if (error)
        mete->os.die(mete->os.user, "the records could not be written");
}

static void call_owner(struct mete *mete)
{
    bool wanted = atomic_load(&mete->wants_projected);
    if (atomic_exchange(&mete->is_stalled, false) || wanted)
        owner_call(mete);
}

/* SQLite has copied what was put: its room need not wait for the transaction's end, and nor need
 * an owner who has found none. Should the process end before, the journal still has it all. */
static void give_room(struct mete *mete)
{
    rows_done(&mete->rows);
    if (atomic_load(&mete->is_stalled))
        call_owner(mete);
}

/* Puts rows into the open batch; returns the seq of the last one, 0 if there was none. */
static uint64_t put_rows(struct mete *mete, struct projection *projection)
{
    uint64_t last = 0, seq;
    for (int i = 0; i < STEP_ROWS && rows_take(&mete->rows, projection, &seq); i++) {
        if (!last)
            must(mete, records_begin(mete->records));
        ASSERT(seq > last);
        must(mete, project_put(mete->records, projection));
        last = seq;
        if (i % ROOM_ROWS == ROOM_ROWS - 1)
            give_room(mete);
    }
    return last;
}

bool projector_step(struct mete *mete)
{
    static _Thread_local struct projection projection;
    uint64_t flushed = atomic_load_explicit(&mete->flushed, memory_order_acquire);
    uint64_t mark = atomic_load_explicit(&mete->rows.durable, memory_order_acquire);
    uint64_t last = put_rows(mete, &projection);
    bool is_emptied = mete->rows.reading >= mark;
    uint64_t upto = is_emptied && flushed > last ? flushed : last;
    if (last)
        must(mete, records_end(mete->records, upto));
    rows_done(&mete->rows);
    if (upto > atomic_load_explicit(&mete->projected, memory_order_relaxed))
        atomic_store(&mete->projected, upto);
    must(mete, records_tidy(mete->records, !last));
    return last != 0;
}

/* Whether rows should be written now rather than with more of them. */
static bool is_urgent(struct mete *mete)
{
    uint64_t durable = atomic_load_explicit(&mete->rows.durable, memory_order_acquire);
    return atomic_load(&mete->wants_projected) || atomic_load(&mete->is_stalled) ||
           atomic_load(&mete->projector_stops) ||
           durable - mete->rows.reading > ENOUGH_ROWS * sizeof(struct records_usage);
}

void *projector_main(void *user)
{
    struct mete *mete = user;
    engine_stand_back(PROJECTOR_NICE);
    for (;;) {
        bool stops = atomic_load(&mete->projector_stops);
        bool wrote = projector_step(mete);
        keeping_flush_records(mete);
        call_owner(mete);
        bool tended = retention_step(mete);
        if (wrote)
            continue;
        if (stops)
            return NULL;
        if (tended)
            continue;
        (void)bell_heard(&mete->projector_bell);
        if (atomic_load(&mete->rows.durable) == mete->rows.reading &&
            atomic_load(&mete->flushed) == atomic_load(&mete->projected) &&
            !atomic_load(&mete->projector_stops) && !keeping_wants_flush(mete) &&
            bell_doze(&mete->projector_bell))
            bell_sleep(&mete->projector_bell, retention_sleep_us(mete));
        (void)bell_heard(&mete->hurry_bell);
        if (!is_urgent(mete) && bell_doze(&mete->hurry_bell))
            bell_sleep(&mete->hurry_bell, LINGER_US);
    }
}
