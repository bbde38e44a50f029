/* SPDX-License-Identifier: Apache-2.0
 * Records first, then snapshots, then the journal up to at least what the records say: a copy whose
 * journal is behind its records would be damage. All of it into DIRECTORY.part, which becomes
 * DIRECTORY when everything is flushed: a backup is whole or not there.
 *
 * Made by the follower, so that no cut comes between; the journal is read in pieces between the
 * writer's flushes, so that nobody waits longer than for an audit.
 *
 * Considered and not done: SQLite's backup of the journal, whose every later append would be
 * written to the copy as well until it is through. */
#include "engine/backup.h"

#include "engine/engine.h"
#include "engine/files.h"
#include "engine/snapshots.h"

struct making {
    struct mete *mete;
    struct pacing *pacing;
    const char *directory; /* the .part */
    struct journal *copy;
    struct journal_mark base;
    uint64_t upto; /* what the records have, at least */
};

static int copy_records(struct making *making)
{
    const struct records_pace pace = {follower_pace, making->pacing};
    struct mete *mete = making->mete;
    int error = records_copy(&mete->os, mete->directory, making->directory, &pace, &making->upto);
    return error == METE_E_NOT_FOUND && !mete->has_records ? 0 : error;
}

/* The base, and what is newer. Other ones than the base only save time. */
static int copy_snapshots(struct making *making)
{
    uint64_t seqs[SNAPSHOTS_MAX], base = making->base.seq;
    const char *from = making->mete->directory;
    size_t len;
    int error = snapshot_list(from, seqs, SNAPSHOTS_MAX, &len);
    if (!error && base)
        error = snapshot_copy(from, making->directory, base);
    for (size_t i = 0; !error && i < len; i++) {
        if (seqs[i] <= base)
            continue;
        error = snapshot_copy(from, making->directory, seqs[i]);
        if (error == METE_E_CORRUPT || error == METE_E_FORMAT || error == METE_E_NOT_FOUND)
            error = 0;
        if (!error)
            error = follower_pace(making->pacing);
        if (seqs[i] > making->upto)
            making->upto = seqs[i];
    }
    return error;
}

static int copy_pieces(struct making *making)
{
    struct mete *mete = making->mete;
    struct journal_piece *piece = &mete->follower.piece;
    int error = 0;
    while (!error && journal_last_seq(making->copy) < making->upto) {
        struct chore chore = {
            .kind = CHORE_FETCH, .after = journal_last_seq(making->copy), .piece = piece};
        error = chore_run(mete, &chore);
        if (!error && !piece->len)
            error = METE_E_CORRUPT; /* what is flushed is there */
        if (!error)
            error = journal_adopt(making->copy, piece);
        if (!error)
            error = follower_pace(making->pacing);
    }
    return error;
}

static int copy_journal(struct making *making)
{
    uint64_t flushed = atomic_load(&making->mete->flushed);
    if (flushed > making->upto)
        making->upto = flushed;
    int error = journal_open(&making->mete->os, making->directory, 0, &making->copy);
    if (!error)
        error = journal_begin_at(making->copy, &making->base);
    if (!error)
        error = copy_pieces(making);
    if (!error)
        making->upto = journal_last_seq(making->copy);
    journal_close(making->copy);
    return error;
}

int backup_make(struct mete *mete, const char *directory, struct pacing *pacing, uint64_t *ret_seq)
{
    char part[FILES_PATH];
    struct making making = {.mete = mete, .pacing = pacing, .directory = part};
    journal_base(mete->journal, &making.base); /* nobody else cuts */
    int error = files_begin(directory, part);
    if (error)
        return error;
    error = copy_records(&making);
    if (!error)
        error = copy_snapshots(&making);
    if (!error)
        error = copy_journal(&making);
    if (!error)
        error = files_end(part, directory);
    else
        files_remove(part);
    if (!error)
        *ret_seq = making.upto;
    return error;
}

/* ---- Restoring ------------------------------------------------------------------------------- */

int engine_restore(const char *backup, const char *to, struct verify_report *ret_report)
{
    char part[FILES_PATH];
    int error = engine_verify(backup, ret_report);
    if (!error)
        error = files_begin(to, part);
    if (error)
        return error;
    error = files_copy_all(backup, part);
    if (!error)
        error = engine_verify(part, ret_report);
    if (!error)
        error = files_end(part, to);
    else
        files_remove(part);
    return error;
}
