/* SPDX-License-Identifier: Apache-2.0
 * A cycle of the follower:
 *
 *   load the newest snapshot (or begin at the journal's beginning), then
 *   for each slice of the state:  ask the owner for fingerprints of 64 items and the entry they
 *                                 stand at -> read the journal up to exactly that entry -> compare
 *   when enough entries have come, or somebody asks:  write a snapshot, load it back, go on from it
 *
 * It pays for itself: whatever it works it sleeps off, so that it takes audit_ppm of a core, but
 * for two cases in which it hurries: somebody waits for it, or it is more than snapshot_entries
 * behind, because then a start would take longer than promised. The owner pays 20 us a slice, the
 * writer the reading of a piece between two flushes.
 *
 * The comparison is INV-07: the follower's figures are the base plus every entry, applied by
 * ledger_apply() to another memory; the live ones are what decisions are made with. A snapshot is
 * INV-06 by construction, and is believed only after it was loaded back to the same hash.
 *
 * When nothing new has come for a minute its memory is given back. While entries come it keeps it:
 * loading a million keys anew for each cycle would cost more than following.
 *
 * CONSIDERED AND NOT DONE  copy on write in the owner: every change of the hot path would ask
 * whether its line was copied, and a snapshot so made proves nothing. fork(): a pause of
 * milliseconds for the page tables of a large state, and threads that are not there. */
#include "engine/follower.h"

#include "base/checked.h"
#include "engine/backup.h"
#include "engine/engine.h"
#include "engine/keeping.h"
#include "engine/replay.h"
#include "engine/snapshots.h"

#include <stdlib.h>

enum {
    KEEP_US = 60000000, /* its memory, when nothing comes */
    REST_US = 1000000,  /* between two cycles; with all of a core none */
    WAIT_US = 2000      /* for a flush, and then it looks again */
};

static bool stops(const struct follower *follower)
{
    return atomic_load(&follower->stops);
}

/* ---- Sleeping -------------------------------------------------------------------------------- */

/* Until rung or timeout_us; negative: for ever. */
static void doze(struct follower *follower, int64_t timeout_us)
{
    if (!stops(follower) && bell_doze(&follower->bell))
        bell_sleep(&follower->bell, timeout_us);
    (void)bell_heard(&follower->bell);
}

/* Sleeps for what was worked, so that the share holds. 0, or CLOSED. */
static int sleep_off(struct mete *mete, int64_t worked_us)
{
    struct follower *follower = &mete->follower;
    int64_t until_us, now_us = os_monotonic_us(&mete->os);
    bool fits = checked_mul_div_up(worked_us, 1000000 - follower->audit_ppm, follower->audit_ppm,
                                   &until_us);
    until_us = now_us + (fits ? until_us : 0);
    while (now_us < until_us && !stops(follower) && !atomic_load(&follower->hastens)) {
        doze(follower, until_us - now_us);
        now_us = os_monotonic_us(&mete->os);
    }
    return stops(follower) ? METE_E_CLOSED : 0;
}

int follower_pace(void *user)
{
    enum { PIECE_US = 1000 };
    struct pacing *pacing = user;
    struct follower *follower = &pacing->mete->follower;
    uint64_t behind = atomic_load(&pacing->mete->flushed) - follower->mark.seq;
    int64_t worked_us = os_monotonic_us(&pacing->mete->os) - pacing->began_us;
    int error = stops(follower) ? METE_E_CLOSED : 0;
    bool hurries = atomic_load(&follower->hastens) || behind > follower->snapshot_entries;
    if (!error && !hurries && worked_us >= PIECE_US)
        error = sleep_off(pacing->mete, worked_us);
    if (hurries || worked_us >= PIECE_US)
        pacing->began_us = os_monotonic_us(&pacing->mete->os);
    return error;
}

/* ---- Its ledger ------------------------------------------------------------------------------ */

static void give_back(struct follower *follower)
{
    ledger_close(follower->ledger);
    follower->ledger = NULL;
    follower->compares = false;
    follower->mark = (struct journal_mark){0};
}

/* All were written by this engine, or looked at when it was opened; but of what was before the base
 * the journal cannot go on. */
static int knows(void *user, const struct journal_mark *mark)
{
    const struct mete *mete = user;
    return mark->seq < atomic_load(&mete->follower.cut) ? METE_E_NOT_FOUND : 0;
}

