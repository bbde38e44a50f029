/* SPDX-License-Identifier: Apache-2.0
 * From the disk to a running state:
 *
 *   newest snapshot that loads  ->  journal after it: check, replay  ->  records: project what they
 * lack  ->  clock  ->  orphans  -> flushed
 *
 * Everything runs on the opening thread, before any other is started. Calls that were under way at
 * the crash (METE_RESERVE_CALL) end charged at their worst case, because whether they were sent
 * cannot be known; these entries are durable before the engine takes its first operation.
 *
 * Records that know of entries the journal does not have mean that the journal has lost its end:
 * that is damage, not something to build on. */
#include "engine/engine.h"

#include "base/checked.h"
#include "engine/replay.h"
#include "engine/snapshots.h"

#include <stdlib.h>

enum { PROJECT_ENTRIES = 16384 /* replayed in one transaction of the records */ };

struct recovery {
    struct mete *mete;
    struct replay replay;
    bool in_batch;
    uint32_t batched;
};

static int end_batch(struct recovery *recovery, uint64_t seq)
{
    if (!recovery->in_batch)
        return 0;
    recovery->in_batch = false;
    recovery->batched = 0;
    return records_end(recovery->mete->records, seq);
}

static int put(void *user, const struct entry *entry, const struct projection *projection)
{
    struct recovery *recovery = user;
    if (!projection)
        return 0;
    int error = 0;
    if (!recovery->in_batch) {
        error = records_begin(recovery->mete->records);
        recovery->in_batch = !error;
    }
    if (!error)
        error = project_put(recovery->mete->records, projection);
    if (!error && ++recovery->batched == PROJECT_ENTRIES)
        error = end_batch(recovery, entry->seq);
    return error;
}

static int read_group(void *user, const struct journal_group *group)
{
    struct recovery *recovery = user;
    return replay_group(&recovery->replay, group);
}

/* ---- Where to begin -------------------------------------------------------------------------- */

static int knows(void *user, const struct journal_mark *mark)
{
    const struct mete *mete = user;
    return journal_knows(mete->journal, mark);
}

/* The newest snapshot that the journal knows and the records have reached: they lack rows of the
 * entries behind it, which the journal still tells. None: the journal's beginning, unless it was
 * cut. */
static int load_snapshot(struct mete *mete, struct journal_mark *ret_mark)
{
    struct journal_mark base;
    journal_base(mete->journal, &base);
    uint64_t records_seq = mete->has_records ? records_last_seq(mete->records) : UINT64_MAX;
    if (records_seq < base.seq)
        return METE_E_CORRUPT; /* what was before the base is nowhere else */
    const struct snapshots_wanted wanted = {.directory = mete->directory,
                                            .seq_max = records_seq,
                                            .at_us_max = INT64_MAX,
                                            .knows = knows,
                                            .user = mete};
    snapshot_tidy(mete->directory);
    int error = snapshots_find(&wanted, &mete->ledger, ret_mark);
    bool is_none = error == METE_E_NOT_FOUND || error == METE_E_STORAGE;
    if (is_none && !base.seq)
        return 0;
    if (error == METE_E_NOT_FOUND)
        return METE_E_CORRUPT;
    if (!error)
        lineage_learn(&mete->lineage, mete->ledger);
    atomic_store(&mete->follower.snapshot, ret_mark->seq);
    return error;
}

/* The base the chain speaks of is there, byte for byte. */
static int check_base(struct mete *mete)
{
    struct journal_mark cut;
    struct ledger_base base;
    journal_base(mete->journal, &cut);
    ledger_base(mete->ledger, &base);
    atomic_store(&mete->follower.cut, cut.seq);
    if (!cut.seq)
        return 0;
    struct snapshot_head head;
    uint8_t hash[SNAPSHOT_HASH];
    if (base.seq < cut.seq)
        return METE_E_CORRUPT;
    int error = snapshot_check(mete->directory, base.seq, &head, hash);
    if (error)
        return error == METE_E_STORAGE || error == METE_E_MEMORY ? error : METE_E_CORRUPT;
    if (memcmp(hash, base.hash, sizeof hash) != 0 ||
        (base.seq == cut.seq && memcmp(&head.mark, &cut, sizeof cut) != 0))
        return METE_E_CORRUPT;
    return 0;
}

