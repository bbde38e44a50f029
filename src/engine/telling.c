/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/telling.h"

#include "engine/snapshots.h"

#include <stdlib.h>

const char *telling_word(enum entry_kind kind)
{
    static const char *const names[ENTRY_KINDS] = {
        "none",   "genesis",  "scope",        "budget",   "budget_end", "window",    "reserve",
        "refuse", "commit",   "release",      "expire",   "record",     "scope_end", "scope_move",
        "limit",  "increase", "increase_end", "lift",     "default",    "rate",      "rate_end",
        "grant",  "refund",   "quota_end",    "exchange", "meter",      "extend",    "correct",
        "base",   "document", "document_end"};
    ASSERT(kind < ENTRY_KINDS);
    return names[kind];
}

uint64_t telling_reservation(const struct entry *entry)
{
    if (entry->kind == ENTRY_COMMIT)
        return entry->u.commit.reservation;
    if (entry->kind == ENTRY_RELEASE || entry->kind == ENTRY_EXPIRE)
        return entry->u.end.reservation;
    if (entry->kind == ENTRY_EXTEND)
        return entry->u.extend.reservation;
    if (entry->kind == ENTRY_CORRECT)
        return entry->u.correct.reservation;
    return entry->kind == ENTRY_RESERVE ? entry->u.reserve.reservation : 0;
}

static int knows(void *user, const struct journal_mark *mark)
{
    const struct mete *mete = user;
    return mark->seq < atomic_load(&mete->follower.cut) ? METE_E_NOT_FOUND : 0;
}

/* The newest snapshot before the instant, or the beginning. */
static int load(struct telling *telling)
{
    struct mete *mete = telling->mete;
    uint64_t cut = atomic_load(&mete->follower.cut);
    int error = ledger_open(&mete->follower.room, &telling->ledger);
    if (error)
        return error;
    const struct snapshots_wanted wanted = {.directory = mete->directory,
                                            .seq_max = atomic_load(&mete->flushed),
                                            .at_us_max = telling->since_us - 1,
                                            .knows = knows,
                                            .user = mete};
    error = snapshots_find(&wanted, &telling->ledger, &telling->mark);
    bool is_none = error == METE_E_NOT_FOUND || error == METE_E_STORAGE;
    if (is_none && cut) { /* what was before the base nobody knows any more */
        uint8_t hash[SNAPSHOT_HASH];
        error = snapshots_load(mete->directory, cut, &telling->ledger, &telling->mark, hash);
    } else if (is_none) {
        error = 0;
    }
    return error;
}

int telling_begin(struct telling *telling)
{
    uint8_t *room = malloc(JOURNAL_PIECE_MIN);
    if (!room)
        return METE_E_MEMORY;
    telling->piece = (struct journal_piece){room, 0, JOURNAL_PIECE_MIN};
    int error = load(telling);
    telling->replay = (struct replay){
        .ledger = telling->ledger, .effects = &telling->effects, .project_from = UINT64_MAX};
    return error;
}

void telling_done(struct telling *telling)
{
    if (telling->ledger)
        ledger_close(telling->ledger);
    free(telling->piece.bytes);
}

static int apply_group(void *user, const struct journal_group *group)
{
    return replay_group(user, group);
}

/* CORRUPT in the middle of a cut is no damage: what was to be read is gone. */
int telling_follow(struct telling *telling)
{
    struct mete *mete = telling->mete;
    uint64_t upto = atomic_load(&mete->flushed), cut = atomic_load(&mete->follower.cut);
    int error = 0;
    while (!error && telling->mark.seq < upto) {
        struct chore chore = {
            .kind = CHORE_FETCH, .after = telling->mark.seq, .piece = &telling->piece};
        error = chore_run(mete, &chore);
        if (!error && !telling->piece.len)
            error = METE_E_CORRUPT;
        if (!error)
            error = journal_unfold(&telling->piece, &telling->mark, apply_group, &telling->replay,
                                   NULL);
    }
    return error == METE_E_CORRUPT && cut != atomic_load(&mete->follower.cut) ? METE_E_BUSY : error;
}
