/* SPDX-License-Identifier: Apache-2.0
 * Damage: a journal with every kind of operation is replayed, and at each of its entries the entry
 * comes once more with some of its bytes changed, or another number in the place of one of its
 * numbers, as no checksum would let it through; and now and then the whole state is saved, changed
 * likewise, and loaded.
 *
 * THE RULE
 *   What is changed is refused as CORRUPT or FORMAT (a saved state also as FULL, or found unsound
 *   afterwards), or it is an entry that might have been: then the ledger checks out. It is never
 *   the end of the process, and the replay of the unchanged journal goes on to the engine's hash.
 *
 *   usage: damage [--seed S] [--entry N] [--state N] DIRECTORY...
 * N changes of each entry (4), and of each saved state (24). */
#include "engine/replay.h"
#include "store/journal.h"
#include "store/snapshot.h"
#include "unit/reload.h"
#include "unit/twist.h"

#include <stdio.h>

enum { STATE_EVERY = 64, FLIPS = 3 };

static struct {
    uint64_t dice;
    unsigned per_entry, per_state;
    uint64_t journals, entries, changed, refused, taken, states, unloaded, unsound;
} run = {.dice = 1, .per_entry = 4, .per_state = 24};

static uint64_t roll(void)
{
    uint64_t z = run.dice += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* What a byte may become: anything, or near, or an end of its range. */
static uint8_t other_byte(uint8_t byte)
{
    static const uint8_t ends[] = {0, 1, 0x7f, 0x80, 0xff};
    switch (roll() % 4) {
    case 0:
        return (uint8_t)(byte ^ 1u << roll() % 8);
    case 1:
        return (uint8_t)(byte + 1);
    case 2:
        return ends[roll() % sizeof ends];
    default:
        return (uint8_t)roll();
    }
}

static void change_bytes(uint8_t *bytes, size_t len)
{
    for (uint64_t left = 1 + roll() % FLIPS; left; left--) {
        size_t at = roll() % len;
        bytes[at] = other_byte(bytes[at]);
    }
}

/* A number is another one, and all else as it was. bytes has room for VARINT_MAX more. */
static void change_number(uint8_t *bytes, size_t *len)
{
    size_t at = roll() % *len;
    while (!twist_begins(bytes, at))
        at--;
    (void)twist_number(bytes, len, at, (unsigned)(roll() % TWISTS));
}

static void change(uint8_t *bytes, size_t *len)
{
    if (roll() % 2)
        change_number(bytes, len);
    else
        change_bytes(bytes, *len);
}

static struct ledger *open_like(const struct ledger *ledger)
{
    struct ledger *other;
    struct ledger_room room;
    ledger_room(ledger, &room);
    int error = ledger_open(&room, &other);
    ASSERT(error == 0);
    return other;
}

static void save(const struct ledger *ledger, struct saved *ret_saved)
{
    *ret_saved = (struct saved){0};
    int error = ledger_save(ledger, saved_put, ret_saved);
    ASSERT(error == 0);
}

/* ---- Entries --------------------------------------------------------------------------------- */

static void try_entry(const struct ledger *ledger, struct saved *saved, struct slice bytes,
                      int64_t last_at_us)
{
    static struct ledger_effects effects;
    static uint8_t changed[1 << 16];
    struct entry entry;
    size_t len = bytes.len;
    if (len + VARINT_MAX > sizeof changed)
        return;
    memcpy(changed, bytes.data, len);
    change(changed, &len);
    struct reader r = {changed, changed + len, false};
    run.changed++;
    if (entry_read(&r, last_at_us, &entry) || r.at != r.end) {
        run.refused++;
        return;
    }
    entry.seq = ledger_last_seq(ledger) + 1;
    struct ledger *other = open_like(ledger);
    saved->at = 0;
    int error = ledger_load(other, saved_get, saved);
    ASSERT(error == 0);
    error = ledger_apply(other, &entry, &effects);
    ASSERT(error == 0 || error == METE_E_CORRUPT || error == METE_E_FORMAT);
    if (error)
        run.refused++;
    else {
        run.taken++;
        ledger_check(other);
    }
    ledger_close(other);
}

/* ---- States ---------------------------------------------------------------------------------- */

/* Changes the piece that lies at a place: what is in it. Its length is the file's, and right. */
static void change_piece(struct saved *changed, size_t wanted)
{
    size_t at = 0, piece = 0, len = 0;
    for (; at <= wanted; at += sizeof len + len) {
        memcpy(&len, changed->bytes + at, sizeof len);
        piece = at;
    }
    size_t behind = changed->len - at;
    uint8_t *bytes = (uint8_t *)changed->bytes + piece + sizeof len;
    uint8_t *alone = malloc(len + VARINT_MAX);
    ASSERT(alone);
    memcpy(alone, bytes, len);
    size_t becomes = len;
    change(alone, &becomes);
    memmove(bytes + becomes, bytes + len, behind);
    memcpy(bytes, alone, becomes);
    memcpy(bytes - sizeof len, &becomes, sizeof becomes);
    changed->len += becomes - len;
    free(alone);
}

static void try_state(const struct ledger *ledger, const struct saved *saved)
{
    struct saved changed = {.bytes = malloc(saved->len + VARINT_MAX), .len = saved->len};
    ASSERT(changed.bytes);
    memcpy(changed.bytes, saved->bytes, saved->len);
    change_piece(&changed, roll() % saved->len);
    struct ledger *other = open_like(ledger);
    char what[256];
    int error = ledger_load(other, saved_get, &changed);
    ASSERT(error == 0 || error == METE_E_CORRUPT || error == METE_E_FORMAT || error == METE_E_FULL);
    run.states++;
    run.unloaded += error != 0;
    run.unsound += !error && !ledger_sound(other, what);
    ledger_close(other);
    free(changed.bytes);
}

/* ---- Journals -------------------------------------------------------------------------------- */

static int take_group(void *user, const struct journal_group *group)
{
    struct ledger *ledger = user;
    const uint8_t *at = (const uint8_t *)group->entries.data;
    struct reader r = {at, at + group->entries.len, false};
    int64_t last_at_us = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        const uint8_t *from = r.at;
        struct entry entry;
        struct saved saved;
        if (entry_read(&r, last_at_us, &entry))
            return METE_E_CORRUPT;
        struct slice bytes = {(const char *)from, (size_t)(r.at - from)};
        entry.seq = group->first_seq + i;
        save(ledger, &saved);
        for (unsigned n = 0; n < run.per_entry; n++)
            try_entry(ledger, &saved, bytes, last_at_us);
        for (unsigned n = 0; entry.seq % STATE_EVERY == 0 && n < run.per_state; n++)
            try_state(ledger, &saved);
        free(saved.bytes);
        last_at_us = entry.at_us;
        if (ledger_apply(ledger, &entry, NULL))
            return METE_E_CORRUPT;
        run.entries++;
    }
    return 0;
}

