/* SPDX-License-Identifier: Apache-2.0
 * Each snapshot is loaded into a ledger of its own and hashed; the hash must be the one in its
 * head, and when the replay has come to its entry, the replay's. So a snapshot is proven to change
 * cost and never meaning (INV-06), and the base to be what the entries before it made, as far as
 * whoever cut looked: they are gone, and the chain has the hash of what they left. */
#include "engine/verify_base.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static int differs(struct verify_base *base,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(base->detail, 256, format, args);
    va_end(args);
    return METE_E_CORRUPT;
}

static int knows_where(struct verify_base *base, uint64_t seq, const struct journal_mark *mark)
{
    int error = journal_knows(base->journal, mark);
    if (error == METE_E_NOT_FOUND)
        return differs(base, "snapshot %llu is not of this journal", (unsigned long long)seq);
    return error;
}

/* Loads it; the ledger then holds it. */
static int load(struct verify_base *base, uint64_t seq, struct ledger **ledger,
                struct snapshot_head *ret_head, uint8_t ret_hash[SNAPSHOT_HASH])
{
    char what[256];
    uint8_t loaded[32];
    struct journal_mark mark;
    int error = snapshot_check(base->directory, seq, ret_head, ret_hash);
    if (!error)
        error = knows_where(base, seq, &ret_head->mark);
    if (!error)
        error = snapshots_load(base->directory, seq, ledger, &mark, ret_hash);
    if (error == METE_E_CORRUPT || error == METE_E_NOT_FOUND)
        return base->detail[0]
                   ? METE_E_CORRUPT
                   : differs(base, "snapshot %llu is damaged%s", (unsigned long long)seq,
                             seq == base->base.seq ? ", and it is the base"
                                                   : "; it may be deleted");
    if (error)
        return error;
    if (!ledger_sound(*ledger, what))
        return differs(base, "snapshot %llu contradicts itself: %.180s", (unsigned long long)seq,
                       what);
    ledger_hash(*ledger, loaded);
    if (memcmp(loaded, ret_head->state_hash, sizeof loaded) != 0)
        return differs(base, "snapshot %llu does not load to the state it was made of",
                       (unsigned long long)seq);
    return 0;
}

static int look_at(struct verify_base *base, size_t i, const struct ledger_room *room)
{
    struct ledger *ledger;
    struct snapshot_head head;
    uint8_t hash[SNAPSHOT_HASH];
    int error = ledger_open(room, &ledger);
    if (error)
        return error;
    error = load(base, base->seqs[i], &ledger, &head, hash);
    memcpy(base->hashes[i], head.state_hash, sizeof base->hashes[i]);
    ledger_close(ledger);
    return error;
}

/* Begins with the base. */
static int load_base(struct verify_base *base, struct ledger **ledger)
{
    struct snapshot_head head;
    if (!base->base.seq)
        return 0;
    int error = load(base, base->base.seq, ledger, &head, base->hash);
    if (error == METE_E_NOT_FOUND)
        return differs(base, "the base, snapshot %llu, is missing",
                       (unsigned long long)base->base.seq);
    return error;
}

int verify_base_open(struct verify_base *base, struct ledger **ledger)
{
    ASSERT(base->directory && base->journal && base->detail);
    struct ledger_room room;
    ledger_room(*ledger, &room);
    journal_base(base->journal, &base->base);
    int error = load_base(base, ledger);
    if (!error)
        error = snapshot_list(base->directory, base->seqs, SNAPSHOTS_MAX, &base->len);
    while (base->len && base->seqs[base->len - 1] <= base->base.seq)
        base->len--; /* the base is looked at already, and nothing tells of those before it */
    for (size_t i = 0; !error && i < base->len; i++)
        error = look_at(base, i, &room);
    return error;
}

int verify_base_entry(struct verify_base *base, const struct ledger *ledger,
                      const struct entry *entry)
{
    if (entry->kind == ENTRY_BASE && entry->u.base.seq == base->base.seq) {
        if (memcmp(entry->u.base.hash, base->hash, sizeof base->hash) != 0)
            return differs(base, "the base is not the one that entry %llu names",
                           (unsigned long long)entry->seq);
        base->is_named = true;
    }
    for (size_t i = 0; i < base->len; i++) {
        uint8_t hash[32];
        if (base->seqs[i] != entry->seq)
            continue;
        ledger_hash(ledger, hash);
        if (memcmp(hash, base->hashes[i], sizeof hash) != 0)
            return differs(base, "snapshot %llu is not what the journal makes",
                           (unsigned long long)entry->seq);
    }
    return 0;
}

int verify_base_end(struct verify_base *base)
{
    if (base->base.seq && !base->is_named)
        return differs(base, "no entry names the base, snapshot %llu",
                       (unsigned long long)base->base.seq);
    return 0;
}