static int begin(struct mete *mete)
{
    struct follower *follower = &mete->follower;
    if (follower->ledger)
        return 0;
    int error = ledger_open(&follower->room, &follower->ledger);
    if (error)
        return error;
    const struct snapshots_wanted wanted = {.directory = mete->directory,
                                            .seq_max = atomic_load(&mete->flushed),
                                            .at_us_max = INT64_MAX,
                                            .knows = knows,
                                            .user = mete};
    error = snapshots_find(&wanted, &follower->ledger, &follower->mark);
    if (error == METE_E_NOT_FOUND || error == METE_E_STORAGE) /* before the base nothing is told */
        error = atomic_load(&follower->cut) ? METE_E_STORAGE : 0;
    follower->newest_snapshot = follower->mark.seq;
    if (error)
        give_back(follower);
    return error;
}

static void compare(struct follower *follower)
{
    const struct glance *glance = &follower->glance;
    uint64_t prints[GLANCE_ITEMS];
    size_t len = ledger_prints(follower->ledger, glance->first, prints, glance->len);
    uint64_t differ = len != glance->len || ledger_items(follower->ledger) != glance->items;
    for (size_t i = 0; i < len; i++)
        differ += prints[i] != glance->prints[i];
    follower->compared += differ;
    follower->compares = false;
}

static int each(void *user, const struct entry *entry, const struct projection *projection)
{
    struct follower *follower = user;
    (void)projection;
    if (follower->compares && entry->seq == follower->glance.seq)
        compare(follower);
    return 0;
}

static int apply_group(void *user, const struct journal_group *group)
{
    return replay_group(user, group);
}

/* One piece of the journal; *ret_some 0: there was none. An entry that does not fit is a drift that
 * no figure can tell. */
static int follow(struct mete *mete, size_t *ret_some)
{
    struct follower *follower = &mete->follower;
    struct chore chore = {
        .kind = CHORE_FETCH, .after = follower->mark.seq, .piece = &follower->piece};
    struct replay replay = {
        .ledger = follower->ledger, .project_from = UINT64_MAX, .each = each, .user = follower};
    int error = chore_run(mete, &chore);
    if (error)
        return error;
    *ret_some = follower->piece.len;
    return journal_unfold(&follower->piece, &follower->mark, apply_group, &replay, NULL);
}

