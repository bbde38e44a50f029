/* SPDX-License-Identifier: Apache-2.0
 * What a bad file does: it is passed over for an older one (INV-06: a snapshot other than the base
 * changes cost, never meaning). The ledger that was half loaded is thrown away. */
#include "engine/snapshots.h"

#include "base/assert.h"

struct writing {
    struct snapshot_writer *writer;
    int (*pace)(void *user);
    void *user;
};

static int put(void *user, struct slice piece)
{
    const struct writing *writing = user;
    int error = snapshot_put(writing->writer, piece);
    return error || !writing->pace ? error : writing->pace(writing->user);
}

int snapshots_write(const struct ledger *ledger, const char *directory,
                    const uint8_t head[JOURNAL_HASH], int (*pace)(void *user), void *user,
                    uint8_t ret_hash[SNAPSHOT_HASH])
{
    struct snapshot_head made = {.at_us = ledger_last_at_us(ledger),
                                 .mark.seq = ledger_last_seq(ledger)};
    memcpy(made.mark.head, head, JOURNAL_HASH);
    ledger_installation(ledger, made.installation);
    ledger_hash(ledger, made.state_hash);
    struct writing writing = {.pace = pace, .user = user};
    int error = snapshot_begin(directory, &made, &writing.writer);
    if (error)
        return error;
    error = ledger_save(ledger, put, &writing);
    if (error) {
        snapshot_abandon(writing.writer);
        return error;
    }
    return snapshot_end(writing.writer, ret_hash);
}

static int get(void *user, struct slice *ret_piece)
{
    return snapshot_get(user, ret_piece);
}

static int load(struct snapshot_reader *reader, struct ledger *ledger)
{
    const struct snapshot_head *head = snapshot_head(reader);
    int error = ledger_load(ledger, get, reader);
    if (!error &&
        (ledger_last_seq(ledger) != head->mark.seq || ledger_last_at_us(ledger) != head->at_us))
        error = METE_E_CORRUPT;
    return error;
}

int snapshots_load(const char *directory, uint64_t seq, struct ledger **ledger,
                   struct journal_mark *ret_mark, uint8_t ret_hash[SNAPSHOT_HASH])
{
    ASSERT(ledger_last_seq(*ledger) == 0);
    struct ledger_room room;
    ledger_room(*ledger, &room);
    struct snapshot_reader *reader;
    int error = snapshot_open(directory, seq, &reader);
    if (error)
        return error;
    error = load(reader, *ledger);
    if (!error) {
        *ret_mark = snapshot_head(reader)->mark;
        snapshot_hash(reader, ret_hash);
    } else {
        struct ledger *fresh = NULL;
        int failed = ledger_open(&room, &fresh);
        if (failed) {
            error = failed;
        } else {
            ledger_close(*ledger);
            *ledger = fresh;
        }
    }
    snapshot_close(reader);
    return error;
}

/* What is wrong with a file is no matter where there is another one. */
static int passed_over(int error)
{
    return error == METE_E_CORRUPT || error == METE_E_FORMAT || error == METE_E_FULL
               ? METE_E_NOT_FOUND
               : error;
}

/* 0; NOT_FOUND: not this one; STORAGE: it cannot be read. */
static int try(const struct snapshots_wanted *wanted, uint64_t seq, struct ledger **ledger,
               struct journal_mark *ret_mark)
{
    struct snapshot_reader *reader;
    int error = snapshot_open(wanted->directory, seq, &reader);
    if (error)
        return passed_over(error);
    struct snapshot_head head = *snapshot_head(reader);
    snapshot_close(reader);
    if (head.at_us > wanted->at_us_max)
        return METE_E_NOT_FOUND;
    error = wanted->knows(wanted->user, &head.mark);
    if (error)
        return error;
    uint8_t hash[SNAPSHOT_HASH];
    error = snapshots_load(wanted->directory, seq, ledger, ret_mark, hash);
    return passed_over(error);
}

int snapshots_find(const struct snapshots_wanted *wanted, struct ledger **ledger,
                   struct journal_mark *ret_mark)
{
    uint64_t seqs[SNAPSHOTS_MAX];
    size_t len;
    int error = snapshot_list(wanted->directory, seqs, SNAPSHOTS_MAX, &len);
    if (error)
        return error;
    int none = METE_E_NOT_FOUND;
    for (size_t i = 0; i < len; i++) {
        if (seqs[i] > wanted->seq_max)
            continue;
        error = try(wanted, seqs[i], ledger, ret_mark);
        if (error != METE_E_NOT_FOUND && error != METE_E_STORAGE)
            return error;
        none = error == METE_E_STORAGE ? error : none;
    }
    return none;
}

void snapshots_prune(const char *directory, uint64_t base, uint64_t cut)
{
    uint64_t seqs[SNAPSHOTS_MAX];
    size_t len;
    if (snapshot_list(directory, seqs, SNAPSHOTS_MAX, &len))
        return; /* what cannot be seen is not removed: it costs room, nothing else */
    for (size_t i = 0; i < len; i++) {
        bool is_kept = seqs[i] == base || seqs[i] == cut || (i < 2 && seqs[i] > cut);
        if (!is_kept && snapshot_remove(directory, seqs[i]))
            return; /* what cannot be removed costs room, nothing else */
    }
}