static int get_piece(void *user, struct slice *ret_piece)
{
    return snapshot_get(user, ret_piece);
}

/* What a journal that was cut goes on from. */
static int load_base(struct ledger *ledger, const char *directory, uint64_t seq)
{
    struct snapshot_reader *reader;
    int error = snapshot_open(directory, seq, &reader);
    if (error)
        return error;
    error = ledger_load(ledger, get_piece, reader);
    snapshot_close(reader);
    return error;
}

static int look_at(const char *directory)
{
    static const struct ledger_room room = {1024, 4096, 4096, 16384};
    struct journal *journal;
    struct journal_mark base;
    struct ledger *ledger;
    uint8_t hash[32];
    char path[512], text[65] = "", wanted[65] = "";
    int error = journal_open(os_system(), directory, 1, &journal);
    if (error)
        return error;
    journal_base(journal, &base);
    error = ledger_open(&room, &ledger);
    if (!error && base.seq)
        error = load_base(ledger, directory, base.seq);
    if (!error)
        error = journal_read(journal, NULL, take_group, ledger, NULL);
    journal_close(journal);
    if (error)
        return error;
    ledger_hash(ledger, hash);
    ledger_close(ledger);
    for (int i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    snprintf(path, sizeof path, "%s.hash", directory);
    FILE *from = fopen(path, "r");
    if (!from || fread(wanted, 1, 64, from) != 64)
        return METE_E_NOT_FOUND;
    fclose(from);
    run.journals++;
    return strcmp(text, wanted) ? METE_E_CORRUPT : 0;
}

int main(int argc, char **argv)
{
    int error = 0;
    for (int i = 1; i < argc && !error; i++) {
        if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            run.dice = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--entry") && i + 1 < argc)
            run.per_entry = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--state") && i + 1 < argc)
            run.per_state = (unsigned)strtoul(argv[++i], NULL, 10);
        else
            error = look_at(argv[i]);
    }
    printf("damage: %llu journals, %llu entries, %llu changed: %llu refused, %llu taken and sound; "
           "%llu states changed: %llu refused, %llu unsound; %s\n",
           (unsigned long long)run.journals, (unsigned long long)run.entries,
           (unsigned long long)run.changed, (unsigned long long)run.refused,
           (unsigned long long)run.taken, (unsigned long long)run.states,
           (unsigned long long)run.unloaded, (unsigned long long)run.unsound,
           error ? mete_error_name(error) : "no other end");
    return error || !run.journals;
}