static int read_journal(struct mete *mete)
{
    uint64_t records_seq = mete->has_records ? records_last_seq(mete->records) : 0;
    struct recovery recovery = {
        .mete = mete,
        .replay = {.lineage = &mete->lineage,
                   .effects = &mete->effects,
                   .projection = &mete->projection,
                   .project_from = mete->has_records ? records_seq + 1 : UINT64_MAX,
                   .each = put,
                   .user = &recovery}};
    struct journal_mark mark = {0};
    int error = load_snapshot(mete, &mark);
    recovery.replay.ledger = mete->ledger;
    recovery.replay.last_at_us = ledger_last_at_us(mete->ledger);
    if (!error)
        error = journal_read(mete->journal, &mark, read_group, &recovery, NULL);
    if (!error)
        error = check_base(mete);
    if (error)
        return error;
    uint64_t last_seq = journal_last_seq(mete->journal);
    if (records_seq > last_seq)
        return METE_E_CORRUPT;
    mete->last_at_us = recovery.replay.last_at_us;
    atomic_store(&mete->flushed, last_seq);
    error = end_batch(&recovery, last_seq);
    if (!error && mete->has_records)
        atomic_store(&mete->projected, last_seq);
    return error;
}

/* Makes durable and projects what was entered, as writer and projector will. */
static void settle(struct mete *mete)
{
    struct batch *batch = mete->filling;
    batch->seen_seq = ledger_last_seq(mete->ledger);
    batch->rows_end = rows_tail(&mete->rows);
    writer_flush(mete, batch);
    batch_clear(batch);
    while (mete->has_records && projector_step(mete))
        ;
}

void recover_genesis(struct mete *mete)
{
    ASSERT(ledger_last_seq(mete->ledger) == 0);
    struct entry entry = {.kind = ENTRY_GENESIS, .seq = 1, .at_us = mete->now_us};
    entry.u.genesis.format = ENTRY_FORMAT;
    if (mete->is_durable)
        mete->os.random(mete->os.user, entry.u.genesis.installation,
                        sizeof entry.u.genesis.installation);
    owner_enter(mete, &entry);
}

static void end_orphan(struct mete *mete, uint64_t id)
{
    static const struct rows_need one = {
        .rows = 1, .texts = ROWS_USAGE_TEXTS, .events = LEDGER_EVENTS_MAX};
    struct entry *entry = &mete->decision.entry;
    ledger_decide_orphan(mete->ledger, (struct mete_instant){mete->now_us}, id, entry);
    owner_enter(mete, entry);
    if (mete->filling->bytes_len + NEED_BYTES > LIMIT_GROUP ||
        (mete->has_records && !rows_have_room(&mete->rows, &one)))
        settle(mete);
}

static int compare_made(const void *a, const void *b)
{
    const struct ledger_call *x = a, *y = b;
    return (x->made_seq > y->made_seq) - (x->made_seq < y->made_seq);
}

/* In the order they were made in, wherever the ends before the crash have left them in the list.
 * The caller frees them; NULL: there is none. MEMORY. */
static int find_orphans(const struct mete *mete, struct ledger_call **ret_calls, uint32_t *ret_len)
{
    *ret_calls = NULL;
    *ret_len = ledger_calls(mete->ledger, NULL, 0);
    if (*ret_len == 0)
        return 0;
    struct ledger_call *calls = malloc(*ret_len * sizeof *calls);
    if (!calls)
        return METE_E_MEMORY;
    (void)ledger_calls(mete->ledger, calls, *ret_len);
    qsort(calls, *ret_len, sizeof *calls, compare_made);
    *ret_calls = calls;
    return 0;
}

int recover(struct mete *mete, const char *directory, struct mete_clock clock)
{
    ASSERT(directory && !mete->writer_runs);
    int error = journal_open(&mete->os, directory, 0, &mete->journal);
    if (!error && mete->has_records)
        error = records_open(&mete->os, directory, &mete->records);
    if (!error)
        error = read_journal(mete);
    if (!error)
        error = clock_init(&mete->clock, &mete->os, clock, mete->last_at_us);
    struct ledger_call *orphans = NULL;
    uint32_t orphans_len = 0;
    if (!error)
        error = find_orphans(mete, &orphans, &orphans_len);
    if (error)
        return error;
    mete->now_us = max_i64(clock_now_us(&mete->clock), mete->last_at_us);
    batch_take(mete);
    if (ledger_last_seq(mete->ledger) == 0)
        recover_genesis(mete);
    for (uint32_t i = 0; i < orphans_len; i++)
        end_orphan(mete, orphans[i].id);
    free(orphans);
    settle(mete);
#ifdef METE_SLOW_CHECKS
    ledger_check(mete->ledger);
#endif
    ASSERT_INV("INV-05", atomic_load(&mete->flushed) == ledger_last_seq(mete->ledger));
    writer_check_space(mete);
    atomic_store(&mete->filling->state, BATCH_FREE);
    mete->filling = NULL;
    mete->latest_batch = 0; /* where the writer expects it */
    return 0;
}