/* Up to the entry, which is applied though maybe not flushed yet. */
static int follow_to(struct mete *mete, uint64_t seq, struct pacing *pacing)
{
    struct follower *follower = &mete->follower;
    int error = 0;
    while (!error && follower->mark.seq < seq) {
        size_t some = 0;
        error = follow(mete, &some);
        if (!error && !some)
            doze(follower, WAIT_US);
        if (!error)
            error = follower_pace(pacing);
    }
    return error;
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

/* The state as it stands goes to the disk, and comes back: what is followed from here on is what a
 * start would load. */
static int load_back(struct mete *mete)
{
    struct follower *follower = &mete->follower;
    uint8_t before[32], after[32], hash[SNAPSHOT_HASH];
    uint64_t seq = follower->mark.seq;
    ledger_hash(follower->ledger, before);
    give_back(follower);
    int error = ledger_open(&follower->room, &follower->ledger);
    if (!error)
        error = snapshots_load(mete->directory, seq, &follower->ledger, &follower->mark, hash);
    if (!error) {
        ledger_hash(follower->ledger, after);
        error = memcmp(before, after, sizeof before) == 0 ? 0 : METE_E_CORRUPT;
    }
    if (error) {
        give_back(follower);
        int left = snapshot_remove(mete->directory, seq); /* who finds it finds out, too */
        (void)left;
    }
    return error;
}

static int take_snapshot(struct mete *mete, struct pacing *pacing, uint8_t ret_hash[SNAPSHOT_HASH])
{
    struct follower *follower = &mete->follower;
    struct journal_mark mark = follower->mark;
    ASSERT(mark.seq > 0 && ledger_last_seq(follower->ledger) == mark.seq);
    ASSERT(!follower->compares);
    ASSERT(mark.seq > atomic_load(&follower->cut)); /* a base is never written again */
    int error = snapshots_write(follower->ledger, mete->directory, mark.head, follower_pace, pacing,
                                ret_hash);
    if (!error)
        error = load_back(mete);
    if (error) {
        follower->failed_snapshot = mark.seq; /* tried again after as many entries */
        return error;
    }
    follower->newest_snapshot = mark.seq;
    atomic_store(&follower->snapshot, mark.seq);
    struct ledger_base base;
    ledger_base(follower->ledger, &base);
    snapshots_prune(mete->directory, base.seq, atomic_load(&follower->cut));
    return 0;
}

/* ---- Auditing -------------------------------------------------------------------------------- */

void follower_glance(struct mete *mete)
{
    struct follower *follower = &mete->follower;
    struct glance *glance = &follower->glance;
    if (atomic_load_explicit(&follower->glance_state, memory_order_acquire) != WISH_WANTED)
        return;
    glance->seq = ledger_last_seq(mete->ledger);
    glance->items = ledger_items(mete->ledger);
    glance->len = ledger_prints(mete->ledger, glance->first, glance->prints, GLANCE_ITEMS);
    atomic_store(&follower->glance_state, WISH_DONE);
    bell_call(&follower->bell);
}

/* While the owner has the glance. An order comes first: BUSY. */
static int wait_for_owner(struct follower *follower)
{
    while (atomic_load(&follower->glance_state) == WISH_WANTED) {
        doze(follower, -1);
        if (stops(follower))
            return METE_E_CLOSED;
        if (atomic_load(&follower->hastens))
            return METE_E_BUSY;
    }
    return 0;
}

/* Asks the owner and waits. */
static int glance_at(struct mete *mete, uint64_t first)
{
    struct follower *follower = &mete->follower;
    int error = wait_for_owner(follower); /* for one that was asked for and not waited for */
    if (error)
        return error;
    follower->glance.first = first;
    atomic_store(&follower->glance_state, WISH_WANTED);
    owner_call(mete);
    error = wait_for_owner(follower);
    follower->compares = !error;
    return error;
}

static int compare_slice(struct mete *mete, uint64_t first, struct pacing *pacing)
{
    struct follower *follower = &mete->follower;
    int error = glance_at(mete, first);
    if (error)
        return error;
    ASSERT_INV("INV-06", follower->mark.seq <= follower->glance.seq);
    if (ledger_last_seq(follower->ledger) == follower->glance.seq)
        compare(follower);
    error = follow_to(mete, follower->glance.seq, pacing);
    ASSERT(error || !follower->compares);
    return error;
}

static bool is_snapshot_due(const struct follower *follower)
{
    uint64_t since = follower->newest_snapshot > follower->failed_snapshot
                         ? follower->newest_snapshot
                         : follower->failed_snapshot;
    return follower->mark.seq > since && follower->mark.seq - since >= follower->snapshot_entries;
}

/* All of the state once. *ret_from: the entry since which every item has been compared. */
static int audit(struct mete *mete, struct pacing *pacing, uint64_t *ret_from)
{
    struct follower *follower = &mete->follower;
    uint8_t hash[SNAPSHOT_HASH];
    follower->compared = 0;
    for (uint64_t first = 0;; first += GLANCE_ITEMS) {
        int error = compare_slice(mete, first, pacing);
        if (error)
            return error;
        if (first == 0)
            *ret_from = follower->glance.seq;
        if (follower->compared > atomic_load(&follower->drift))
            atomic_store(&follower->drift, follower->compared); /* no need to wait for the end */
        if (is_snapshot_due(follower) && !atomic_load(&mete->admission_stopped)) {
            error = take_snapshot(mete, pacing, hash);
            if (error)
                return error;
        }
        if (first + GLANCE_ITEMS >= follower->glance.items)
            return 0;
        error = follower_pace(pacing);
        if (error)
            return error;
    }
}

static void run_cycle(struct mete *mete)
{
    struct follower *follower = &mete->follower;
    struct pacing pacing = {mete, os_monotonic_us(&mete->os)};
    uint64_t from = 0;
    int error = begin(mete);
    if (!error)
        error = audit(mete, &pacing, &from);
    if (!error) {
        atomic_store(&follower->drift, follower->compared);
        atomic_store(&follower->audited, from);
    } else {
        follower->compares = false;
        if (error != METE_E_BUSY)
            give_back(follower);
    }
    if (error == METE_E_CORRUPT) /* an entry that was flushed does not fit those before it */
        atomic_store(&follower->drift, follower->compared ? follower->compared : 1);
}

/* ---- Orders ---------------------------------------------------------------------------------- */

/* As of now: *ret_mark and the hash of the file. */
static int snapshot_now(struct mete *mete, struct pacing *pacing, struct journal_mark *ret_mark,
                        uint8_t ret_hash[SNAPSHOT_HASH])
{
    struct follower *follower = &mete->follower;
    struct snapshot_head head;
    uint64_t wanted = atomic_load(&mete->flushed);
    follower->compares = false;
    int error = begin(mete);
    if (!error)
        error = follow_to(mete, wanted, pacing);
    if (!error && follower->newest_snapshot == follower->mark.seq)
        error = snapshot_check(mete->directory, follower->mark.seq, &head, ret_hash);
    else if (!error)
        error = take_snapshot(mete, pacing, ret_hash);
    *ret_mark = follower->mark;
    return error;
}

static void carry_out(struct mete *mete, struct order *order)
{
    struct follower *follower = &mete->follower;
    struct pacing pacing = {mete, os_monotonic_us(&mete->os)};
    struct journal_mark mark;
    uint8_t hash[SNAPSHOT_HASH];
    if (order->kind == ORDER_BACKUP) {
        order->error = backup_make(mete, order->directory, &pacing, &order->seq);
        return;
    }
    order->error = snapshot_now(mete, &pacing, &mark, hash);
    if (!order->error && order->kind == ORDER_CUT)
        order->error = keeping_cut(mete, &mark, hash);
    if (order->error)
        give_back(follower);
    order->seq = mark.seq;
}

/* True: there was one. */
static bool serve(struct mete *mete, bool is_over)
{
    struct follower *follower = &mete->follower;
    pthread_mutex_lock(&follower->lock);
    struct order *order = follower->first_order;
    pthread_mutex_unlock(&follower->lock);
    if (order && is_over)
        order->error = METE_E_CLOSED;
    else if (order)
        carry_out(mete, order);
    pthread_mutex_lock(&follower->lock);
    if (order) {
        follower->first_order = order->next;
        order->is_done = true;
    }
    follower->is_over = is_over;
    atomic_store(&follower->hastens, follower->first_order != NULL);
    pthread_cond_broadcast(&follower->changed);
    pthread_mutex_unlock(&follower->lock);
    return order != NULL;
}

/* ---- The thread ------------------------------------------------------------------------------ */

static bool has_news(struct mete *mete)
{
    const struct follower *follower = &mete->follower;
    return follower->runs_alone && atomic_load(&mete->flushed) > atomic_load(&follower->audited);
}

static void idle(struct mete *mete)
{
    struct follower *follower = &mete->follower;
    int64_t until_us = os_monotonic_us(&mete->os) + KEEP_US;
    atomic_store(&follower->idles, true);
    while (!stops(follower) && !has_news(mete) && !atomic_load(&follower->hastens)) {
        int64_t left_us = until_us - os_monotonic_us(&mete->os);
        if (left_us <= 0 && follower->ledger)
            give_back(follower);
        doze(follower, follower->ledger ? left_us : -1);
        atomic_store(&follower->idles, true);
    }
    atomic_store(&follower->idles, false);
}

void *follower_main(void *user)
{
    struct mete *mete = user;
    struct follower *follower = &mete->follower;
    engine_stand_back(FOLLOWER_NICE);
    int64_t rest_us = REST_US - (int64_t)follower->audit_ppm;
    int closing = atomic_load(&follower->cut) ? keeping_clear(mete) : 0;
    while (!closing && !stops(follower)) {
        if (serve(mete, false))
            continue;
        idle(mete);
        int64_t until_us = os_monotonic_us(&mete->os) + rest_us;
        while (!stops(follower) && !atomic_load(&follower->hastens) &&
               os_monotonic_us(&mete->os) < until_us)
            doze(follower, until_us - os_monotonic_us(&mete->os));
        if (!stops(follower) && !atomic_load(&follower->hastens))
            run_cycle(mete);
    }
    while (serve(mete, true))
        ;
    return NULL;
}

int follower_init(struct mete *mete)
{
    struct follower *follower = &mete->follower;
    pthread_mutex_init(&follower->lock, NULL);
    pthread_mutex_init(&follower->chore_lock, NULL);
    pthread_cond_init(&follower->changed, NULL);
    follower->piece.room = JOURNAL_PIECE_MIN;
    follower->piece.bytes = malloc(JOURNAL_PIECE_MIN);
    return follower->piece.bytes ? 0 : METE_E_MEMORY;
}

void follower_done(struct mete *mete)
{
    struct follower *follower = &mete->follower;
    if (!follower->piece.bytes)
        return;
    give_back(follower);
    free(follower->piece.bytes);
    pthread_cond_destroy(&follower->changed);
    pthread_mutex_destroy(&follower->chore_lock);
    pthread_mutex_destroy(&follower->lock);
}
