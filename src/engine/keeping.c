/* SPDX-License-Identifier: Apache-2.0
 * A cut, in the order that a kill between any two steps leaves whole:
 *
 *   snapshot written, flushed, loaded back      a snapshot more
 *   records durable up to it                    they are primary for what lies before
 *   ENTRY_BASE with its hash flushed            the chain says which snapshot it is, and what the
 *                                               audit log was then
 *   the journal's base row flushed              reading begins there (store/journal.c)
 *   groups before it deleted, step by step      what is left over is deleted after the next start
 */
#include "engine/keeping.h"

#include "engine/engine.h"
#include "engine/snapshots.h"

#include <time.h>

enum { WAIT_US = 2000 };

/* ---- The follower's side of a cut ------------------------------------------------------------ */

/* Until rung or a while has passed. */
static int wait_a_while(struct mete *mete)
{
    struct follower *follower = &mete->follower;
    if (atomic_load(&follower->stops))
        return METE_E_CLOSED;
    if (bell_doze(&follower->bell))
        bell_sleep(&follower->bell, WAIT_US);
    (void)bell_heard(&follower->bell);
    return 0;
}

static int wait_until_done(struct mete *mete, _Atomic int *state)
{
    int error = 0;
    while (!error && atomic_load(state) != WISH_DONE)
        error = wait_a_while(mete);
    if (!error)
        atomic_store(state, WISH_NONE);
    return error;
}

void keeping_enter_base(struct mete *mete)
{
    static const struct rows_need none = {0};
    struct follower *follower = &mete->follower;
    if (atomic_load_explicit(&follower->base_state, memory_order_acquire) != WISH_WANTED ||
        !owner_has_room(mete, NEED_BYTES, &none))
        return;
    struct entry entry = {
        .kind = ENTRY_BASE, .seq = ledger_last_seq(mete->ledger) + 1, .at_us = mete->now_us};
    entry.u.base.seq = follower->base.seq;
    memcpy(entry.u.base.hash, follower->base.hash, sizeof entry.u.base.hash);
    entry.u.base.has_audit = true;
    memcpy(entry.u.base.audit, follower->audit, sizeof entry.u.base.audit);
    owner_enter(mete, &entry);
    follower->base.seq = entry.seq;
    atomic_store(&follower->base_state, WISH_DONE);
    bell_call(&follower->bell);
}

static int enter_base(struct mete *mete, uint64_t seq, const uint8_t hash[SNAPSHOT_HASH])
{
    struct follower *follower = &mete->follower;
    follower->base.seq = seq;
    memcpy(follower->base.hash, hash, SNAPSHOT_HASH);
    atomic_store(&follower->base_state, WISH_WANTED);
    owner_call(mete);
    int error = wait_until_done(mete, &follower->base_state);
    while (!error && atomic_load(&mete->flushed) < follower->base.seq)
        error = wait_a_while(mete);
    return error;
}

bool keeping_wants_flush(const struct mete *mete)
{
    return atomic_load(&mete->follower.durable_state) == WISH_WANTED;
}

void keeping_flush_records(struct mete *mete)
{
    struct follower *follower = &mete->follower;
    if (!keeping_wants_flush(mete))
        return;
    if (records_flush(mete->records, atomic_load(&mete->projected)) ||
        audit_head(records_audit(mete->records), follower->audit_upto, follower->audit))
        mete->os.die(mete->os.user, "the records could not be flushed");
    atomic_store(&follower->durable_state, WISH_DONE);
    bell_call(&follower->bell);
}

static int flush_records(struct mete *mete, uint64_t seq)
{
    struct follower *follower = &mete->follower;
    int error = 0;
    while (!error && atomic_load(&mete->projected) < seq) {
        bell_call(&mete->projector_bell);
        bell_call(&mete->hurry_bell);
        error = wait_a_while(mete);
    }
    if (error)
        return error;
    follower->audit_upto = seq;
    atomic_store(&follower->durable_state, WISH_WANTED);
    bell_call(&mete->projector_bell);
    bell_call(&mete->hurry_bell);
    return wait_until_done(mete, &follower->durable_state);
}

int keeping_clear(struct mete *mete)
{
    struct chore chore = {.kind = CHORE_CUT_STEP, .more = 1};
    int error = 0;
    while (!error && chore.more) {
        error = chore_run(mete, &chore);
        if (!error && atomic_load(&mete->follower.stops))
            error = METE_E_CLOSED;
    }
    return error;
}

int keeping_cut(struct mete *mete, const struct journal_mark *mark,
                const uint8_t hash[SNAPSHOT_HASH])
{
    struct follower *follower = &mete->follower;
    if (mark->seq == atomic_load(&follower->cut))
        return 0;
    int error = flush_records(mete, mark->seq);
    if (!error)
        error = enter_base(mete, mark->seq, hash);
    struct chore chore = {.kind = CHORE_CUT, .base = *mark};
    if (!error)
        error = chore_run(mete, &chore);
    if (error)
        return error;
    atomic_store(&follower->cut, mark->seq);
    snapshots_prune(mete->directory, mark->seq, mark->seq);
    return keeping_clear(mete);
}

/* ---- Orders ---------------------------------------------------------------------------------- */

/* Waits; as the owner it has to run turns meanwhile. */
static void wait_done(struct mete *mete, const struct order *order)
{
    struct follower *follower = &mete->follower;
    bool turns = mete->owner_kind == METE_OWNER_CALLER && owner_is_me(mete);
    while (!order->is_done) {
        if (!turns) {
            pthread_cond_wait(&follower->changed, &follower->lock);
            continue;
        }
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until); /* of the condition's waiting, not of the data */
        until.tv_nsec += 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&follower->changed, &follower->lock, &until);
        pthread_mutex_unlock(&follower->lock);
        mete_turn(mete, NULL);
        pthread_mutex_lock(&follower->lock);
    }
}

static int give_order(struct mete *mete, struct order *order, uint64_t *ret_seq)
{
    struct follower *follower = &mete->follower;
    if (!mete->is_durable)
        return METE_E_INVALID;
    pthread_mutex_lock(&follower->lock);
    if (follower->is_over) {
        pthread_mutex_unlock(&follower->lock);
        return METE_E_CLOSED;
    }
    if (follower->first_order)
        follower->last_order->next = order;
    else
        follower->first_order = order;
    follower->last_order = order;
    atomic_store(&follower->hastens, true);
    bell_call(&follower->bell);
    wait_done(mete, order);
    pthread_mutex_unlock(&follower->lock);
    if (!order->error)
        *ret_seq = order->seq;
    return order->error;
}

int mete_snapshot(struct mete *mete, uint64_t *ret_seq)
{
    ASSERT(mete && ret_seq);
    struct order order = {.kind = ORDER_SNAPSHOT};
    return give_order(mete, &order, ret_seq);
}

int mete_cut(struct mete *mete, uint64_t *ret_seq)
{
    ASSERT(mete && ret_seq);
    struct order order = {.kind = ORDER_CUT};
    return mete->has_records ? give_order(mete, &order, ret_seq) : METE_E_INVALID;
}

int mete_backup(struct mete *mete, const char *directory, uint64_t *ret_seq)
{
    ASSERT(mete && ret_seq);
    struct order order = {.kind = ORDER_BACKUP, .directory = directory};
    if (!directory || !*directory)
        return METE_E_INVALID;
    return give_order(mete, &order, ret_seq);
}
